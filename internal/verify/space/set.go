package space

import (
	"encoding/binary"
	"slices"
	"time"

	"firebreak/internal/netset"
)

// seg is a run of points of the line (protocol<<16 | port, both ends included)
// at which the circumstances are the same: neither none nor all.
type seg struct {
	lo, hi uint32
	when   *node
}

const lastPoint = uint32(netset.NumProtocols)<<16 - 1

// Set is an exact set of (protocol, port, circumstances). It is an immutable
// value, safe for concurrent use; the zero value is the empty set, of any
// Space. Only sets of one Space may be combined or compared, beside those made
// by Plain, which belong to all of them.
type Set struct {
	plain netset.Traffic // in whatever the circumstances
	segs  []seg          // sorted, disjoint, merged, apart from plain; nil if none
}

// Plain returns the set of that traffic in all circumstances.
func Plain(t netset.Traffic) Set { return Set{plain: t} }

// Union returns what is in either set.
func (a Set) Union(b Set) Set {
	switch {
	case len(a.segs) == 0 && len(b.segs) == 0:
		return Set{plain: a.plain.Union(b.plain)}
	case a.IsEmpty():
		return b
	case b.IsEmpty():
		return a
	}
	return a.combine(opOr, b)
}

// Intersect returns what is in both sets.
func (a Set) Intersect(b Set) Set {
	switch {
	case len(a.segs) == 0 && len(b.segs) == 0:
		return Set{plain: a.plain.Intersect(b.plain)}
	case a.IsEmpty() || b.IsEmpty():
		return Set{}
	}
	return a.combine(opAnd, b)
}

// Subtract returns what is in a and not in b.
func (a Set) Subtract(b Set) Set {
	switch {
	case len(a.segs) == 0 && len(b.segs) == 0:
		return Set{plain: a.plain.Subtract(b.plain)}
	case a.IsEmpty() || b.IsEmpty():
		return a
	}
	return a.combine(opLess, b)
}

// Equal reports whether both sets hold the same.
func (a Set) Equal(b Set) bool {
	return a.plain.Equal(b.plain) && slices.Equal(a.segs, b.segs)
}

// IsEmpty reports whether the set holds nothing.
func (a Set) IsEmpty() bool { return len(a.segs) == 0 && a.plain.IsEmpty() }

// Ports returns the traffic of which some circumstances are in the set.
func (a Set) Ports() netset.Traffic {
	if len(a.segs) == 0 {
		return a.plain
	}
	return a.plain.Union(traffic(a.segs))
}

// Whole returns the traffic of which all circumstances are in the set.
func (a Set) Whole() netset.Traffic { return a.plain }

// Contains reports whether the set holds that port of that class in those
// circumstances, which the set's Space located; the port is ignored for
// classes without ports.
func (a Set) Contains(p netset.Protocol, port uint16, at Point) bool {
	if a.plain.Contains(p, port) {
		return true
	}
	if len(a.segs) == 0 || p >= netset.NumProtocols {
		return false
	}
	x := uint32(p)<<16 | uint32(port)
	lo, hi := 0, len(a.segs)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); a.segs[mid].hi < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(a.segs) && a.segs[lo].lo <= x && a.segs[lo].when.contains(&at)
}

// Seen returns the traffic that the set holds in those circumstances, which the
// set's Space located.
func (a Set) Seen(at Point) netset.Traffic {
	var in []seg
	for _, x := range a.segs {
		if x.when.contains(&at) {
			in = append(in, x)
		}
	}
	if in == nil {
		return a.plain
	}
	return a.plain.Union(traffic(in))
}

func (n *node) contains(at *Point) bool {
	for n.kids != nil {
		v := at.atom(n.dim)
		if v >= len(n.kids) {
			return false
		}
		n = n.kids[v]
	}
	return n.in
}

// Given returns what is in the set if the peer's principal is proven, or if it
// is not, as a set that no longer asks.
func (a Set) Given(mtls bool) Set {
	atom := unproven
	if mtls {
		atom = proven
	}
	return a.restrict(dimMTLS, atom)
}

// At returns what is in the set at that instant, as a set that no longer asks
// for the time. An instant outside the horizon counts as the nearest in it.
func (a Set) At(t time.Time) Set {
	if len(a.segs) == 0 {
		return a
	}
	return a.restrict(dimTime, a.space().moments.locate(t))
}

// Always returns what is in the set at every instant of the horizon, as a set
// that no longer asks for the time.
func (a Set) Always() Set { return a.restrict(dimTime, eachAtom) }

func (a Set) restrict(dim uint16, atom int) Set {
	if len(a.segs) == 0 {
		return a
	}
	s := a.space()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]seg, 0, len(a.segs))
	for _, x := range a.all() {
		if when := s.diagrams.restrict(x.when, dim, atom); when != s.diagrams.no {
			out = appendSeg(out, seg{x.lo, x.hi, when})
		}
	}
	return split(s, out)
}

// space returns the Space of a set that has segs, and nil for others.
func (a Set) space() *Space {
	if len(a.segs) == 0 {
		return nil
	}
	return a.segs[0].when.of
}

// all returns the set as segs, the plain ones included; the set must have
// segs.
func (a Set) all() []seg { return a.in(a.space()) }

func (a Set) in(s *Space) []seg {
	if a.plain.IsEmpty() {
		return a.segs
	}
	out := make([]seg, 0, len(a.segs)+4)
	rest := a.segs
	for p, r := range a.plain.Runs() {
		lo := uint32(p)<<16 | uint32(r.Lo)
		for len(rest) > 0 && rest[0].lo < lo {
			out, rest = append(out, rest[0]), rest[1:]
		}
		out = append(out, seg{lo, uint32(p)<<16 | uint32(r.Hi), s.diagrams.yes})
	}
	return append(out, rest...)
}

// combine does o to two sets, one of which has segs.
func (a Set) combine(o op, b Set) Set {
	s := a.space()
	if s == nil {
		s = b.space()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, y := a.in(s), b.in(s)
	out := make([]seg, 0, len(x)+len(y))
	for at := uint32(0); len(x)+len(y) > 0 && at <= lastPoint; {
		hi := lastPoint
		inX, inY := s.diagrams.no, s.diagrams.no
		x, inX, hi = stretch(x, at, inX, hi)
		y, inY, hi = stretch(y, at, inY, hi)
		if when := s.diagrams.apply(o, inX, inY); when != s.diagrams.no {
			out = appendSeg(out, seg{at, hi, when})
		}
		at = hi + 1
	}
	return split(s, out)
}

// stretch drops what ends before the point, and says what is at the point and
// up to where it stays the same, at most up to hi.
func stretch(x []seg, at uint32, none *node, hi uint32) ([]seg, *node, uint32) {
	for len(x) > 0 && x[0].hi < at {
		x = x[1:]
	}
	switch {
	case len(x) == 0:
		return x, none, hi
	case x[0].lo > at:
		return x, none, min(hi, x[0].lo-1)
	}
	return x, x[0].when, min(hi, x[0].hi)
}

// appendSeg adds a seg that begins behind all others.
func appendSeg(out []seg, x seg) []seg {
	if n := len(out); n > 0 && out[n-1].hi+1 == x.lo && out[n-1].when == x.when {
		out[n-1].hi = x.hi
		return out
	}
	return append(out, x)
}

// split makes a set of segs that may be plain; it keeps the slice.
func split(s *Space, all []seg) Set {
	plain := make([]seg, 0, 4)
	rest := all[:0]
	for _, x := range all {
		if x.when == s.diagrams.yes {
			plain = append(plain, x)
		} else {
			rest = append(rest, x)
		}
	}
	if len(rest) == 0 {
		rest = nil
	}
	return Set{traffic(plain), rest}
}

// traffic returns the points of the segs.
func traffic(segs []seg) netset.Traffic {
	if len(segs) == 0 {
		return netset.None()
	}
	return netset.Collect(func(yield func(netset.Protocol, netset.Range) bool) {
		for _, x := range segs {
			for lo := x.lo; lo <= x.hi; {
				hi := min(x.hi, lo|0xffff)
				if !yield(netset.Protocol(lo>>16), netset.Range{Lo: uint16(lo), Hi: uint16(hi)}) {
					return
				}
				lo = hi + 1
			}
		}
	})
}

// conditioned makes the set of traffic in the node's circumstances.
func conditioned(t netset.Traffic, when *node) Set {
	switch when {
	case when.of.diagrams.yes:
		return Set{plain: t}
	case when.of.diagrams.no:
		return Set{}
	}
	var segs []seg
	for p, r := range t.Runs() {
		segs = appendSeg(segs, seg{uint32(p)<<16 | uint32(r.Lo), uint32(p)<<16 | uint32(r.Hi), when})
	}
	return Set{segs: segs}
}

// AppendKey appends bytes to b that two sets of one Space have in common only
// if they are equal.
func (a Set) AppendKey(b []byte) []byte {
	for p, r := range a.plain.Runs() {
		b = append(b, byte(p), byte(r.Lo>>8), byte(r.Lo), byte(r.Hi>>8), byte(r.Hi))
	}
	b = append(b, 0xff)
	for _, x := range a.segs {
		b = binary.BigEndian.AppendUint32(b, x.lo)
		b = binary.BigEndian.AppendUint32(b, x.hi)
		b = binary.BigEndian.AppendUint32(b, x.when.id)
	}
	return b
}
