package prove_test

import (
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/gen"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/verify"
)

// wanted makes what is wanted of a generated estate.
func wanted(t testing.TB, o gen.Options) (*plan.Wanted, func(*inventory.Snapshot) (*policy.Policy, error)) {
	t.Helper()
	files, err := gen.Estate(o)
	if err != nil {
		t.Fatal(err)
	}
	tree, diags := lang.Parse(files)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	snap, err := gen.Snapshot(o)
	if err != nil {
		t.Fatal(err)
	}
	var labels []inventory.Relabeling
	for _, m := range tree.Estate.Labels {
		labels = append(labels, inventory.Relabeling{From: m.From, To: m.To, Map: m.Map, Pos: m.Pos})
	}
	snap, _ = inventory.Relabel(snap, labels)
	p, resolved := policy.Resolve(tree, snap)
	if p == nil {
		t.Fatal(resolved)
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(tree, p, e, plan.Options{At: noon, ToCome: true, KeepsTime: func(*inventory.Workload) bool { return true }}), func(s *inventory.Snapshot) (*policy.Policy, error) {
		p, _ := policy.Resolve(tree, s)
		return p, nil
	}
}

// written is a layer that says by selectors what is wanted, without a format:
// one rule for each grant, or, to be exact, for each of its clauses.
func written(w *plan.Wanted, target string, exact bool) *layer.Layer {
	l := &layer.Layer{Target: target}
	for d := range flow.Ingress + 1 {
		t := layer.Table{Name: d.String(), Direction: d, Governs: layer.AnyWorkload(), Tiers: [][]layer.Rule{nil}}
		for i := range w.Subjects {
			s := &w.Subjects[i]
			for _, g := range s.Grants(d) {
				r := layer.Rule{Ref: flow.Rule{Policy: s.Name, Rule: d.String()}, Effect: layer.Allow, Subject: cover(w, s.Identities), Peer: peers(w, g.Peers), Traffic: g.Open}
				if !exact || len(g.Clauses) == 0 || !g.Exact {
					t.Tiers[0] = append(t.Tiers[0], r)
					continue
				}
				for _, c := range g.Clauses {
					one := r
					one.Traffic, one.Cond = c.Traffic, c.Cond
					if c.Deny {
						one.Effect = layer.Deny
					}
					t.Tiers[0] = append(t.Tiers[0], one)
				}
			}
		}
		l.Tables = append(l.Tables, t)
	}
	for i := range w.Subjects {
		l.Points = append(l.Points, layer.Point{Name: w.Subjects[i].Name, Governs: cover(w, w.Subjects[i].Identities)})
	}
	return l
}

func cover(w *plan.Wanted, identities []int) layer.Match {
	var out layer.Match
	for _, c := range w.Cover(identities) {
		out = append(out, layer.Selected(c.Select)...)
	}
	return out
}

func peers(w *plan.Wanted, list []verify.Peer) layer.Match {
	var ids []int
	var out layer.Match
	for _, x := range list {
		if id := w.Engine.Identity(x); id >= 0 {
			ids = append(ids, id)
			continue
		}
		if w.Engine.ByName(x) {
			out = append(out, layer.Term{Names: []string{w.Policy.Externals[w.Engine.Externals(x)[0]].Name}})
			continue
		}
		t := layer.Term{Address: true}
		for _, r := range w.Engine.Regions(nil) {
			if w.Engine.OfPrefix(r) == x {
				t.Prefixes = append(t.Prefixes, r)
			}
		}
		var other layer.Term
		for _, r := range w.Engine.Regions(nil) {
			if w.Engine.OfPrefix(r) != x {
				other.Prefixes = append(other.Prefixes, r)
			}
		}
		for _, p := range t.Prefixes { // what longer prefixes of others hold is not meant
			one := layer.Term{Address: true, Prefixes: t.Prefixes[:0:0]}
			one.Prefixes = append(one.Prefixes, p)
			for _, q := range other.Prefixes {
				if q.Bits() > p.Bits() && p.Overlaps(q) {
					one.Except = append(one.Except, q)
				}
			}
			out = append(out, one)
		}
	}
	return append(out, cover(w, ids)...)
}

// BenchmarkProve compares seven layers, of which each says all.
func BenchmarkProve(b *testing.B) {
	w, resolve := wanted(b, gen.Options{Workloads: 10_000, Rules: 1_000, Seed: 1})
	var layers []*layer.Layer
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		layers = append(layers, written(w, name, false))
	}
	for _, x := range []struct {
		name   string
		intent prove.Intent
	}{
		{"today", prove.Intent{Policy: w.Policy, ToCome: true}},
		{"could-be", prove.Intent{Policy: w.Policy, ToCome: true, Resolve: resolve}},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := prove.Prove(x.intent, layers, prove.Options{At: noon}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReach finds what one layer permits, without an intent.
func BenchmarkReach(b *testing.B) {
	w, _ := wanted(b, gen.Options{Workloads: 1_000, Rules: 300, Seed: 1})
	layers := []*layer.Layer{written(w, "a", true)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := prove.Reach(w.Policy.Inventory, w.Policy, layers, prove.Options{At: noon}); err != nil {
			b.Fatal(err)
		}
	}
}
