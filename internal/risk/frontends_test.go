package risk_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/risk"
	"firebreak/internal/semantics"
)

// TestFrontendsThatHideWhoBegan demands a link that is open perhaps exactly
// where the reference evaluator says that nothing is known.
func TestFrontendsThatHideWhoBegan(t *testing.T) {
	const text = `
apiVersion: firebreak.dev/v1alpha1
kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8]}
---
apiVersion: firebreak.dev/v1alpha1
kind: Zone
metadata: {name: shut}
spec: {select: zone=shut, stage: enforce, default: deny}
---
apiVersion: firebreak.dev/v1alpha1
kind: Zone
metadata: {name: open}
spec: {select: zone=open, stage: enforce, default: allow}
---
apiVersion: firebreak.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: in, effect: allow, from: {select: app=c}, to: {select: app=b}, ports: [80/TCP]}
  - {name: not, effect: deny, from: {select: app=e}, to: {select: app=b}}
`
	dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	apps := []string{"a", "b", "c", "d", "e"}
	unsure := 0
	for _, rewrites := range []string{"destination", "source", "both"} {
		inv := &inventory.Snapshot{Frontends: []inventory.Frontend{{
			Name: "f", Workloads: []string{"b"}, Rewrites: rewrites,
			Ports: []inventory.FrontendPort{{Number: 8080, Protocol: netset.TCP, Target: 80}},
		}}}
		for i, app := range apps {
			zone := []string{"open", "shut", "open", "shut", "open"}[i]
			inv.Workloads = append(inv.Workloads, inventory.Workload{Name: app, Labels: map[string]string{"app": app, "zone": zone}})
		}
		p, diags := policy.Resolve(dir, inv)
		if p == nil {
			t.Fatal(diags)
		}
		g, judge := graph(t, p, corpus.Noon, false), semantics.New(dir, inv)
		f, _ := judge.Frontend("f")
		b := slices.IndexFunc(g.Nodes, func(n risk.Node) bool { return slices.Contains(n.Workloads, "b") })
		for v := range g.Nodes {
			from := semantics.Party{}
			switch n := &g.Nodes[v]; {
			case v == b || n.Outside() && n.Name != "world":
				continue
			case !n.Outside():
				from, _ = judge.Workload(n.Workloads[0])
			}
			d := judge.Decide(from, f, netset.TCP, 8080, flow.Circumstances{At: corpus.Noon, MTLS: true})
			direct := judge.Decide(from, mustWorkload(judge, "b"), netset.TCP, 80, flow.Circumstances{At: corpus.Noon, MTLS: true})
			want := d.ToCome == flow.Unjudged && d.Why != "" && direct.ToCome != flow.Forwarded
			pass := passOf(g, v, b)
			if got := pass != nil && pass.Unknown; got != want {
				t.Errorf("%s from %s: unknown is %t, want %t (%s, %s)", rewrites, g.Nodes[v].Name, got, want, d.ToCome, d.Why)
			}
			if want {
				unsure++
			}
		}
		if e := g.Blast(); (e.Unsure > 0) != (rewrites != "destination") {
			t.Errorf("%s: %d links are unsure", rewrites, e.Unsure)
		}
	}
	if unsure < 4 {
		t.Errorf("only %d links were unknown", unsure)
	}
}

func mustWorkload(e *semantics.Evaluator, name string) semantics.Party {
	p, _ := e.Workload(name)
	return p
}
