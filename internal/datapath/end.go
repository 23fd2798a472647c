package datapath

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// adoptSockets tells the conversation table which end opened the conversations
// that began before anyone watched: the end that does not listen on its port.
// They are judged by their next packet. Entries that are there stay.
func (d *Datapath) adoptSockets() error {
	for _, s := range d.spaces {
		err := s.do(func() error {
			talking, listening, err := tcpSockets()
			if err != nil {
				return err
			}
			for _, sock := range talking {
				key, ok := keyOf(sock, s.cookie)
				if !ok {
					continue
				}
				c := conn{Last: monotonicNS(), Direction: side(sock, listening), Verdict: uint8(flow.Forwarded), ToCome: uint8(flow.Forwarded)}
				err := d.objs.Conns.Update(&key, &c, ebpf.UpdateNoExist)
				if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
					return fmt.Errorf("record a conversation: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("adopt the conversations of %s: %w", s.path, err)
		}
	}
	return nil
}

func side(s *netlink.Socket, listening map[uint16]bool) uint8 {
	if listening[s.ID.SourcePort] {
		return uint8(flow.Ingress)
	}
	return uint8(flow.Egress)
}

// EndWithdrawn ends the TCP sockets of all namespaces whose conversation the
// revision in force does not permit, and says how many it ended. Their packets
// are dropped already; this tells the processes.
func (d *Datapath) EndWithdrawn(ctx context.Context) (int, error) {
	d.mu.Lock()
	revision := d.revision
	im := d.slots[revision&1]
	d.mu.Unlock()
	if im == nil {
		return 0, errors.New("end conversations: no revision has been applied by this process")
	}
	l := newLookup(im, uint8(revision&1))
	ended := 0
	for _, s := range d.spaces {
		err := s.do(func() error {
			talking, listening, err := tcpSockets()
			if err != nil {
				return err
			}
			for _, sock := range talking {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				key, ok := keyOf(sock, s.cookie)
				if !ok {
					continue
				}
				c := conn{Direction: side(sock, listening), Verdict: uint8(flow.Forwarded)}
				if err := d.objs.Conns.Lookup(&key, &c); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
					return fmt.Errorf("look up a conversation: %w", err)
				}
				if l.permits(&key, &c, uint32(revision)) {
					continue
				}
				if err := destroy(sock); err != nil {
					return fmt.Errorf("end a conversation: %w", err)
				}
				ended++
			}
			return nil
		})
		if err != nil {
			return ended, fmt.Errorf("%s: %w", s.path, err)
		}
	}
	return ended, nil
}

// lookup answers in user space what the programs would answer from a slot.
type lookup struct {
	im      *image
	slot    uint8
	lengths []uint32 // prefix lengths that occur, longest first
}

func newLookup(im *image, slot uint8) *lookup {
	seen := map[uint32]bool{}
	l := &lookup{im: im, slot: slot}
	for k := range im.addresses {
		if !seen[k.PrefixLen] {
			seen[k.PrefixLen] = true
			l.lengths = append(l.lengths, k.PrefixLen)
		}
	}
	slices.Sort(l.lengths)
	slices.Reverse(l.lengths)
	return l
}

func (l *lookup) address(a netip.Addr) addressValue {
	for _, n := range l.lengths {
		bits := int(n - spaceBits)
		if bits > a.BitLen() {
			continue
		}
		if v, ok := l.im.addresses[addressKeyOf(netip.PrefixFrom(a, bits), l.slot)]; ok {
			return v
		}
	}
	return addressValue{Peer: layout.UnknownPeer}
}

// permits reports whether a conversation may go on. What the kernel has
// judged under this revision stands; the rest is judged as it would be.
func (l *lookup) permits(k *connKey, c *conn, revision uint32) bool {
	now := uint64(bootNS())
	if c.Verdict == uint8(flow.Dropped) || c.Revision == revision && (c.Until == 0 || now < c.Until) {
		return c.Verdict != uint8(flow.Dropped)
	}
	local, remote := l.address(addrOf(k.Local, k.Family)), l.address(addrOf(k.Remote, k.Family))
	if remote.Peer == layout.BuiltinPeer || k.Local == k.Remote {
		return true
	}
	identity := local.Local
	if c.Cgroup != 0 {
		identity = l.im.cgroups[cgroupKey{ID: c.Anchor, Slot: uint32(l.slot)}]
	}
	if identity == 0 {
		identity = l.im.host
	}
	port := k.LPort
	if c.Direction == uint8(flow.Egress) {
		port = k.RPort
	}
	v, ok := l.decide(policyKey{
		Local: identity, Peer: remote.Peer, Class: l.im.classes[0][port], Direction: c.Direction, Slot: l.slot,
	})
	return ok && v.AllowInForce != 0 && (v.InForceUntil == 0 || now < v.InForceUntil)
}

func (l *lookup) decide(k policyKey) (policyValue, bool) {
	class := k.Class
	for _, peer := range [2]uint32{k.Peer, layout.AnyPeer} {
		for _, cl := range [2]uint16{class, layout.ClassAny} {
			k.Peer, k.Class = peer, cl
			if v, ok := l.im.policy[k]; ok {
				return v, true
			}
		}
	}
	return policyValue{}, false
}
