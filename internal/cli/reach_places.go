package cli

import (
	"net/netip"
	"slices"

	"firebreak/internal/verify"
)

// place is a run of addresses outside the inventory that are one peer. Between
// two places whose runs have consecutive numbers lie only workloads and what is
// built in, which are no part of the world.
type place struct {
	lo, hi netip.Addr
	peer   verify.Peer
	run    int
}

func (p place) String() string { return p.lo.String() + "-" + p.hi.String() }

// placesOf cuts both address families wherever the policy names an address, and
// returns the pieces in which some address belongs to nobody, IPv4 first.
func placesOf(e *verify.Engine) []place {
	p := e.Policy()
	taken := map[netip.Addr]bool{}
	for i := range p.Inventory.Workloads {
		for _, a := range p.Inventory.Workloads[i].Addresses {
			taken[a] = true
		}
	}
	for i := range p.Inventory.Frontends {
		for _, a := range p.Inventory.Frontends[i].Addresses {
			taken[a] = true
		}
	}
	starts := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	for _, x := range p.Prefixes() {
		starts = append(starts, x.Prefix.Addr())
		if next := lastOf(x.Prefix).Next(); next.IsValid() {
			starts = append(starts, next)
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	starts = slices.Compact(starts)
	var out []place
	run := 0
	for i, lo := range starts {
		hi := lastOf(netip.PrefixFrom(lo, 0))
		if i+1 < len(starts) && starts[i+1].Is4() == lo.Is4() {
			hi = starts[i+1].Prev()
		}
		if i > 0 && starts[i-1].Is4() != lo.Is4() {
			run++ // the families are apart
		}
		x, builtin := e.OfAddress(lo)
		if builtin != "" {
			continue
		}
		if lo, hi, left := trim(lo, hi, taken); left {
			run++
			out = append(out, place{lo, hi, x, run})
		}
	}
	return out
}

// trim takes what belongs to somebody from both ends; left is false if nothing
// is left.
func trim(lo, hi netip.Addr, taken map[netip.Addr]bool) (from, to netip.Addr, left bool) {
	for taken[lo] {
		if lo == hi {
			return lo, hi, false
		}
		lo = lo.Next()
	}
	for taken[hi] {
		hi = hi.Prev()
	}
	return lo, hi, true
}

// lastOf is the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
