package nftables

import (
	"cmp"
	"net/netip"
	"slices"

	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// stretch is a run of addresses, both ends included, that are the same to the
// policy: built in, or those peers, of which all must be permitted.
type stretch struct {
	lo, hi  netip.Addr
	builtin bool
	peers   []verify.Peer
}

// space is all addresses of one family, in order.
type space struct {
	stretches []stretch
	of        map[verify.Peer][]int32 // which are a peer's, and nobody else's
	mixed     []int32                 // which are of several peers
	builtin   []int32
	names     map[verify.Peer]string // of the peers that are workloads: their subjects'
}

// prefixed is a stretch before longer prefixes are cut out of it.
type prefixed struct {
	prefix netip.Prefix
	hi     netip.Addr
	peers  []verify.Peer // nil: whatever the engine says of the addresses
}

// spaceOf divides the addresses of one family, and says which are whose.
func spaceOf(w *plan.Wanted, v4 bool) *space {
	s := &space{stretches: divide(w, v4), of: map[verify.Peer][]int32{}, names: map[verify.Peer]string{}}
	for i := range s.stretches {
		switch at := &s.stretches[i]; {
		case at.builtin:
			s.builtin = append(s.builtin, int32(i))
		case len(at.peers) == 1:
			s.of[at.peers[0]] = append(s.of[at.peers[0]], int32(i))
		default:
			s.mixed = append(s.mixed, int32(i))
		}
	}
	for i := range w.Policy.Identities {
		s.names[w.Engine.OfIdentity(i)] = w.SubjectOf(i).Name
	}
	return s
}

// divide cuts the addresses of one family where what the policy says of them
// changes.
func divide(w *plan.Wanted, v4 bool) []stretch {
	owners := map[netip.Addr][]verify.Peer{}
	for i := range w.Policy.Inventory.Workloads {
		for _, a := range w.Policy.Inventory.Workloads[i].Addresses {
			a = a.Unmap().WithZone("")
			x := w.Engine.OfWorkload(i)
			if a.Is4() == v4 && !slices.Contains(owners[a], x) {
				owners[a] = append(owners[a], x)
			}
		}
	}
	var all []prefixed
	for _, p := range w.Policy.Prefixes() {
		if p.Prefix.Addr().Is4() == v4 {
			all = append(all, prefixed{p.Prefix, lastOf(p.Prefix), nil})
			if p.Builtin != "" && p.Prefix.IsSingleIP() {
				delete(owners, p.Prefix.Addr())
			}
		}
	}
	for a, peers := range owners {
		slices.Sort(peers)
		all = append(all, prefixed{netip.PrefixFrom(a, a.BitLen()), a, peers})
	}
	slices.SortFunc(all, func(a, b prefixed) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()), cmp.Compare(len(a.peers), len(b.peers)))
	})
	return flatten(w, all)
}

// flatten walks along the sorted prefixes: the innermost that holds an address says
// what it is.
func flatten(w *plan.Wanted, all []prefixed) []stretch {
	var out []stretch
	var open []prefixed
	var at netip.Addr // the first address that is not yet told
	upTo := func(hi netip.Addr) {
		if len(open) > 0 && at.IsValid() && at.Compare(hi) <= 0 {
			out = append(out, toldOf(w, at, hi, open[len(open)-1].peers))
		}
		at = hi.Next()
	}
	for _, p := range all {
		lo := p.prefix.Addr()
		for len(open) > 0 && open[len(open)-1].hi.Less(lo) {
			upTo(open[len(open)-1].hi)
			open = open[:len(open)-1]
		}
		if len(open) > 0 && at.IsValid() && at.Less(lo) {
			upTo(lo.Prev())
		}
		at = lo
		open = append(open, p)
	}
	for len(open) > 0 {
		upTo(open[len(open)-1].hi)
		open = open[:len(open)-1]
	}
	return out
}

func toldOf(w *plan.Wanted, lo, hi netip.Addr, peers []verify.Peer) stretch {
	s := stretch{lo: lo, hi: hi, peers: peers}
	if peers == nil {
		x, builtin := w.Engine.OfAddress(lo)
		s.builtin, s.peers = builtin != "", []verify.Peer{x}
	}
	return s
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}
