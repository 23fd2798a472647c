package verify

import (
	"cmp"
	"net/netip"
	"slices"

	"firebreak/internal/policy"
)

// addressTable finds what an address is.
type addressTable struct {
	lengths  []int // of the prefixes, longest first
	prefixes map[netip.Prefix]policy.PrefixPeer
}

func (t *addressTable) update(p *policy.Policy) {
	t.prefixes = map[netip.Prefix]policy.PrefixPeer{}
	var lengths []int
	for _, x := range p.Prefixes() {
		t.prefixes[x.Prefix] = x
		lengths = append(lengths, x.Prefix.Bits())
	}
	slices.SortFunc(lengths, func(a, b int) int { return cmp.Compare(b, a) })
	t.lengths = slices.Compact(lengths)
}

// OfAddress returns what an address that no workload owns is: a peer, or None
// and the name of what is built in.
func (e *Engine) OfAddress(a netip.Addr) (x Peer, builtin string) {
	a = a.Unmap()
	for _, n := range e.addresses.lengths {
		if n > a.BitLen() {
			continue
		}
		prefix, _ := a.Prefix(n)
		if found, ok := e.addresses.prefixes[prefix]; ok {
			if found.Builtin != "" {
				return None, found.Builtin
			}
			return e.peers.byKey[addressKey(e.p, found)], ""
		}
	}
	return None, ""
}

// OfName returns the peer that an External's names lead to; None if it has no
// names or there is no such External.
func (e *Engine) OfName(external string) Peer {
	if x, ok := e.peers.byKey["name:"+external]; ok {
		return x
	}
	return None
}

// World returns the peer of the addresses that are neither the estate's nor in
// an External; None where there are none.
func (e *Engine) World() Peer {
	if x, ok := e.peers.byKey["address:"]; ok {
		return x
	}
	return None
}

// OfExternal lists the peers that are in an External, by address or by name.
func (e *Engine) OfExternal(i int) []Peer {
	var out []Peer
	for x := range e.peers.slots {
		if slices.Contains(e.peers.slots[x].externals, i) {
			out = append(out, Peer(x))
		}
	}
	return out
}
