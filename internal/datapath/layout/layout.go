// Package layout holds what the eBPF programs and Go agree on: the keys and
// values of the maps, the events, and the tables of one revision. It mirrors
// internal/datapath/bpf/layout.h field by field and imports nothing that
// touches a kernel, so that renderers and readers can share it.
package layout

import (
	"net/netip"

	"firebreak/internal/flow"
)

// Version names this layout. Pinned maps of another version are never reused.
const Version = 4

// Identity numbers below FirstIdentity are reserved.
const (
	AnyPeer       uint32 = 0 // in policy keys: a peer without entries of its own
	UnknownPeer   uint32 = 1 // inside the estate's networks, owned by no workload
	WorldPeer     uint32 = 2 // outside the estate, in no External
	BuiltinPeer   uint32 = 3 // loopback, metadata, resolver: always permitted
	FirstIdentity uint32 = 16
)

// Rule numbers below FirstRule are the built-in policy.
const (
	RuleNone          uint32 = 0 // no rule: see the reason
	RuleLoopback      uint32 = 1
	RuleMetadata      uint32 = 2
	RuleResolver      uint32 = 3
	RuleNeighbour     uint32 = 4
	RuleDHCP          uint32 = 5
	RuleICMPErrors    uint32 = 6
	RuleMulticastMgmt uint32 = 7 // IGMP and MLD: what switches need to deliver neighbour discovery
	FirstRule         uint32 = 16
)

// BuiltinRules names the built-in policy by rule number.
func BuiltinRules() map[uint32]flow.Rule {
	names := map[uint32]string{
		RuleLoopback: "loopback", RuleMetadata: "metadata", RuleResolver: "resolver",
		RuleNeighbour: "neighbour-discovery", RuleDHCP: "dhcp", RuleICMPErrors: "icmp-errors",
		RuleMulticastMgmt: "multicast-membership",
	}
	out := make(map[uint32]flow.Rule, len(names))
	for n, name := range names {
		out[n] = flow.Rule{Policy: "builtin", Rule: name}
	}
	return out
}

// Traffic classes. A class is a set of (protocol, port) that every rule of the
// revision treats alike for TCP, UDP and SCTP; the lump classes are fixed.
const (
	ClassAny   uint16 = 0 // in policy keys: every class without an entry of its own
	ClassICMP  uint16 = 1
	ClassOther uint16 = 2
	FirstClass uint16 = 16
)

// AddressFlags says what an address is.
type AddressFlags uint32

// The flags.
const (
	Workload AddressFlags = 1 << iota // some workload owns it
	Shared                            // several workloads own it: Peer stands for all of them
	Own                               // an interface of this host has it
	Named                             // in a named External: nobody here may send from it
)

// Address is an entry of the longest-prefix-match table. Peer is the identity
// number that the address has as a far end; Local the one it has as an end on
// this host, 0 if it is not on this host. Rule is the built-in rule of a
// BuiltinPeer.
type Address struct {
	Prefix netip.Prefix
	Peer   uint32
	Local  uint32
	Flags  AddressFlags
	Rule   uint32
}

// Cgroup gives a cgroup (by id, its inode in cgroupfs) and everything below it
// a local identity.
type Cgroup struct {
	ID    uint64
	Local uint32
}

// ClassRange puts the ports Lo to Hi, inclusive, into a class. Protocol is
// netset's: 0 TCP, 1 UDP, 2 SCTP. Ports in no range have ClassAny.
type ClassRange struct {
	Protocol uint8
	Lo, Hi   uint16
	Class    uint16
}

// PolicyKey selects a decision. The kernel asks, in this order, for (Local,
// Peer, class), (Local, Peer, ClassAny), (Local, AnyPeer, class), (Local,
// AnyPeer, ClassAny) and takes the first there is; the last is always there
// for every local identity and direction. A peer with any entry of its own
// must therefore have one with ClassAny.
type PolicyKey struct {
	Local     uint32
	Peer      uint32
	Class     uint16
	Direction flow.Direction
}

// PolicyValue is a decision under both policies. Rule numbers are never 0.
// What is allowed ends at an instant, in Unix nanoseconds: from then on it is
// denied, until another revision says otherwise. 0 means that it does not end.
type PolicyValue struct {
	InForceRule  uint32
	ToComeRule   uint32
	InForceUntil int64
	ToComeUntil  int64
	AllowInForce bool
	AllowToCome  bool
}

// Tables is one revision: everything that a host's kernel needs to know.
type Tables struct {
	HostIdentity uint32 // the local identity of what no Cgroup names
	Addresses    []Address
	Cgroups      []Cgroup
	Classes      []ClassRange
	Policy       map[PolicyKey]PolicyValue

	// Clock is Unix time minus CLOCK_BOOTTIME, in nanoseconds, by which instants
	// become the kernel's; 0 means the machine's own, read when they are applied.
	Clock int64
}

// Capacities of the maps for one revision (each map holds two). A policy that
// needs more is refused before anything changes.
const (
	MaxAddresses = 131072
	MaxCgroups   = 4096
	MaxPolicy    = 262144
	MaxClasses   = 65535
	MaxEdges     = 8192
	BinsPerEdge  = 32 // a ring of 10 ms bins: 320 ms
	MaxShards    = 16 // of an edge's counters, so that processors do not share them
)

// Event is what the kernel says about a conversation: once when it is first
// judged, and again when a new revision changes its verdict. Src is the
// initiator.
type Event struct {
	Time       uint64     // ns, CLOCK_MONOTONIC
	NetNS      uint64     // cookie
	Cgroup     uint64     // id of the socket's own cgroup, 0 if no socket was seen
	Anchor     uint64     // id of the configured cgroup at or above it, 0 if none
	Src, Dst   netip.Addr // Src is unspecified where a connect was refused before it had one
	SrcPort    uint16
	DstPort    uint16
	Revision   uint32 // low bits of the revision that judged it
	Local      uint32 // identity of the end that was judged
	Peer       uint32
	Rule       uint32
	ToComeRule uint32
	Edge       uint32 // index into the edge counters; 0 if there was no room
	Protocol   uint8  // IANA number
	Direction  flow.Direction
	Verdict    flow.Verdict
	ToCome     flow.Verdict
	Reason     flow.Reason
	Hook       uint8
}

// EdgeKey is what an edge's counters are about.
type EdgeKey struct {
	Local     uint32
	Peer      uint32
	Rule      uint32
	Class     uint16
	Protocol  uint8
	Direction flow.Direction
	Verdict   flow.Verdict
	Reason    flow.Reason
}

// Bin is what an edge carried in one 10 ms tick (of CLOCK_MONOTONIC).
type Bin struct {
	Edge    EdgeKey
	Tick    uint64
	Packets uint64
	Bytes   uint64
}
