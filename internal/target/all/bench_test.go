package all_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

// BenchmarkRenderLiftProve takes an estate of 10,000 workloads and 1,000 rules,
// which is in memory, through all targets: what is wanted, rendering, reading the
// bytes back, and the proof. Targets are asked side by side, as the verbs do. It
// reports what each takes alone as well.
func BenchmarkRenderLiftProve(b *testing.B) {
	l := targettest.LargeEstate(b)
	intent := prove.Intent{Policy: l.Policy, ToCome: true, Resolve: func(s *inventory.Snapshot) (*policy.Policy, error) {
		p, _ := policy.Resolve(l.Tree, s)
		return p, nil
	}}
	targets := all.Targets()
	var names []string
	for _, x := range targets {
		names = append(names, x.Name())
	}
	render, lift := make([]time.Duration, len(targets)), make([]time.Duration, len(targets))
	var planned, proven time.Duration
	bytes := make([]int, len(targets))
	spare := make([]byte, 128<<20) // as the verbs do
	defer runtime.KeepAlive(spare)
	for b.Loop() {
		at := time.Now()
		e, err := verify.New(l.Policy, verify.Options{At: noon})
		if err != nil {
			b.Fatal(err)
		}
		w := plan.Make(l.Tree, l.Policy, e, plan.Options{ToCome: true, At: noon, Targets: names, KeepsTime: func(*inventory.Workload) bool { return true }, Relays: all.Relays(names, l.Policy, true)})
		planned += since(&at)
		layers := make([]*layer.Layer, len(targets))
		var wait sync.WaitGroup
		for i, x := range targets {
			wait.Go(func() {
				at := time.Now()
				files, diags := x.Render(w)
				if diags.HasErrors() {
					b.Log(x.Name(), "renders nothing:", diags[slices.IndexFunc(diags, func(d diag.Diagnostic) bool { return d.Severity == diag.Error })])
				}
				render[i] += since(&at)
				layers[i] = read(x, l, files)
				lift[i] += since(&at)
				bytes[i] = size(files)
			})
		}
		wait.Wait()
		at = time.Now()
		if _, err := prove.Prove(intent, layers, prove.Options{At: noon}); err != nil {
			b.Fatal(err)
		}
		proven += since(&at)
	}
	ms := func(d time.Duration) float64 { return float64(d.Milliseconds()) / float64(b.N) }
	b.ReportMetric(ms(planned), "plan-ms")
	b.ReportMetric(ms(proven), "prove-ms")
	for i, x := range targets {
		b.ReportMetric(ms(render[i]), x.Name()+"-render-ms")
		b.ReportMetric(ms(lift[i]), x.Name()+"-lift-ms")
		b.ReportMetric(float64(bytes[i])/1e6, x.Name()+"-MB")
	}
}

func read(x target.Target, l *load.Loaded, files []target.File) *layer.Layer {
	e := targettest.Estate{Wanted: &plan.Wanted{Policy: l.Policy}}
	out, _ := x.Lift(e.Source(files))
	return out
}

func size(files []target.File) int {
	n := 0
	for _, f := range files {
		n += len(f.Data)
	}
	return n
}

// since returns the time since at, and moves it to now.
func since(at *time.Time) time.Duration {
	now := time.Now()
	d := now.Sub(*at)
	*at = now
	return d
}
