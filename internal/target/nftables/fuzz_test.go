package nftables

import (
	"testing"

	"firebreak/internal/inventory"
)

// Whatever stands in a file, reading it ends, and does not panic; what is not
// nft's is not silently nothing.
func FuzzLift(f *testing.F) {
	w := wantedText(f, randomPolicy(3), inventoryText())
	for _, data := range rendered(f, w) {
		f.Add(data)
	}
	f.Add([]byte(`{"nftables":[{"table":{"family":"inet","name":"x"}},{"chain":{"family":"inet","table":"x","name":"c","hook":"input","type":"filter","policy":"drop"}}]}`))
	w.Policy.Inventory.Workloads[0].Host = "a"
	f.Fuzz(func(t *testing.T, data []byte) {
		s := source(w, map[string][]byte{"a.nft.json": data}, false)
		s.Inventory = &inventory.Snapshot{Workloads: w.Policy.Inventory.Workloads[:2]}
		l, diags := Target{}.Lift(s)
		if len(l.Points) != 1 || diags.HasErrors() && len(l.Unknown) == 0 {
			t.Errorf("%d points, %v", len(l.Points), diags)
		}
	})
}
