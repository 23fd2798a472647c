package ebpf

import (
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// wanted plans a case with every workload on one host.
func wanted(t testing.TB, tree *lang.Dir, inv *inventory.Snapshot, at time.Time, toCome bool) *plan.Wanted {
	t.Helper()
	here := &inventory.Snapshot{Frontends: inv.Frontends, Networks: inv.Networks, Workloads: slices.Clone(inv.Workloads)}
	for i := range here.Workloads {
		here.Workloads[i].Host = "h"
	}
	p, diags := policy.Resolve(tree, here)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(tree, p, e, plan.Options{At: at, ToCome: toCome, KeepsTime: func(*inventory.Workload) bool { return true }})
}

func filesOf(t testing.TB, w *plan.Wanted) map[string][]byte {
	t.Helper()
	files, diags := Target{}.Render(w)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string][]byte{}
	for _, f := range files {
		out[f.Path] = f.Data
	}
	return out
}

func lifted(t testing.TB, w *plan.Wanted, files map[string][]byte) *layer.Layer {
	t.Helper()
	m := fstest.MapFS{}
	for name, data := range files {
		m[name] = &fstest.MapFile{Data: data}
	}
	l, diags := Target{}.Lift(&target.Source{Folder: live.Open(m), Inventory: w.Policy.Inventory, Networks: w.Policy.Networks, Estate: w.Policy.Estate, Alone: true})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return l
}

// parties are who may be at an address.
func parties(w *plan.Wanted, a netip.Addr) []layer.Party {
	var out []layer.Party
	for i := range w.Policy.Inventory.Workloads {
		if slices.Contains(w.Policy.Inventory.Workloads[i].Addresses, a) {
			out = append(out, layer.Party{Workload: &w.Policy.Inventory.Workloads[i]})
		}
	}
	if out == nil {
		out = append(out, layer.Party{Addr: a})
	}
	return out
}

// What is lifted from the tables is one more judge of the corpus.
func TestLiftJudgesTheCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	judged, unsure := 0, 0
	for _, c := range cases {
		for _, f := range c.Flows {
			if c.Beyond(f, corpus.HTTP, corpus.MTLS, corpus.Name, corpus.Frontend) != "" {
				continue
			}
			for _, toCome := range []bool{false, true} {
				w := wanted(t, c.Dir, c.Inv, f.In.At, toCome)
				l := lifted(t, w, filesOf(t, w))
				from, to := parties(w, f.From), parties(w, f.To)
				_, b1 := w.Engine.OfAddress(f.From)
				_, b2 := w.Engine.OfAddress(f.To)
				if len(from) > 1 || len(to) > 1 || b1 != "" || b2 != "" || from[0].Workload == nil && to[0].Workload == nil {
					continue // several owners, or what nobody asks a layer about
				}
				holds := func(r *layer.Rule) bool {
					return r.Cond == nil || r.Cond.Expires.IsZero() || f.In.At.Before(r.Cond.Expires)
				}
				v := l.Decide(layer.Conversation{From: from[0], To: to[0], Protocol: f.Protocol, Port: f.Port, Holds: holds}, w.Policy.Networks)
				want := f.InForce != flow.Dropped
				if toCome {
					want = f.ToCome != flow.Dropped
				}
				if unknown(l, from[0], w.Policy.Networks) || unknown(l, to[0], w.Policy.Networks) || v.Lower != v.Upper && v.Lower == layer.Deny {
					unsure++
					continue
				}
				judged++
				if (v.Lower != layer.Deny) != want || (v.Upper != layer.Deny) != want {
					t.Errorf("%s, flows:%d, to come %v: %s to %s by %v, want %v", c.Name, f.Line, toCome, v.Lower, v.Upper, v.Rule, want)
				}
			}
		}
	}
	t.Log(judged, "conversations,", unsure, "unsure")
	if judged < 200 || unsure > judged/10 {
		t.Errorf("only %d conversations were judged, and %d were unsure", judged, unsure)
	}
}

// unknown reports whether a layer says that it does not know about a party.
func unknown(l *layer.Layer, p layer.Party, networks []netip.Prefix) bool {
	return slices.ContainsFunc(l.Unknown, func(u layer.Unknown) bool { return u.Concerns.Matches(p, networks) != layer.No })
}
