package prove_test

import (
	"slices"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/prove"
)

// TestWhoIsNotInTheMeshProvesNothing: a layer makes peers prove who they are only
// where something enforces it.
func TestWhoIsNotInTheMeshProvesNothing(t *testing.T) {
	p, _ := resolve(t, strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r, require: mtls"), shopInventory)
	for _, c := range []struct {
		name, missing string
		want          prove.Word
	}{
		{"both are in the mesh", "", prove.Exact},
		{"the caller is not", "no sidecar", prove.Unenforced},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := shop(t)
			l.Proves = true
			l.Points = []layer.Point{{Name: "web", Governs: selected(t, "app=web"), Missing: c.missing}, {Name: "rest", Governs: selected(t, "app!=web")}}
			report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			if got := report.Results[1]; got.Result != c.want {
				t.Errorf("%s: %s (%s), want %s", got.Point, got.Result, got.Reason, c.want)
			}
		})
	}
}

// TestOptionalLayersProveNothingAway: what cannot exist since one layer makes
// peers prove who they are does not come back since another may be gone around.
func TestOptionalLayersProveNothingAway(t *testing.T) {
	p, again := resolve(t, strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r, require: mtls"), shopInventory)
	mesh := shop(t)
	mesh.Proves = true
	around := &layer.Layer{Target: "around", Optional: true, Points: []layer.Point{{Name: "orders", Governs: selected(t, "app=orders")}}, Tables: []layer.Table{{
		Name: "around", Direction: 1, Governs: selected(t, "app=orders"), Tiers: [][]layer.Rule{{allow("web", layer.Everything(), selected(t, "app=web"), tcp(8080))}},
	}}}
	report, err := prove.Prove(prove.Intent{Policy: p, Resolve: again}, []*layer.Layer{mesh, around}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Together; got.Result != prove.Exact {
		t.Errorf("together %s (%s), want exact", got.Result, got.Reason)
	}
}

// TestVPCsWithoutRelays: where no packets get from one VPC to another, none are
// told of, however alike their workloads are to the layers.
func TestVPCsWithoutRelays(t *testing.T) {
	p, again := resolve(t, shopPolicy, shopInventory)
	inv := *p.Inventory
	inv.Workloads = slices.Clone(inv.Workloads)
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		w.Labels = map[string]string{"app": w.Labels["app"], "tier": w.Labels["tier"], "net/vpc": "vpc-" + w.Name}
		inv.Networks = append(inv.Networks, inventory.Network{Name: "vpc-" + w.Name, Complete: true})
	}
	p, err := again(&inv)
	if err != nil {
		t.Fatal(err)
	}
	open := &layer.Layer{Target: "open", Tables: []layer.Table{{Name: "all", Direction: 1, Governs: layer.AnyWorkload(), Default: layer.Allow}}}
	got, err := prove.Reach(&inv, p, []*layer.Layer{open}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got.Edges {
		if got.Ends[e.From].Workloads != nil && got.Ends[e.To].Workloads != nil {
			t.Errorf("%s reaches %s by %s, and no packet gets there", got.Ends[e.From].Name, got.Ends[e.To].Name, e.Lower)
		}
	}
}
