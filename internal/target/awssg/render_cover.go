package awssg

import (
	"math/bits"
	"net/netip"
	"slices"
)

// What a rule is to do about an element.
type wish uint8

const (
	indifferent wish = iota // another rule permits it anyway, or no packet comes from there
	wanted
	unwanted
)

// mask is a set of elements.
type mask []uint64

func newMask(n int) mask { return make(mask, (n+63)/64) }

func (m mask) add(n int) { m[n/64] |= 1 << (n % 64) }

func (m mask) overlaps(o mask) bool {
	for i, x := range m {
		if x&o[i] != 0 {
			return true
		}
	}
	return false
}

// node is a prefix and who is in it. A leaf's addresses all belong to the same
// elements.
type node struct {
	prefix      netip.Prefix
	left, right *node
	elements    []int // of a leaf; none: built in, or nobody asked about
	mask        mask
}

// tree divides all addresses of a family by whom they belong to. The entries are
// sorted, and all in p; own is whom the rest of p belongs to.
func tree(p netip.Prefix, entries []entry, own []int, size int) *node {
	if len(entries) > 0 && entries[0].prefix == p {
		own, entries = entries[0].elements, entries[1:]
	}
	n := &node{prefix: p}
	if len(entries) > 0 {
		lower, upper := halves(p)
		mid, _ := slices.BinarySearchFunc(entries, upper.Addr(), func(e entry, a netip.Addr) int { return e.prefix.Addr().Compare(a) })
		n.left, n.right = tree(lower, entries[:mid], own, size), tree(upper, entries[mid:], own, size)
		if n.left.left != nil || n.right.left != nil || !slices.Equal(n.left.elements, n.right.elements) {
			n.mask = slices.Clone(n.left.mask)
			for i, x := range n.right.mask {
				n.mask[i] |= x
			}
			return n
		}
		own, n.left, n.right = n.left.elements, nil, nil
	}
	n.elements, n.mask = own, newMask(size)
	for _, x := range own {
		n.mask.add(x)
	}
	return n
}

// trees divides all addresses there are.
func trees(entries []entry, size int) [2]*node {
	v6 := 0
	for v6 < len(entries) && entries[v6].prefix.Addr().Is4() {
		v6++
	}
	return [2]*node{
		tree(netip.PrefixFrom(netip.IPv4Unspecified(), 0), entries[:v6], nil, size),
		tree(netip.PrefixFrom(netip.IPv6Unspecified(), 0), entries[v6:], nil, size),
	}
}

// cover finds the least number of prefixes that hold every address of the wanted
// elements and none of the unwanted. Where a wanted and an unwanted workload share
// an address it is held.
type cover struct {
	wanted, unwanted mask
	held             []*node
}

func newCover(wishes []wish) *cover {
	c := &cover{wanted: newMask(len(wishes)), unwanted: newMask(len(wishes))}
	for i, w := range wishes {
		switch w {
		case wanted:
			c.wanted.add(i)
		case unwanted:
			c.unwanted.add(i)
		}
	}
	return c
}

// walk covers a node, and reports whether none of its addresses is left out for
// being unwanted.
func (c *cover) walk(n *node) bool {
	want, whole := n.mask.overlaps(c.wanted), !n.mask.overlaps(c.unwanted)
	switch {
	case !want:
		return whole
	case whole || n.left == nil:
		c.held = append(c.held, n)
		return true
	}
	before := len(c.held)
	l, r := c.walk(n.left), c.walk(n.right)
	if l && r {
		c.held = append(c.held[:before], n)
	}
	return l && r
}

// of lists the wanted elements of a node.
func (c *cover) of(n *node) []int {
	var out []int
	for i, x := range n.mask {
		for x &= c.wanted[i]; x != 0; x &= x - 1 {
			out = append(out, 64*i+bits.TrailingZeros64(x))
		}
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
