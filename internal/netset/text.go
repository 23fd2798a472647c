package netset

import (
	"fmt"
	"strconv"
	"strings"
)

// The words for the two sets that have no other name.
const (
	allWord  = "all"
	noneWord = "none"
)

// String renders the set: "all" if it holds every class wholly, "none" if it
// is empty, else like "TCP 80,8000-8080; UDP 53; ICMP". A class with ports
// that is wholly open is "TCP 0-65535".
func (t Traffic) String() string {
	switch {
	case t.IsEmpty():
		return noneWord
	case t.IsAll():
		return allWord
	}
	var parts []string
	for p := range NumProtocols {
		ranges := t.Ranges(p)
		switch {
		case len(ranges) == 0:
		case !p.HasPorts():
			parts = append(parts, p.String())
		default:
			parts = append(parts, p.String()+" "+rangesText(ranges))
		}
	}
	return strings.Join(parts, "; ")
}

func rangesText(ranges []Range) string {
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = strconv.Itoa(int(r.Lo))
		if r.Hi != r.Lo {
			words[i] += "-" + strconv.Itoa(int(r.Hi))
		}
	}
	return strings.Join(words, ",")
}

// Parse is the reverse of String. It also takes ranges that are unsorted or
// overlap and a class more than once, and it takes no space for granted.
func Parse(s string) (Traffic, error) {
	switch strings.TrimSpace(s) {
	case allWord:
		return All(), nil
	case noneWord:
		return None(), nil
	}
	var t Traffic
	for part := range strings.SplitSeq(s, ";") {
		c, err := parseClass(strings.TrimSpace(part))
		if err != nil {
			return None(), fmt.Errorf("traffic %q: %w", shorten(s), err)
		}
		t = t.Union(c)
	}
	return t, nil
}

func parseClass(s string) (Traffic, error) {
	word, ports, _ := strings.Cut(s, " ")
	p, ok := ParseProtocol(word)
	if !ok {
		return None(), fmt.Errorf("%q is no protocol", shorten(word))
	}
	ports = strings.TrimSpace(ports)
	if !p.HasPorts() {
		if ports != "" {
			return None(), fmt.Errorf("%s has no ports", p)
		}
		return Of(p, 0, 65535), nil
	}
	var t Traffic
	for word := range strings.SplitSeq(ports, ",") {
		r, err := parseRange(strings.TrimSpace(word))
		if err != nil {
			return None(), err
		}
		t = t.Union(Of(p, r.Lo, r.Hi))
	}
	return t, nil
}

func parseRange(s string) (Range, error) {
	lo, hi, isRange := strings.Cut(s, "-")
	if !isRange {
		hi = lo
	}
	a, errA := strconv.ParseUint(lo, 10, 16)
	b, errB := strconv.ParseUint(hi, 10, 16)
	if errA != nil || errB != nil || a > b {
		return Range{}, fmt.Errorf("%q is no port or range of ports", shorten(s))
	}
	return Range{uint16(a), uint16(b)}, nil
}

// shorten keeps messages readable whatever the input was.
func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
