package prove_test

import (
	"fmt"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

// TestNothingThere: estates without layers, workloads or tables, and relays of
// which nothing is known, are answered about like any other, and proven by nobody.
func TestNothingThere(t *testing.T) {
	relays := in("169.254.171.0/24")[0].Prefixes
	nobody := layer.Lead{Protocol: netset.TCP, Called: 443, Port: 8080}
	kinds := map[string][]*layer.Layer{
		"no layers":               nil,
		"an empty layer":          {{Target: "t"}},
		"only optional":           {{Target: "t", Optional: true}},
		"a relay without tables":  {{Target: "t", Optional: true, Relays: relays}, shop(t)},
		"leads for nobody":        {{Target: "t", Optional: true, Relays: relays, Leads: []layer.Lead{nobody}, Points: []layer.Point{{Name: "p"}}}, shop(t)},
		"a relay that is firm":    {{Target: "t", Relays: relays, Leads: []layer.Lead{nobody}}},
		"names only":              {{Target: "t", Tables: []layer.Table{{Governs: layer.Match{{Names: []string{"psp", "?"}}}}}}},
		"tables that are empty":   {{Target: "t", Tables: []layer.Table{{}, {Direction: flow.Ingress, Governs: layer.Everything(), Tiers: [][]layer.Rule{nil, {{}}}}}}},
		"shut without matches":    {{Target: "t", Shut: []layer.Shut{{}}}},
		"unknowns about nobody":   {{Target: "t", Unknown: []layer.Unknown{{Why: "?"}}}},
		"unknowns about everyone": {{Target: "t", Unknown: []layer.Unknown{{Why: "?", Concerns: layer.Everything()}}}},
		"proofs of nobody":        {{Target: "t", Proves: true, Renewed: true, Timeless: true, Nameless: true}},
	}
	for name, layers := range kinds {
		for _, text := range []string{"", shopInventory, "kind: Workload\nmetadata: {name: web, labels: {app: web, tier: front}}\nspec: {}\n"} {
			t.Run(fmt.Sprint(name, len(text)), func(t *testing.T) {
				var p *policy.Policy
				var again func(*inventory.Snapshot) (*policy.Policy, error)
				if p, again = resolve(t, shopPolicy, shopInventory); text != shopInventory {
					inv := &inventory.Snapshot{}
					if text != "" {
						inv.Workloads = p.Inventory.Workloads[:1]
					}
					if p, _ = again(inv); p == nil {
						t.Fatal("the policy does not resolve")
					}
				}
				intent := prove.Intent{Policy: p, Resolve: again}
				report, err := prove.Prove(intent, layers, prove.Options{At: noon})
				if err != nil {
					t.Fatal(err)
				}
				if report.Together != nil && report.Together.Result.Proven() && text == shopInventory && name != "a relay without tables" && name != "leads for nobody" {
					t.Errorf("together %s", report.Together.Result)
				}
				if _, err := prove.Drift(intent, layers, prove.Options{At: noon}); err != nil {
					t.Error(err)
				}
				if _, err := prove.Reach(p.Inventory, p, layers, prove.Options{At: noon}); err != nil {
					t.Error(err)
				}
				if _, err := prove.Compare(layers, intent, prove.Options{At: noon}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
