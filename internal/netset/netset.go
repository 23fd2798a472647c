// Package netset holds exact sets of traffic: protocol × destination port.
// It is an algebra and nothing else. A set is kept as sorted, disjoint,
// merged intervals over one line on which the protocol classes lie one after
// the other, 65536 points each, so that every operation is a merge of two
// sorted lists and two equal sets always look the same.
package netset

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Protocol is a class of IP protocols that rules can tell apart.
type Protocol uint8

// The protocol classes. ICMP stands for ICMP (1) and ICMPv6 (58) alike, Other
// for every remaining IP protocol as one lump; neither has ports. NumProtocols
// is their number and not itself a class.
const (
	TCP Protocol = iota
	UDP
	SCTP
	ICMP
	Other
	NumProtocols
)

var protocolWords = [NumProtocols]string{"TCP", "UDP", "SCTP", "ICMP", "OTHER"}

// ProtocolOf returns the class of an IANA protocol number.
func ProtocolOf(ipProto uint8) Protocol {
	switch ipProto {
	case 6:
		return TCP
	case 17:
		return UDP
	case 132:
		return SCTP
	case 1, 58:
		return ICMP
	default:
		return Other
	}
}

// ParseProtocol returns the class with that name, in any case; ok is false if
// there is none.
func ParseProtocol(s string) (p Protocol, ok bool) {
	i := slices.Index(protocolWords[:], strings.ToUpper(s))
	return Protocol(max(i, 0)), i >= 0
}

// String returns TCP, UDP, SCTP, ICMP or OTHER.
func (p Protocol) String() string {
	if p < NumProtocols {
		return protocolWords[p]
	}
	return "INVALID"
}

// HasPorts reports whether the class is divided by destination port.
func (p Protocol) HasPorts() bool { return p <= SCTP }

// Range is a run of ports, both ends included.
type Range struct{ Lo, Hi uint16 }

// span is a run of points on the line, both ends included. The point of
// (p, port) is p<<16 | port.
type span struct{ lo, hi uint32 }

const lastPoint = uint32(NumProtocols)<<16 - 1

// Traffic is a set of (protocol, destination port) pairs. It is an immutable
// value: operations return new sets and the argument is never changed, so it
// is safe for concurrent use. The zero value is the empty set. Compare with
// Equal. The classes without ports are always in a set wholly or not at all.
type Traffic struct {
	// Sorted, disjoint, never adjacent (adjacent ones are merged, also across
	// the border of two classes); nil if empty.
	spans []span
}

// All returns the set of all traffic, every class included.
func All() Traffic { return Traffic{[]span{{0, lastPoint}}} }

// None returns the empty set.
func None() Traffic { return Traffic{} }

// Of returns one class's ports lo to hi, both included. Ports are ignored for
// ICMP and Other. It is empty if lo > hi or p is no class.
func Of(p Protocol, lo, hi uint16) Traffic {
	if p >= NumProtocols {
		return Traffic{}
	}
	if !p.HasPorts() {
		lo, hi = 0, 65535
	}
	if lo > hi {
		return Traffic{}
	}
	base := uint32(p) << 16
	return Traffic{[]span{{base | uint32(lo), base | uint32(hi)}}}
}

// Union returns what is in either set.
func (t Traffic) Union(u Traffic) Traffic {
	if len(t.spans) == 0 {
		return u
	}
	if len(u.spans) == 0 {
		return t
	}
	out := make([]span, 0, len(t.spans)+len(u.spans))
	a, b := t.spans, u.spans
	for len(a) > 0 || len(b) > 0 {
		if len(a) == 0 || (len(b) > 0 && b[0].lo < a[0].lo) {
			a, b = b, a
		}
		out = appendMerged(out, a[0])
		a = a[1:]
	}
	return Traffic{out}
}

// appendMerged adds a span that begins no earlier than any before it.
func appendMerged(out []span, s span) []span {
	if n := len(out); n > 0 && s.lo <= out[n-1].hi+1 {
		out[n-1].hi = max(out[n-1].hi, s.hi)
		return out
	}
	return append(out, s)
}

// Intersect returns what is in both sets.
func (t Traffic) Intersect(u Traffic) Traffic {
	var out []span
	a, b := t.spans, u.spans
	for len(a) > 0 && len(b) > 0 {
		if lo, hi := max(a[0].lo, b[0].lo), min(a[0].hi, b[0].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[0].hi < b[0].hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return Traffic{out}
}

// Subtract returns what is in t and not in u.
func (t Traffic) Subtract(u Traffic) Traffic { return t.Intersect(u.complement()) }

func (t Traffic) complement() Traffic {
	var out []span
	next := uint32(0)
	for _, s := range t.spans {
		if s.lo > next {
			out = append(out, span{next, s.lo - 1})
		}
		next = s.hi + 1
	}
	if next <= lastPoint {
		out = append(out, span{next, lastPoint})
	}
	return Traffic{out}
}

// Equal reports whether both hold the same traffic.
func (t Traffic) Equal(u Traffic) bool { return slices.Equal(t.spans, u.spans) }

// IsEmpty reports whether the set holds nothing.
func (t Traffic) IsEmpty() bool { return len(t.spans) == 0 }

// IsAll reports whether the set holds every class wholly.
func (t Traffic) IsAll() bool { return t.Equal(All()) }

// Contains reports whether the set holds that port of that class; the port is
// ignored for classes without ports.
func (t Traffic) Contains(p Protocol, port uint16) bool {
	if p >= NumProtocols {
		return false
	}
	if !p.HasPorts() {
		port = 0
	}
	at := uint32(p)<<16 | uint32(port)
	_, found := slices.BinarySearchFunc(t.spans, at, func(s span, at uint32) int {
		switch {
		case s.hi < at:
			return -1
		case s.lo > at:
			return 1
		}
		return 0
	})
	return found
}

// Ranges returns the ports of one class, sorted, disjoint and merged; for ICMP
// and Other one full range or nil.
func (t Traffic) Ranges(p Protocol) []Range {
	if p >= NumProtocols {
		return nil
	}
	var out []Range
	for _, s := range t.Intersect(Of(p, 0, 65535)).spans {
		out = append(out, Range{uint16(s.lo), uint16(s.hi)})
	}
	return out
}

// Runs yields the set's ports class by class, in ascending order: sorted,
// disjoint and merged within a class; for ICMP and Other one full range.
func (t Traffic) Runs() iter.Seq2[Protocol, Range] {
	return func(yield func(Protocol, Range) bool) {
		for _, s := range t.spans {
			for lo := s.lo; lo <= s.hi; {
				hi := min(s.hi, lo|0xffff)
				if !yield(Protocol(lo>>16), Range{uint16(lo), uint16(hi)}) {
					return
				}
				lo = hi + 1
			}
		}
	}
}

// Collect returns the union of what is yielded, in any order; each pair counts
// as Of counts it.
func Collect(runs iter.Seq2[Protocol, Range]) Traffic {
	var spans []span
	for p, r := range runs {
		spans = append(spans, Of(p, r.Lo, r.Hi).spans...)
	}
	byLo := func(a, b span) int { return cmp.Compare(a.lo, b.lo) }
	if !slices.IsSortedFunc(spans, byLo) {
		slices.SortFunc(spans, byLo)
	}
	out := spans[:0]
	for _, s := range spans {
		out = appendMerged(out, s)
	}
	return Traffic{out}
}
