package nftables

import (
	"net/netip"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// gateway leads from web to the port 8443 of orders.
type gateway struct{ inv *inventory.Snapshot }

func (gateway) Name() string { return "gateway" }
func (gateway) Prefixes() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("169.254.171.0/24")}
}
func (gateway) From(w *inventory.Workload) string {
	return map[string]string{"web": "one"}[w.Name]
}
func (g gateway) To(i int) (string, []plan.RelayPort) {
	return map[string]string{"orders": "two"}[g.inv.Workloads[i].Name], []plan.RelayPort{{Number: 8443, Calls: []uint16{443}}}
}
func (gateway) Leads(from, to string) bool { return from == "one" && to == "two" }

// TestPacketsOfARelay sends packets from a relay's address and to it, with
// everything enforced.
func TestPacketsOfARelay(t *testing.T) {
	f := newField(t, "fbnftrl", map[string][]netip.Prefix{
		"a": {netip.MustParsePrefix("10.72.1.11/24")}, "b": {netip.MustParsePrefix("10.72.2.11/24")}, "c": {netip.MustParsePrefix("169.254.171.11/24")},
	})
	l, diags := load.FS(fstest.MapFS{"p.yaml": {Data: []byte(`
kind: Estate
metadata: {name: shop}
spec: {networks: [10.72.0.0/16], inventory: [{file: i.inv}]}
---
kind: Zone
metadata: {name: all}
spec: {select: app, stage: enforce, default: deny}
---
kind: Policy
metadata: {name: p, owner: o}
spec:
  stage: enforce
  rules: [{name: r, effect: allow, from: {select: app=web}, to: {select: app=orders}, ports: [8443/TCP, 81/TCP], reason: r}]
`)}, "i.inv": {Data: []byte("kind: Workload\nmetadata: {name: web, labels: {app: web}}\nspec: {addresses: [10.72.1.11], host: a}\n---\n" +
		"kind: Workload\nmetadata: {name: orders, labels: {app: orders}}\nspec: {addresses: [10.72.2.11], host: b}\n")}}, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(l.Policy, verify.Options{At: now})
	if err != nil {
		t.Fatal(err)
	}
	files, diags := Target{}.Render(plan.Make(l.Tree, l.Policy, e, plan.Options{At: now, Relays: []plan.Relay{gateway{l.Policy.Inventory}}}))
	if len(files) != 2 {
		t.Fatal(len(files), diags)
	}
	for i, host := range []string{"a", "b"} {
		if err := f.load(host, files[i].Data); err != nil {
			t.Fatal(err)
		}
	}
	web, orders, relay := netip.MustParseAddr("10.72.1.11"), netip.MustParseAddr("10.72.2.11"), netip.MustParseAddr("169.254.171.11")
	for _, c := range []struct {
		host     string
		from, to netip.Addr
		port     uint16
		passes   bool
	}{
		{"c", relay, orders, 8443, true},
		{"c", relay, orders, 81, false},  // permitted to web, and not led
		{"c", relay, orders, 443, false}, // a port of the relay
		{"c", relay, web, 8443, false},
		{"a", web, relay, 443, true},
		{"a", web, relay, 8443, false},
		{"b", orders, relay, 443, false},
	} {
		p := &probe{host: c.host, from: c.from, to: c.to, port: port{netset.TCP, c.port}}
		f.send([]*probe{p})
		if passed := c.passes && f.passes(p) || p.passed; passed != c.passes {
			t.Errorf("%+v: passed %v", c, passed)
		}
	}
}
