package networkpolicy_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
	"firebreak/internal/verify"
)

const (
	boutique  = "../../../examples/online-boutique"
	manifests = "testdata/online-boutique.yaml"
	shipped   = "../../../../shared/corpora/online-boutique/network-policies"
	document  = "../../../docs/online-boutique.md"
)

// shop is the example, its inventory being one of pods, and what is rendered.
func shop(t *testing.T) (*load.Loaded, map[string]string) {
	t.Helper()
	l, diags := load.Dir(boutique, []string{"file:" + manifests})
	if l.Policy == nil {
		t.Fatal(diags)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e, err := verify.New(l.Policy, verify.Options{At: now})
	if err != nil {
		t.Fatal(err)
	}
	files, said := rendered(t, plan.Make(l.Tree, l.Policy, e, plan.Options{At: now}))
	if said.HasErrors() || !strings.Contains(fmt.Sprint(said), "cluster-dns-closed") {
		t.Fatal(said)
	}
	return l, files
}

func lifted(l *load.Loaded, f *live.Folder) *layer.Layer {
	out, _ := networkpolicy.Target{}.Lift(&target.Source{Folder: f, Inventory: l.Inventory, Networks: l.Policy.Networks, Estate: l.Policy.Estate})
	return out
}

// TestOnlineBoutique compares what is rendered with the file that shows it.
func TestOnlineBoutique(t *testing.T) {
	_, files := shop(t)
	if len(files) != 13 { // 12 workloads, and what comes to be
		t.Errorf("%d files", len(files))
	}
	want, err := os.ReadFile("testdata/frontend.yaml")
	if err != nil || files["cluster/frontend.yaml"] != string(want) {
		t.Errorf("the frontend's policy is now\n%s\n%v", files["cluster/frontend.yaml"], err)
	}
}

// TestOnlineBoutiqueShipped compares with the NetworkPolicies that the
// application ships, conversation by conversation, and the text in docs with
// what is found.
func TestOnlineBoutiqueShipped(t *testing.T) {
	if _, err := os.Stat(shipped); err != nil {
		t.Skip("the NetworkPolicies of Online Boutique are not here")
	}
	l, files := shop(t)
	ours, theirs := lifted(l, folder(files)), lifted(l, live.Open(os.DirFS(shipped)))
	if theirs.Foreign != 13 || len(theirs.Unknown) > 0 {
		t.Fatalf("%d objects, %v", theirs.Foreign, theirs.Unknown)
	}
	found := differences(l, ours, theirs)
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range found {
		if !strings.Contains(string(doc), line) {
			t.Errorf("docs/online-boutique.md lacks\n%s", line)
		}
	}
	if n := strings.Count(string(doc), "\n| `"); n != len(found) {
		t.Errorf("docs/online-boutique.md has %d lines of differences, there are %d", n, len(found))
	}
}

// differences are lines of a table: who may do what with whom by one layer and
// not by the other. Ends with the same differences stand together.
func differences(l *load.Loaded, ours, theirs *layer.Layer) []string {
	parties := map[string]layer.Party{"the world": {Addr: netip.MustParseAddr("203.0.113.1")}, "unknown": {Addr: netip.MustParseAddr("10.200.0.1")}}
	for i := range l.Inventory.Workloads {
		w := &l.Inventory.Workloads[i]
		parties[w.Labels["app"]] = layer.Party{Workload: w}
	}
	byTo := map[string]map[string][]string{} // to, difference: froms
	for from, x := range parties {
		for to, y := range parties {
			if from == to || x.Workload == nil && y.Workload == nil {
				continue
			}
			a, b := passes(l, ours, x, y), passes(l, theirs, x, y)
			for word, set := range map[string]netset.Traffic{"shipped only": b.Subtract(a), "ours only": a.Subtract(b)} {
				if set.IsEmpty() {
					continue
				}
				key := fmt.Sprintf("%s | %s", set, word)
				if byTo[key] == nil {
					byTo[key] = map[string][]string{}
				}
				byTo[key][to] = append(byTo[key][to], from)
			}
		}
	}
	var out []string
	for key, tos := range byTo {
		groups := map[string][]string{}
		for to, froms := range tos {
			slices.Sort(froms)
			names := strings.Join(froms, ", ")
			groups[names] = append(groups[names], to)
		}
		for froms, list := range groups {
			slices.Sort(list)
			out = append(out, fmt.Sprintf("| `%s` | `%s` | %s |", froms, strings.Join(list, ", "), key))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(a, b) })
	return out
}

// passes is all traffic that a layer lets pass: asked once for each run of ports
// that no rule of the two layers tells apart, which are few here.
func passes(l *load.Loaded, x *layer.Layer, from, to layer.Party) netset.Traffic {
	edges := []uint16{0}
	for _, p := range []uint16{3550, 5050, 6379, 7000, 7070, 8080, 9555, 50051} {
		edges = append(edges, p, p+1)
	}
	out := netset.None()
	for proto := range netset.NumProtocols {
		for i, lo := range edges {
			hi := uint16(65535)
			if i+1 < len(edges) {
				hi = edges[i+1] - 1
			}
			if x.Decide(layer.Conversation{From: from, To: to, Protocol: proto, Port: lo}, l.Policy.Networks).Upper != layer.Deny {
				out = out.Union(netset.Of(proto, lo, hi))
			}
		}
	}
	return out
}
