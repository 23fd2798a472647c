package istio

import (
	"cmp"
	"maps"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// led matches the workloads that are behind waypoints.
func (l *lifter) led() layer.Match {
	names := map[string]bool{}
	for _, y := range l.ways {
		for _, m := range y.members {
			names[m] = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	return layer.Named(slices.Sorted(maps.Keys(names))...)
}

// behind makes the tables of workloads behind waypoints. Such a workload may be
// reached in two ways: straight, if its ztunnel lets the peer in, or through the
// waypoint, if both the waypoint lets the peer in and ztunnel the waypoint. A
// conversation must pass all tables, so each says what must be so on the second
// way, or else that the first is open.
func (l *lifter) behind() {
	led := l.led()
	if led == nil {
		return
	}
	straight, second := l.ztunnelOf(led)
	closed := []layer.Rule{{Effect: layer.Deny, Subject: led, Peer: layer.Everything(), Traffic: netset.All(), Ref: flow.Rule{Policy: "waypoint", Rule: "no-way"}}}
	table := func(name string, tiers ...[]layer.Rule) layer.Table {
		return layer.Table{Name: name, Direction: flow.Ingress, Governs: led, Default: layer.Allow, Tiers: append([][]layer.Rule{l.around(), straight}, tiers...)}
	}
	var allows, denies []layer.Rule
	for _, y := range l.ways {
		a, d, tables := l.through(y, led)
		allows, denies = append(allows, a...), append(denies, d...)
		for _, t := range tables {
			l.out.Tables = append(l.out.Tables, table(t.Name, t.Tiers[1:]...))
		}
	}
	l.out.Tables = append(l.out.Tables, table("waypoint: ALLOW", allows, closed), table("ztunnel behind a waypoint: ALLOW", second, closed))
	if denies != nil {
		l.out.Tables = append(l.out.Tables, table("waypoint: DENY", denies))
	}
}

// through lists what a waypoint lets pass and what it does not on one way. Only
// peers in ambient mode are led there: sidecars go around it
// (github.com/istio/istio: EndpointBuilder.findServiceWaypoint), and so does who
// is not in the mesh.
func (l *lifter) through(y *way, led layer.Match) (allows, denies []layer.Rule, tables []layer.Table) {
	subject := layer.Named(y.members...)
	closed := false
	for _, a := range l.authz {
		if !y.attached(a, l.mesh.root) || a.dryRun || a.broken != "" || a.action == "AUDIT" {
			continue
		}
		b := *a
		b.subject, b.proven = subject, true
		if a.action == "ALLOW" {
			closed = true
			for _, r := range l.allows(&b, false) {
				if y.lead(&r) {
					r.Peer, r.Cond = and(r.Peer, l.mesh.ambient), proven(r.Cond)
					allows = append(allows, r)
				}
			}
			continue
		}
		plain, complex := l.denies(&b, "waypoint", led, false)
		for _, r := range plain {
			if y.lead(&r) {
				denies = append(denies, y.doubt(r))
			}
		}
		for _, t := range complex {
			for i := range t.Tiers[1:] {
				tier := t.Tiers[i+1]
				for n := range tier {
					if !tier[n].Traffic.Equal(netset.All()) { // an exemption is for all ports
						y.lead(&tier[n])
					}
					tier[n] = y.doubt(tier[n])
				}
			}
			tables = append(tables, t)
		}
	}
	if !closed {
		r := layer.Rule{Effect: layer.Allow, Subject: subject, Peer: l.mesh.ambient, Traffic: netset.Of(netset.TCP, 0, 65535), Cond: proven(nil),
			Ref: flow.Rule{Policy: y.namespace + "/" + y.service, Rule: "no-policy-at-the-waypoint"}}
		if y.lead(&r) {
			allows = append(allows, r)
		}
	}
	return allows, denies, tables
}

// attached reports whether a policy holds on a way: as
// istio.io/latest/docs/reference/config/security/authorization-policy/ says of
// targetRefs. A Service's must be in its namespace, a class' in the root.
func (y *way) attached(a *authorization, root string) bool {
	return slices.ContainsFunc(a.targets, func(t targetRef) bool {
		switch {
		case t.kind == "Service" && (t.group == "" || t.group == "core"):
			return t.name == y.service && a.namespace == y.namespace
		case t.group != "gateway.networking.k8s.io":
			return false
		case t.kind == "GatewayClass":
			return t.name == "istio-waypoint" && a.namespace == root
		case t.kind == "Gateway":
			return t.name == y.through.name && a.namespace == y.through.namespace && (t.namespace == "" || t.namespace == a.namespace)
		}
		return false
	})
}

// lead turns the Service's ports of a rule, which a waypoint sees, into the
// workloads'; false if it has none.
func (y *way) lead(r *layer.Rule) bool {
	var out netset.Traffic
	for port, target := range y.targets {
		if r.Traffic.Contains(netset.TCP, port) {
			out = out.Union(netset.Of(netset.TCP, target, target))
		}
	}
	r.Traffic = out
	return !out.IsEmpty()
}

// doubt is about what one way denies and another may not.
func (y *way) doubt(r layer.Rule) layer.Rule {
	if y.shared && r.Unknown == "" {
		r.Unknown = "another Service leads to the same port, for which the waypoint may decide otherwise"
	}
	return r
}

// proven adds that peers have shown their certificates: whoever comes through a
// waypoint has.
func proven(c *policy.Condition) *policy.Condition {
	out := policy.Condition{MTLS: true}
	if c != nil {
		out = *c
		out.MTLS = true
	}
	return &out
}

// ztunnelOf lists what the ztunnels of workloads behind waypoints let in by
// itself, and what of the waypoints'. What they deny is
// denied on both ways if it is denied to everybody; else it is not known.
func (l *lifter) ztunnelOf(led layer.Match) (straight, second []layer.Rule) {
	open := slices.Clone(led[0].Workloads)
	deny := layer.Table{Name: "ztunnel behind a waypoint: DENY", Direction: flow.Ingress, Governs: led, Default: layer.Allow, Tiers: [][]layer.Rule{l.around(), nil}}
	for _, a := range l.authz {
		if !l.applies(a, true) {
			continue
		}
		if a.action != "ALLOW" {
			second = append(second, l.denied(a)...)
			plain, tables := l.denies(a, "ztunnel behind a waypoint", led, true)
			for _, r := range plain {
				deny.Tiers[1] = append(deny.Tiers[1], unlessAll(r))
			}
			for _, t := range tables {
				for i := range t.Tiers[1:] {
					for n := range t.Tiers[i+1] {
						t.Tiers[i+1][n].Unknown = cmp.Or(t.Tiers[i+1][n].Unknown, notDenied) // somebody is left out
					}
				}
				l.out.Tables = append(l.out.Tables, t)
			}
			continue
		}
		open = slices.DeleteFunc(open, func(name string) bool {
			w, _ := l.named(name)
			return w != nil && l.matches(a.subject, w) != layer.No
		})
		for _, r := range l.allows(a, true) {
			straight = append(straight, r)
			second = append(second, l.admitted(r)...)
		}
	}
	if len(deny.Tiers[1]) > 0 {
		l.out.Tables = append(l.out.Tables, deny)
	}
	if len(open) > 0 {
		r := layer.Rule{Effect: layer.Allow, Subject: layer.Named(open...), Peer: layer.Everything(), Traffic: netset.All(), Ref: flow.Rule{Policy: "ztunnel", Rule: "no-policy"}}
		straight, second = append(straight, r), append(second, r)
		l.goneAround(open)
	}
	return straight, second
}

// admitted turns a rule of ztunnel's that lets in a waypoint into one that lets in
// who comes through it.
func (l *lifter) admitted(r layer.Rule) []layer.Rule {
	var out []layer.Rule
	for _, y := range l.ways {
		m := r.Peer.Matches(y.through.identity(), l.source.Networks)
		if m == layer.No {
			continue
		}
		x := r
		x.Subject, x.Peer, x.Cond = and(layer.Named(y.members...), r.Subject), layer.Everything(), nil
		if m == layer.Maybe && x.Unknown == "" {
			x.Unknown = "it is not known whether the waypoint " + y.through.namespace + "/" + y.through.name + " is meant"
		}
		out = append(out, x)
	}
	return out
}

// denied lists what a DENY of ztunnel's does to who comes through a waypoint.
func (l *lifter) denied(a *authorization) []layer.Rule {
	var out []layer.Rule
	for i, r := range a.rules {
		for _, c := range l.combos(a, r) {
			for _, y := range l.ways {
				m := c.peer.Matches(y.through.identity(), l.source.Networks)
				if m == layer.No {
					continue
				}
				x := layer.Rule{Ref: l.ref(a, i, c.line), Effect: layer.Deny, Subject: and(layer.Named(y.members...), a.subject), Peer: layer.Everything(), Traffic: c.traffic, Unknown: c.why}
				if m == layer.Maybe || len(c.notID) > 0 || a.action == "CUSTOM" {
					x.Unknown = "it is not known whether the waypoint is meant"
				}
				out = append(out, x)
			}
		}
	}
	return out
}

func unlessAll(r layer.Rule) layer.Rule {
	if !everybody(r.Peer) {
		r.Unknown = cmp.Or(r.Unknown, notDenied)
	}
	return r
}

const notDenied = "who comes through the waypoint may not be meant by this deny"

// goneAround warns of policies at a waypoint that do not bind, since ztunnel lets
// in everybody else, too.
func (l *lifter) goneAround(open []string) {
	for _, a := range l.authz {
		for _, y := range l.ways {
			if a.dryRun || a.action == "AUDIT" || !y.attached(a, l.mesh.root) || !slices.ContainsFunc(y.members, func(m string) bool { return slices.Contains(open, m) }) {
				continue
			}
			l.diags.Warnf(diag.Pos{File: a.File, Line: a.ref.Line}, "istio-misread", "%s decides at the waypoint %s/%s, which can be gone around: ztunnel lets in whoever asks the pods of %s/%s by their own addresses",
				a.ref.Policy, y.through.namespace, y.through.name, y.namespace, y.service).
				WithHelp("let ztunnel admit only the waypoint: an AuthorizationPolicy with a selector and principals: [%s/ns/%s/sa/%s]; see %s", l.mesh.domains[0], y.through.namespace, y.through.account, waypointPage)
			break
		}
	}
}
