package nftables

import (
	"syscall"
	"testing"
	"time"

	"firebreak/internal/gen"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// BenchmarkEstate renders and lifts an estate of 10,000 workloads and 1,000
// rules, as the benchmark of all targets does. It reports the processor's time.
func BenchmarkEstate(b *testing.B) {
	w := benchWanted(b)
	files := rendered(b, w)
	n := 0
	for _, f := range files {
		n += len(f)
	}
	b.Run("render", func(b *testing.B) {
		at := processor()
		for b.Loop() {
			rendered(b, w)
		}
		b.ReportMetric(float64((processor()-at).Milliseconds())/float64(b.N), "cpu-ms/op")
	})
	b.Run("lift", func(b *testing.B) {
		at := processor()
		for b.Loop() {
			l := liftOf(b, w, files, true)
			b.ReportMetric(float64(len(l.Tables)), "tables")
			b.ReportMetric(float64(n)/1e6, "MB")
			b.ReportMetric(float64(len(files)), "files")
		}
		b.ReportMetric(float64((processor()-at).Milliseconds())/float64(b.N), "cpu-ms/op")
	})
}

// processor is how long the processors have worked for this process.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchWanted(b *testing.B) *plan.Wanted {
	fsys, err := gen.Estate(gen.Options{Workloads: 10_500, Rules: 1_000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	l, diags := load.FS(fsys, ".", nil)
	if l.Policy == nil {
		b.Fatal(diags)
	}
	inv := *l.Policy.Inventory
	inv.Workloads = inv.Workloads[:10_000]
	p, _ := policy.Resolve(l.Tree, &inv)
	e, err := verify.New(p, verify.Options{At: now})
	if err != nil {
		b.Fatal(err)
	}
	return plan.Make(l.Tree, p, e, plan.Options{ToCome: true, At: now})
}
