package networkpolicy_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
)

// TestHostNetwork reads policies beside pods in the network of their node: one that
// no policy selects is open, whatever a plugin takes it for; of one that is selected
// nothing is known, nor whether a rule lets in one that it selects as a peer.
func TestHostNetwork(t *testing.T) {
	pod := func(name, app, host string) inventory.Workload {
		w := inventory.Workload{Name: name, Labels: map[string]string{"k8s/namespace": "shop", "app": app}}
		if host != "" {
			w.Labels["k8s/hostnetwork"] = host
		}
		return w
	}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{pod("agent", "agent", "true"), pod("db", "db", ""), pod("picked", "picked", "true")}}
	policies := `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}], ports: [{port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: picked, namespace: shop}
spec: {podSelector: {matchLabels: {app: picked}}, policyTypes: [Ingress]}
`
	l, diags := networkpolicy.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(policies)}}), Inventory: inv})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ask := func(from, to int, port uint16) layer.Verdict {
		return l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[from]}, To: layer.Party{Workload: &inv.Workloads[to]}, Protocol: netset.TCP, Port: port}, nil)
	}
	unknown := func(w int) bool {
		for _, u := range l.Unknown {
			if u.Concerns.Matches(layer.Party{Workload: &inv.Workloads[w]}, nil) != layer.No {
				return true
			}
		}
		return false
	}
	if unknown(0) || unknown(1) || !unknown(2) {
		t.Errorf("unknown are %+v", l.Unknown)
	}
	if v := ask(1, 0, 80); v.Lower == layer.Deny {
		t.Errorf("to a pod that no policy selects: %+v", v)
	}
	if v := ask(0, 1, 80); v.Lower != layer.Deny || v.Upper == layer.Deny {
		t.Errorf("from a pod that a rule selects as a peer: %+v", v)
	}
	if v := ask(0, 1, 81); v.Upper != layer.Deny {
		t.Errorf("at a port that no rule speaks of: %+v", v)
	}
}
