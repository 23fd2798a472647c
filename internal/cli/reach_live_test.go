package cli_test

import (
	"encoding/csv"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"firebreak/internal/gen"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/target/all"
)

// TestReachLiveAgreesWithTheReference asks the slow reference about every pair
// of a generated cluster, and about addresses outside, at ports that some rule
// or container speaks of.
func TestReachLiveAgreesWithTheReference(t *testing.T) {
	dir := t.TempDir()
	generatedCluster(t, dir, gen.KubeOptions{Workloads: 50, Rules: 60, Seed: 5})
	out, _ := run(t, 0, "reach", "--live", dir, "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = rows[1:]
	got, diags := load.OfFolder(dir, load.Asked{Targets: all.Targets()})
	if got == nil || diags.HasErrors() {
		t.Fatal(diags)
	}
	networks := []netip.Prefix{netip.MustParsePrefix("10.128.0.0/16")}
	parties := map[string]layer.Party{}
	for i := range got.Inventory.Workloads {
		w := &got.Inventory.Workloads[i]
		parties[w.Name] = layer.Party{Workload: w}
	}
	for _, a := range []string{"0.0.0.1", "9.255.255.255", "10.0.0.1", "10.255.0.1", "11.0.0.1", "192.168.7.9", "198.51.100.3", "203.0.9.1", "203.0.9.130", "2001:db8::1"} {
		parties[a] = layer.Party{Addr: netip.MustParseAddr(a)}
	}
	index := map[[2]string]string{}
	for _, row := range rows {
		for from := range parties {
			if !names(row[0], from) {
				continue
			}
			for to := range parties {
				if names(row[1], to) {
					if index[[2]string{from, to}] != "" {
						t.Fatalf("%s → %s has two lines", from, to)
					}
					index[[2]string{from, to}] = row[2]
				}
			}
		}
	}
	asked, open := 0, 0
	for from, a := range parties {
		for to, b := range parties {
			if from == to || a.Workload == nil && b.Workload == nil {
				continue
			}
			for _, port := range []uint16{53, 80, 443, 2222, 3306, 5432, 6379, 8080, 8443, 9090, 9102, 9210, 9399, 65535} {
				for _, proto := range []netset.Protocol{netset.TCP, netset.UDP} {
					want := layer.Allow
					for _, l := range got.Layers {
						want = min(want, l.Decide(layer.Conversation{From: a, To: b, Protocol: proto, Port: port}, networks).Upper)
					}
					is := passes(t, index[[2]string{from, to}], proto, port)
					if is != (want != layer.Deny) {
						t.Fatalf("%s → %s %s %d: reach says %v (%q), the reference %s", from, to, proto, port, is, index[[2]string{from, to}], want)
					}
					if asked++; is {
						open++
					}
				}
			}
		}
	}
	t.Logf("%d conversations agree, of which %d pass, over %d lines", asked, open, len(rows))
	if open < asked/50 || open > asked*49/50 {
		t.Errorf("of %d conversations %d pass: that shows little", asked, open)
	}
}

func generatedCluster(t *testing.T, dir string, o gen.KubeOptions) {
	t.Helper()
	files, err := gen.KubeFiles(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// names reports whether a field of a line names a workload, or a run of
// addresses that holds an address.
func names(field, who string) bool {
	if field == who {
		return true
	}
	a, err := netip.ParseAddr(who)
	lo, hi, isRun := strings.Cut(field, "-")
	if err != nil || !isRun {
		return false
	}
	x, err1 := netip.ParseAddr(lo)
	y, err2 := netip.ParseAddr(hi)
	return err1 == nil && err2 == nil && x.Is4() == a.Is4() && !a.Less(x) && !y.Less(a)
}

// passes reads the traffic of a line: "TCP 80,8000-8080; UDP 53", or "all".
func passes(t *testing.T, traffic string, proto netset.Protocol, port uint16) bool {
	if traffic == "all" {
		return true
	}
	for part := range strings.SplitSeq(traffic, "; ") {
		word, ports, _ := strings.Cut(part, " ")
		if word != proto.String() {
			continue
		}
		for run := range strings.SplitSeq(ports, ",") {
			lo, hi, isRun := strings.Cut(run, "-")
			if !isRun {
				hi = lo
			}
			a, err1 := strconv.Atoi(lo)
			b, err2 := strconv.Atoi(hi)
			if err1 != nil || err2 != nil {
				t.Fatalf("ports %q cannot be read", run)
			}
			if int(port) >= a && int(port) <= b {
				return true
			}
		}
	}
	return false
}
