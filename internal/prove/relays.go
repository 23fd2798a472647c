package prove

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// Where no packet gets from one end to another, a relay may lead conversations
// there. The other layers then see the relay: at the initiator's end as the
// responder, at the responder's as the initiator.

// lead is a listener of a relay, by which it leads to a port of some end.
type lead struct {
	proto        netset.Protocol
	called, port uint16
	asMeant      bool // of a relay without leads: called at any port, which it leads to
	perhaps      bool // it is not known whether it leads to this end
}

// relays finds what ends say of relays, and to whom relays lead.
func (s *sides) relays() {
	u := s.e.u
	relay := make([]bool, len(u.ends))
	for _, l := range s.e.layers {
		for x := range u.ends {
			relay[x] = relay[x] || l.Optional && l.relay[x] && len(l.relay) > 0
		}
	}
	var ends []int
	for x := range u.ends {
		if relay[x] {
			ends = append(ends, x)
		}
	}
	for d := range 2 {
		s.via[d] = make([]int32, len(u.ends))
	}
	if len(ends) == 0 {
		return
	}
	for x := range u.ends {
		if !u.ends[x].managed() {
			continue
		}
		if !slices.ContainsFunc(ends, func(r int) bool { return u.families(&u.ends[r])&u.families(&u.ends[x]) != 0 }) {
			continue // it can talk with no relay
		}
		s.via[flow.Egress][x] = s.aboutRelays(flow.Egress, x, ends, s.root(nil, nil))
		if s.ledThere(x) {
			s.via[flow.Ingress][x] = s.aboutRelays(flow.Ingress, x, ends, s.root(nil, s.e.leadsTo(x)))
		}
	}
}

// ledThere reports whether a relay perhaps leads to an end.
func (s *sides) ledThere(x int) bool {
	return slices.ContainsFunc(s.e.layers, func(l *compiled) bool {
		return l.relays() && (len(l.points[x]) > 0 || l.halves[flow.Ingress].rows[x] != nil)
	})
}

// near reports whether relays say something of those who could do without them.
func (s *sides) near(x int) bool {
	return slices.ContainsFunc(s.e.layers, func(l *compiled) bool { return l.through != nil && l.through[x] != nil })
}

// relays reports whether conversations are led through the layer by relays.
func (l *compiled) relays() bool { return l.Optional && len(l.Relays) > 0 }

// aboutRelays is the chain of what the layers that are no relays say at an end
// about relays: what perhaps passes from or to any of their addresses, and surely
// from and to all of a family.
func (s *sides) aboutRelays(d flow.Direction, x int, relays []int, at int32) int32 {
	u := s.e.u
	for n, l := range s.e.layers {
		row := l.halves[d].rows[x]
		if row == nil || l.relays() {
			continue
		}
		of := map[families]bounds{}
		for _, r := range relays {
			for _, family := range []families{ipv4, ipv6} {
				if family&u.families(&u.ends[r])&u.families(&u.ends[x]) == 0 {
					continue
				}
				b := *s.e.bounds(row[u.peerClass[r]])
				if all, some := of[family]; some {
					b = all.either(b)
				}
				of[family] = b
			}
		}
		all, some := of[ipv4]
		if b, more := of[ipv6]; more && some {
			all = all.or(b)
		} else if more {
			all = b
		}
		at = s.link(at, int32(n), s.e.contents.of(all))
	}
	return at
}

// either is what passes by two addresses of which the relay takes one.
func (b bounds) either(o bounds) bounds {
	out := bounds{
		lower: b.lower.Intersect(o.lower), upper: b.upper.Union(o.upper),
		lowerAbstains: b.lowerAbstains.Intersect(o.lowerAbstains), upperAbstains: b.upperAbstains.Intersect(o.upperAbstains),
	}
	if out = out.because(b, o); (out.why == "" || out.oneWay) && !out.lower.Equal(out.upper) {
		out.why, out.oneWay = "it does not say the same of all addresses of the relay", false
	}
	return out
}

// or is what passes by addresses of one family or the other.
func (b bounds) or(o bounds) bounds {
	out := bounds{
		lower: b.lower.Union(o.lower), upper: b.upper.Union(o.upper),
		lowerAbstains: b.lowerAbstains.Intersect(o.lowerAbstains), upperAbstains: b.upperAbstains.Intersect(o.upperAbstains),
	}
	return out.because(b, o)
}

// led numbers what is said about relays on one way.
func (s *sides) led(out, in int32, w way) int32 {
	key := [3]int32{out, in, int32(w)}
	n, known := s.ledTo[key]
	if !known {
		n = int32(len(s.ledList))
		s.ledTo[key] = n
		s.ledList = append(s.ledList, key)
	}
	return n
}

// leadsTo lists the listeners that lead to an end, each once.
func (e *estate) leadsTo(x int) []lead {
	var out []lead
	for _, l := range e.layers {
		if !l.relays() {
			continue
		}
		if len(l.Leads) == 0 {
			out = append(out, lead{asMeant: true})
		}
		for i := range l.Leads {
			y := lead{proto: l.Leads[i].Protocol, called: l.Leads[i].Called, port: l.Leads[i].Port, perhaps: l.leads[i][x] == layer.Maybe}
			if l.leads[i][x] != layer.No && !slices.Contains(out, y) {
				out = append(out, y)
			}
		}
	}
	return out
}

// called turns what may be called at relays into what is then led to the ports
// behind them, strictly or laxly read.
func called(set space.Set, leads []lead, lax bool) space.Set {
	var out space.Set
	for _, l := range leads {
		switch {
		case l.asMeant:
			out = out.Union(set)
		case lax || !l.perhaps:
			out = out.Union(set.Moved(l.proto, l.called, netset.Of(l.proto, l.port, l.port)))
		}
	}
	return out
}
