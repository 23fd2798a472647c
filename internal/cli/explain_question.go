package cli

import (
	"cmp"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// question is what is asked about two parties.
type question struct {
	l        *loaded
	eval     *semantics.Evaluator // asked; it may know only what means both ends
	from, to semantics.Party
	asked    netset.Traffic
	inForce  bool
	in       flow.Circumstances
}

// candidates are the requests that are asked about: the one that was given, or
// what is no HTTP and one of each kind that the rules tell apart.
func (q question) candidates(asked netset.Traffic) []*flow.Request {
	if q.in.HTTP != nil {
		return []*flow.Request{q.in.HTTP}
	}
	return append([]*flow.Request{nil}, q.eval.Requests(q.from, q.to, asked)...)
}

// permitted is what of the traffic passes with a request. Of one port, one
// question is enough.
func (q question) permitted(r *flow.Request, of netset.Traffic) netset.Traffic {
	q.in.HTTP = r
	if proto, port := semantics.First(of); of.Equal(netset.Of(proto, port, port)) {
		d := q.eval.Decide(q.from, q.to, proto, port, q.in)
		if d.ToCome == flow.Forwarded && !q.inForce || q.inForce && (d.InForce == flow.Forwarded || d.InForce == flow.Audited) {
			return of
		}
		return netset.None()
	}
	return q.eval.Summarize(q.from, q.to, q.inForce, q.in).Permitted.Intersect(of)
}

// traffic is what --port means at the destination.
func (q question) traffic(port string, end lang.Endpoint) (netset.Traffic, error) {
	if port == "" {
		permitted := netset.None()
		for _, r := range q.candidates(netset.All()) {
			permitted = permitted.Union(q.permitted(r, netset.All()))
		}
		return permitted, misusef("--port is missing; from %s to %s the policy permits: %s", q.from.Name(), q.to.Name(), permitted)
	}
	p, err := parsePort(port)
	if err != nil {
		return netset.None(), err
	}
	asked := q.eval.Asked(&p, end, q.to)
	if asked.IsEmpty() {
		return asked, misusef("--port: %s has no port named %q", q.to.Name(), p.Name)
	}
	return asked, nil
}

// answer asks about every candidate. If they do not agree, nothing is said but
// which of them may pass.
func (q question) answer() (pair, error) {
	var out pair
	for i, r := range q.candidates(q.asked) {
		permitted := q.permitted(r, q.asked)
		if !permitted.IsEmpty() && !permitted.Equal(q.asked) {
			return out, misusef("--port: of %s only %s is permitted%s; ask for one of the two", q.asked, permitted, forRequest(r))
		}
		q.in.HTTP = r
		p := q.pair(r)
		if i == 0 {
			out = p
		}
		out.tell(p, r)
	}
	if !slices.ContainsFunc(out.Requests, func(r requests) bool { return r.Effect != out.Effect }) {
		out.Requests = nil
		return out, nil
	}
	out.Effect, out.Why = "unknown", "the answer depends on the request: say which with --http"
	return out, nil
}

func forRequest(r *flow.Request) string {
	if r == nil {
		return ""
	}
	return " for " + requestText(r)
}

// tell notes what became of one candidate.
func (p *pair) tell(of pair, r *flow.Request) {
	example := "what is no HTTP"
	if r != nil {
		example = requestText(r)
	}
	for i, known := range p.Requests {
		if known.Effect == of.Effect && known.Rule == of.rule() {
			p.Requests[i].Examples = append(known.Examples, example)
			return
		}
	}
	p.Requests = append(p.Requests, requests{Effect: of.Effect, Rule: of.rule(), Examples: []string{example}, Demands: of.Demands})
}

func (q question) pair(r *flow.Request) pair {
	proto, port := semantics.First(q.asked)
	d := q.eval.Decide(q.from, q.to, proto, port, q.in)
	p := pair{From: q.from.Name(), To: q.to.Name(), inForce: q.inForce, asked: q}
	verdict := d.ToCome
	if q.inForce {
		verdict = d.InForce
	}
	p.Effect = map[flow.Verdict]string{flow.Unjudged: "unknown", flow.Dropped: "deny", flow.Forwarded: "allow", flow.Audited: "allow"}[verdict]
	if p.Effect == "unknown" {
		p.Why = cmp.Or(d.Why, "neither end is a workload: nothing here decides")
	}
	p.Decision = q.l.placed(d)
	p.Demands = q.demands(p)
	return p
}

// demands says what the rule that refuses demands, or every rule that permits
// at an end.
func (q question) demands(p pair) []string {
	if p.Effect == "deny" {
		return q.eval.Conditions(p.rule())
	}
	var out []string
	for _, e := range p.Decision.Ends {
		for _, d := range q.eval.Conditions(p.judgement(e).Rule) {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// placed gives every rule of a decision its place as the working directory
// sees it.
func (l *loaded) placed(d semantics.Decision) semantics.Decision {
	d.InForceRule, d.ToComeRule = l.rule(d.InForceRule), l.rule(d.ToComeRule)
	d.Ends, d.Segments = slices.Clone(d.Ends), slices.Clone(d.Segments)
	for i := range d.Ends {
		for _, j := range []*semantics.Judgement{&d.Ends[i].InForce, &d.Ends[i].ToCome} {
			j.Rule, j.Steps = l.rule(j.Rule), slices.Clone(j.Steps)
			for k := range j.Steps {
				s := &j.Steps[k]
				s.Rules, s.Near = l.rules(s.Rules), slices.Clone(s.Near)
				for n := range s.Near {
					s.Near[n].Rule = l.rule(s.Near[n].Rule)
				}
			}
		}
	}
	for i := range d.Segments {
		d.Segments[i].Decision = l.placed(d.Segments[i].Decision)
	}
	return d
}
