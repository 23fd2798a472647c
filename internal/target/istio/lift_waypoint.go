package istio

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
)

// gateway is a waypoint: a Gateway of the class istio-waypoint.
type gateway struct {
	namespace, name string
	account         string // its service account
	serves          string // whose traffic: "service", "workload", "all", "none"
	from            string // of which namespaces: "Same", "All", "Selector"
}

// service is what a Service says beside what the inventory knows of it.
type service struct {
	labels    map[string]string
	headless  bool
	protocols map[uint16]string // appProtocol by port
}

// way leads through a waypoint to the workloads behind a Service: from some of
// its ports to theirs.
type way struct {
	namespace, service string
	through            *gateway
	members            []string // sorted
	targets            map[uint16]uint16
	shared             bool // another way leads to the same ports of the same workloads
}

const (
	useLabel   = "istio.io/use-waypoint"
	spaceLabel = "istio.io/use-waypoint-namespace"
	nsLabels   = "k8s/namespace.istio.io."
)

// readGateway reads a Gateway, if it is a waypoint. Its service account has its
// name unless it says otherwise:
// istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment.
func (l *lifter) readGateway(o object, top *manifest.Object) {
	spec, meta := top.Object("spec"), top.Object("metadata")
	if spec == nil || meta == nil || spec.Text("gatewayClassName") != "istio-waypoint" {
		return
	}
	l.count(top)
	g := &gateway{namespace: o.namespace, name: o.name, account: cmp.Or(o.annotations["gateway.istio.io/service-account"], o.name), from: "Same"}
	g.serves = cmp.Or(meta.Labels("labels")["istio.io/waypoint-for"], "service")
	for _, n := range spec.Items("listeners") {
		if one := sub(spec, n, "a listener", &l.diags); one != nil {
			if routes := one.Object("allowedRoutes"); routes != nil {
				if ns := routes.Object("namespaces"); ns != nil {
					g.from = cmp.Or(ns.Text("from"), "Same")
				}
			}
		}
	}
	l.gateways[g.namespace+"/"+g.name] = g
}

func (l *lifter) readService(o object, top *manifest.Object) {
	var s service
	if meta := top.Object("metadata"); meta != nil {
		s.labels = meta.Labels("labels")
	}
	if s.labels == nil {
		s.labels = map[string]string{}
	}
	if spec := top.Object("spec"); spec != nil {
		s.headless = spec.Text("clusterIP") == "None"
		s.protocols = readProtocols(spec, &l.diags)
	}
	l.services[o.namespace+"/"+o.name] = s
}

// serviceOf is what a Service says, by what was read of it, else by the inventory.
// To what was rendered alone its labels are taken to be what they have to be.
func (l *lifter) serviceOf(f *inventory.Frontend, name string) service {
	s, read := l.services[f.Namespace+"/"+name]
	if !read && !l.source.Alone {
		s.labels = f.Labels
	}
	s.headless = s.headless || !read && f.Headless
	return s
}

// identity is the waypoint as ztunnel sees it: a workload with an account.
func (g *gateway) identity() layer.Party {
	return layer.Party{Workload: &inventory.Workload{Name: "waypoint " + g.namespace + "/" + g.name, Namespace: g.namespace, Labels: map[string]string{
		"k8s/namespace": g.namespace, "k8s/serviceaccount": g.account, nsLabels + "dataplane-mode": "ambient"}}}
}

// findWays finds what leads through waypoints: Services that a label of theirs or
// of their namespace sends there. A headless one has no address that could be
// led: istio.io/latest/docs/ambient/usage/waypoint/#useawaypoint.
func (l *lifter) findWays() {
	byName := map[string]*inventory.Workload{}
	for _, k := range l.kinds {
		if k.ambient {
			l.each(k, func(w *inventory.Workload) { byName[w.Name] = w })
		}
	}
	if len(byName) == 0 {
		return
	}
	for i := range l.source.Inventory.Frontends {
		f := &l.source.Inventory.Frontends[i]
		var members []*inventory.Workload
		for _, name := range f.Workloads {
			if w := byName[name]; w != nil {
				members = append(members, w)
			}
		}
		if name, ok := serviceName(f); ok && len(members) > 0 && !l.serviceOf(f, name).headless {
			l.lead(f, name, members)
		}
	}
	l.share()
	l.ledPods(byName)
}

func serviceName(f *inventory.Frontend) (string, bool) {
	name, ok := strings.CutPrefix(f.Name, f.Namespace+"/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "[Service]")
}

// lead finds the waypoint of one Service.
func (l *lifter) lead(f *inventory.Frontend, name string, members []*inventory.Workload) {
	doc := l.serviceOf(f, name)
	g, why := l.waypointOf(f.Namespace, doc.labels, members[0].Labels)
	if g == nil && why == "" && l.source.Alone {
		g = l.onlyGateway(f.Namespace)
	}
	if g == nil && why == "" && doc.labels == nil && !l.source.Alone && l.targeted(f.Namespace, name) {
		why = "the Service is not among what was read, and it is not known whether it is led through a waypoint"
	}
	if g != nil && doc.labels["istio.io/ingress-use-waypoint"] == "true" {
		why = "what gateways send through a waypoint (istio.io/ingress-use-waypoint) is not modelled"
	}
	if why != "" {
		var names []string
		for _, w := range members {
			names = append(names, w.Name)
		}
		l.out.Unknown = append(l.out.Unknown, layer.Unknown{Why: f.Namespace + "/" + name + ": " + why, Concerns: layer.Named(names...)})
	}
	if g == nil {
		return
	}
	byPorts := map[string]*way{}
	for _, w := range members {
		targets := map[uint16]uint16{}
		for _, p := range f.Ports {
			if to := targetOf(w, p.Target, p.TargetName); to != 0 && p.Protocol == netset.TCP {
				targets[p.Number] = to
			}
		}
		key := fmt.Sprint(targets) // maps are printed in order
		if byPorts[key] == nil {
			byPorts[key] = &way{namespace: f.Namespace, service: name, through: g, targets: targets}
		}
		byPorts[key].members = append(byPorts[key].members, w.Name)
	}
	for _, k := range slices.Sorted(maps.Keys(byPorts)) {
		slices.Sort(byPorts[k].members)
		l.ways = append(l.ways, byPorts[k])
	}
}

func targetOf(w *inventory.Workload, number uint16, name string) uint16 {
	for _, p := range w.Ports {
		if name != "" && p.Name == name {
			return p.Number
		}
	}
	return number
}

// waypointOf finds the waypoint that a label of an object or of its namespace
// names; "none" on the object says that there is none.
func (l *lifter) waypointOf(ns string, own, ofNamespace map[string]string) (g *gateway, why string) {
	name, where := own[useLabel], cmp.Or(own[spaceLabel], ns)
	if name == "" {
		name, where = ofNamespace[nsLabels+"use-waypoint"], cmp.Or(ofNamespace[nsLabels+"use-waypoint-namespace"], ns)
	}
	if name == "" || name == "none" {
		return nil, ""
	}
	g = l.gateways[where+"/"+name]
	switch {
	case g == nil && l.source.Alone:
		return &gateway{namespace: where, name: name, account: name, serves: "service"}, ""
	case g == nil:
		return nil, "the waypoint " + where + "/" + name + " is not among what was read"
	case where != ns && g.from != "All":
		return nil, "it is not known whether the waypoint " + where + "/" + name + " serves other namespaces"
	case g.serves == "none":
		return nil, ""
	case g.serves != "service":
		return nil, "the waypoint " + where + "/" + name + " is for more than Services (istio.io/waypoint-for: " + g.serves + "), which is not modelled"
	}
	return g, ""
}

// onlyGateway is the waypoint that was rendered for a namespace.
func (l *lifter) onlyGateway(ns string) *gateway {
	for _, k := range slices.Sorted(maps.Keys(l.gateways)) {
		if g := l.gateways[k]; g.namespace == ns {
			return g
		}
	}
	return nil
}

// targeted reports whether a policy names a Service.
func (l *lifter) targeted(ns, name string) bool {
	return slices.ContainsFunc(l.authz, func(a *authorization) bool {
		return a.namespace == ns && slices.ContainsFunc(a.targets, func(t targetRef) bool { return t.kind == "Service" && t.name == name })
	})
}

// share finds ways that lead to the same ports of the same workloads.
func (l *lifter) share() {
	type end struct {
		workload string
		port     uint16
	}
	first := map[end]*way{}
	for _, y := range l.ways {
		for _, w := range y.members {
			for _, p := range y.targets {
				e := end{w, p}
				if x := first[e]; x != nil && x != y {
					x.shared, y.shared = true, true
				} else {
					first[e] = y
				}
			}
		}
	}
}

// ledPods are led through a waypoint by themselves if it is for workloads, too.
func (l *lifter) ledPods(ambient map[string]*inventory.Workload) {
	why := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(ambient)) {
		w := ambient[name]
		if _, reason := l.waypointOf(w.Labels["k8s/namespace"], w.Labels, w.Labels); reason != "" {
			why[reason] = append(why[reason], name)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		l.out.Unknown = append(l.out.Unknown, layer.Unknown{Why: reason, Concerns: layer.Named(why[reason]...)})
	}
}

// unattached is about policies for waypoints that hold on no known way.
func (l *lifter) unattached() {
	if !l.ambient() {
		return
	}
	for _, a := range l.authz {
		if a.broken != "" || slices.ContainsFunc(l.ways, func(y *way) bool { return y.attached(a, l.mesh.root) }) {
			continue
		}
		for _, t := range a.targets {
			known := t.kind != "Service" && t.kind != "Gateway"
			if t.kind == "Service" {
				_, known = l.services[a.namespace+"/"+t.name]
				known = known || slices.ContainsFunc(l.source.Inventory.Frontends, func(f inventory.Frontend) bool {
					name, ok := serviceName(&f)
					return ok && f.Namespace == a.namespace && name == t.name
				})
			} else if t.kind == "Gateway" {
				known = l.gateways[a.namespace+"/"+t.name] != nil
			}
			if !known {
				l.unknown(a.object, and(inNamespace(a.namespace), l.mesh.ambient), "its targetRefs name the "+t.kind+" "+t.name+", which is not among what was read: what a waypoint does with it is not known")
			} else if t.kind != "GatewayClass" {
				l.diags.Warnf(diag.Pos{File: a.File, Line: a.ref.Line}, "istio-misread", "%s is for the %s %s, through which no waypoint leads: it decides nothing", a.ref.Policy, t.kind, t.name).
					WithHelp("label the Service or its namespace istio.io/use-waypoint; see %s", waypointPage)
			}
		}
	}
}
