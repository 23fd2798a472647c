package prove_test

import (
	"slices"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/prove"
)

// TestWhatEveryLayerLeavesToOthers: what no layer decides about passes, wherever
// packets get.
func TestWhatEveryLayerLeavesToOthers(t *testing.T) {
	for _, c := range []struct {
		name     string
		networks []inventory.Network
		want     prove.Word
		text     string
	}{
		{"packets get there", nil, prove.Unenforced, "leaves it to others"},
		{"none does", []inventory.Network{{Name: "vpc-front", Complete: true}, {Name: "vpc-back", Complete: true}}, prove.Exact, ""},
		{"nobody asked", []inventory.Network{{Name: "vpc-front"}, {Name: "vpc-back"}}, prove.Unknown, "nobody asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, again := resolve(t, strings.ReplaceAll(shopPolicy, "reason: r HTTP", "reason: r"), shopInventory)
			inv := *p.Inventory
			inv.Networks, inv.Workloads = c.networks, slices.Clone(inv.Workloads)
			for i := range inv.Workloads {
				w := &inv.Workloads[i]
				w.Labels = map[string]string{"app": w.Labels["app"], "tier": w.Labels["tier"], "net/vpc": "vpc-back"}
				if w.Labels["app"] == "web" {
					w.Labels["net/vpc"] = "vpc-front"
				}
			}
			p, err := again(&inv)
			if err != nil {
				t.Fatal(err)
			}
			l := shop(t)
			for k := range l.Tables { // web and db leave each other to others
				own := []layer.Match{selected(t, "app=web"), selected(t, "app=db")}
				tier := []layer.Rule{}
				for i := range own {
					r := allow("stays", own[i], own[1-i], netset.All())
					r.Effect = layer.Abstain
					tier = append(tier, r)
				}
				l.Tables[k].Tiers = append([][]layer.Rule{tier}, l.Tables[k].Tiers...)
			}
			report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			if got := report.Together; got.Result != c.want || !strings.Contains(got.Reason, c.text) {
				t.Errorf("together %s (%s), want %s with %q", got.Result, got.Reason, c.want, c.text)
			}
		})
	}
}
