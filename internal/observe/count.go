package observe

import "firebreak/internal/flow"

// verdictOf puts together what the ends of conversation k said.
func (a *Aggregate) verdictOf(t *talk, k int) (key edgeKey, toComeRule uint32) {
	var hard, come, from, to *report
	for i := range t.reports {
		r := &t.reports[i]
		if int(r.conv) != k {
			continue
		}
		if hard == nil || r.verdict > hard.verdict || r.verdict == hard.verdict && r.reason > hard.reason {
			hard = r
		}
		if come == nil || r.toCome > come.toCome {
			come = r
		}
		if from == nil || r.dir == flow.Egress && from.dir == flow.Ingress {
			from = r
		}
		if to == nil || r.dir == flow.Ingress && to.dir == flow.Egress {
			to = r
		}
	}
	at := from.place
	if to.place != from.place && from.place != 0 && to.place != 0 {
		f, g := a.places.values[from.place], a.places.values[to.place]
		at = a.places.id(place{f.from, f.fromZone, g.to, g.toZone})
	}
	return edgeKey{at, hard.rule, hard.verdict, come.toCome, hard.reason}, come.toComeRule
}

// recount moves a conversation to the edge where it belongs now. own says
// that f is one of its reports.
func (a *Aggregate) recount(t *talk, k int, f *flow.Flow, own bool) {
	c := &t.convs[k]
	key, toComeRule := a.verdictOf(t, k)
	e := a.graph.edge(key, a)
	moved := e != c.edge
	if moved {
		a.uncount(c, t)
		a.count(c, t, e)
	}
	e.seen(c.start, f, own)
	if e.toComeRule != toComeRule {
		e.toComeRule = toComeRule
		a.graph.touch(e, true)
	}
	if c.id == 0 {
		c.id = a.ring.add(f)
	}
	if s := a.ring.get(c.id); s != nil && (own || moved) {
		a.correct(s, key, toComeRule, f, own)
	}
}

func (a *Aggregate) count(c *conv, t *talk, e *edge) {
	c.edge = e
	a.counts[e.key.verdict]++
	a.graph.add(e, t.class, t.port)
	a.changed = true
}

func (a *Aggregate) uncount(c *conv, t *talk) {
	if c.edge == nil {
		return
	}
	a.counts[c.edge.key.verdict]--
	a.graph.remove(c.edge, t.class, t.port)
	c.edge = nil
	a.changed = true
}

// correct brings a listed conversation up to date and lists it again if that
// changed anything.
func (a *Aggregate) correct(s *slot, key edgeKey, toComeRule uint32, f *flow.Flow, own bool) {
	before := s.c.Flow
	c := &s.c.Flow
	c.Verdict, c.Rule, c.Reason = key.verdict, a.rules.values[key.rule], key.reason
	c.ToCome, c.ToComeRule = key.toCome, a.rules.values[toComeRule]
	if own && f.Direction == flow.Egress {
		c.From, c.FromService, c.FromZone = f.From, f.FromService, f.FromZone
	}
	if own && f.Direction == flow.Ingress {
		c.To, c.ToService, c.ToZone = f.To, f.ToService, f.ToZone
	}
	if *c != before {
		a.ring.queue(s)
	}
}
