package verify

import "firebreak/internal/netset"

// span is a run of points, both included, on the line on which the protocol
// classes lie one after the other: the point of (p, port) is p<<16 | port.
type span struct{ lo, hi uint32 }

const lastPoint = uint32(netset.NumProtocols)<<16 - 1

func point(p netset.Protocol, port uint16) uint32 {
	if !p.HasPorts() {
		port = 0
	}
	return uint32(p)<<16 | uint32(port)
}

// spansOf lists the runs of traffic, ascending, none of them over the border of
// two classes.
func spansOf(t netset.Traffic) []span {
	var out []span
	for p := range netset.NumProtocols {
		for _, r := range t.Ranges(p) {
			out = append(out, span{uint32(p)<<16 | uint32(r.Lo), uint32(p)<<16 | uint32(r.Hi)})
		}
	}
	return out
}

// traffic is the reverse for one run, which may go over borders.
func (s span) traffic() netset.Traffic {
	t := netset.None()
	for p := netset.Protocol(s.lo >> 16); uint32(p)<<16 <= s.hi && p < netset.NumProtocols; p++ {
		base := uint32(p) << 16
		lo, hi := max(s.lo, base), min(s.hi, base|0xffff)
		t = t.Union(netset.Of(p, uint16(lo), uint16(hi)))
	}
	return t
}

func contains(spans []span, at uint32) bool {
	for _, s := range spans {
		if at <= s.hi {
			return s.lo <= at
		}
	}
	return false
}

// overlap reports whether two ascending lists of runs have a point in common.
func overlap(a, b []span) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].hi < b[0].lo:
			a = a[1:]
		case b[0].hi < a[0].lo:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}
