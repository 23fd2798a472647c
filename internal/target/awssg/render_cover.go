package awssg

import "net/netip"

// What a rule is to do about an element.
type wish uint8

const (
	indifferent wish = iota // another rule permits it anyway
	wanted
	unwanted
)

// cover finds the prefixes that hold every address of the wanted elements and
// none of the unwanted. Where a wanted and an unwanted workload share an address
// it is held. visit is given each prefix and the elements of the addresses for
// which it is there.
type cover struct {
	entries []entry
	wishes  []wish // by element
	wanted  []int  // how many of the entries before this one are wanted by any element
	avoided []int
	visit   func(netip.Prefix, []int)
}

func newCover(entries []entry, wishes []wish, visit func(netip.Prefix, []int)) *cover {
	c := &cover{entries: entries, wishes: wishes, visit: visit, wanted: make([]int, len(entries)+1), avoided: make([]int, len(entries)+1)}
	for i := range entries {
		c.wanted[i+1], c.avoided[i+1] = c.wanted[i], c.avoided[i]
		if c.any(entries[i].elements, wanted) {
			c.wanted[i+1]++
		}
		if c.any(entries[i].elements, unwanted) {
			c.avoided[i+1]++
		}
	}
	return c
}

func (c *cover) any(elements []int, w wish) bool {
	for _, n := range elements {
		if c.wishes[n] == w {
			return true
		}
	}
	return false
}

// run visits the cover of both families.
func (c *cover) run() {
	v6 := 0
	for v6 < len(c.entries) && c.entries[v6].prefix.Addr().Is4() {
		v6++
	}
	c.walk(netip.PrefixFrom(netip.IPv4Unspecified(), 0), 0, v6, nil)
	c.walk(netip.PrefixFrom(netip.IPv6Unspecified(), 0), v6, len(c.entries), nil)
}

// walk covers a prefix, of which the entries lo to hi are and the rest belongs to
// own.
func (c *cover) walk(p netip.Prefix, lo, hi int, own []int) {
	if lo < hi && c.entries[lo].prefix == p {
		own = c.entries[lo].elements
		lo++
	}
	want, avoid := c.any(own, wanted), c.any(own, unwanted)
	inside, cut := c.wanted[hi]-c.wanted[lo], c.avoided[hi]-c.avoided[lo]
	switch {
	case !want && inside == 0:
	case want && (lo == hi || !avoid && cut == 0):
		c.visit(p, own)
	default:
		left, right := halves(p)
		mid := lo
		for mid < hi && c.entries[mid].prefix.Addr().Less(right.Addr()) {
			mid++
		}
		c.walk(left, lo, mid, own)
		c.walk(right, mid, hi, own)
	}
}

// halves divides a prefix that is longer than one address.
func halves(p netip.Prefix) (left, right netip.Prefix) {
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(p.Addr(), p.Bits()+1), netip.PrefixFrom(upper, p.Bits()+1)
}
