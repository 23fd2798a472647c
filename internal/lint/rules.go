package lint

import (
	"fmt"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

func (l *linter) rules() {
	dead := l.neverMatching()
	l.needless(dead)
	l.conflicting()
	l.served = l.findServed()
	for i := range l.p.Rules {
		r := &l.p.Rules[i]
		if r.Effect != policy.Allow || dead[i] {
			continue
		}
		l.anyToAny(r)
		l.unserved(r)
	}
}

// name is how a finding calls a rule: without its place, which is beside it.
func name(r flow.Rule) string {
	if r.Policy == "" {
		return "the " + r.Rule + " of " + r.File
	}
	return r.Policy + "/" + r.Rule
}

// neverMatching finds rules that speak of no conversation of this inventory
// that anybody decides about. Empty selectors and services are told elsewhere.
func (l *linter) neverMatching() map[int]bool {
	dead := map[int]bool{}
	for i := range l.p.Rules {
		r := &l.p.Rules[i]
		why := ""
		switch {
		case r.Cond != nil && r.Cond.HTTP != nil && !l.speaksTCP(r):
			why = "it speaks of HTTP requests, and its ports are none of TCP"
		case !l.managed(&r.From) && !l.managedTo(r) && !empty(&r.From) && !empty(&r.To):
			why = "neither of its ends is a workload, and nobody decides about others' conversations"
		case empty(&r.From) || len(r.Grants) == 0 || empty(&r.To):
			dead[i] = true // told as selector-matches-nothing
			continue
		default:
			continue
		}
		dead[i] = true
		l.ofRule(r, "never-matching").Warnf(r.Pos, "never-matching", "%s %s matches nothing: %s", kind(r), name(r.Ref), why).
			WithHelp("remove it, or say what it was meant for")
	}
	return dead
}

func kind(r *policy.Rule) string {
	switch r.Tier {
	case policy.Guardrails:
		return "guardrail"
	case policy.Exceptions:
		return "exception"
	}
	return "rule"
}

func empty(p *policy.Peers) bool {
	return !p.Any && !p.Not && len(p.Identities)+len(p.Externals) == 0
}

func (l *linter) managed(p *policy.Peers) bool {
	return p.Any && len(l.p.Identities) > 0 || !p.Not && len(p.Identities) > 0 || p.Not && len(p.Identities) < len(l.p.Identities)
}

func (l *linter) managedTo(r *policy.Rule) bool {
	for i := range r.Grants {
		if l.managed(&r.Grants[i].To) {
			return true
		}
	}
	return false
}

func (l *linter) speaksTCP(r *policy.Rule) bool {
	for i := range r.Grants {
		if !r.Grants[i].Traffic.Intersect(netset.Of(netset.TCP, 0, 65535)).IsEmpty() {
			return true
		}
	}
	return len(r.Grants) == 0
}

// needless finds rules that could go. A deny that says what the default says
// anyway is left alone: it holds when the default is loosened; so is what a
// template made, which goes as a whole or not at all.
func (l *linter) needless(dead map[int]bool) {
	for _, n := range l.e.Needless() {
		r := &l.p.Rules[n.Rule]
		if dead[n.Rule] || l.templated[[2]string{r.Ref.Policy, r.Ref.Rule}] || r.Effect == policy.Deny && n.By == 0 || r.Tier == policy.Exceptions && l.expired(r) {
			continue
		}
		if n.By != 0 && r.Tier != policy.Exceptions && l.p.Rules[n.By.Rule()].Tier == policy.Exceptions {
			continue // an exception ends, and the rule stays
		}
		instead := "the zones' defaults already let it pass"
		if n.By != 0 {
			instead = fmt.Sprintf("%s decides", name(l.e.Ref(n.By)))
		}
		if n.Never && n.By != 0 && l.p.Rules[n.By.Rule()].Effect != r.Effect {
			l.ofRule(r, "shadowed").Warnf(r.Pos, "shadowed", "%s %s (%s) never decides: %s before it", kind(r), name(r.Ref), r.Effect, instead).
				WithHelp("remove it, or narrow %s (%s:%d)", name(l.e.Ref(n.By)), l.e.Ref(n.By).File, l.e.Ref(n.By).Line)
			continue
		}
		l.ofRule(r, "redundant").Warnf(r.Pos, "redundant", "%s %s (%s) changes no verdict: without it %s the same", kind(r), name(r.Ref), r.Effect, already(instead, n.By)).
			WithHelp("remove it; of two rules that say the same, keep the one that says why")
	}
}

func already(instead string, by verify.By) string {
	if by == 0 {
		return "the zones' defaults say"
	}
	return instead
}

func (l *linter) expired(r *policy.Rule) bool {
	return r.Cond != nil && !r.Cond.Expires.IsZero() && !l.at.Before(r.Cond.Expires)
}

// conflicting finds an allow and a deny that cut into each other: what was
// meant for what both speak of cannot be seen from the text.
func (l *linter) conflicting() {
	for _, c := range l.e.Conflicts() {
		a, d := &l.p.Rules[c.Allow], &l.p.Rules[c.Deny]
		l.ofRule(a, "conflicting").Warnf(a.Pos, "conflicting", "rule %s allows what rule %s denies: %s → %s, %s; the deny wins", name(a.Ref), name(d.Ref),
			l.e.Name(c.From), l.e.Name(c.To), c.Set).
			WithHelp("narrow one of the two, so that the text says what happens").WithSee(d.Pos)
	}
}

// anyToAny finds allows without limits.
func (l *linter) anyToAny(r *policy.Rule) {
	all := len(r.Grants) == 1 && r.Grants[0].Traffic.IsAll() && (r.Cond == nil || r.Cond.HTTP == nil)
	switch {
	case r.From.Any && r.To.Any:
		l.ofRule(r, "any-to-any").Warnf(r.Pos, "any-to-any", "%s %s allows everybody to reach everybody (%s)", kind(r), name(r.Ref), r.PortsText).
			WithHelp("name at least one end; what a zone lets pass of what no rule decides is its default")
	case all && (r.From.Any || r.To.Any):
		l.ofRule(r, "any-to-any").Warnf(r.Pos, "any-to-any", "%s %s allows all traffic from %s to %s", kind(r), name(r.Ref), r.FromText, r.ToText).
			WithHelp("name the ports, as in ports: [443/TCP]")
	}
}

// findServed says what the workloads of each identity say that they serve; empty
// where none of them says anything.
func (l *linter) findServed() []netset.Traffic {
	out := make([]netset.Traffic, len(l.p.Identities))
	for i := range l.p.Identities {
		for n, w := range l.p.Identities[i].Workloads {
			for _, p := range l.p.Inventory.Workloads[w].Ports {
				if !out[i].Contains(p.Protocol, p.Number) {
					out[i] = out[i].Union(netset.Of(p.Protocol, p.Number, p.Number))
				}
			}
			if n == 0 { // the workloads of an identity are in the same services
				for _, s := range l.p.ServicesOf[w] {
					for _, p := range l.p.Services[s].Ports {
						out[i] = out[i].Union(netset.Of(p.Protocol, p.Number, p.Number))
					}
				}
			}
		}
	}
	return out
}

// maxRun is the longest run of ports that is taken for a list of ports that
// somebody serves; a longer one is a range by intent.
const maxRun = 8

// unserved finds ports that no destination of an allow serves. Where nobody
// says what it serves, nothing is known.
func (l *linter) unserved(r *policy.Rule) {
	for i := range r.Grants {
		g := &r.Grants[i]
		if g.To.Any || g.To.Not || len(g.To.Identities) == 0 || len(g.To.Externals) > 0 {
			continue
		}
		open, says := few(g.Traffic), false
		for _, id := range g.To.Identities {
			says = says || !l.served[id].IsEmpty()
			if open = open.Subtract(l.served[id]); open.IsEmpty() {
				break
			}
		}
		if says && !open.IsEmpty() {
			d := l.ofRule(r, "unserved-port").Warnf(r.Pos, "unserved-port", "%s %s opens %s of %s, which nobody there serves", kind(r), name(r.Ref), open, r.ToText)
			if mapped := l.mappingOf(g, open); mapped != "" {
				d.WithHelp("%s; rules mean the port that workloads listen on", mapped)
			} else {
				d.WithHelp("remove the port, or add it to the ports of the Service or the inventory")
			}
		}
	}
}

// few is the part of traffic that is made of short runs of ports.
func few(t netset.Traffic) netset.Traffic {
	out := netset.None()
	for p := range netset.NumProtocols {
		for _, run := range t.Ranges(p) {
			if p.HasPorts() && run.Hi-run.Lo < maxRun {
				out = out.Union(netset.Of(p, run.Lo, run.Hi))
			}
		}
	}
	return out
}
