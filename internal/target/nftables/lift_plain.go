package nftables

import (
	"bytes"
	"net/netip"
	"strconv"
)

// spanList is the elements of a set, or those of a map that lead to one verdict,
// that are addresses, prefixes and ranges. It stands in the place of one element.
type spanList []span

// MarshalJSON is for messages.
func (spanList) MarshalJSON() ([]byte, error) { return []byte(`"addresses"`), nil }

// plainElements takes the elements out of a command that adds a set of addresses
// without a blank in it, or a map from addresses to chains, as Render writes
// them. What is left is read as any other. It returns no elements where anything
// is otherwise; then all is read as any other.
func plainElements(raw []byte) (rest []byte, elements []any) {
	const begin, end = `,"elem":[`, `]}}}`
	if !bytes.HasPrefix(raw, []byte(`{"add":{"set":{`)) && !bytes.HasPrefix(raw, []byte(`{"add":{"map":{`)) {
		return nil, nil
	}
	i := bytes.Index(raw, []byte(begin))
	if i < 0 || !bytes.HasSuffix(raw, []byte(end)) || i+len(begin) >= len(raw)-len(end) {
		return nil, nil
	}
	s := elementScanner{left: raw[i+len(begin) : len(raw)-len(end)]}
	elements = s.set()
	if elements == nil {
		s.left = raw[i+len(begin) : len(raw)-len(end)]
		elements = s.leads()
	}
	if elements == nil {
		return nil, nil
	}
	return append(bytes.Clone(raw[:i]), "}}}"...), elements
}

// elementScanner reads a text piece by piece.
type elementScanner struct{ left []byte }

func (s *elementScanner) take(word string) bool {
	if !bytes.HasPrefix(s.left, []byte(word)) {
		return false
	}
	s.left = s.left[len(word):]
	return true
}

// until returns what stands in front of a quote, and takes both.
func (s *elementScanner) until() (string, bool) {
	i := bytes.IndexByte(s.left, '"')
	if i <= 0 || bytes.ContainsFunc(s.left[:i], func(c rune) bool { return c < ' ' || c > '~' || c == '\\' }) {
		return "", false
	}
	word := string(s.left[:i])
	s.left = s.left[i+1:]
	return word, true
}

func (s *elementScanner) address() (netip.Addr, bool) {
	word, ok := s.until()
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(word)
	return a, err == nil && a.Zone() == "" && !a.Is4In6()
}

// set reads addresses, prefixes and ranges.
func (s *elementScanner) set() []any {
	var all spanList
	for {
		one, ok := s.span()
		if !ok {
			return nil
		}
		all = append(all, one)
		if len(s.left) == 0 {
			return []any{all}
		}
		if !s.take(",") {
			return nil
		}
	}
}

func (s *elementScanner) span() (out span, ok bool) {
	switch {
	case s.take(`"`):
		a, ok := s.address()
		return span{a, a}, ok
	case s.take(`{"range":["`):
		if out.lo, ok = s.address(); !ok || !s.take(`,"`) {
			return out, false
		}
		out.hi, ok = s.address()
		return out, ok && s.take(`]}`) && out.lo.BitLen() == out.hi.BitLen() && !out.hi.Less(out.lo)
	case s.take(`{"prefix":{"addr":"`):
		if out.lo, ok = s.address(); !ok || !s.take(`,"len":`) {
			return out, false
		}
		i := bytes.IndexByte(s.left, '}')
		if i < 1 || i > 3 || s.left[0] == '0' {
			return out, false
		}
		bits, err := strconv.ParseUint(string(s.left[:i]), 10, 8)
		p := netip.PrefixFrom(out.lo, int(bits))
		if s.left = s.left[i:]; err != nil || !p.IsValid() {
			return out, false
		}
		p = p.Masked()
		return span{p.Addr(), endOf(p)}, s.take(`}}`)
	}
	return out, false
}

// leads reads pairs of an address and a chain to go to.
func (s *elementScanner) leads() []any {
	var names []string
	of := map[string]spanList{}
	for {
		if !s.take(`["`) {
			return nil
		}
		a, ok := s.address()
		if !ok || !s.take(`,{"goto":{"target":"`) {
			return nil
		}
		name, ok := s.until()
		if !ok || !s.take(`}}]`) {
			return nil
		}
		if of[name] == nil {
			names = append(names, name)
		}
		of[name] = append(of[name], span{a, a})
		if len(s.left) == 0 {
			break
		}
		if !s.take(",") {
			return nil
		}
	}
	var out []any
	for _, name := range names {
		out = append(out, []any{of[name], map[string]any{"goto": map[string]any{"target": name}}})
	}
	return out
}
