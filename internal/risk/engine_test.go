package risk_test

import (
	"slices"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/risk"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// graph is what the engine makes of an example.
func graph(t *testing.T, p *policy.Policy, inForce bool) *risk.Graph {
	t.Helper()
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	g, _ := risk.FromEngine(e, inForce)
	return g
}

// TestLinksAreWhatTheEvaluatorPermits asks the reference evaluator, workload
// by workload, for every link and for what would be left of it without each of
// the rules that it is said to need.
func TestLinksAreWhatTheEvaluatorPermits(t *testing.T) {
	for _, name := range []string{"three-tier", "online-boutique"} {
		got, diags := load.Dir("../../examples/"+name, nil)
		if got.Policy == nil {
			t.Fatal(diags)
		}
		for _, inForce := range []bool{false, true} {
			agree(t, got, graph(t, got.Policy, inForce), inForce)
		}
	}
}

func agree(t *testing.T, estate *load.Loaded, g *risk.Graph, inForce bool) {
	t.Helper()
	whole := semantics.New(estate.Tree, estate.Inventory)
	without := map[flow.Rule]*semantics.Evaluator{}
	for _, k := range g.Keepers {
		if k.Zone == "" {
			without[k.Rule] = semantics.New(lessRule(estate.Tree, k.Rule), estate.Inventory)
		}
	}
	c := flow.Circumstances{At: noon, MTLS: true}
	links, soles := 0, 0
	for v := range g.Nodes {
		for _, a := range g.Nodes[v].Workloads {
			for to := range g.Nodes {
				for _, b := range g.Nodes[to].Workloads {
					if a == b {
						continue
					}
					from, _ := whole.Workload(a)
					dest, _ := whole.Workload(b)
					var pass *risk.Pass
					if i := slices.IndexFunc(g.Links[v], func(l risk.Link) bool { return int(l.To) == to }); i >= 0 {
						pass = &g.Passes[g.Links[v][i].Pass]
						links++
					}
					want := whole.Summarize(from, dest, inForce, c).Permitted
					have := netset.None()
					if pass != nil {
						have = pass.Traffic
					}
					if !have.Equal(want) {
						t.Fatalf("%s → %s: %s, want %s", a, b, have, want)
					}
					if pass == nil {
						continue
					}
					for k, keeper := range g.Keepers {
						if keeper.Zone != "" {
							continue
						}
						left := without[keeper.Rule].Summarize(from, dest, inForce, c).Permitted
						if sole := slices.Contains(pass.Sole, int32(k)); sole != left.IsEmpty() {
							t.Fatalf("%s → %s without %s: %s is left, but sole is %t", a, b, keeper, left, sole)
						} else if sole {
							soles++
						}
					}
				}
			}
		}
	}
	if links == 0 || soles == 0 {
		t.Errorf("%d links, of which %d need a rule: nothing was tested", links, soles)
	}
}

func lessRule(dir *lang.Dir, r flow.Rule) *lang.Dir {
	out := *dir
	out.Policies = nil
	for _, p := range dir.Policies {
		kept := *p
		kept.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(x *lang.Rule) bool { return p.Name == r.Policy && x.Name == r.Rule })
		out.Policies = append(out.Policies, &kept)
	}
	return &out
}
