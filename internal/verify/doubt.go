package verify

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/policy"
)

// doubt says why a guardrail that nothing violates is still not proven: what
// names lead to is not known here. One about addresses of Externals says
// something about what others lead to, and one about names about addresses.
func (e *Engine) doubt(g *policy.Guardrail) string {
	r := &e.p.Rules[g.Rule]
	from := e.matching(&r.From)
	for i := range r.Grants {
		to := e.matching(&r.Grants[i].To)
		known := map[int]bool{} // by class
		passes := func(a, b Peer) bool {
			if e.Identity(a) < 0 && e.Identity(b) < 0 {
				return false
			}
			class := e.Class(a, b)
			if _, asked := known[class]; !asked {
				set, _ := e.Permitted(a, b, false)
				known[class] = !set.Ports().Intersect(r.Grants[i].Traffic).IsEmpty()
			}
			return known[class]
		}
		why := e.perhaps(&r.Grants[i].To, to, func(x Peer) bool { return some(from, func(f Peer) bool { return passes(f, x) }) })
		if why == "" {
			why = e.perhaps(&r.From, from, func(x Peer) bool { return some(to, func(t Peer) bool { return passes(x, t) }) })
		}
		if why != "" {
			return why
		}
	}
	return ""
}

func some(b *roaring.Bitmap, is func(Peer) bool) bool {
	for it := b.Iterator(); it.HasNext(); {
		if is(Peer(it.Next())) {
			return true
		}
	}
	return false
}

// perhaps says what is permitted outside an end of a guardrail, and may yet be
// in it: names, if the end has addresses, and addresses, if it has names.
func (e *Engine) perhaps(end *policy.Peers, members *roaring.Bitmap, permitted func(Peer) bool) string {
	if end.Any || end.Not {
		return ""
	}
	var addresses, names bool
	for _, x := range end.Externals {
		addresses = addresses || len(e.p.Externals[x].CIDRs) > 0
		names = names || len(e.p.Externals[x].FQDNs) > 0
	}
	for x := range e.peers.slots {
		s := &e.peers.slots[x]
		if s.key == "" || s.identity >= 0 || s.unknown || members.Contains(uint32(x)) {
			continue
		}
		switch {
		case s.byName && addresses && permitted(Peer(x)):
			return fmt.Sprintf("external %s is allowed by name, and what its names lead to is not known here: it may be an address that this guardrail forbids", e.Name(Peer(x)))
		case !s.byName && names && permitted(Peer(x)):
			return fmt.Sprintf("%s is allowed by address, and what the names lead to that this guardrail forbids is not known here: it may be one of these addresses", e.Name(Peer(x)))
		}
	}
	return ""
}
