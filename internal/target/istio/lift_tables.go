package istio

import (
	"strconv"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// policies turns everything that was read into tables. A request passes if no
// DENY matches it, and, where the workload has an ALLOW, one of those does:
// istio.io/latest/docs/concepts/security/#implicit-enablement.
func (l *lifter) policies() {
	l.peerTables()
	l.decide("sidecars", l.mesh.sidecar, false)
	if l.ambient() {
		l.decide("ztunnel", without(l.mesh.ambient, l.led()), true)
		l.behind()
	}
}

// around lets the table abstain about what does not go through the mesh.
func (l *lifter) around() []layer.Rule {
	rest := netset.All().Subtract(netset.Of(netset.TCP, 0, 65535))
	out := []layer.Rule{{Effect: layer.Abstain, Subject: layer.Everything(), Peer: layer.Everything(), Traffic: rest, Ref: flow.Rule{Policy: "mesh", Rule: "not-tcp"}}}
	return append(out, l.past...)
}

// decide makes the tables of one kind of proxy.
func (l *lifter) decide(name string, governs layer.Match, ztunnel bool) {
	allow := layer.Table{Name: name + ": ALLOW", Direction: flow.Ingress, Governs: governs, Default: layer.Allow}
	deny := layer.Table{Name: name + ": DENY", Direction: flow.Ingress, Governs: governs, Default: layer.Allow}
	var denies, allows, closed []layer.Rule
	for _, a := range l.authz {
		if !l.applies(a, ztunnel) {
			continue
		}
		switch a.action {
		case "ALLOW":
			allows = append(allows, l.allows(a, ztunnel)...)
			closed = append(closed, layer.Rule{Ref: a.ref, Effect: layer.Deny, Subject: a.subject, Peer: layer.Everything(), Traffic: netset.All()})
		default:
			plain, tables := l.denies(a, name, governs, ztunnel)
			denies = append(denies, plain...)
			l.out.Tables = append(l.out.Tables, tables...)
		}
	}
	if denies != nil {
		deny.Tiers = [][]layer.Rule{l.around(), denies}
		l.out.Tables = append(l.out.Tables, deny)
	}
	allow.Tiers = [][]layer.Rule{l.around(), allows, closed}
	l.out.Tables = append(l.out.Tables, allow)
}

// applies reports whether a policy is for such proxies, and finds its subject.
// What is broken is reported once.
func (l *lifter) applies(a *authorization, ztunnel bool) bool {
	subject, err := l.subjectOf(a.object, a.labels)
	if err != nil && a.broken == "" {
		a.broken = err.Error()
		subject = inNamespace(a.namespace)
	}
	a.subject = subject
	switch {
	case a.broken != "":
		if !ztunnel {
			l.unknown(a.object, subject, "the AuthorizationPolicy cannot be read: "+a.broken)
		}
		return false
	case len(a.targets) > 0:
		return false
	}
	// ztunnel refuses CUSTOM, and lets pass what such a policy would ask about:
	// istio.io/latest/docs/ambient/usage/l4-policy/.
	return !a.dryRun && a.action != "AUDIT" && !(ztunnel && a.action == "CUSTOM")
}

func (l *lifter) ref(a *authorization, i int, line int) flow.Rule {
	r := a.ref
	r.Rule = "rules[" + strconv.Itoa(i) + "]"
	if line > 0 {
		r.Line = line
	}
	return r
}

// allows lists what an ALLOW lets pass. ztunnel leaves out a rule that speaks of
// what it does not see.
func (l *lifter) allows(a *authorization, ztunnel bool) []layer.Rule {
	var out []layer.Rule
	for i, r := range a.rules {
		for _, c := range l.combos(a, r) {
			if ztunnel && c.l7 {
				continue
			}
			one := layer.Rule{Ref: l.ref(a, i, c.line), Effect: layer.Allow, Subject: a.subject, Peer: c.peer, Traffic: c.traffic,
				Cond: c.cond(layer.Allow, l.mesh.normalizes, true), Unknown: c.why}
			if len(c.not) > 0 && one.Unknown == "" {
				one.Unknown = "an allow that leaves out requests (notPaths, notMethods, notHosts, notValues) is not modelled"
			}
			if len(c.notID) > 0 {
				one.Peer = without(c.peer, c.notID)
				if !c.mtls && !a.proven && !l.strict(a.subject) && !l.elsewhere(c.peer) {
					rest := one
					rest.Peer, rest.Unknown = and(c.peer, c.notID), "a peer that it leaves out is let in if it proves nothing: the workload is not STRICT"
					out = append(out, rest)
				}
			}
			if c.http == nil && c.not == nil || ztunnel || a.proven {
				out = append(out, one)
			} else {
				out = append(out, l.onPlain(one)...)
			}
		}
	}
	return out
}

func without(m, not layer.Match) layer.Match {
	out := make(layer.Match, len(m))
	for i, t := range m {
		t.Not = append(append(layer.Match{}, t.Not...), not...)
		out[i] = t
	}
	return out
}

// denies lists what a DENY does not let pass: rules that can stand beside each
// other, and tables for those that cannot, since they leave something out, or
// speak of requests: what is no HTTP is denied as if nothing were said of them.
func (l *lifter) denies(a *authorization, name string, governs layer.Match, ztunnel bool) (plain []layer.Rule, tables []layer.Table) {
	for i, r := range a.rules {
		for _, c := range l.combos(a, r) {
			why := c.why
			if a.action == "CUSTOM" {
				why = "an external authorizer decides"
			}
			if ztunnel {
				c.http, c.not = nil, nil
			}
			one := layer.Rule{Ref: l.ref(a, i, c.line), Effect: layer.Deny, Subject: a.subject, Peer: c.peer, Traffic: c.traffic,
				Cond: c.cond(layer.Deny, l.mesh.normalizes, false), Unknown: why}
			if c.http == nil && c.not == nil && len(c.notID) == 0 {
				plain = append(plain, one)
				continue
			}
			if (c.http != nil || c.not != nil) && len(c.notID) == 0 && !a.proven {
				plain = append(plain, l.onPorts("tcp", one)...)
			}
			t := layer.Table{Name: name + ": DENY " + one.Ref.Policy + " " + one.Ref.Rule, Direction: flow.Ingress, Governs: governs, Default: layer.Allow}
			t.Tiers = append(t.Tiers, l.around(), l.exempt(&c, one), nil)
			if c.http != nil {
				said := one
				said.Cond = c.cond(layer.Deny, l.mesh.normalizes, true)
				t.Tiers[2] = []layer.Rule{said}
				other := layer.Rule{Ref: one.Ref, Effect: layer.Allow, Subject: a.subject, Peer: layer.Everything(), Traffic: netset.All(), Cond: anyRequest()}
				t.Tiers = append(t.Tiers, []layer.Rule{other}, nil)
				if !a.proven { // where HTTP is said to be spoken, nothing else comes in whatever policies say
					other.Cond = nil
					t.Tiers[3] = append(t.Tiers[3], l.onPorts("http", other)...)
				}
			}
			t.Tiers[len(t.Tiers)-1] = []layer.Rule{one}
			tables = append(tables, t)
		}
	}
	return plain, tables
}

// exempt lets pass what a DENY leaves out.
func (l *lifter) exempt(c *combo, of layer.Rule) []layer.Rule {
	var out []layer.Rule
	pass := layer.Rule{Ref: of.Ref, Effect: layer.Allow, Subject: of.Subject, Traffic: netset.All(), Peer: layer.Everything()}
	for _, h := range c.not {
		r := pass
		r.Unknown = c.why
		r.Cond = &policy.Condition{HTTP: []policy.HTTP{h}, Ambiguous: ambiguous(h.Paths, layer.Allow, l.mesh.normalizes)}
		out = append(out, r)
	}
	if len(c.notID) > 0 {
		r := pass
		r.Peer, r.Cond = c.notID, &policy.Condition{MTLS: true}
		out = append(out, r)
	}
	return out
}

func anyRequest() *policy.Condition {
	return &policy.Condition{HTTP: []policy.HTTP{{}}, Ambiguous: policy.Meant}
}
