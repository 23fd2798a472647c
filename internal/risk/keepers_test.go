package risk_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/corpus"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/risk"
)

// TestWhatKeepsALinkOpen has links that one rule keeps open, that one of two
// does, that a rule does behind which another says the same, and that defaults
// do.
func TestWhatKeepsALinkOpen(t *testing.T) {
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
kind: Zone
metadata: {name: lax}
spec: {select: zone=lax, stage: observe, default: deny}
---
apiVersion: firebreak.dev/v1alpha1
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: alone, effect: allow, from: {select: app=a}, to: {select: app=b}, ports: [1/TCP]}
  - {name: one, effect: allow, from: {select: app=a}, to: {select: app=c}, ports: [1/TCP]}
  - {name: other, effect: allow, from: {select: app=a}, to: {select: app=c}, ports: [2/TCP]}
  - {name: front, effect: allow, from: {select: app=b}, to: {select: app=c}, ports: [1/TCP]}
  - {name: twin, effect: allow, from: {select: app=c}, to: {select: app=b}, ports: [1/TCP]}
  - {name: again, effect: allow, from: {select: app=c}, to: {select: app=b}, ports: [1/TCP]}
  - {name: needless, effect: allow, from: {select: app=d}, to: {select: app=e}}
---
apiVersion: firebreak.dev/v1alpha1
kind: Policy
metadata: {name: base}
spec:
  tier: baseline
  stage: enforce
  rules:
  - {name: behind, effect: allow, from: {select: app=b}, to: {select: app=c}, ports: [1-5/TCP]}
`
	dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	inv := &inventory.Snapshot{}
	for _, w := range []string{"a shut", "b shut", "c shut", "d open", "e open", "f open", "g lax"} {
		app, zone, _ := strings.Cut(w, " ")
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: app, Labels: map[string]string{"app": app, "zone": zone}})
	}
	p, diags := policy.Resolve(dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	got := map[string]string{}
	for _, inForce := range []bool{false, true} {
		g := graph(t, p, corpus.Noon, inForce)
		for v := range g.Nodes {
			for _, l := range g.Links[v] {
				from, to := &g.Nodes[v], &g.Nodes[l.To]
				if from.Outside() || to.Outside() {
					continue
				}
				key := from.Workloads[0] + to.Workloads[0]
				if inForce {
					key += " in force"
				}
				pass := &g.Passes[l.Pass]
				got[key] = fmt.Sprintf("%s by %s, needs %s", pass.Traffic, keepers(g, pass.Opens), keepers(g, pass.Sole))
			}
		}
	}
	for key, want := range map[string]string{
		"ab":          "TCP 1 by alone, needs alone",
		"ac":          "TCP 1-2 by one other, needs nothing",
		"bc":          "TCP 1-5 by front behind, needs nothing",
		"cb":          "TCP 1 by twin, needs nothing",
		"de":          "all by needless, needs nothing",
		"df":          "all by the default of zone open, needs the default of zone open",
		"ad":          "",
		"dg":          "",
		"dg in force": "all by the default of zone open the stage of zone lax, needs the default of zone open the stage of zone lax",
		"ab in force": "TCP 1 by alone, needs alone",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
}

func keepers(g *risk.Graph, at []int32) string {
	var out []string
	for _, k := range at {
		name := g.Keepers[k].Rule.Rule
		if g.Keepers[k].Zone != "" {
			name, _, _ = strings.Cut(g.Keepers[k].String(), " (")
		}
		out = append(out, name)
	}
	if out == nil {
		return "nothing"
	}
	return strings.Join(out, " ")
}
