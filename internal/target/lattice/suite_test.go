package lattice_test

import (
	"testing"

	"firebreak/internal/layer"
	"firebreak/internal/target/lattice"
	"firebreak/internal/target/targettest"
)

func layers(l ...*layer.Layer) []*layer.Layer { return l }

func TestSuite(t *testing.T) {
	targettest.Describe(t, lattice.Target{})
	for seed := range uint64(20) {
		e, err := random(seed)
		if err != nil {
			t.Fatal(err)
		}
		x := targettest.Estate{Name: "random", Wanted: e.wanted}
		files := targettest.Render(t, lattice.Target{}, x)
		targettest.Lift(t, lattice.Target{}, x, files)
		targettest.Damage(t, lattice.Target{}, x, files)
		if seed == 0 {
			targettest.Garbage(t, lattice.Target{}, x)
		}
	}
}
