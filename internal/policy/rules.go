package policy

import (
	"cmp"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// tierOf translates the tiers that a Policy can be in.
var tierOf = [...]Tier{lang.Platform: Platform, lang.Application: Application, lang.Baseline: Baseline}

func compareRules(a, b Rule) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Priority, b.Priority))
}

// rules resolves everything that decides. What is wrong is added as well, so
// that everything that is wrong is found.
func (r *resolver) rules() {
	for _, g := range r.dir.Guardrails {
		r.guardrail(g)
	}
	for _, x := range r.dir.Exceptions {
		r.exception(x)
	}
	for _, pol := range r.dir.Policies {
		for _, rule := range pol.Rules {
			r.rule(pol, rule)
		}
	}
	slices.SortStableFunc(r.p.Rules, compareRules)
}

// spoken is what a rule, a guardrail and an exception have in common: what
// they speak of, before names are looked up.
type spoken struct {
	what     string // for people: "rule r"
	allows   bool
	from, to ends
	ports    []lang.Port
}

// speak resolves the ends and the traffic, and finds what is unwise in them.
func (r *resolver) speak(s spoken, out *Rule) {
	out.From, out.To = r.peers(s.from), r.peers(s.to)
	out.FromText, out.ToText, out.PortsText = s.from.String(), s.to.String(), portsText(s.ports)
	out.Grants = r.grants(s, out.To)
	r.checkEnds(s, out.From, out.To)
	r.p.Rules = append(r.p.Rules, *out)
}

func (r *resolver) rule(pol *lang.Policy, rule *lang.Rule) {
	r.speak(spoken{
		what: "rule " + rule.Name, allows: rule.Effect == lang.Allow,
		from: one(rule.From), to: one(rule.To), ports: rule.Ports,
	}, &Rule{
		Ref:      flow.Rule{Policy: pol.Name, Rule: rule.Name, File: rule.Pos.File, Line: rule.Pos.Line},
		Tier:     tierOf[pol.Tier],
		Priority: pol.Priority,
		Effect:   Effect(rule.Effect),
		Stage:    Stage(rule.Stage),
		Cond:     r.condition(Condition{HTTP: rule.HTTP, MTLS: rule.MTLS, When: rule.When}),
		Reason:   rule.Reason,
		Owner:    rule.Owner,
		Pos:      rule.Pos,
	})
}

// exception resolves an exception to an allow of its own tier. Whether it has
// expired is for whoever knows the time.
func (r *resolver) exception(x *lang.Exception) {
	r.speak(spoken{
		what: "exception " + x.Name, allows: true,
		from: one(x.From), to: one(x.To), ports: x.Ports,
	}, &Rule{
		Ref:    flow.Rule{Policy: x.Name, Rule: "exception", File: x.Pos.File, Line: x.Pos.Line},
		Tier:   Exceptions,
		Effect: Allow,
		Stage:  Enforce,
		Cond:   r.condition(Condition{HTTP: x.HTTP, Expires: x.Expires}),
		Reason: x.Reason,
		Owner:  x.Owner,
		Pos:    x.Pos,
	})
}
