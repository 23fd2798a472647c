package space

import (
	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// Witness returns a member of the set, as plain a one as there is: traffic
// that is in under all circumstances before other, the lowest class and port,
// a proven principal, an early instant of the horizon, no HTTP before HTTP, a
// method, path and host that are short. For the same set it is always the
// same. ok is false if the set is empty. Of a set made by Plain alone, which
// has no horizon, the instant is the zero time.
func (a Set) Witness() (p netset.Protocol, port uint16, c flow.Circumstances, ok bool) {
	for p, r := range a.plain.Runs() {
		c := flow.Circumstances{MTLS: true}
		if s := a.space(); s != nil {
			c.At = s.from()
		}
		return p, r.Lo, c, true
	}
	if len(a.segs) == 0 {
		return 0, 0, flow.Circumstances{}, false
	}
	x := a.segs[0]
	return netset.Protocol(x.lo >> 16), uint16(x.lo), x.when.witness(), true
}

// likely returns the part of a set in which the principal is proven and the
// horizon begins, as far as there is one.
func (s *Space) likely(n *node) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dim := range []uint16{dimMTLS, dimTime} {
		if part := s.diagrams.restrict(n, dim, 0); part != s.diagrams.no {
			n = part
		}
	}
	return n
}

// witness returns circumstances in the set of a node, which is not empty.
func (n *node) witness() flow.Circumstances {
	s := n.of
	n = s.likely(n)
	var atom [numDims]int
	for n.kids != nil {
		for i, k := range n.kids {
			if k != s.diagrams.no {
				atom[n.dim], n = i, k
				break
			}
		}
	}
	c := flow.Circumstances{At: s.moments.samples[atom[dimTime]], MTLS: atom[dimMTLS] == proven}
	if atom[dimMethod] == noHTTP {
		return c
	}
	r := &flow.Request{Method: s.methods.another, Path: s.paths.samples[atom[dimPath]], Host: s.hosts.samples[atom[dimHost]]}
	if atom[dimMethod] != s.otherMethod() {
		r.Method = s.methods.names[atom[dimMethod]-1]
	}
	for i, h := range s.headers {
		v := atom[dimHeader+i]
		if v == absent {
			continue
		}
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		r.Headers[h.name] = h.values.another
		if v != otherHeader {
			r.Headers[h.name] = h.values.names[v-2]
		}
	}
	c.HTTP = r
	return c
}
