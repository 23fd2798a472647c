package nftables

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
)

// span is a run of addresses of one family, both ends included.
type span struct{ lo, hi netip.Addr }

// area is a set of addresses of one family: sorted, disjoint, merged. It is
// never changed.
type area struct{ spans []span }

// wholeArea holds all addresses of each family; areas are compared with it by
// pointer.
var wholeArea = [2]*area{
	{[]span{{netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{255, 255, 255, 255})}}},
	{[]span{{netip.IPv6Unspecified(), netip.AddrFrom16([16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})}}},
}

// areaOf returns the union of spans of one family; it keeps the slice.
func areaOf(spans []span) *area {
	slices.SortFunc(spans, func(a, b span) int { return a.lo.Compare(b.lo) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && (s.lo.Compare(out[n-1].hi) <= 0 || out[n-1].hi.Next() == s.lo) {
			if out[n-1].hi.Less(s.hi) {
				out[n-1].hi = s.hi
			}
			continue
		}
		out = append(out, s)
	}
	if len(out) == 1 && (out[0] == wholeArea[0].spans[0] || out[0] == wholeArea[1].spans[0]) {
		return wholeArea[familyOf(out[0].lo)]
	}
	return &area{out}
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

func (a *area) empty() bool { return len(a.spans) == 0 }

func (a *area) has(x netip.Addr) bool {
	i := sort.Search(len(a.spans), func(i int) bool { return a.spans[i].hi.Compare(x) >= 0 })
	return i < len(a.spans) && a.spans[i].lo.Compare(x) <= 0
}

// meets reports whether there are addresses that both hold.
func (a *area) meets(b *area) bool {
	for i, j := 0, 0; i < len(a.spans) && j < len(b.spans); {
		switch {
		case a.spans[i].hi.Less(b.spans[j].lo):
			i++
		case b.spans[j].hi.Less(a.spans[i].lo):
			j++
		default:
			return true
		}
	}
	return false
}

func (a *area) equal(b *area) bool { return a == b || slices.Equal(a.spans, b.spans) }

func (a *area) and(b *area) *area {
	switch {
	case a == b, b == wholeArea[0], b == wholeArea[1]:
		return a
	case a == wholeArea[0], a == wholeArea[1]:
		return b
	}
	var out []span
	for i, j := 0, 0; i < len(a.spans) && j < len(b.spans); {
		lo, hi := a.spans[i].lo, a.spans[i].hi
		if lo.Less(b.spans[j].lo) {
			lo = b.spans[j].lo
		}
		if b.spans[j].hi.Less(hi) {
			hi = b.spans[j].hi
		}
		if lo.Compare(hi) <= 0 {
			out = append(out, span{lo, hi})
		}
		if a.spans[i].hi.Less(b.spans[j].hi) {
			i++
		} else {
			j++
		}
	}
	return areaOf(out)
}

// not returns the rest of the family.
func (a *area) not(family int) *area {
	all := wholeArea[family].spans[0]
	var out []span
	at := all.lo
	for _, s := range a.spans {
		if at.IsValid() && at.Less(s.lo) {
			out = append(out, span{at, s.lo.Prev()})
		}
		at = s.hi.Next()
	}
	if at.IsValid() && at.Compare(all.hi) <= 0 && (len(a.spans) == 0 || a.spans[len(a.spans)-1].hi != all.hi) {
		out = append(out, span{at, all.hi})
	}
	return areaOf(out)
}

// prefixes writes a span as prefixes.
func (s span) prefixes() []netip.Prefix {
	var out []netip.Prefix
	end := numberOf(s.hi)
	for at := s.lo; ; {
		here := numberOf(at)
		free := min(here.trailing(), at.BitLen())
		for free > 0 && end.less(here.filled(free)) {
			free--
		}
		out = append(out, netip.PrefixFrom(at, at.BitLen()-free))
		last := here.filled(free)
		if !last.less(end) {
			return out
		}
		at = last.next().addr(at.Is4())
	}
}

// number is an address as one.
type number struct{ hi, lo uint64 }

func numberOf(a netip.Addr) number {
	if a.Is4() {
		b := a.As4()
		return number{0, uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (w number) addr(is4 bool) netip.Addr {
	if is4 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(w.lo))))
	}
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.hi), w.lo)))
}

func (w number) less(o number) bool { return w.hi < o.hi || w.hi == o.hi && w.lo < o.lo }

func (w number) next() number {
	lo, carry := bits.Add64(w.lo, 1, 0)
	return number{w.hi + carry, lo}
}

// trailing counts the zeros at the end.
func (w number) trailing() int {
	if w.lo == 0 {
		return 64 + bits.TrailingZeros64(w.hi)
	}
	return bits.TrailingZeros64(w.lo)
}

// filled has ones in the last n places.
func (w number) filled(n int) number {
	if n < 64 {
		return number{w.hi, w.lo | (1<<n - 1)}
	}
	return number{w.hi | (1<<(n-64) - 1), ^uint64(0)}
}

// endOf is the last address of a prefix.
func endOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		switch n := p.Bits() - 8*i; {
		case n <= 0:
			b[i] = 0xff
		case n < 8:
			b[i] |= 0xff >> n
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
