package semantics

import (
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Proof says whether a guardrail holds for the policy to come without its
// guardrails.
type Proof struct {
	Guardrail string
	Kind      string // "never", "only" or "must"
	Holds     bool
	Witness   *Witness // of a never or an only that does not hold
	Lacking   []Lack   // of a must that does not hold, in the order of the text
}

// Witness is a conversation that a guardrail forbids and the rules permit.
type Witness struct {
	From, To      Party
	Protocol      netset.Protocol
	Port          uint16
	Circumstances flow.Circumstances
	Rule          flow.Rule // that permits it
}

// Lack is an allow rule and what a must demands of it in vain: "owner",
// "reason", "mtls", "ports", "http" or "when".
type Lack struct {
	Rule  flow.Rule
	Words []string
}

// Guardrails proves every guardrail by asking about every pair of parties, at
// one port of each run that is alike, at each of Times, with each of Requests
// and with none, with and without mTLS. It is for small estates only, and as
// exact as those examples are. A workload's conversations with itself are not
// asked about. What is over before the given time is not asked about either.
func (e *Evaluator) Guardrails(at time.Time) []Proof {
	e = e.whole()
	var out []Proof
	for _, g := range e.dir.Guardrails {
		p := Proof{Guardrail: g.Name, Kind: g.Kind.String()}
		if g.Kind == lang.Must {
			p.Lacking = e.lacking(g)
		} else {
			p.Witness = e.witness(denial(g), at)
		}
		p.Holds = p.Witness == nil && p.Lacking == nil
		out = append(out, p)
	}
	return out
}

// unguarded is the policy without its guardrails.
func (e *Evaluator) unguarded() *Evaluator {
	out := e.keep(func(k clause) bool { return k.tier != guardrails })
	out.all = out.clauses
	return out
}

func (e *Evaluator) witness(g clause, at time.Time) *Witness {
	bare, times := e.unguarded(), e.Times(at)
	for _, from := range e.everyone() {
		for _, to := range e.everyone() {
			if from.is(to) || !e.means(g.from, from) || !e.means(g.to, to) {
				continue
			}
			requests := append([]*flow.Request{nil}, e.Requests(from, to, netset.All())...)
			for _, c := range circumstances(times, requests) {
				if w := e.witnessBetween(bare, g, conversation{from: from, to: to, Circumstances: c}); w != nil {
					return w
				}
			}
		}
	}
	return nil
}

func (e *Evaluator) witnessBetween(bare *Evaluator, g clause, q conversation) *Witness {
	for q.proto = range netset.NumProtocols {
		for _, port := range e.starts(q.to, q.proto) {
			q.port = port
			if !e.reaches(g, q) || g.unmet(q) != "" {
				continue
			}
			if d := bare.Decide(q.from, q.to, q.proto, q.port, q.Circumstances); d.ToCome == flow.Forwarded {
				return &Witness{From: q.from, To: q.to, Protocol: q.proto, Port: q.port, Circumstances: q.Circumstances, Rule: d.ToComeRule}
			}
		}
	}
	return nil
}

func circumstances(times []time.Time, requests []*flow.Request) []flow.Circumstances {
	var out []flow.Circumstances
	for _, at := range times {
		for _, r := range requests {
			for _, mtls := range []bool{true, false} {
				out = append(out, flow.Circumstances{At: at, HTTP: r, MTLS: mtls})
			}
		}
	}
	return out
}

// lacking lists the allow rules that speak of something from From to To and
// lack what the must demands.
func (e *Evaluator) lacking(g *lang.Guardrail) []Lack {
	var out []Lack
	for _, k := range e.all {
		if k.rule == nil || k.effect != lang.Allow || !e.overlap(k, g) {
			continue
		}
		has := map[string]bool{
			"owner": k.rule.Owner != "", "reason": k.rule.Reason != "", "mtls": k.mtls,
			"ports": k.ports != nil, "http": k.http != nil, "when": k.when != nil,
		}
		lack := Lack{Rule: k.ref}
		for _, w := range g.Have {
			if !has[w.Text] {
				lack.Words = append(lack.Words, w.Text)
			}
		}
		if lack.Words != nil {
			out = append(out, lack)
		}
	}
	return out
}

// overlap reports whether a clause speaks of anything from From to To.
func (e *Evaluator) overlap(k clause, g *lang.Guardrail) bool {
	for _, from := range e.everyone() {
		if !e.means(k.from, from) || !e.means(ends{any: g.From}, from) {
			continue
		}
		for _, to := range e.everyone() {
			if e.means(k.to, to) && e.means(ends{any: g.To}, to) && !e.traffic(k, to).IsEmpty() {
				return true
			}
		}
	}
	return false
}

// Times lists instants, none before the given one, which is the first: one of
// each set of windows that are open together with each set of exceptions that
// have not expired. Windows are looked at for the week after the given time and
// after each expiry; where the clocks of several time zones change on different
// days, what is only open together between the changes is missed.
func (e *Evaluator) Times(at time.Time) []time.Time {
	begins := []time.Time{at}
	for _, k := range e.all {
		if k.expires.After(at) {
			begins = append(begins, k.expires)
		}
	}
	var out []time.Time
	seen := map[string]bool{}
	for _, begin := range begins {
		for _, t := range append([]time.Time{begin}, e.boundaries(begin)...) {
			if key := e.openAt(t); !t.Before(at) && !seen[key] {
				seen[key] = true
				out = append(out, t)
			}
		}
	}
	return out
}

// boundaries are the instants of the week after begin at which a window opens
// or closes.
func (e *Evaluator) boundaries(begin time.Time) []time.Time {
	var out []time.Time
	for _, k := range e.all {
		if k.when == nil {
			continue
		}
		location := k.when.Location
		if location == nil {
			location = time.UTC
		}
		y, m, d := begin.In(location).Date()
		for day := range 9 {
			for _, minute := range []int{k.when.Lo, k.when.Hi} {
				if t := time.Date(y, m, d+day, 0, minute, 0, 0, location); t.After(begin) {
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// openAt writes down which clauses time lets speak.
func (e *Evaluator) openAt(t time.Time) string {
	key := make([]byte, len(e.all))
	for i, k := range e.all {
		key[i] = '+'
		if !k.expires.IsZero() && !t.Before(k.expires) || k.when != nil && !open(k.when, t) {
			key[i] = '-'
		}
	}
	return string(key)
}
