package space

import "firebreak/internal/netset"

// Moved returns other traffic, in the circumstances in which the set holds that
// port of that class; the port is ignored for classes without ports. What the
// set says of anything else is lost.
func (a Set) Moved(p netset.Protocol, port uint16, to netset.Traffic) Set {
	if a.plain.Contains(p, port) {
		return Plain(to)
	}
	x := uint32(p) << 16
	if p.HasPorts() {
		x |= uint32(port)
	}
	for _, s := range a.segs {
		if s.lo <= x && x <= s.hi {
			return conditioned(to, s.when)
		}
	}
	return Set{}
}
