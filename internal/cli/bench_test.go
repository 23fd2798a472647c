package cli

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"firebreak/internal/ask"
	"firebreak/internal/gen"
	"firebreak/internal/load"
	"firebreak/internal/verify"
)

func generated(b *testing.B, o gen.Options) *loaded {
	b.Helper()
	fsys, err := gen.Estate(o)
	if err != nil {
		b.Fatal(err)
	}
	got, diags := load.FS(fsys, ".", nil)
	if got.Policy == nil {
		b.Fatal(diags)
	}
	return &loaded{dir: ".", tree: got.Tree, inv: got.Inventory, p: got.Policy}
}

// BenchmarkReach lists all of a thousand workloads under three thousand rules,
// engine included.
func BenchmarkReach(b *testing.B) {
	l := generated(b, gen.Options{Workloads: 1000, Rules: 3000})
	for b.Loop() {
		r, err := l.reach(reachQuestion{now: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)})
		if err != nil {
			b.Fatal(err)
		}
		if err := reachCSV(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDiff compares an estate with itself where a zone's default is
// another one: nearly every pair with that zone changes.
func BenchmarkDiff(b *testing.B) {
	l := generated(b, gen.Options{Workloads: 1000, Rules: 3000})
	p := *l.p
	p.Zones = append(p.Zones[:0:0], p.Zones...)
	p.Zones[0].DefaultAllow = !p.Zones[0].DefaultAllow
	for b.Loop() {
		x, y, err := verify.NewPair(l.p, &p, verify.Options{At: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)})
		if err != nil {
			b.Fatal(err)
		}
		d := verify.Diff(x, y)
		if c := ask.Compare(&d, x, y); len(c.Lines) == 0 {
			b.Fatal("nothing has changed")
		}
	}
}

// BenchmarkReachLive answers for a cluster of 1,000 workloads and 300
// NetworkPolicies from its manifests: the whole of what the program does.
func BenchmarkReachLive(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "k")
	if code := Main(b.Context(), []string{"gen", dir, "--format", "kube", "--workloads", "1000"}, io.Discard, io.Discard); code != 0 {
		b.Fatal(code)
	}
	b.ReportAllocs()
	for b.Loop() {
		if code := Main(b.Context(), []string{"reach", "--live", dir, "--format", "csv"}, io.Discard, io.Discard); code != 0 {
			b.Fatal(code)
		}
	}
}
