package semantics

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// Summary says what may pass from one party to another.
type Summary struct {
	Permitted netset.Traffic // empty where no end is managed
	Managed   bool           // false where no end is: nothing is known then
	Unknown   netset.Traffic // of which nothing is known although an end is managed
	Why       string         // for Unknown
	Allowing  []flow.Rule    // the rules that decide about Permitted, by first port
	Refusing  []flow.Rule    // the rules that decide about the rest, likewise
}

// Summarize judges every port of every protocol in the same circumstances,
// under the policy in force or the one to come. Within a run of ports that no rule begins or ends in, all
// are alike, so that one of each run is asked for.
func (e *Evaluator) Summarize(from, to Party, inForce bool, c flow.Circumstances) Summary {
	e = e.From(from).To(to)
	var s Summary
	for proto := range netset.NumProtocols {
		starts := e.starts(to, proto)
		for i, lo := range starts {
			hi := uint16(65535)
			if i+1 < len(starts) {
				hi = starts[i+1] - 1
			}
			s.add(e.Decide(from, to, proto, lo, c), inForce, netset.Of(proto, lo, hi))
		}
	}
	return s
}

func (s *Summary) add(d Decision, inForce bool, t netset.Traffic) {
	verdict, rule := d.ToCome, d.ToComeRule
	if inForce {
		verdict, rule = d.InForce, d.InForceRule
	}
	switch {
	case verdict == flow.Unjudged && d.Why == "":
		return
	case verdict == flow.Unjudged:
		s.Unknown, s.Why = s.Unknown.Union(t), d.Why
	case verdict == flow.Dropped:
		s.Refusing = addRule(s.Refusing, rule)
	default:
		s.Permitted = s.Permitted.Union(t)
		s.Allowing = addRule(s.Allowing, rule)
	}
	s.Managed = true
}

func addRule(rules []flow.Rule, r flow.Rule) []flow.Rule {
	if slices.Contains(rules, r) {
		return rules
	}
	return append(rules, r)
}

// From leaves out what does not mean p as the initiator, which cannot speak
// about anything that p begins. Whoever asks much about one party asks what
// this returns.
func (e *Evaluator) From(p Party) *Evaluator {
	return e.keep(func(k clause) bool { return e.meansAny(k.from, p.alternatives()) })
}

// SpeaksTo reports whether anything means p as the responder. If nothing of
// From's does, defaults decide whatever may pass.
func (e *Evaluator) SpeaksTo(p Party) bool { return len(e.To(p).clauses) > 0 }

// To is From for p as the responder.
func (e *Evaluator) To(p Party) *Evaluator {
	responders := e.responders(p)
	return e.keep(func(k clause) bool { return e.meansAny(k.to, responders) })
}

func (e *Evaluator) keep(keep func(clause) bool) *Evaluator {
	out := *e
	out.clauses = nil
	for _, k := range e.clauses {
		if keep(k) {
			out.clauses = append(out.clauses, k)
		}
	}
	return &out
}

func (e *Evaluator) meansAny(x ends, parties []Party) bool {
	return slices.ContainsFunc(parties, func(p Party) bool { return e.means(x, p) })
}

// starts lists the ports at which some clause's traffic, or a port of a
// frontend, begins or has just ended, sorted; port 0 is always among them.
func (e *Evaluator) starts(to Party, proto netset.Protocol) []uint16 {
	out := []uint16{0}
	cut := func(t netset.Traffic) {
		for _, run := range t.Ranges(proto) {
			out = append(out, run.Lo)
			if run.Hi < 65535 {
				out = append(out, run.Hi+1)
			}
		}
	}
	for _, k := range e.clauses {
		for _, p := range e.responders(to) {
			cut(e.traffic(k, p))
		}
	}
	if to.Frontend != nil {
		for _, p := range to.Frontend.Ports {
			cut(netset.Of(p.Protocol, p.Number, p.Number))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
