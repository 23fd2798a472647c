package nftables

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestPrefixesOfASpan adds up what prefixes hold: the span, each address once, and
// none that could be joined with its neighbour.
func TestPrefixesOfASpan(t *testing.T) {
	spans := []span{
		wholeArea[0].spans[0], wholeArea[1].spans[0],
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.1")},
		{netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("255.255.255.255")},
		{netip.MustParseAddr("fd00::ffff:ffff:ffff:fff0"), netip.MustParseAddr("fd00:0:0:1::3")},
	}
	d := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		a, b := number{d.Uint64() >> d.IntN(64), d.Uint64()}, number{d.Uint64() >> d.IntN(64), d.Uint64()}
		four := d.IntN(2) == 0
		if four {
			a, b = number{0, uint64(uint32(a.lo))}, number{0, uint64(uint32(b.lo))}
		}
		if b.less(a) {
			a, b = b, a
		}
		spans = append(spans, span{a.addr(four), b.addr(four)})
	}
	for _, s := range spans {
		at := s.lo
		var before netip.Prefix
		for i, p := range s.prefixes() {
			if p.Addr() != at || p.Masked() != p {
				t.Fatalf("%s-%s: %s where %s begins", s.lo, s.hi, p, at)
			}
			if i > 0 && before.Bits() == p.Bits() && netip.PrefixFrom(before.Addr(), p.Bits()-1).Masked().Addr() == before.Addr() {
				t.Errorf("%s-%s: %s and %s are one", s.lo, s.hi, before, p)
			}
			before, at = p, endOf(p).Next()
		}
		if end := endOf(before); end != s.hi {
			t.Errorf("%s-%s ends at %s", s.lo, s.hi, end)
		}
	}
}
