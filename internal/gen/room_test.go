package gen

import "testing"

// TestTheLargestEstateFindsRoom checks that 10.0.0.0/8, less what frontends
// have, holds the most workloads that there can be.
func TestTheLargestEstateFindsRoom(t *testing.T) {
	for seed := range uint64(6) {
		for _, ids := range []int{0, 400} {
			o, err := Options{Workloads: MaxWorkloads, Identities: ids, Seed: seed}.Complete()
			if err != nil {
				t.Fatal(err)
			}
			e := build(o)
			last := e.places[len(e.places)-1]
			if end := last.base + 1<<(32-last.bits); end > 255<<16 {
				t.Errorf("seed %d, %d identities: addresses up to %d", seed, o.Identities, end)
			}
		}
	}
}
