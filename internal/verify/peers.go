package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/policy"
)

// Peer is one end of conversations: an identity, a kind of address, or what an
// External's names lead to. It is an index below Engine.Peers; a peer keeps
// its index for as long as it exists, also over an Update.
type Peer int32

// None is no peer.
const None Peer = -1

// peerInfo is what is behind an index. A slot that nothing occupies has no key.
type peerInfo struct {
	key       string
	identity  int32 // index into Policy.Identities, -1 for others
	externals []int // of an address: the Externals that contain it
	unknown   bool
	byName    bool // what an External's FQDNs lead to
	zone      int32
}

// peers gives stable numbers to identities and kinds of address.
type peers struct {
	slots      []peerInfo
	byKey      map[string]Peer
	ofIdentity []Peer // by index into Policy.Identities
	free       []Peer
}

// moves says which peers are new, which are gone, and whether the slots that
// identities had before are still theirs, index by index.
type moves struct {
	added, removed []Peer
	same           bool
}

func (s *peers) update(p *policy.Policy) moves {
	fresh := describe(p)
	if s.byKey == nil {
		s.byKey = make(map[string]Peer, len(fresh))
	}
	var m moves
	keep := make([]bool, len(s.slots), len(s.slots)+len(fresh))
	for _, info := range fresh {
		if i, ok := s.byKey[info.key]; ok {
			keep[i] = true
		}
	}
	for i := range s.slots {
		if !keep[i] && s.slots[i].key != "" {
			delete(s.byKey, s.slots[i].key)
			s.slots[i] = peerInfo{identity: -1}
			m.removed = append(m.removed, Peer(i))
			s.free = append(s.free, Peer(i))
		}
	}
	before := s.ofIdentity
	s.ofIdentity = make([]Peer, len(p.Identities))
	for _, info := range fresh {
		at, known := s.byKey[info.key]
		if !known {
			at = s.take()
			s.byKey[info.key] = at
			m.added = append(m.added, at)
		}
		s.slots[at] = info
		if info.identity >= 0 {
			s.ofIdentity[info.identity] = at
		}
	}
	n := min(len(before), len(s.ofIdentity))
	m.same = slices.Equal(before[:n], s.ofIdentity[:n])
	return m
}

func (s *peers) take() Peer {
	if n := len(s.free); n > 0 {
		at := s.free[n-1]
		s.free = s.free[:n-1]
		return at
	}
	s.slots = append(s.slots, peerInfo{})
	return Peer(len(s.slots) - 1)
}

// describe lists the peers of a policy. Keys name things by what they are, so
// that the same thing has the same key in every policy.
func describe(p *policy.Policy) []peerInfo {
	out := make([]peerInfo, 0, len(p.Identities)+8)
	for i := range p.Identities {
		out = append(out, peerInfo{key: "identity:" + p.Identities[i].Key, identity: int32(i), zone: int32(p.Identities[i].Zone)})
	}
	seen := map[string]bool{}
	prefixes := p.Prefixes()
	there := addressesOf(prefixes)
	for _, x := range prefixes {
		if x.Builtin != "" || !there[x.Prefix] {
			continue
		}
		info := peerInfo{key: addressKey(p, x), identity: -1, externals: x.Externals, unknown: x.Unknown, zone: -1}
		if !seen[info.key] {
			seen[info.key] = true
			out = append(out, info)
		}
	}
	for i := range p.Externals {
		if len(p.Externals[i].FQDNs) > 0 {
			out = append(out, peerInfo{key: "name:" + p.Externals[i].Name, identity: -1, externals: []int{i}, byName: true, zone: -1})
		}
	}
	return out
}

// addressesOf tells which prefixes have an address that is in no longer one: of
// the others no conversation can speak.
func addressesOf(table []policy.PrefixPeer) map[netip.Prefix]bool {
	all := make([]netip.Prefix, len(table))
	for i := range table {
		all[i] = table[i].Prefix
	}
	there := make(map[netip.Prefix]bool, len(all))
	for _, p := range unfilled(all) {
		there[p] = true
	}
	return there
}

// addressKey says what kind of address a prefix holds.
func addressKey(p *policy.Policy, x policy.PrefixPeer) string {
	if x.Unknown {
		return "unknown"
	}
	names := make([]string, len(x.Externals))
	for i, at := range x.Externals {
		names[i] = fmt.Sprintf("%q", p.Externals[at].Name)
	}
	slices.Sort(names)
	return "address:" + strings.Join(names, ",")
}

// Peers returns the number of indices; some may stand for nothing (see Exists).
func (e *Engine) Peers() int { return len(e.peers.slots) }

// Exists reports whether something has that index.
func (e *Engine) Exists(x Peer) bool { return e.peers.slots[x].key != "" }

// Identity returns the index into Policy.Identities; -1 for what is no workload.
func (e *Engine) Identity(x Peer) int { return int(e.peers.slots[x].identity) }

// OfIdentity returns the peer of an index into Policy.Identities.
func (e *Engine) OfIdentity(i int) Peer { return e.peers.ofIdentity[i] }

// OfWorkload returns the peer of an index into Policy.Inventory.Workloads.
func (e *Engine) OfWorkload(i int) Peer { return e.peers.ofIdentity[e.p.IdentityOf[i]] }

// Unknown reports whether the peer stands for the estate's addresses that no
// workload owns.
func (e *Engine) Unknown(x Peer) bool { return e.peers.slots[x].unknown }

// Externals returns the Externals (indices) that the peer's addresses are in,
// or whose names lead to it; nil for workloads, unknown addresses and the rest
// of the world.
func (e *Engine) Externals(x Peer) []int { return e.peers.slots[x].externals }

// ByName reports whether the peer is what an External's FQDNs lead to.
func (e *Engine) ByName(x Peer) bool { return e.peers.slots[x].byName }

// Weight is the number of workloads that the peer stands for; 0 for addresses.
func (e *Engine) Weight(x Peer) int {
	if i := e.peers.slots[x].identity; i >= 0 {
		return len(e.p.Identities[i].Workloads)
	}
	return 0
}

// Zone is the index of the zone that the peer's workloads are in; -1 for
// addresses.
func (e *Engine) Zone(x Peer) int { return int(e.peers.slots[x].zone) }

// Name says, for people, what the peer is: a workload, a service, "world",
// "unknown", an External.
func (e *Engine) Name(x Peer) string {
	info := &e.peers.slots[x]
	switch {
	case info.identity >= 0:
		return e.identityName(int(info.identity))
	case info.unknown:
		return "unknown"
	case len(info.externals) == 0:
		return "world"
	}
	names := make([]string, len(info.externals))
	for i, at := range info.externals {
		names[i] = e.p.Externals[at].Name
	}
	return strings.Join(names, "+")
}

// identityName is the name of its one workload, else that of the service that
// has all of it and nothing else, else the first workload's with the number of
// the others.
func (e *Engine) identityName(i int) string {
	id := &e.p.Identities[i]
	first := id.Workloads[0]
	name := e.p.Inventory.Workloads[first].Name
	if len(id.Workloads) == 1 {
		return name
	}
	for _, s := range e.p.ServicesOf[first] {
		if len(e.p.Services[s].Workloads) == len(id.Workloads) {
			return e.p.Services[s].Name
		}
	}
	return fmt.Sprintf("%s (+%d alike)", name, len(id.Workloads)-1)
}
