package verify

import "net/netip"

// Regions lists the prefixes that the policy or one of also tells apart, sorted,
// but for those of which longer ones leave nothing: what is in one and in no
// longer one is alike to all of them. It sorts what it is given.
func (e *Engine) Regions(also []netip.Prefix) []netip.Prefix {
	for p := range e.addresses.prefixes {
		also = append(also, p)
	}
	return unfilled(also)
}

// Regions is Engine.Regions without a policy.
func Regions(all []netip.Prefix) []netip.Prefix { return unfilled(all) }

// OfPrefix is the peer of the addresses in a prefix that are in no longer one;
// None for what is built in.
func (e *Engine) OfPrefix(p netip.Prefix) Peer { return e.ofPrefix(p) }

// EndClass is a number that two pairs share only if the same rules speak of
// them and each of their ends' defaults is the same, so that Leaving, Arriving
// and Permitted have the same answers for both.
func (e *Engine) EndClass(from, to Peer) int {
	n := int(e.cells[from][to])*4 + int(e.bits[from])
	n = n*4 + int(e.bits[to])
	managed := 0
	if e.peers.slots[from].identity >= 0 {
		managed |= 1
	}
	if e.peers.slots[to].identity >= 0 {
		managed |= 2
	}
	return n*4 + managed
}
