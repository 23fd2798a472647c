package istio_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/target"
	"firebreak/internal/target/istio"
)

// TestMembersAsTheClusterHasThem: where the labels by which a namespace or pods join
// the mesh are others in the cluster than in the inventory, nobody knows whether they
// are in it. Files that were rendered alone are no cluster.
func TestMembersAsTheClusterHasThem(t *testing.T) {
	const policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {}\n---\n"
	const space, ambient = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop", "istio.io/dataplane-mode: ambient"
	const pods = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {metadata: {labels: {app: web"
	for _, row := range []struct {
		about, live string
		inventory   map[string]string
		alone       bool
		want        string
	}{
		{"both say so", space + ", labels: {" + ambient + "}}", map[string]string{"k8s/namespace.istio.io.dataplane-mode": "ambient"}, false, ""},
		{"neither says so", space + ", labels: {team: shop}}", nil, false, ""},
		{"the inventory does not know", space + ", labels: {" + ambient + "}}", nil, false, `has "ambient" for istio.io/dataplane-mode where it is live, and no label in the inventory`},
		{"the cluster does not", space + "}", map[string]string{"k8s/namespace.istio-injection": "enabled"}, false, `has no label for istio-injection where it is live, and "enabled" in the inventory`},
		{"nobody asked the cluster", "", map[string]string{"k8s/namespace.istio-injection": "enabled"}, false, ""},
		{"rendered alone", space + "}", map[string]string{"k8s/namespace.istio-injection": "enabled"}, true, ""},
		{"pods that say so", pods + ", " + ambient + "}}}}", map[string]string{"istio.io/dataplane-mode": "ambient"}, false, ""},
		{"pods of which the inventory does not know", pods + ", " + ambient + "}}}}", nil, false, `has "ambient" for istio.io/dataplane-mode where it is live`},
		{"pods that left", pods + "}}}}", map[string]string{"sidecar.istio.io/inject": "true"}, false, `has no label for sidecar.istio.io/inject`},
	} {
		w := inventory.Workload{Name: "shop/web[Deployment]", Namespace: "shop", Labels: map[string]string{"app": "web", "k8s/namespace": "shop"}}
		for k, v := range row.inventory {
			w.Labels[k] = v
		}
		fsys := fstest.MapFS{"p.yaml": {Data: []byte(policy + row.live)}}
		l, diags := istio.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: &inventory.Snapshot{Workloads: []inventory.Workload{w}}, Alone: row.alone})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got := ""
		for _, u := range l.Unknown {
			if strings.Contains(u.Why, "in the mesh is not known") && u.Concerns.Matches(layer.Party{Workload: &w}, nil) == layer.Yes {
				got += u.Why
			}
		}
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: %q, want %q", row.about, got, row.want)
		}
	}
}
