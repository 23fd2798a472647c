package semantics

import (
	"cmp"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Outcome is what became of one line of a Case. It holds if Got is Want.
type Outcome struct {
	Case  string
	Index int // of the line in its Case, from 0
	Pos   diag.Pos
	Want  string // "allow" or "deny"
	Got   string // "allow", "deny", or "unknown" where nothing can be judged
	// The conversation that decided, and its rule: a counterexample if there
	// is one, else the first. Empty for "unknown".
	From, To string
	Traffic  netset.Traffic
	// Circumstances of that conversation. HTTP is nil for what is no HTTP, and
	// where it makes no difference.
	Circumstances flow.Circumstances
	Rule          flow.Rule
	Why           string // for "unknown"
}

// OK reports whether the line holds.
func (o Outcome) OK() bool { return o.Got == o.Want }

// Cases judges every line of every Case, in the order of the text. A line that
// names no time is judged at the one given.
func (e *Evaluator) Cases(at time.Time) []Outcome {
	var out []Outcome
	for _, c := range e.dir.Cases {
		for i, x := range c.Expect {
			o := e.expect(x, at)
			o.Case, o.Index, o.Pos = c.Name, i, x.Pos
			out = append(out, o)
		}
	}
	return out
}

// Expect judges one line of a Case; Case, Index, Pos and Want are not set.
func (e *Evaluator) Expect(x *lang.Expectation, at time.Time) Outcome { return e.expect(x, at) }

// expect judges one line: it holds if it holds for every pair of parties, all
// of the traffic, and, where the line names no request, every request and what
// is no HTTP at all.
func (e *Evaluator) expect(x *lang.Expectation, at time.Time) Outcome {
	out := Outcome{Want: x.Effect.String(), Got: "unknown"}
	froms, tos := e.Parties(x.From), e.Parties(x.To)
	if len(froms) == 0 || len(tos) == 0 {
		out.Why = "no workload and no address is meant by " + emptyEnd(x, len(froms) == 0)
		return out
	}
	for _, from := range froms {
		for _, to := range tos {
			if from.is(to) && len(froms)*len(tos) > 1 {
				continue
			}
			o := e.expectPair(x, from, to, at)
			if o.Got != out.Want {
				o.Want = out.Want
				return o
			}
			if out.Got == "unknown" {
				o.Want = out.Want
				out = o
			}
		}
	}
	return out
}

func emptyEnd(x *lang.Expectation, from bool) string {
	end := x.To
	if from {
		end = x.From
	}
	return end.Kind.String() + " " + cmp.Or(end.Name, end.Selector.String())
}

func (e *Evaluator) expectPair(x *lang.Expectation, from, to Party, at time.Time) Outcome {
	out := Outcome{Got: "unknown", From: from.Name(), To: to.Name()}
	asked := e.Asked(x.Port, x.To, to)
	if asked.IsEmpty() {
		out.Why = to.Name() + " has no port named " + x.Port.Name
		return out
	}
	c := flow.Circumstances{At: at, HTTP: x.HTTP, MTLS: !x.NoMTLS}
	if !x.At.IsZero() {
		c.At = x.At
	}
	requests := []*flow.Request{x.HTTP}
	if x.HTTP == nil {
		requests = append(requests, e.Requests(from, to, asked)...)
	}
	for i, r := range requests {
		c.HTTP = r
		o := e.expectIn(x, from, to, asked, c)
		if o.Got != x.Effect.String() && o.Got != "unknown" {
			return o // a counterexample says more than what is unknown
		}
		if i == 0 || out.Got != "unknown" && o.Got == "unknown" {
			out = o
		}
	}
	return out
}

// expectIn judges a line for one pair in one set of circumstances.
func (e *Evaluator) expectIn(x *lang.Expectation, from, to Party, asked netset.Traffic, c flow.Circumstances) Outcome {
	out := Outcome{Got: "unknown", From: from.Name(), To: to.Name(), Circumstances: c}
	s := e.Summarize(from, to, x.InForce, c)
	permitted, unknown := s.Permitted.Intersect(asked), s.Unknown.Intersect(asked)
	refused := asked.Subtract(s.Permitted).Subtract(s.Unknown)
	switch {
	case !s.Managed:
		out.Why = "neither end is a workload"
		return out
	case x.Effect == lang.Deny && !permitted.IsEmpty():
		out.Got, out.Traffic = "allow", permitted
	case x.Effect == lang.Allow && !refused.IsEmpty():
		out.Got, out.Traffic = "deny", refused
	case !unknown.IsEmpty():
		out.Traffic, out.Why = unknown, s.Why
		return out
	case refused.IsEmpty():
		out.Got, out.Traffic = "allow", permitted
	default:
		out.Got, out.Traffic = "deny", refused
	}
	proto, port := First(out.Traffic)
	d := e.Decide(from, to, proto, port, c)
	out.Rule = d.ToComeRule
	if x.InForce {
		out.Rule = d.InForceRule
	}
	return out
}

// Asked is the traffic that an optional port means at a destination that was
// reached by an endpoint: all if there is no port, nothing if the destination
// has no port of that name. A frontend says itself what its ports are called.
func (e *Evaluator) Asked(p *lang.Port, end lang.Endpoint, to Party) netset.Traffic {
	switch {
	case p == nil:
		return netset.All()
	case p.Name == "":
		return p.Traffic
	}
	sum := netset.None()
	if to.Frontend != nil {
		for _, x := range to.Frontend.Ports {
			if x.Name == p.Name {
				sum = sum.Union(netset.Of(x.Protocol, x.Number, x.Number))
			}
		}
	}
	for _, w := range to.Owners {
		sum = sum.Union(e.named(p.Name, one(end), w))
	}
	return sum
}

// First is the first protocol and port of traffic that is not empty.
func First(t netset.Traffic) (netset.Protocol, uint16) {
	for proto := range netset.NumProtocols {
		if r := t.Ranges(proto); len(r) > 0 {
			return proto, r[0].Lo
		}
	}
	return 0, 0
}

// Parties lists what an endpoint means: each workload, one address of each run
// of addresses that the policy cannot tell apart, and each External that has
// FQDNs, as known by name. What is built in and the addresses of frontends are
// not among them unless they are asked for by address.
func (e *Evaluator) Parties(end lang.Endpoint) []Party {
	if end.Kind == lang.ByIP {
		return []Party{e.Address(end.IP)}
	}
	var out []Party
	for i := range e.inv.Workloads {
		p := Party{Owners: []*inventory.Workload{&e.inv.Workloads[i]}}
		if e.matches(end, p) {
			out = append(out, p)
		}
	}
	if end.Kind != lang.ByAny && end.Kind != lang.ByExternal {
		return out
	}
	for _, s := range e.Spans() {
		if s.Party.IsPlace() && e.matches(end, s.Party) {
			out = append(out, s.Party)
		}
	}
	for _, x := range e.dir.Externals {
		if p := (Party{Externals: []string{x.Name}}); len(x.FQDNs) > 0 && e.matches(end, p) {
			out = append(out, p)
		}
	}
	return out
}

// is reports whether both are the same one workload.
func (p Party) is(q Party) bool {
	return len(p.Owners) == 1 && len(q.Owners) == 1 && p.Owners[0] == q.Owners[0]
}
