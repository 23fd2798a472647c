package risk_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/risk"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// graph is what the engine makes of a policy at that time.
func graph(t *testing.T, p *policy.Policy, at time.Time, inForce bool) *risk.Graph {
	t.Helper()
	e, err := verify.New(p, verify.Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	g, _ := risk.FromEngine(e, inForce)
	return g
}

// TestLinksAreWhatTheEvaluatorPermits asks the reference evaluator, workload
// by workload, for every link and for what would be left of it without each of
// the rules that it is said to need. Where rules have conditions, what it
// permits in any of the circumstances of the case has to be in the link.
func TestLinksAreWhatTheEvaluatorPermits(t *testing.T) {
	var asked tally
	for _, name := range []string{"three-tier", "online-boutique"} {
		got, diags := load.Dir("../../examples/"+name, nil)
		if got.Policy == nil {
			t.Fatal(diags)
		}
		c := corpus.Case{Name: name, Dir: got.Tree, Inv: got.Inventory}
		asked.agree(t, c, got.Policy)
	}
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		p, diags := policy.Resolve(c.Dir, c.Inv)
		if p == nil {
			t.Fatal(diags)
		}
		asked.agree(t, c, p)
	}
	if asked.links < 100 || asked.soles < 100 || asked.conditional < 10 {
		t.Errorf("nearly nothing was asked: %+v", asked)
	}
}

// tally counts what was compared.
type tally struct{ links, soles, conditional int }

func (n *tally) agree(t *testing.T, c corpus.Case, p *policy.Policy) {
	t.Helper()
	circumstances := []flow.Circumstances{{At: corpus.Noon, MTLS: true}}
	for _, f := range c.Flows {
		circumstances = append(circumstances, f.In)
	}
	first := slices.MinFunc(circumstances, func(a, b flow.Circumstances) int { return a.At.Compare(b.At) }).At
	exact := !slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Cond != nil })
	if exact {
		circumstances = circumstances[:1]
	}
	for _, inForce := range []bool{false, true} {
		g := graph(t, p, first, inForce)
		judges := map[int32]*semantics.Evaluator{-1: semantics.New(c.Dir, c.Inv)}
		for k, keeper := range g.Keepers {
			if keeper.Zone == "" {
				judges[int32(k)] = semantics.New(lessRule(c.Dir, keeper.Rule), c.Inv)
			}
		}
		for v := range g.Nodes {
			for to := range g.Nodes {
				pass := passOf(g, v, to)
				for _, a := range g.Nodes[v].Workloads {
					for _, b := range g.Nodes[to].Workloads {
						if a != b {
							n.pair(t, c.Name, pair{a, b, inForce, exact, circumstances, judges}, pass)
						}
					}
				}
			}
		}
	}
}

func passOf(g *risk.Graph, v, to int) *risk.Pass {
	for _, l := range g.Links[v] {
		if int(l.To) == to {
			return &g.Passes[l.Pass]
		}
	}
	return nil
}

// pair is what is asked about two workloads. Judges are of the whole policy,
// -1, and of the policy without one keeper.
type pair struct {
	from, to       string
	inForce, exact bool
	in             []flow.Circumstances
	judges         map[int32]*semantics.Evaluator
}

// permitted is what a judge permits in any of the circumstances.
func (p pair) permitted(judge int32) netset.Traffic {
	e, sum := p.judges[judge], netset.None()
	from, _ := e.Workload(p.from)
	to, _ := e.Workload(p.to)
	for _, c := range p.in {
		sum = sum.Union(e.Summarize(from, to, p.inForce, c).Permitted)
	}
	return sum
}

func (n *tally) pair(t *testing.T, name string, p pair, pass *risk.Pass) {
	t.Helper()
	want, have := p.permitted(-1), netset.None()
	if pass != nil {
		have = pass.Traffic
	}
	if !want.Subtract(have).IsEmpty() || p.exact && !have.Equal(want) {
		t.Fatalf("%s: %s → %s (in force %t): %s, want %s", name, p.from, p.to, p.inForce, have, want)
	}
	if pass == nil {
		return
	}
	n.links++
	if !p.exact {
		n.conditional++
	}
	for k := range p.judges {
		if k < 0 {
			continue
		}
		left, sole := p.permitted(k), slices.Contains(pass.Sole, k)
		if sole && !left.IsEmpty() || p.exact && sole != left.IsEmpty() {
			t.Fatalf("%s: %s → %s (in force %t) without keeper %d: %s is left, but sole is %t", name, p.from, p.to, p.inForce, k, left, sole)
		}
		if sole {
			n.soles++
		}
	}
}

// lessRule is a policy without one rule or exception.
func lessRule(dir *lang.Dir, r flow.Rule) *lang.Dir {
	out := *dir
	out.Policies = nil
	for _, p := range dir.Policies {
		kept := *p
		kept.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(x *lang.Rule) bool { return p.Name == r.Policy && x.Name == r.Rule })
		out.Policies = append(out.Policies, &kept)
	}
	out.Exceptions = slices.DeleteFunc(slices.Clone(dir.Exceptions), func(x *lang.Exception) bool { return x.Name == r.Policy && r.Rule == "exception" })
	return &out
}
