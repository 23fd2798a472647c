package datapath

import (
	"net/netip"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// The types of this file mirror bpf/layout.h.

type control struct {
	revision uint64
	shards   uint64
	hooked   [8]uint64
}

type slotConfig struct {
	HostIdentity uint32
	_            uint32
}

type addressKey struct {
	PrefixLen uint32
	Slot      uint8
	Family    uint8
	_         uint16
	Addr      [16]byte
}

type addressValue struct {
	Peer, Local, Flags, Rule uint32
}

type cgroupKey struct {
	ID   uint64
	Slot uint32
	_    uint32
}

type policyKey struct {
	Local, Peer uint32
	Class       uint16
	Direction   uint8
	Slot        uint8
}

type policyValue struct {
	InForceRule, ToComeRule   uint32
	InForceUntil, ToComeUntil uint64 // ns, CLOCK_BOOTTIME; 0: without end
	AllowInForce, AllowToCome uint8
	_                         [6]byte
}

type connKey struct {
	NetNS         uint64
	Local, Remote [16]byte
	LPort, RPort  uint16
	Proto, Family uint8
	_             uint16
}

type conn struct {
	Last, Cgroup, Anchor, Until                    uint64
	Revision, Edge, Identity, Peer, Rule, ToComeRl uint32
	ISN                                            uint32
	Direction, Verdict, ToCome, Flags              uint8
}

type edgeKey struct {
	Local, Peer, Rule                 uint32
	Class                             uint16
	Proto, Direction, Verdict, Reason uint8
	_                                 uint16
}

const (
	familyV4 = 4
	familyV6 = 6
	// spaceBits precede an address's own bits in a longest-prefix key.
	spaceBits = 32

	statLost   = 0
	statNoEdge = 1
	statNoConn = 2
	statReason = 8
)

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return familyV4
	}
	return familyV6
}

func rawAddr(a netip.Addr) (out [16]byte) {
	copy(out[:], a.AsSlice())
	return out
}

func addrOf(raw [16]byte, fam uint8) netip.Addr {
	if fam == familyV4 {
		return netip.AddrFrom4([4]byte(raw[:4]))
	}
	return netip.AddrFrom16(raw)
}

func addressKeyOf(p netip.Prefix, slot uint8) addressKey {
	return addressKey{
		PrefixLen: spaceBits + uint32(p.Bits()),
		Slot:      slot,
		Family:    family(p.Addr()),
		Addr:      rawAddr(p.Masked().Addr()),
	}
}

func policyKeyOf(k layout.PolicyKey, slot uint8) policyKey {
	return policyKey{Local: k.Local, Peer: k.Peer, Class: k.Class, Direction: uint8(k.Direction), Slot: slot}
}

// policyValueOf turns instants of Unix time into the kernel's; clock is the
// difference.
func policyValueOf(v layout.PolicyValue, clock int64) policyValue {
	return policyValue{
		InForceRule: v.InForceRule, ToComeRule: v.ToComeRule,
		InForceUntil: bootTime(v.InForceUntil, clock), ToComeUntil: bootTime(v.ToComeUntil, clock),
		AllowInForce: bit(v.AllowInForce), AllowToCome: bit(v.AllowToCome),
	}
}

// bootTime is an instant since boot. One from before it is long over.
func bootTime(unix, clock int64) uint64 {
	if unix == 0 {
		return 0
	}
	return uint64(max(unix-clock, 1))
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func edgeKeyOf(k edgeKey) layout.EdgeKey {
	return layout.EdgeKey{
		Local: k.Local, Peer: k.Peer, Rule: k.Rule, Class: k.Class, Protocol: k.Proto,
		Direction: flow.Direction(k.Direction), Verdict: flow.Verdict(k.Verdict), Reason: flow.Reason(k.Reason),
	}
}
