package path_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/path"
	"firebreak/internal/policy"
)

var (
	noon  = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	relay = netip.MustParsePrefix("169.254.171.0/24")
)

func workload(name, addr, labels string) inventory.Workload {
	w := inventory.Workload{Name: name, Addresses: []netip.Addr{netip.MustParseAddr(addr)}, Labels: map[string]string{}}
	for _, l := range strings.Fields(labels) {
		k, v, _ := strings.Cut(l, "=")
		w.Labels[k] = v
	}
	return w
}

func table(d flow.Direction, governs layer.Match, rules ...layer.Rule) layer.Table {
	for i := range rules {
		rules[i].Subject = governs
	}
	return layer.Table{Name: "the table", Direction: d, Governs: governs, Tiers: [][]layer.Rule{rules}, Default: layer.Deny}
}

func allow(name string, peer layer.Match, port uint16) layer.Rule {
	return layer.Rule{Ref: flow.Rule{Policy: "g", Rule: name}, Effect: layer.Allow, Peer: peer, Traffic: netset.Of(netset.TCP, port, port)}
}

func on(target string, governs layer.Match, tables ...layer.Table) *layer.Layer {
	return &layer.Layer{Target: target, Points: []layer.Point{{Name: target + "-1", Governs: governs}}, Tables: tables}
}

// shop is web and orders in VPCs that are not connected, a service network
// between them, and groups at both ends.
func shop() *path.Estate {
	web, orders := layer.Named("web"), layer.Named("orders")
	lattice := on("lattice", orders, table(flow.Ingress, orders, allow("web-may", web, 8080)))
	lattice.Optional, lattice.Relays = true, []netip.Prefix{relay}
	lattice.Leads = []layer.Lead{{To: orders, Protocol: netset.TCP, Called: 443, Port: 8080}}
	return &path.Estate{
		Inventory: &inventory.Snapshot{
			Workloads: []inventory.Workload{workload("orders", "10.2.0.1", "net/vpc=b"), workload("web", "10.1.0.1", "net/vpc=a")},
			Networks:  []inventory.Network{{Name: "a", Complete: true}, {Name: "b"}},
		},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Layers: []*layer.Layer{
			on("awssg", layer.AnyWorkload(),
				table(flow.Egress, web, allow("to-lattice", layer.In(relay), 443)),
				table(flow.Ingress, orders, allow("from-lattice", layer.In(relay), 8080))),
			lattice,
		},
	}
}

func ask(e *path.Estate, from, to string) path.Question {
	q := path.Question{Protocol: netset.TCP, Port: 8080, In: flow.Circumstances{At: noon, MTLS: true}}
	for i := range e.Inventory.Workloads {
		w := &e.Inventory.Workloads[i]
		if w.Name == from {
			q.From.Workload = w
		}
		if w.Name == to {
			q.To.Workload = w
		}
	}
	return q
}

func text(a path.Answer) string {
	var out []string
	for _, s := range a.Steps {
		out = append(out, fmt.Sprintf("%s %s %s %s", s.Target, s.End, s.Effect, s.Rule.Rule))
	}
	for _, b := range a.Bypasses {
		out = append(out, fmt.Sprintf("around %s by %s: %s", b.Around, b.Way, b.Effect))
	}
	return strings.ReplaceAll(strings.Join(append(out, "so "+string(a.Effect)), "; "), " ;", ";")
}

func TestThroughARelay(t *testing.T) {
	e := shop()
	const want = "route  not-asked; awssg egress allow to-lattice; lattice ingress allow web-may; awssg ingress allow from-lattice; so allow"
	if got := text(e.Explain(ask(e, "web", "orders"))); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	e.Layers[1].Tables[0].Tiers[0] = nil
	if got := e.Explain(ask(e, "web", "orders")); got.Effect != path.Deny {
		t.Errorf("the service network lets nobody in, but: %s", text(got))
	}
}

// TestPeeringBesideTheRelay: once the VPCs are connected and the groups let the
// direct way pass, the service network is gone around.
func TestPeeringBesideTheRelay(t *testing.T) {
	e := shop()
	e.Inventory.Networks[0].Peers = []string{"b"}
	if got := text(e.Explain(ask(e, "web", "orders"))); got != "route  allow; awssg egress deny; awssg ingress deny; so deny" {
		t.Errorf("the groups refuse the direct way: %s", got)
	}
	e.Layers[0].Tables[0].Tiers[0] = append(e.Layers[0].Tables[0].Tiers[0], allow("direct", layer.Everything(), 8080))
	e.Layers[0].Tables[0].Tiers[0][1].Subject = layer.Named("web")
	e.Layers[0].Tables[1].Tiers[0] = append(e.Layers[0].Tables[1].Tiers[0], allow("vpc", layer.Everything(), 8080))
	e.Layers[0].Tables[1].Tiers[0][1].Subject = layer.Named("orders")
	if got := text(e.Explain(ask(e, "web", "orders"))); got != "route  allow; awssg egress allow direct; awssg ingress allow vpc; around lattice by peering: allow; so allow" {
		t.Error(got)
	}
}

// TestNoWay: VPCs that are not connected, and no relay that leads there.
func TestNoWay(t *testing.T) {
	e := shop()
	e.Layers = e.Layers[:1]
	for i := range e.Layers[0].Tables {
		e.Layers[0].Tables[i].Default = layer.Abstain
	}
	if got := text(e.Explain(ask(e, "orders", "web"))); got != "route  deny; so deny" {
		t.Error(got)
	}
	e.Inventory.Networks[0].Complete = false
	if got := text(e.Explain(ask(e, "orders", "web"))); got != "route  unknown; so unknown" {
		t.Errorf("nobody asked what connects the VPCs: %s", got)
	}
}

func TestClusterDNSAroundTheRelay(t *testing.T) {
	e := shop()
	e.Layers = e.Layers[1:]
	for i := range e.Inventory.Workloads {
		e.Inventory.Workloads[i].Labels = map[string]string{"k8s/namespace": "shop"}
	}
	if got := text(e.Explain(ask(e, "web", "orders"))); got != "route  allow; around lattice by cluster DNS: allow; so allow" {
		t.Error(got)
	}
}

func TestANodePortAroundTheMesh(t *testing.T) {
	e := shop()
	orders := layer.Named("orders")
	mesh := on("istio", orders, table(flow.Ingress, orders, allow("anybody", layer.Everything(), 8080)))
	mesh.Proves = true
	e.Layers = []*layer.Layer{mesh}
	e.Inventory.Networks = nil
	e.Inventory.Frontends = []inventory.Frontend{{Name: "orders-np", Workloads: []string{"orders"}, Rewrites: "both", Ports: []inventory.FrontendPort{{Number: 30080, Target: 8080}}}}
	if got := text(e.Explain(ask(e, "web", "orders"))); got != "route  allow; istio ingress allow anybody; around istio by node port: allow; so allow" {
		t.Error(got)
	}
	mesh.Tables[0].Tiers[0][0].Cond = &policy.Condition{MTLS: true}
	if got := text(e.Explain(ask(e, "web", "orders"))); got != "route  allow; istio ingress allow anybody; so allow" {
		t.Errorf("strangers have no certificate: %s", got)
	}
}

func TestWhatIsNotKnown(t *testing.T) {
	e := shop()
	e.Inventory.Networks = nil
	e.Layers = e.Layers[:1]
	r := allow("maybe", layer.Everything(), 8080)
	r.Subject, r.Unknown = layer.Named("orders"), "the rule names a group of another account"
	e.Layers[0].Tables[0] = table(flow.Egress, layer.Named("web"), allow("all", layer.Everything(), 8080))
	e.Layers[0].Tables[1].Tiers[0] = []layer.Rule{r}
	a := e.Explain(ask(e, "web", "orders"))
	if last := a.Steps[len(a.Steps)-1]; a.Effect != path.Unknown || last.Why != r.Unknown {
		t.Errorf("%s: %+v", text(a), last)
	}
	e.Layers[0].Points[0].Missing = "the group is attached to nothing"
	if a := e.Explain(ask(e, "web", "orders")); a.Effect != path.Allow || a.Steps[1].Why != "nothing enforces what stands there: the group is attached to nothing" {
		t.Errorf("%s", text(a))
	}
}

// TestWhatMayRefuse: the reason is that of the rule which may refuse, not of the one
// that lets pass what it does not.
func TestWhatMayRefuse(t *testing.T) {
	e := shop()
	e.Inventory.Networks = nil
	e.Layers = e.Layers[:1]
	perhaps := allow("perhaps", layer.Everything(), 8080)
	all := perhaps
	perhaps.Effect, perhaps.Unknown = layer.Deny, "it stops some replies"
	perhaps.Subject, all.Subject = layer.Everything(), layer.Everything()
	e.Layers[0].Tables[0] = table(flow.Egress, layer.Named("web"), allow("all", layer.Everything(), 8080))
	e.Layers[0].Tables[1] = table(flow.Ingress, layer.Named("orders"))
	e.Layers[0].Tables[1].Tiers = [][]layer.Rule{{perhaps}, {all}}
	a := e.Explain(ask(e, "web", "orders"))
	if last := a.Steps[len(a.Steps)-1]; a.Effect != path.Unknown || last.Why != perhaps.Unknown || last.Rule != perhaps.Ref {
		t.Errorf("%s: %+v", text(a), last)
	}
}
