package semantics

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Summary says what may pass from one party to another.
type Summary struct {
	Permitted netset.Traffic // empty where no end is managed
	Managed   bool           // false where no end is: nothing is known then
	Allowing  []flow.Rule    // the rules that decide about Permitted, by first port
	Refusing  []flow.Rule    // the rules that decide about the rest, likewise
}

// Summarize judges every port of every protocol, under the policy in force or
// the one to come. Within a run of ports that no rule begins or ends in, all
// are alike, so that one of each run is asked for.
func (e *Evaluator) Summarize(from, to Party, inForce bool) Summary {
	e = e.From(from).to(to)
	var s Summary
	for proto := range netset.NumProtocols {
		starts := e.starts(to, proto)
		for i, lo := range starts {
			hi := uint16(65535)
			if i+1 < len(starts) {
				hi = starts[i+1] - 1
			}
			s.add(e.Decide(from, to, proto, lo), inForce, netset.Of(proto, lo, hi))
		}
	}
	return s
}

func (s *Summary) add(d Decision, inForce bool, t netset.Traffic) {
	verdict, rule := d.ToCome, d.ToComeRule
	if inForce {
		verdict, rule = d.InForce, d.InForceRule
	}
	switch verdict {
	case flow.Unjudged:
		return
	case flow.Dropped:
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

// From leaves out the rules that do not mean p as the initiator, which cannot
// speak about anything that p begins. Whoever asks much about one party asks
// what this returns.
func (e *Evaluator) From(p Party) *Evaluator {
	return e.only(func(r *lang.Rule) bool { return e.meansAny(r.From, p) })
}

// SpeaksTo reports whether any rule means p as the responder. If none of From's
// does, defaults decide whatever may pass.
func (e *Evaluator) SpeaksTo(p Party) bool {
	for _, policy := range e.dir.Policies {
		for _, r := range policy.Rules {
			if e.meansAny(r.To, p) {
				return true
			}
		}
	}
	return false
}

func (e *Evaluator) to(p Party) *Evaluator {
	return e.only(func(r *lang.Rule) bool { return e.meansAny(r.To, p) })
}

func (e *Evaluator) only(keep func(*lang.Rule) bool) *Evaluator {
	dir := *e.dir
	dir.Policies = nil
	for _, p := range e.dir.Policies {
		kept := *p
		kept.Rules = nil
		for _, r := range p.Rules {
			if keep(r) {
				kept.Rules = append(kept.Rules, r)
			}
		}
		if kept.Rules != nil {
			dir.Policies = append(dir.Policies, &kept)
		}
	}
	out := *e
	out.dir = &dir
	return &out
}

func (e *Evaluator) meansAny(end lang.Endpoint, p Party) bool {
	return slices.ContainsFunc(p.alternatives(), func(a Party) bool { return e.matches(end, a) })
}

// starts lists the ports at which some rule's traffic begins, or has just
// ended, sorted; port 0 is always among them.
func (e *Evaluator) starts(to Party, proto netset.Protocol) []uint16 {
	out := []uint16{0}
	for _, p := range e.dir.Policies {
		for _, r := range p.Rules {
			for _, alternative := range to.alternatives() {
				for _, run := range e.traffic(r, alternative).Ranges(proto) {
					out = append(out, run.Lo)
					if run.Hi < 65535 {
						out = append(out, run.Hi+1)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
