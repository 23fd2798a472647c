package verify

import (
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// By names what decided: a rule or a zone's default. Ref tells which. The zero
// value is no name.
type By int32

// Decision is the answer about one conversation, as the reference evaluator's.
type Decision struct {
	InForce, ToCome     flow.Verdict // Unjudged where no end is a workload
	InForceBy, ToComeBy By           // 0 where Unjudged
}

// Locate prepares circumstances for Decide.
func (e *Engine) Locate(c flow.Circumstances) space.Point { return e.space.Locate(c) }

// Decide judges the conversation from one peer to another. The port is ignored
// for protocols without ports. It allocates nothing.
func (e *Engine) Decide(from, to Peer, proto netset.Protocol, port uint16, at space.Point) Decision {
	a, b := e.packed[from], e.packed[to]
	if (a|b)&workloadEnd == 0 {
		return Decision{}
	}
	list := e.cells[from][to]
	q := &e.quick[list]
	x := point(proto, port)
	what := e.runs.find(q.toCome, x)
	if what == asked {
		what = e.tables[list].toCome.ask(proto, port, at)
	}
	var d Decision
	forwarded, by := e.verdict(what, a, b, byDefault)
	d.ToComeBy, d.ToCome = by, flow.Dropped
	if forwarded {
		d.ToCome = flow.Forwarded
	}
	if q.inForce != q.toCome {
		if what = e.runs.find(q.inForce, x); what == asked {
			what = e.tables[list].inForce.ask(proto, port, at)
		}
	}
	passes, by := e.verdict(what, a, b, byDefaultInForce)
	d.InForceBy = by
	switch {
	case !passes:
		d.InForce = flow.Dropped
	case !forwarded:
		d.InForce = flow.Audited
	default:
		d.InForce = flow.Forwarded
	}
	return d
}

// ask returns what the step says that decides.
func (w *walk) ask(proto netset.Protocol, port uint16, at space.Point) int32 {
	x := point(proto, port)
	lo, hi := 0, len(w.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; w.starts[mid] <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	for i := w.first[lo]; ; {
		s := &w.steps[i]
		switch {
		case s.cond != nil && !s.cond.Contains(proto, port, at):
			i++
		case s.pass > 0:
			i = s.pass
		default:
			return s.what()
		}
	}
}

// outcome is whether the conversation passes, and by what. What no rule
// decides, both ends' zones do: the first that refuses, else the first there is.
func (e *Engine) outcome(rule int32, from, to Peer, inForce bool) (bool, By) {
	if rule != noRule {
		s := &e.rules.slots[rule]
		return s.r.Effect == policy.Allow, By(s.index + 1)
	}
	bit := uint8(byDefault)
	if inForce {
		bit = byDefaultInForce
	}
	speaker := from
	if e.peers.slots[from].identity < 0 || e.bits[from]&bit != 0 && e.bits[to]&bit == 0 {
		speaker = to
	}
	allows := e.bits[from]&e.bits[to]&bit != 0
	return allows, e.defaultOf(speaker, allows)
}

// defaultOf names the default of a peer's zone: -1 and -2 are the first
// zone's deny and allow, and so on.
func (e *Engine) defaultOf(x Peer, allows bool) By {
	by := -1 - 2*By(e.peers.slots[x].zone)
	if allows {
		by--
	}
	return by
}

// Ref says which rule or default is named. The zero By gives the zero Rule.
func (e *Engine) Ref(by By) flow.Rule {
	switch {
	case by == 0:
		return flow.Rule{}
	case by > 0:
		return e.p.Rules[by-1].Ref
	}
	n := int(-1 - by)
	z := &e.p.Zones[n/2]
	return flow.Rule{Rule: [...]string{"default-deny", "default-allow"}[n%2], File: z.Pos.File, Line: z.Pos.Line}
}

// Rule returns the index into Policy.Rules that is named; -1 for a default and
// for the zero By.
func (by By) Rule() int { return max(int(by)-1, -1) }
