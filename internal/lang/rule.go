package lang

import (
	"math"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

func (r *reader) policy(n *yaml.Node) {
	p := &Policy{Tier: Application}
	var rules, priority *yaml.Node
	p.Meta = r.body(n, "Policy", func(n *yaml.Node) {
		tierKnown := true
		r.object(n, "a Policy's spec",
			may("tier", func(n *yaml.Node) {
				i, ok := r.choice(n, "bad-tier", "tier", tiers)
				if tierKnown = ok; ok {
					p.Tier = Tier(i)
				}
			}),
			may("priority", func(n *yaml.Node) { priority = n }),
			may("stage", choiceTo(r, &p.Stage, "bad-stage", "stage", stages)),
			need("rules", func(n *yaml.Node) { rules = n }))
		if tierKnown {
			r.priority(n, priority, p)
		}
	})
	if rules != nil {
		names := ruleNames{}
		r.each(rules, "rules", func(n *yaml.Node) {
			if isTemplated(n) {
				r.templated(n, p, names)
			} else {
				r.rule(n, p, names)
			}
		})
	}
	if p.Name != "" {
		r.dir.Policies = append(r.dir.Policies, p)
	}
}

// priority is needed in the platform tier, where order decides, and refused
// elsewhere, where it would be read as if it did.
func (r *reader) priority(spec, n *yaml.Node, p *Policy) {
	switch {
	case p.Tier == Platform && n == nil:
		r.errorf(spec, "missing-field", "a Policy of the platform tier needs the field %q", "priority").
			WithHelp("a whole number; lower decides first")
	case p.Tier != Platform && n != nil:
		r.errorf(n, "bad-priority", "only the platform tier has priorities; in the %s tier deny beats allow, whatever the order", p.Tier).
			WithHelp("remove the priority, or set tier: platform")
	case n != nil:
		if i, ok := r.number(n, "bad-priority", "priority", 0, math.MaxInt32); ok {
			p.Priority = i
		}
	}
}

// ruleNames are the places of the names of a policy's rules.
type ruleNames map[string]diag.Pos

func (r *reader) rule(n *yaml.Node, p *Policy, names ruleNames) {
	rule := &Rule{Effect: Deny, Stage: p.Stage, Owner: p.Owner, Pos: r.pos(n), NamePos: r.pos(n)}
	var when, require *yaml.Node
	effectKnown := false
	r.object(n, "a rule",
		need("name", func(n *yaml.Node) {
			rule.NamePos = r.pos(n)
			rule.Name = r.name(n, "the name of a rule")
		}),
		need("effect", func(n *yaml.Node) { effectKnown = r.effect(n, p, rule) }),
		may("stage", func(n *yaml.Node) {
			rule.StagePos = r.pos(n)
			choiceTo(r, &rule.Stage, "bad-stage", "stage", stages)(n)
		}),
		need("from", func(n *yaml.Node) { rule.From = r.endpoint(n, "from", inRule) }),
		need("to", func(n *yaml.Node) { rule.To = r.endpoint(n, "to", inRule) }),
		may("ports", func(n *yaml.Node) { rule.Ports = r.ports(n) }),
		may("http", func(n *yaml.Node) { rule.HTTP = r.https(n) }),
		may("when", func(n *yaml.Node) { when, rule.When = n, r.window(n) }),
		may("require", func(n *yaml.Node) { require = n }),
		may("reason", r.textTo(&rule.Reason, "the reason")),
		may("owner", r.textTo(&rule.Owner, "the owner")),
		// Only an alias for a key leads here; see isTemplated.
		refuse("template", func(n *yaml.Node) {
			r.errorf(n, "bad-template", "the field template must be written out").WithHelp("write template: NAME")
		}))
	if require != nil && effectKnown {
		r.require(require, rule)
	}
	// Without a condition that could not be read, the rule would say more.
	if rule.HTTP != nil && len(rule.HTTP) == 0 || when != nil && rule.When == nil || require != nil && !rule.MTLS {
		rule.Ports = []Port{}
	}
	r.addRule(rule, p, names)
}

func (r *reader) addRule(rule *Rule, p *Policy, names ruleNames) {
	if first, twice := names[rule.Name]; twice && rule.Name != "" {
		r.errorAt(rule.NamePos, "duplicate-name", "the policy has two rules called %q", rule.Name).
			WithHelp("give each its own name").WithSee(first)
	} else {
		names[rule.Name] = rule.NamePos
	}
	p.Rules = append(p.Rules, rule)
}

// require is read last: what it may be depends on the effect.
func (r *reader) require(n *yaml.Node, rule *Rule) {
	if _, ok := r.choice(n, "bad-require", "thing that a rule can require", []string{"mtls"}); !ok {
		return
	}
	if rule.MTLS = rule.Effect == Allow; !rule.MTLS {
		r.errorf(n, "bad-require", "only an allow can require mtls: a %s that did would not hold for peers that prove nothing", rule.Effect).
			WithHelp("remove it")
	}
}

func (r *reader) effect(n *yaml.Node, p *Policy, rule *Rule) bool {
	i, ok := r.choice(n, "bad-effect", "effect", effects)
	if !ok {
		return false
	}
	rule.Effect = Effect(i)
	if rule.Effect == Pass && p.Tier != Platform {
		r.errorf(n, "bad-effect", "pass leaves the platform tier and means nothing in the %s tier", p.Tier).
			WithHelp("write allow or deny, or set the policy's tier: platform")
	}
	return true
}
