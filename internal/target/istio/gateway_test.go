package istio_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target/istio"
	"firebreak/internal/verify"
)

// A waypoint's own Deployment is no peer that would have to be let in beside it.
func TestWaypointIsNoPeer(t *testing.T) {
	const text = "kind: Estate\nmetadata: {name: e}\n---\nkind: Zone\nmetadata: {name: z}\nspec: {select: app, stage: enforce}\n---\nkind: Policy\nmetadata: {name: p, owner: o}\n" +
		"spec: {stage: enforce, rules: [{name: r, effect: allow, from: {select: k8s/namespace}, to: {select: app=db}, ports: [80/TCP], reason: r}]}\n"
	at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	for _, controller := range []string{"istio.io-mesh-controller", "istio.io-gateway-controller"} {
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{workload("shop", "db", "ambient"), workload("shop", "wp", "ambient")}}
		wp := inv.Workloads[1].Labels
		wp["gateway.istio.io/managed"], wp["istio.io/dataplane-mode"], wp["sidecar.istio.io/inject"] = controller, "none", "false"
		tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
		p, more := policy.Resolve(tree, inv)
		if p == nil {
			t.Fatal(diags, more)
		}
		e, err := verify.New(p, verify.Options{At: at})
		if err != nil {
			t.Fatal(err)
		}
		_, list := istio.Target{}.Render(plan.Make(tree, p, e, plan.Options{At: at, Targets: []string{"istio"}}))
		said := false
		for _, d := range list {
			said = said || strings.Contains(d.Message, "shop/wp may reach")
		}
		if said != (controller != "istio.io-mesh-controller") {
			t.Errorf("%s: %v", controller, list)
		}
	}
}
