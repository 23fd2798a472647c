package lattice_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target/lattice"
	"firebreak/internal/verify"
)

// TestWhatIsLedIsWhatIsRendered holds what the plan lets pass to and from Lattice to
// what the rendered services let pass, over random estates: nothing that they let
// through is cut off, and nothing is opened to which no listener leads.
func TestWhatIsLedIsWhatIsRendered(t *testing.T) {
	sameAsRendered(t, true, func(s string) string { return s })
}

// TestWhatIsLedIsWhatBothEndsPermit does so where some zones do not enforce yet:
// nobody behind Lattice sees the far end, so that it has to ask for both.
func TestWhatIsLedIsWhatBothEndsPermit(t *testing.T) {
	all := "metadata: {name: all}\nspec: {select: app, stage: enforce, default: deny}\n"
	sameAsRendered(t, false, func(text string) string {
		return strings.Replace(text, all, "metadata: {name: strict}\nspec: {select: \"app in (a,b,c)\", stage: enforce, default: deny}\n---\nkind: Zone\n"+
			"metadata: {name: watched}\nspec: {select: \"app in (d,e,f)\", stage: observe, default: deny}\n", 1)
	})
}

// An end that does not enforce is open to Lattice's addresses as it is to all: enforced
// says whether what is opened is looked at.
func sameAsRendered(t *testing.T, enforced bool, changed func(string) string) {
	t.Helper()
	led, opened := 0, 0
	for seed := range uint64(60) {
		d := rand.New(rand.NewPCG(seed, 11))
		inv := world(d)
		if seed%2 == 1 {
			divide(inv, d)
		}
		text := changed(rules(d))
		tree, _ := lang.Parse(fstest.MapFS{"policy.yaml": {Data: []byte(text)}})
		p, diags := policy.Resolve(tree, inv)
		if diags.HasErrors() {
			continue
		}
		e, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		w := plan.Make(tree, p, e, plan.Options{At: noon, KeepsTime: func(*inventory.Workload) bool { return true }, Relays: []plan.Relay{lattice.Target{}.Relay(p, false)}})
		files, diags := lattice.Target{}.Render(w)
		if diags.HasErrors() {
			continue
		}
		l, _ := lattice.Target{}.Lift((&estate{text, inv, p, w}).source(files))
		for b := range inv.Workloads {
			in := through(w, b, flow.Ingress)
			for a := range inv.Workloads {
				if apart, _ := inv.Routes().Apart(inv.Workloads[a].Labels["net/vpc"], inv.Workloads[b].Labels["net/vpc"]); !apart {
					continue
				}
				for _, port := range []uint16{8080, 8443, 5432} {
					v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[a]}, To: layer.Party{Workload: &inv.Workloads[b]}, Protocol: netset.TCP, Port: port, Holds: func(r *layer.Rule) bool { return r.Effect == layer.Allow }}, p.Networks)
					if v.Upper != layer.Allow || v.Table == nil {
						continue
					}
					led++
					if set, _ := e.Leaving(e.OfWorkload(a), e.OfWorkload(b), true); !set.Ports().Contains(netset.TCP, port) {
						t.Fatalf("seed %d: Lattice leads %s to %s at %d, which may not leave\n%s", seed, inv.Workloads[a].Name, inv.Workloads[b].Name, port, text)
					}
					if out := through(w, a, flow.Egress); !in.Contains(netset.TCP, port) || !out.Contains(netset.TCP, port) {
						t.Fatalf("seed %d: Lattice leads %s to %s at %d, but %s comes in and %s goes out\n%s", seed, inv.Workloads[a].Name, inv.Workloads[b].Name, port, in, out, text)
					}
				}
			}
			for _, run := range in.Ranges(netset.TCP) {
				if !enforced {
					break
				}
				for port := run.Lo; port <= run.Hi; port++ {
					opened++
					if !slices.ContainsFunc(l.Leads, func(x layer.Lead) bool {
						return x.Port == port && x.To.Matches(layer.Party{Workload: &inv.Workloads[b]}, p.Networks) == layer.Yes
					}) {
						t.Fatalf("seed %d: %s lets in %d from Lattice, and no listener leads there\n%s", seed, inv.Workloads[b].Name, port, text)
					}
				}
			}
		}
	}
	t.Logf("%d conversations led, %d ports opened", led, opened)
	if led < 100 || enforced && opened < 50 {
		t.Error("that is hardly anything")
	}
}

// through is what a workload may have with Lattice.
func through(w *plan.Wanted, workload int, d flow.Direction) netset.Traffic {
	for _, t := range w.Through([]int{workload}, d) {
		return t.Traffic
	}
	return netset.None()
}
