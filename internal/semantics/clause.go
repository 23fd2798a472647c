package semantics

import (
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// tier is a place in the order of deciding.
type tier uint8

const (
	guardrails tier = iota
	platform
	exceptions
	application
	baseline
)

func (t tier) String() string {
	return [...]string{"guardrail", "platform", "exception", "application", "baseline"}[t]
}

// clause is whatever can speak about a conversation: a rule, a guardrail's
// denial or an exception. It speaks if everything in it fits.
type clause struct {
	ref      flow.Rule
	tier     tier
	priority int // platform tier only; lower decides first
	effect   lang.Effect
	inForce  bool
	from, to ends
	ports    []lang.Port // nil: all traffic
	http     []lang.HTTP // nil: whatever is said
	mtls     bool
	when     *lang.Window // nil: always
	expires  time.Time    // zero: never
	rule     *lang.Rule   // nil for guardrails and exceptions
}

// ends is one end of a clause: any of the endpoints, or, if except, anything
// but them.
type ends struct {
	any    []lang.Endpoint
	except bool
}

func one(x lang.Endpoint) ends { return ends{any: []lang.Endpoint{x}} }

// clauses writes down everything that can speak, in the order of the text
// within each tier.
func clauses(dir *lang.Dir) []clause {
	var out []clause
	for _, g := range dir.Guardrails {
		if g.Kind != lang.Must {
			out = append(out, denial(g))
		}
	}
	for _, p := range dir.Policies {
		for _, r := range p.Rules {
			out = append(out, clause{
				ref:  flow.Rule{Policy: p.Name, Rule: r.Name, File: r.Pos.File, Line: r.Pos.Line},
				tier: map[lang.Tier]tier{lang.Platform: platform, lang.Application: application, lang.Baseline: baseline}[p.Tier],
				from: one(r.From), to: one(r.To), priority: p.Priority, effect: r.Effect, inForce: r.Stage == lang.Enforce,
				ports: r.Ports, http: r.HTTP, mtls: r.MTLS, when: r.When, rule: r,
			})
		}
	}
	for _, x := range dir.Exceptions {
		out = append(out, clause{
			ref:  flow.Rule{Policy: x.Name, Rule: "exception", File: x.Pos.File, Line: x.Pos.Line},
			tier: exceptions, effect: lang.Allow, inForce: true,
			from: one(x.From), to: one(x.To), ports: x.Ports, http: x.HTTP, expires: x.Expires,
		})
	}
	return out
}

// denial is what a never or an only denies. An only denies, through the end
// that it guards, everything whose other end is none of those listed.
func denial(g *lang.Guardrail) clause {
	k := clause{
		ref:  flow.Rule{Policy: g.Name, Rule: g.Kind.String(), File: g.Pos.File, Line: g.Pos.Line},
		tier: guardrails, effect: lang.Deny, inForce: g.Stage == lang.Enforce,
		from: ends{any: g.From}, to: ends{any: g.To}, ports: g.Ports, http: g.HTTP,
	}
	if g.Kind == lang.Only {
		k.from.except, k.to.except = !g.GuardsFrom, g.GuardsFrom
	}
	return k
}

// ask finds what a tier says: of the clauses that speak, those of the best
// priority (in the other tiers all have the same), and of these a deny before
// an allow. Platform rules of one priority may not disagree.
func (e *Evaluator) ask(t tier, q conversation, inForce bool) Step {
	step := Step{Tier: t.String()}
	var said []clause
	for _, k := range e.clauses {
		if k.tier != t || inForce && !k.inForce || !e.reaches(k, q) {
			continue
		}
		if why := k.unmet(q); why != "" {
			step.Near = append(step.Near, Near{Rule: k.ref, Effect: k.effect.String(), Why: why})
			continue
		}
		if len(said) > 0 && k.priority < said[0].priority {
			said = nil
		}
		if len(said) == 0 || k.priority == said[0].priority {
			said = append(said, k)
		}
	}
	for _, effect := range []lang.Effect{lang.Deny, lang.Allow, lang.Pass} {
		for _, k := range said {
			if k.effect == effect {
				step.Rules = append(step.Rules, k.ref)
			}
		}
		if step.Rules != nil {
			step.Effect = effect.String()
			break
		}
	}
	return step
}

// reaches reports whether the ends and the port of a clause fit.
func (e *Evaluator) reaches(k clause, q conversation) bool {
	return e.means(k.from, q.from) && e.means(k.to, q.to) && e.traffic(k, q.to).Contains(q.proto, q.port)
}

// means reports whether an end of a clause means a party.
func (e *Evaluator) means(x ends, p Party) bool {
	for _, end := range x.any {
		if e.matches(end, p) {
			return !x.except
		}
	}
	return x.except
}
