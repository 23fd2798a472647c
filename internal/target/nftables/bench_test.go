package nftables

import (
	"os"
	"os/exec"
	"testing"
)

func BenchmarkTenThousand(b *testing.B) {
	dir := b.TempDir() + "/e"
	cmd := exec.Command("go", "run", "../../../cmd/firebreak", "gen", dir, "--workloads", "10000", "--rules", "1000", "--identities", "600")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatal(string(out))
	}
	w := wantedDir(b, os.DirFS(dir))
	files := rendered(b, w)
	n := 0
	for _, f := range files {
		n += len(f)
	}
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			rendered(b, w)
		}
	})
	b.Run("lift", func(b *testing.B) {
		for b.Loop() {
			l := liftOf(b, w, files, true)
			b.ReportMetric(float64(len(l.Tables)), "tables")
			b.ReportMetric(float64(n)/1e6, "MB")
			b.ReportMetric(float64(len(files)), "hosts")
		}
	})
}
