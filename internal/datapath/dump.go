package datapath

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cilium/ebpf"

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
	clock := time.Now().UnixNano() - bootNS()
	if d.tables != nil && d.tables.Clock != 0 {
		clock = d.tables.Clock
	}
	return dumpOf(&d.objs.bpfMaps, d.revision, clock)
}

// readings is how often ReadDump begins anew because the agent has put another
// revision in force meanwhile.
const readings = 10

// ReadDump is Dump for the agent with these pins, whether or not it runs,
// without a lock. It returns fs.ErrNotExist if nothing is pinned there, and nil
// if nothing was ever put in force.
func ReadDump(pins string) (*layout.Dump, error) {
	var m bpfMaps
	release, err := openPinned(pins, map[string]**ebpf.Map{
		"control": &m.Control, "policy": &m.Policy, "addresses": &m.Addresses, "cgroups": &m.Cgroups, "classes": &m.Classes, "slots": &m.Slots,
	})
	if err != nil {
		return nil, err
	}
	defer release()
	for range readings {
		revision, err := revisionIn(&m)
		if revision == 0 || err != nil {
			return nil, err
		}
		out, err := dumpOf(&m, revision, time.Now().UnixNano()-bootNS())
		if err != nil {
			return nil, err
		}
		if after, err := revisionIn(&m); after == revision || err != nil {
			return out, err
		}
	}
	return nil, fmt.Errorf("the agent with the pins %s changes its maps faster than they can be read; try again", pins)
}

// dumpOf reads one revision; clock is what to add to the kernel's time.
func dumpOf(m *bpfMaps, revision uint64, clock int64) (*layout.Dump, error) {
	slot := uint8(revision & 1)
	im, err := readSlot(m, slot)
	if err != nil {
		return nil, err
	}
	out := &layout.Dump{Format: layout.Version}
	var config slotConfig
	if err := m.Slots.Lookup(uint32(slot), &config); err != nil {
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
	if out.Classes, err = classesIn(m, slot); err != nil {
		return nil, err
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

// classesIn reads the classes of all ports as runs.
func classesIn(m *bpfMaps, slot uint8) ([]layout.DumpClass, error) {
	out := []layout.DumpClass{}
	for p := range uint8(3) {
		var ports [65536]uint16
		if err := m.Classes.Lookup(uint32(slot)*3+uint32(p), &ports); err != nil {
			return nil, err
		}
		for lo := 0; lo < len(ports); {
			hi := lo
			for hi+1 < len(ports) && ports[hi+1] == ports[lo] {
				hi++
			}
			if ports[lo] != layout.ClassAny {
				out = append(out, layout.DumpClass{Protocol: p, Lo: uint16(lo), Hi: uint16(hi), Class: ports[lo]})
			}
			lo = hi + 1
		}
	}
	return out, nil
}

// prefixOf is the reverse of addressKeyOf.
func prefixOf(k addressKey) netip.Prefix {
	bits := int(k.PrefixLen) - 32
	if k.Family == family(netip.IPv4Unspecified()) {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(k.Addr[:4])), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom16(k.Addr), bits)
}
