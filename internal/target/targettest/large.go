package targettest

import (
	"maps"
	"testing"

	"firebreak/internal/gen"
	"firebreak/internal/label"
	"firebreak/internal/load"
	"firebreak/internal/policy"
)

// LargeEstate is what gen makes, of 10,000 workloads and 1,000 rules, as one that
// all targets can be asked about: NetworkPolicies are rendered for one cluster,
// where pods carry their region as a label.
func LargeEstate(t testing.TB) *load.Loaded {
	t.Helper()
	fsys, err := gen.Estate(gen.Options{Workloads: 10_000, Rules: 1_000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, diags := load.FS(fsys, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	inv := *l.Policy.Inventory
	inv.Workloads = nil
	for _, w := range l.Policy.Inventory.Workloads {
		if w.Labels["k8s/cluster"] != "" {
			w.Labels, w.Pod = maps.Clone(w.Labels), map[string]string{"region": w.Labels["cloud/region"]}
			w.Labels["k8s/cluster"], w.Labels["region"] = "corp", w.Labels["cloud/region"]
			for k, v := range w.Labels {
				if !label.IsBuiltin(k) {
					w.Pod[k] = v
				}
			}
		}
		inv.Workloads = append(inv.Workloads, w)
	}
	if l.Policy, diags = policy.Resolve(l.Tree, &inv); l.Policy == nil || len(inv.Workloads) < 10_000 {
		t.Fatal(len(inv.Workloads), diags)
	}
	return l
}
