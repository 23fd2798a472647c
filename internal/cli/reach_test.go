package cli

import (
	"net/netip"
	"os"
	"testing"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// What reach lists must be what becomes of every conversation of the corpus,
// whichever short cuts it takes.
func TestReachAgreesWithTheCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		p, diags := policy.Resolve(c.Dir, c.Inv)
		if p == nil {
			t.Fatal(diags)
		}
		l := &loaded{dir: ".", tree: c.Dir, inv: c.Inv, p: p, eval: semantics.New(c.Dir, c.Inv)}
		for _, inForce := range []bool{false, true} {
			edges := allEdges(t, l, inForce)
			for _, f := range c.Flows {
				if why := c.Beyond(f, corpus.HTTP, corpus.MTLS, corpus.Time, corpus.Name, corpus.Frontend); why != "" {
					t.Logf("%s: flows:%d: reach does not answer: it knows nothing of %s", c.Name, f.Line, why)
					continue
				}
				from, to := l.eval.Address(f.From), l.eval.Address(f.To)
				outside := len(from.Owners)+len(to.Owners) == 0
				if outside || len(from.Owners) > 1 || len(to.Owners) > 1 || from.Builtin != "" || to.Builtin != "" {
					continue // not what reach is about
				}
				want := f.ToCome == flow.Forwarded
				if inForce {
					want = f.InForce == flow.Forwarded || f.InForce == flow.Audited
				}
				if got := listed(edges, from, to, f); got != want {
					t.Errorf("%s: flows:%d: listed %v, want %v (in force: %v)", c.Name, f.Line, got, want, inForce)
				}
			}
		}
	}
}

func allEdges(t *testing.T, l *loaded, inForce bool) []edge {
	t.Helper()
	r := &reach{l: l, spans: l.eval.Spans(), inForce: inForce, sums: map[[2]string]semantics.Summary{}}
	var err error
	if r.from, err = r.nodes("--from", ""); err != nil {
		t.Fatal(err)
	}
	r.to = r.from
	return r.byAddress()
}

func listed(edges []edge, from, to semantics.Party, f corpus.Flow) bool {
	for _, e := range edges {
		if is(e.from, from, f.From) && is(e.to, to, f.To) && e.traffic.Contains(f.Protocol, f.Port) {
			return true
		}
	}
	return false
}

func is(n node, p semantics.Party, a netip.Addr) bool {
	if n.inside {
		return len(p.Owners) == 1 && p.Owners[0].Name == n.name
	}
	return len(p.Owners) == 0 && n.span.Lo.Compare(a) <= 0 && a.Compare(n.span.Hi) <= 0 && n.span.Lo.Is4() == a.Is4()
}
