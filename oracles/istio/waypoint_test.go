package istio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	tcprbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/security/authz/builder"
	"istio.io/istio/pilot/pkg/security/trustdomain"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
)

// ports of all Services, and where they lead.
var servicePorts = []inventory.FrontendPort{{Number: 80, Target: 8080, Protocol: netset.TCP}, {Number: 443, Target: 443, Protocol: netset.TCP}, {Number: 8080, Target: 80, Protocol: netset.TCP}}

// waypointPeople are people in ambient mode behind Services of the names of
// their apps, in namespaces that are led through the waypoint "wp" of each.
func waypointPeople(label string) *inventory.Snapshot {
	s := ambientPeople()
	byName := map[string]*inventory.Frontend{}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		if label != "" {
			w.Labels["k8s/namespace.istio.io.use-waypoint"] = label
		}
		name := w.Namespace + "/" + w.Labels["app"] + "[Service]"
		if byName[name] == nil {
			byName[name] = &inventory.Frontend{Name: name, Namespace: w.Namespace, Ports: servicePorts, Rewrites: "destination"}
		}
		byName[name].Workloads = append(byName[name].Workloads, w.Name)
	}
	for _, f := range byName {
		s.Frontends = append(s.Frontends, *f)
	}
	slices.SortFunc(s.Frontends, func(a, b inventory.Frontend) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// atWaypoint builds the filters that a namespace's waypoint has for a Service.
func (w *world) atWaypoint(ns, gateway, service string) *chains {
	key := "waypoint " + ns + "/" + service
	if c := w.built[key]; c != nil {
		return c
	}
	match := model.PolicyMatcherFor(ns, map[string]string{"gateway.networking.k8s.io/gateway-name": gateway}, true).WithRootNamespace(root).
		WithService(&model.Service{Attributes: model.ServiceAttributes{Name: service, Namespace: ns, ServiceRegistry: provider.Kubernetes}})
	c := &chains{}
	if b := builder.New(trustdomain.NewBundle("cluster.local", nil), nil, w.authz.ListAuthorizationPolicies(match), builder.Option{UseFilterState: true}); b != nil {
		for _, f := range b.BuildHTTP() {
			c.http = append(c.http, unpack(f.GetTypedConfig(), &httprbac.RBAC{}))
		}
		for _, f := range b.BuildTCP() {
			c.tcp = append(c.tcp, unpack(f.GetTypedConfig(), &tcprbac.RBAC{}))
		}
	}
	w.built[key] = c
	return c
}

// arrives is what Istio does about somebody in ambient mode who asks a workload
// on one of its ports: by its own address, or through the waypoint of the Service
// that it is behind, which asks with an identity of its own.
func (w *world) arrives(to *inventory.Workload, gateway string, s seen) bool {
	z := w.ambient(to)
	if zpass(z, s) {
		return true
	}
	if s.principal == "" {
		return false
	}
	second := s
	second.principal = "spiffe://cluster.local/ns/" + to.Namespace + "/sa/" + gateway
	for _, p := range servicePorts {
		if uint32(p.Target) != s.port {
			continue
		}
		at := s
		at.port = uint32(p.Number)
		c := w.atWaypoint(to.Namespace, gateway, to.Labels["app"])
		var chain []*rbac.RBAC
		if chain = c.tcp; s.request != nil {
			chain = c.http
		}
		if pass(chain, at) && zpass(z, second) {
			return true
		}
	}
	return false
}

// targeting makes a policy for a waypoint: for a Service, all of a waypoint, or
// all waypoints.
func (d dice) targeting(i int) string {
	p := d.authorization(i)
	ref := "targetRefs: [" + d.of("{group: '', kind: Service, name: front}", "{group: '', kind: Service, name: orders}", "{group: '', kind: Service, name: front}, {group: '', kind: Service, name: orders}",
		"{group: gateway.networking.k8s.io, kind: Gateway, name: wp}", "{group: gateway.networking.k8s.io, kind: Gateway, name: other}") + "], "
	if strings.Contains(p, "namespace: "+root) {
		ref = "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}], "
	}
	for _, s := range []string{"selector: {matchLabels: {app: front}}, ", "selector: {matchLabels: {app: orders}}, ", "selector: {matchLabels: {v: '1'}}, "} {
		p = strings.Replace(p, s, "", 1)
	}
	return strings.Replace(p, "spec: {", "spec: {"+ref, 1)
}

func gateways(name string) []string {
	var out []string
	for _, ns := range namespaces {
		out = append(out, fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: %s, namespace: %s}\nspec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}\n", name, ns))
	}
	return out
}

// admitting lets a waypoint in at ztunnel, and sometimes others.
func (d dice) admitting(i int) string {
	ns := d.of(namespaces...)
	more := d.of("", "", ", cluster.local/ns/shop/sa/web")
	return fmt.Sprintf("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: z%d, namespace: %s}\nspec: {%srules: [{from: [{source: {principals: [cluster.local/ns/%s/sa/wp%s]}}]%s}]}\n",
		i, ns, d.selector(), ns, more, d.of("", "", ", to: [{operation: {ports: ['80', '8080']}}]"))
}

func compareWaypoints(t *testing.T, d dice, w *world, inv *inventory.Snapshot, l *layer.Layer, gateway string, n int, count *tally) {
	t.Helper()
	count.worlds++
	for range n {
		to, x := &inv.Workloads[d.IntN(len(inv.Workloads))], &inv.Workloads[d.IntN(len(inv.Workloads))]
		s := seen{port: []uint32{80, 443, 8080, 9090}[d.IntN(4)], from: x.Addresses[0], request: d.request(true)}
		if !d.one(6) {
			s.principal = "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]
		}
		got := l.Decide(layer.Conversation{From: layer.Party{Workload: x}, To: layer.Party{Workload: to}, Protocol: netset.TCP, Port: uint16(s.port),
			Holds: func(r *layer.Rule) bool { return holds(r.Cond, s.principal != "", s.request) }}, networks)
		want := layer.Deny
		if w.arrives(to, gateway, s) {
			want = layer.Allow
		}
		if want < got.Lower || want > got.Upper {
			t.Fatalf("%+v %+v → %s: Istio says %v, the layer %v to %v (%s %+v)\n%s", s, s.request, to.Name, want, got.Lower, got.Upper, got.Table.Name, got.Rule, w.text())
		}
		if got.Lower == got.Upper {
			count.exact++
		} else {
			count.unknown++
		}
	}
}

// TestWaypoints: random policies for waypoints and for ztunnels, whoever wrote
// them, are read as Istio's own selection and translation have them.
func TestWaypoints(t *testing.T) {
	inv := waypointPeople("wp")
	var count tally
	for seed := range uint64(1500) {
		d := dice{rand.New(rand.NewPCG(seed, 8))}
		docs := gateways("wp")
		for i := range 1 + d.IntN(4) {
			docs = append(docs, d.targeting(i))
		}
		for i := range 1 + d.IntN(4) {
			docs = append(docs, d.admitting(10+i))
		}
		for i := range d.IntN(2) {
			docs = append(docs, d.authorization(20+i))
		}
		w, err := newWorld(append(docs, normalizing))
		if err != nil {
			continue
		}
		l, diags := targets.Named("istio").Lift(&target.Source{Folder: w.folder(), Inventory: inv, Networks: networks})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		compareWaypoints(t, d, w, inv, l, "wp", 40, &count)
	}
	t.Logf("waypoints: %d sets of policies: %d cases agree exactly, %d within what is unknown", count.worlds, count.exact, count.unknown)
	if count.exact < 20000 {
		t.Error("too few cases are exact")
	}
}

// TestRenderedWaypoints: what is rendered for them passes Istio's validation, is
// read as Istio reads it, and proves.
func TestRenderedWaypoints(t *testing.T) {
	for _, label := range []string{"wp", ""} {
		var count tally
		words := map[string]int{}
		gateway := label
		if label == "" {
			gateway = "firebreak-waypoint"
		}
		for seed := range uint64(120) {
			d := dice{rand.New(rand.NewPCG(seed, 9))}
			e := d.estateOf(t, apart(label))
			w, err := newWorld(docs(e.files))
			if err != nil {
				t.Fatal(err)
			}
			l := e.lift(e.files, e.inv)
			if l.Foreign > 0 || len(l.Unknown) > 0 {
				t.Fatalf("%d foreign, %v", l.Foreign, l.Unknown)
			}
			if label != "" || strings.Contains(w.text(), gateway) {
				compareWaypoints(t, d, w, e.inv, l, gateway, 40, &count)
			}
			report, err := prove.Prove(e.intent, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				words[string(r.Result)]++
				if len(r.Over) > 0 {
					t.Fatalf("seed %d: %s lets pass what was not meant: %v\n%s\n%s", seed, r.Point, r.Over, e.text, w.text())
				}
				if r.Result == prove.Wrong || !slices.Contains([]string{"exact", "exact-today"}, string(r.Result)) && !strings.Contains(e.diags, "warning") {
					t.Fatalf("seed %d: %s is %s: %s\nover %v\nunder %v\nwitness %+v\n%s\n%s\n%s", seed, r.Point, r.Result, r.Reason, r.Over, r.Under, r.Witness, e.diags, e.text, w.text())
				}
			}
		}
		t.Logf("label %q: %d cases agree exactly, %d within what is unknown; proofs: %v", label, count.exact, count.unknown, words)
	}
}

// apart are people in ambient mode with a Service each.
func apart(label string) *inventory.Snapshot {
	inv := waypointPeople(label)
	inv.Frontends = nil
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		w.Labels["app"] = fmt.Sprint(w.Labels["app"], i)
		inv.Frontends = append(inv.Frontends, inventory.Frontend{Name: w.Namespace + "/" + w.Labels["app"] + "[Service]", Namespace: w.Namespace, Ports: servicePorts, Rewrites: "destination", Workloads: []string{w.Name}})
	}
	return inv
}

// waypointGrid asks Istio about everybody in ambient mode.
func waypointGrid(w *world, inv *inventory.Snapshot) string {
	requests := []*flow.Request{nil}
	for _, m := range []string{"GET", "POST", "PUT"} {
		for _, p := range []string{"/", "/a", "/a/b", "/a/b/x", "/b/c"} {
			requests = append(requests, &flow.Request{Method: m, Path: p, Host: "shop.example"}, &flow.Request{Method: m, Path: p, Host: "other", Headers: map[string]string{"x-team": "red"}})
		}
	}
	var b strings.Builder
	for i := range inv.Workloads {
		for _, port := range []uint32{80, 443, 8080, 9090} {
			for _, r := range requests {
				for j := range inv.Workloads {
					if x := &inv.Workloads[j]; i != j {
						s := seen{port: port, request: r, from: x.Addresses[0], principal: "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]}
						b.WriteByte("01"[map[bool]int{true: 1}[w.arrives(&inv.Workloads[i], "wp", s)]])
					}
				}
			}
		}
	}
	return b.String()
}

// TestWaypointMutants damages what was rendered for waypoints.
func TestWaypointMutants(t *testing.T) {
	var made, refused, same, caught int
	kinds := map[string]int{}
	for seed := uint64(0); caught < 200 && seed < 500; seed++ {
		d := dice{rand.New(rand.NewPCG(seed, 10))}
		e := d.estateOf(t, apart("wp"))
		whole := docs(e.files)
		before, proven := found(t, e.intent, whole, e.inv)
		w, err := newWorld(whole)
		if err != nil || !proven {
			continue
		}
		meant := waypointGrid(w, e.inv)
		for range 16 {
			mutant, kind := mutate(d, whole)
			if mutant == nil {
				continue
			}
			made++
			m, err := newWorld(mutant)
			if err != nil {
				refused++
				continue
			}
			if waypointGrid(m, e.inv) == meant {
				same++
				continue
			}
			after, proven := found(t, e.intent, mutant, e.inv)
			if proven || after == before {
				t.Fatalf("seed %d: %s: the mutant permits something else, and the proof did not see it\n%s\n%s\nbefore:\n%s", seed, kind, e.text, m.text(), w.text())
			}
			caught++
			kinds[kind]++
		}
	}
	t.Logf("%d mutants: %d refused by Istio's validation, %d permit the same, %d permit something else and are all found: %v", made, refused, same, caught, kinds)
	if caught < 100 {
		t.Error("too few mutants")
	}
}

// TestNamedPorts: where Services say that only HTTP is spoken, denies of requests
// are exact.
func TestNamedPorts(t *testing.T) {
	words := map[bool]map[string]int{}
	for _, named := range []bool{false, true} {
		words[named] = map[string]int{}
		for seed := range uint64(100) {
			d := dice{rand.New(rand.NewPCG(seed, 11))}
			inv := people()
			for i := range inv.Workloads {
				w := &inv.Workloads[i]
				f := inventory.Frontend{Name: fmt.Sprintf("%s/s%d[Service]", w.Namespace, i), Namespace: w.Namespace, Workloads: []string{w.Name}, Rewrites: "destination"}
				for _, p := range []uint16{80, 443, 8080, 9090} {
					port := inventory.FrontendPort{Number: p, Target: p, Protocol: netset.TCP}
					if named {
						port.Name = fmt.Sprint("http-", p)
					}
					f.Ports = append(f.Ports, port)
				}
				inv.Frontends = append(inv.Frontends, f)
			}
			slices.SortFunc(inv.Frontends, func(a, b inventory.Frontend) int { return strings.Compare(a.Name, b.Name) })
			e := d.estateOf(t, inv)
			report, err := prove.Prove(e.intent, []*layer.Layer{e.lift(e.files, inv)}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				words[named][string(r.Result)]++
			}
		}
	}
	t.Logf("proofs where ports have no names %v, where they say http %v", words[false], words[true])
	if words[true]["wrong"]+words[false]["wrong"] > 0 || words[true]["approximate"] >= words[false]["approximate"] {
		t.Error("names make no difference")
	}
}
