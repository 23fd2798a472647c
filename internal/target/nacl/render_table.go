package nacl

import (
	"net/netip"
	"slices"

	"firebreak/internal/netset"
)

// choice is a prefix about which an ACL says something, for all addresses in it
// that no narrower choice is about.
type choice struct {
	prefix netip.Prefix
	denies netset.Traffic
	around netset.Traffic // what the narrowest choice around it denies
}

// branch is a prefix and what may be said of it, so that the fewest choices say
// the same as the regions do. That is optimal for tables of longest matches:
// Draves, King, Venkatachary and Zill, "Constructing optimal IP routing tables",
// INFOCOM 1999.
type branch struct {
	prefix      netip.Prefix
	left, right *branch
	may         []int // values, ascending; nil: any
}

// known is a region and which value holds there; -1 where it does not matter.
type known struct {
	prefix netip.Prefix
	value  int
}

// table makes a family's tree. The regions are in the order of their first
// addresses, the widest first, and lie in p; value is what holds for the rest of
// it.
func table(p netip.Prefix, regions []known, value int) *branch {
	for len(regions) > 0 && regions[0].prefix == p {
		value, regions = regions[0].value, regions[1:]
	}
	b := &branch{prefix: p}
	if len(regions) == 0 {
		if value >= 0 {
			b.may = []int{value}
		}
		return b
	}
	lower, upper := halves(p)
	mid, _ := slices.BinarySearchFunc(regions, upper.Addr(), func(x known, a netip.Addr) int { return x.prefix.Addr().Compare(a) })
	b.left, b.right = table(lower, regions[:mid], value), table(upper, regions[mid:], value)
	b.may = both(b.left.may, b.right.may)
	return b
}

// both is what may be said of two halves at once; where that is nothing, what may
// be said of either.
func both(a, b []int) []int {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	var common []int
	for _, x := range a {
		if slices.Contains(b, x) {
			common = append(common, x)
		}
	}
	if common != nil {
		return common
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// choose lists what has to be said of a branch in which value holds if nothing is.
func (b *branch) choose(value int, values []netset.Traffic, out []choice) []choice {
	if b.may != nil && !slices.Contains(b.may, value) {
		around := values[value]
		value = slices.MinFunc(b.may, func(x, y int) int { return len(cut(values[x], true)) - len(cut(values[y], true)) })
		out = append(out, choice{b.prefix, values[value], around})
	}
	if b.left != nil {
		out = b.left.choose(value, values, out)
		out = b.right.choose(value, values, out)
	}
	return out
}

// halves divides a prefix that is longer than one address.
func halves(p netip.Prefix) (left, right netip.Prefix) {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(p.Addr(), p.Bits()+1), netip.PrefixFrom(upper, p.Bits()+1)
}
