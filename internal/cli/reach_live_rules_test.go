package cli_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"firebreak/internal/gen"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/path"
	"firebreak/internal/target/all"
)

// TestReachLiveNamesWhatDecides asks explain's walk about every edge of a generated
// cluster: what it says lets the first port pass, the edge names, and nothing that
// is at no port of it.
func TestReachLiveNamesWhatDecides(t *testing.T) {
	dir := t.TempDir()
	generatedCluster(t, dir, gen.KubeOptions{Workloads: 40, Rules: 80, Seed: 7})
	out, _ := run(t, 0, "reach", "--live", dir, "--format", "json")
	var said struct {
		Edges []struct {
			From, To, Traffic string
			Rules             []path.Decider
			MoreRules         int
		}
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatal(err)
	}
	got, diags := load.OfFolder(dir, load.Asked{Targets: all.Targets()})
	if got == nil || diags.HasErrors() {
		t.Fatal(diags)
	}
	e := &path.Estate{Inventory: got.Inventory, Layers: got.Layers}
	parties := map[string]layer.Party{"0.0.0.0-255.255.255.255": {Addr: netip.MustParseAddr("203.0.113.9")}}
	for i := range got.Inventory.Workloads {
		parties[got.Inventory.Workloads[i].Name] = layer.Party{Workload: &got.Inventory.Workloads[i]}
	}
	asked, named, cut := 0, 0, 0
	for _, edge := range said.Edges {
		from, ok1 := parties[edge.From]
		to, ok2 := parties[edge.To]
		if !ok1 || !ok2 {
			continue
		}
		at := map[path.Decider]bool{}
		for _, proto := range []netset.Protocol{netset.TCP, netset.UDP} {
			for _, port := range []uint16{53, 80, 443, 2222, 3306, 5432, 6379, 8080, 8443, 9090, 9102, 9210, 9399, 65535} {
				if !passes(t, edge.Traffic, proto, port) {
					continue
				}
				for _, s := range e.Explain(path.Question{From: from, To: to, Protocol: proto, Port: port}).Steps {
					if s.End == "" || s.Rule.Rule == "" {
						continue
					}
					asked++
					x := path.Decider{Rule: s.Rule, Target: s.Target, Point: s.Point, End: s.End}
					at[x] = true
					if edge.MoreRules > 0 {
						cut++
					} else if !slices.Contains(edge.Rules, x) {
						t.Fatalf("%s → %s: %+v lets port %d pass; named are %+v", edge.From, edge.To, x, port, edge.Rules)
					}
				}
			}
		}
		for _, x := range edge.Rules {
			if at[x] {
				named++
			}
		}
	}
	t.Logf("%d steps, of which %d at edges that name not all; %d rules of edges were heard of", asked, cut, named)
	if asked-cut < 1000 || named < 500 {
		t.Error("that shows little")
	}
}
