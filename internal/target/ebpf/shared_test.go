package ebpf

import (
	"net/netip"
	"slices"
	"testing"
	"testing/fstest"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/verify"
)

const sharedPolicy = `kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: web}
spec: {select: app=web, stage: enforce}
---
kind: Zone
metadata: {name: db}
spec: {select: app=db, stage: enforce}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: get, from: {zone: web}, to: {select: app=x}, ports: [80/TCP], effect: allow, reason: r}
`

// Two workloads on different hosts have one address. The kernel of either host
// lets what is at the address do what any of them may; a proof says just that.
func TestAnAddressOfWorkloadsOnTwoHosts(t *testing.T) {
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(sharedPolicy)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	at := func(name, app, host, addr string) inventory.Workload {
		return inventory.Workload{Name: name, Labels: map[string]string{"app": app}, Host: host, Addresses: []netip.Addr{netip.MustParseAddr(addr)}}
	}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{at("db-1", "db", "h2", "10.0.0.1"), at("web-1", "web", "h1", "10.0.0.1"), at("x-1", "x", "h3", "10.0.0.3")}}
	p, diags := policy.Resolve(tree, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: corpus.Noon})
	if err != nil {
		t.Fatal(err)
	}
	w := plan.Make(tree, p, e, plan.Options{At: corpus.Noon})
	r, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{lifted(t, w, filesOf(t, w))}, prove.Options{At: corpus.Noon})
	if err != nil {
		t.Fatal(err)
	}
	over := slices.ContainsFunc(r.Results, func(x prove.Result) bool {
		return x.Point == "h2" && x.Result == prove.Wrong && slices.ContainsFunc(x.Over, func(o prove.Line) bool { return o.From == "db-1" && o.To == "x-1" })
	})

	joined, _ := inventory.Join(inv, &inventory.Snapshot{Workloads: []inventory.Workload{{Name: HostWorkload("unassigned"), Zone: "unassigned"}}})
	there, diags := policy.Resolve(tree, joined)
	if there == nil {
		t.Fatal(diags)
	}
	tables, diags := Render(there, Host{Zone: "unassigned", OwnAddresses: inv.Workloads[0].Addresses}, corpus.Noon, &Numbers{})
	if tables == nil {
		t.Fatal(diags)
	}
	k := kernel{tables, newMatcher(tables.Addresses)}
	here, _ := k.matcher.find(netip.MustParseAddr("10.0.0.1"))
	far, _ := k.matcher.find(netip.MustParseAddr("10.0.0.3"))
	does, _ := k.decide(here.Local, far.Peer, flow.Egress, k.class(netset.TCP, 80))
	if does.AllowInForce != over || !over {
		t.Errorf("the kernel of h2 lets 10.0.0.1 reach x-1: %v; a proof says so: %v: %+v", does.AllowInForce, over, r.Results)
	}
}
