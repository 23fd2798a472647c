package lattice_test

import (
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target/lattice"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

// BenchmarkEstate renders an estate of 10,000 workloads and 1,000 rules, and
// reads the files back.
func BenchmarkEstate(b *testing.B) {
	e := benchEstate(b)
	files, diags := lattice.Target{}.Render(e.wanted)
	if diags.HasErrors() || len(files) == 0 {
		b.Fatal(diags)
	}
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			lattice.Target{}.Render(e.wanted)
		}
	})
	b.Run("lift", func(b *testing.B) {
		for b.Loop() {
			lattice.Target{}.Lift(e.source(files))
		}
	})
}

// benchEstate is the one of the benchmark of all targets.
func benchEstate(b *testing.B) *estate {
	l := targettest.LargeEstate(b)
	return benchResolve(b, l, l.Policy.Inventory)
}

func benchResolve(b *testing.B, l *load.Loaded, inv *inventory.Snapshot) *estate {
	p, diags := policy.Resolve(l.Tree, inv)
	if p == nil {
		b.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		b.Fatal(err)
	}
	w := plan.Make(l.Tree, p, e, plan.Options{ToCome: true, At: noon, Targets: []string{"lattice"}, KeepsTime: func(*inventory.Workload) bool { return true }})
	return &estate{"", inv, p, w}
}
