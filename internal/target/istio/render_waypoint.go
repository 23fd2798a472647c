package istio

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// ownWaypoint is the name of the waypoint that we make for a namespace of which
// no label names one.
const ownWaypoint = "firebreak-waypoint"

// entry is a Service that leads to a subject's workloads.
type entry struct {
	name    string
	targets map[uint16]uint16 // from its TCP ports to the workloads'
	alone   bool              // it leads to no others
}

// waypoint is how a subject's workloads in ambient mode in a namespace are
// reached through a waypoint.
type waypoint struct {
	namespace, name string
	entries         []entry
	straight        []ruleSpec // what their ztunnel lets in
}

func isAmbient(l map[string]string) bool {
	return l["k8s/namespace.istio.io.dataplane-mode"] == "ambient" && l["istio.io/dataplane-mode"] != "none" || l["istio.io/dataplane-mode"] == "ambient"
}

// behind puts workloads behind a waypoint, if requests have to be judged or the
// namespace is led through one anyway; nil if they stay as they are.
func (r *renderer) behind(s *plan.Subject, ns string, workloads []int, said *statements) *waypoint {
	labels := r.workload(workloads[0]).Labels
	name, where := labels["k8s/namespace.istio.io.use-waypoint"], cmp.Or(labels["k8s/namespace.istio.io.use-waypoint-namespace"], ns)
	labelled := name != "" && name != "none"
	if !labelled {
		name, where = ownWaypoint, ns
	}
	if !labelled && !said.http || slices.ContainsFunc(workloads, func(i int) bool { return !r.like[i].ambient }) {
		return nil
	}
	p := &waypoint{namespace: where, name: name, entries: r.entries(ns, workloads)}
	if len(p.entries) == 0 {
		return nil
	}
	if !labelled {
		r.ourWaypoint(ns)
		var names []string
		for _, e := range p.entries {
			names = append(names, ns+"/"+e.name)
		}
		r.diags.Infof(noPlace, "mesh-config", "requests to %s are judged by the waypoint %s/%s, to which no label is known to lead", s.Name, ns, name).
			WithHelp("label the Services %s istio.io/use-waypoint: %s; until then nobody reaches them through it", strings.Join(names, ", "), name)
	}
	var targets netset.Traffic
	for _, e := range p.entries {
		for _, t := range e.targets {
			targets = targets.Union(netset.Of(netset.TCP, t, t))
		}
	}
	if len(said.deny) == 0 {
		p.straight = slices.DeleteFunc(slices.Clone(said.allow), ruleSpec.requests)
	}
	from := []fromSpec{{sourceSpec{Principals: []string{"cluster.local/ns/" + where + "/sa/" + name}}}}
	p.straight = append(p.straight, r.rules(s, from, targets, nil, false)...)
	return p
}

// requests reports whether a rule speaks of what ztunnel does not see.
func (x ruleSpec) requests() bool {
	return len(x.When) > 0 || slices.ContainsFunc(x.To, func(t toSpec) bool {
		return len(t.Operation.Hosts)+len(t.Operation.Methods)+len(t.Operation.Paths) > 0
	})
}

// entries lists the Services that lead to the workloads, by name.
func (r *renderer) entries(ns string, workloads []int) []entry {
	names := map[string]*inventory.Workload{}
	for _, i := range workloads {
		names[r.workload(i).Name] = r.workload(i)
	}
	var out []entry
	for i := range r.w.Policy.Inventory.Frontends {
		f := &r.w.Policy.Inventory.Frontends[i]
		rest, in := strings.CutPrefix(f.Name, ns+"/")
		name, is := strings.CutSuffix(rest, "[Service]")
		if !in || !is || f.Namespace != ns || f.Headless {
			continue
		}
		e := entry{name: name, targets: map[uint16]uint16{}, alone: true}
		some := false
		for _, m := range f.Workloads {
			w := names[m]
			if w == nil {
				e.alone = false
				continue
			}
			some = true
			e.lead(f, w)
		}
		if some && len(e.targets) > 0 {
			out = append(out, e)
		}
	}
	return out
}

// lead notes where a Service's ports lead at one workload. If others have them
// elsewhere, they are not alike.
func (e *entry) lead(f *inventory.Frontend, w *inventory.Workload) {
	for _, p := range f.Ports {
		to := p.Target
		for _, own := range w.Ports {
			if p.TargetName != "" && own.Name == p.TargetName {
				to = own.Number
			}
		}
		if p.Protocol != netset.TCP || to == 0 {
			continue
		}
		if other, known := e.targets[p.Number]; known && other != to {
			e.alone = false
		}
		e.targets[p.Number] = to
	}
}

// ports turns workloads' ports into those of the Service, which a waypoint sees.
func (e *entry) ports(t netset.Traffic) netset.Traffic {
	var out netset.Traffic
	for port, target := range e.targets {
		if t.Contains(netset.TCP, target) {
			out = out.Union(netset.Of(netset.TCP, port, port))
		}
	}
	return out
}

// atWaypoint adds the policies of a subject at its waypoint. A Service that leads
// to others, too, is closed: what it lets in cannot be told apart there.
func (r *renderer) atWaypoint(s *plan.Subject, ns, file string, p *waypoint) {
	for _, e := range p.entries {
		name := objectName(s.Name) + "-at-" + e.name
		if !e.alone {
			if r.first("closed " + ns + "/" + e.name) {
				r.warn("give each group of workloads a Service of its own", "the Service %s/%s leads to workloads that are treated differently: its waypoint lets nobody in", ns, e.name)
				r.add(ns+"/waypoint.yaml", r.targeting("firebreak-closed-"+e.name, ns, toService(e.name), "ALLOW", nil))
			}
			continue
		}
		said := r.say(s, &e)
		r.add(file, r.targeting(name, ns, toService(e.name), "ALLOW", said.allow))
		if len(said.deny) > 0 {
			r.add(file, r.targeting(name+"-deny", ns, toService(e.name), "DENY", said.deny))
		}
	}
	r.unreached(s, p)
}

// unreached warns of requests for ports that no Service leads to.
func (r *renderer) unreached(s *plan.Subject, p *waypoint) {
	var reached netset.Traffic
	for _, e := range p.entries {
		if e.alone {
			for _, t := range slices.Sorted(maps.Values(e.targets)) {
				reached = reached.Union(netset.Of(netset.TCP, t, t))
			}
		}
	}
	for i := range s.Ingress {
		for _, c := range s.Ingress[i].Clauses {
			if t := c.Traffic.Intersect(tcp); !c.Deny && c.Cond != nil && c.Cond.HTTP != nil && !t.Subtract(reached).IsEmpty() {
				r.warn("give the port to a Service", "no Service of its own leads to %s on %s: requests there cannot be judged by a waypoint, and are closed", s.Name, t.Subtract(reached))
			}
		}
	}
}

// ourWaypoint makes a waypoint that lets nobody in but whom the policies of its
// Services do.
func (r *renderer) ourWaypoint(ns string) {
	if !r.first("waypoint " + ns) {
		return
	}
	file := ns + "/waypoint.yaml"
	d := r.object("gateway.networking.k8s.io/v1", "Gateway", ownWaypoint, ns, gatewaySpec{"istio-waypoint", []listenerSpec{{"mesh", 15008, "HBONE"}}})
	d.Metadata.Labels["istio.io/waypoint-for"] = "service"
	r.add(file, d)
	r.add(file, r.targeting(ownWaypoint, ns, targetSpec{"gateway.networking.k8s.io", "Gateway", ownWaypoint}, "ALLOW", nil))
}

func toService(name string) targetSpec { return targetSpec{Kind: "Service", Name: name} }

func (r *renderer) targeting(name, ns string, t targetSpec, action string, rules []ruleSpec) document {
	d := r.policy(name, ns, nil, action, rules)
	d.Spec = policySpec{TargetRefs: []targetSpec{t}, Action: action, Rules: rules}
	return d
}

// led says a clause as a waypoint sees it: by the ports of the Service, and of
// peers in ambient mode.
func (r *renderer) led(s *plan.Subject, e *entry, t netset.Traffic, who among, c *policy.Condition) (netset.Traffic, among) {
	if c != nil && c.HTTP != nil {
		r.aside(s, who, c.MTLS)
	}
	all := t.Equal(tcp)
	if t = e.ports(t); all {
		t = tcp
	}
	return t, among{everybody: who.everybody, mesh: who.ambient}
}

// aside warns of peers that a waypoint never sees.
func (r *renderer) aside(s *plan.Subject, who among, proven bool) {
	if who.sidecars != "" {
		r.warn("run it in ambient mode, too", "%s has a sidecar, which goes around waypoints: its requests to %s are closed", who.sidecars, s.Name)
	}
	if !proven && (who.everybody || len(who.outside) > 0) {
		r.warn("let it in without a condition on requests, or through a gateway of the mesh", "who is not in the mesh goes around waypoints: requests from there to %s are closed", s.Name)
	}
}
