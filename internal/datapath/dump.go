package datapath

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// Dump reads back what the kernel judges by at this moment: the revision in
// force, from the maps themselves. Numbers have no names in it. It waits for an
// Apply that is under way. Before the first Apply it is nil.
func (d *Datapath) Dump() (*layout.Dump, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.revision == 0 {
		return nil, nil
	}
	slot := uint8(d.revision & 1)
	im, err := d.readSlot(slot)
	if err != nil {
		return nil, err
	}
	out := &layout.Dump{Format: layout.Version}
	var config slotConfig
	if err := d.objs.Slots.Lookup(uint32(slot), &config); err != nil {
		return nil, err
	}
	out.Default = config.HostIdentity
	for k, v := range im.addresses {
		out.Addresses = append(out.Addresses, layout.DumpAddress{Prefix: prefixOf(k), Peer: v.Peer, Local: v.Local, Flags: layout.AddressFlags(v.Flags), Rule: v.Rule})
	}
	slices.SortFunc(out.Addresses, func(a, b layout.DumpAddress) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	for k, local := range im.cgroups {
		out.Cgroups = append(out.Cgroups, layout.DumpCgroup{ID: k.ID, Local: local})
	}
	slices.SortFunc(out.Cgroups, func(a, b layout.DumpCgroup) int { return cmp.Compare(a.ID, b.ID) })
	if err := d.dumpClasses(out, slot); err != nil {
		return nil, err
	}
	clock := time.Now().UnixNano() - bootNS()
	if d.tables != nil && d.tables.Clock != 0 {
		clock = d.tables.Clock
	}
	for k, v := range im.policy {
		key := layout.PolicyKey{Local: k.Local, Peer: k.Peer, Class: k.Class, Direction: flow.Direction(k.Direction)}
		value := layout.PolicyValue{InForceRule: v.InForceRule, ToComeRule: v.ToComeRule, AllowInForce: v.AllowInForce != 0, AllowToCome: v.AllowToCome != 0}
		value.InForceUntil, value.ToComeUntil = unixOf(v.InForceUntil, clock), unixOf(v.ToComeUntil, clock)
		out.Policy = append(out.Policy, layout.EntryOf(key, value))
	}
	slices.SortFunc(out.Policy, func(a, b layout.DumpEntry) int {
		return cmp.Or(cmp.Compare(a.Local, b.Local), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Class, b.Class))
	})
	return out, nil
}

// unixOf turns an instant of the kernel's into Unix time; 0 stays 0.
func unixOf(boot uint64, clock int64) int64 {
	if boot == 0 {
		return 0
	}
	return int64(boot) + clock
}

// dumpClasses reads the classes of all ports as runs.
func (d *Datapath) dumpClasses(out *layout.Dump, slot uint8) error {
	out.Classes = []layout.DumpClass{}
	for p := range uint8(3) {
		var ports [65536]uint16
		if err := d.objs.Classes.Lookup(uint32(slot)*3+uint32(p), &ports); err != nil {
			return err
		}
		for lo := 0; lo < len(ports); {
			hi := lo
			for hi+1 < len(ports) && ports[hi+1] == ports[lo] {
				hi++
			}
			if ports[lo] != layout.ClassAny {
				out.Classes = append(out.Classes, layout.DumpClass{Protocol: p, Lo: uint16(lo), Hi: uint16(hi), Class: ports[lo]})
			}
			lo = hi + 1
		}
	}
	return nil
}

// prefixOf is the reverse of addressKeyOf.
func prefixOf(k addressKey) netip.Prefix {
	bits := int(k.PrefixLen) - 32
	if k.Family == family(netip.IPv4Unspecified()) {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(k.Addr[:4])), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom16(k.Addr), bits)
}
