package cli

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"firebreak/internal/corpus"
	"firebreak/internal/flow"
	"firebreak/internal/gen"
	"firebreak/internal/load"
	"firebreak/internal/netset"
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
			for _, f := range c.Flows {
				if why := c.Beyond(f, corpus.Name, corpus.Frontend); why != "" {
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
				r, lines := linesOf(t, l, reachQuestion{now: f.In.At, inForce: inForce})
				got := false
				for _, x := range lines {
					got = got || is(x.from, from, f.From) && is(x.to, to, f.To) && x.p.set.Contains(f.Protocol, f.Port, r.e.Locate(f.In))
				}
				if got != want {
					t.Errorf("%s: flows:%d: listed %v, want %v (in force: %v)", c.Name, f.Line, got, want, inForce)
				}
			}
		}
	}
}

func linesOf(t *testing.T, l *loaded, q reachQuestion) (*reach, []line) {
	t.Helper()
	r, err := l.reach(q)
	if err != nil {
		t.Fatal(err)
	}
	var out []line
	err = r.byAddress(false, plainKey, func(x line) error {
		out = append(out, x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, out
}

// is reports whether an end is what has the address.
func is(e *end, p semantics.Party, a netip.Addr) bool {
	if e.only == nil {
		return len(p.Owners) == 1 && p.Owners[0].Name == e.name
	}
	lo, hi, _ := strings.Cut(e.name, "-")
	first, last := netip.MustParseAddr(lo), netip.MustParseAddr(hi)
	return len(p.Owners) == 0 && first.Compare(a) <= 0 && a.Compare(last) <= 0 && first.Is4() == a.Is4()
}

// What reach lists of an estate is what the reference evaluator says of every
// pair of workloads and of one address of every run outside.
func TestReachAgreesWithTheReference(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(3) {
		fsys, err := gen.Estate(gen.Options{Workloads: 40, Identities: 20, Rules: 60, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		got, diags := load.FS(fsys, ".", nil)
		if got.Policy == nil {
			t.Fatal(diags)
		}
		l := &loaded{dir: ".", tree: got.Tree, inv: got.Inventory, p: got.Policy, eval: semantics.New(got.Tree, got.Inventory)}
		for _, inForce := range []bool{false, true} {
			for _, in := range []flow.Circumstances{{At: now, MTLS: true}, {At: now.Add(13 * time.Hour)}} {
				t.Run(fmt.Sprint(seed, inForce, in.At.Hour()), func(t *testing.T) { compareReach(t, l, inForce, in, now) })
			}
		}
	}
}

func compareReach(t *testing.T, l *loaded, inForce bool, in flow.Circumstances, now time.Time) {
	r, lines := linesOf(t, l, reachQuestion{now: now, inForce: inForce})
	at := r.e.Locate(in)
	listed := map[[2]string]netset.Traffic{}
	for _, x := range lines {
		listed[[2]string{x.from.name, x.to.name}] = x.p.set.Seen(at)
	}
	var parties []semantics.Party
	for _, w := range l.inv.Workloads {
		p, _ := l.eval.Workload(w.Name)
		parties = append(parties, p)
	}
	inside := len(parties)
	for _, s := range l.eval.Spans() {
		if s.Party.IsPlace() {
			parties = append(parties, s.Party)
		}
	}
	some := 0
	for i, a := range parties {
		for j, b := range parties {
			if i == j || i >= inside && j >= inside {
				continue
			}
			want := l.eval.Summarize(a, b, inForce, in).Permitted
			var found netset.Traffic
			if i < inside && j < inside {
				found = listed[[2]string{a.Name(), b.Name()}]
			} else {
				for _, x := range lines {
					if isParty(x.from, a) && isParty(x.to, b) {
						found = x.p.set.Seen(at)
					}
				}
			}
			if !want.Equal(found) {
				t.Fatalf("%s → %s: %s, want %s", a.Name(), b.Name(), found, want)
			}
			if !want.IsEmpty() {
				some++
			}
		}
	}
	if some == 0 {
		t.Error("nothing may pass: nothing was tried")
	}
}

func isParty(e *end, p semantics.Party) bool {
	if e.only != nil && p.Addr.IsValid() {
		return is(e, p, p.Addr)
	}
	return e.only == nil && len(p.Owners) == 1 && p.Owners[0].Name == e.name
}

// Where there would be too many lines, what no rule tells apart is one line, and
// nothing else is lost.
func TestReachMergesWhatIsAlike(t *testing.T) {
	fsys, err := gen.Estate(gen.Options{Workloads: 60, Identities: 10, Rules: 30, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	got, diags := load.FS(fsys, ".", nil)
	if got.Policy == nil {
		t.Fatal(diags)
	}
	l := &loaded{dir: ".", tree: got.Tree, inv: got.Inventory, p: got.Policy}
	r, err := l.reach(reachQuestion{now: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	single, merged := map[string]bool{}, map[string]bool{}
	note := func(into map[string]bool) func(line) error {
		return func(x line) error {
			from, to := x.from.name, x.to.name
			if x.from.only == nil {
				from = r.e.Name(x.from.peer)
			}
			if x.to.only == nil {
				to = r.e.Name(x.to.peer)
			}
			into[from+" "+to+" "+x.p.text] = true
			return nil
		}
	}
	lines := 0
	if err := r.byAddress(false, plainKey, func(x line) error { lines++; return note(single)(x) }); err != nil {
		t.Fatal(err)
	}
	r.merge = true
	alike := 0
	if err := r.byAddress(false, plainKey, func(x line) error { alike++; return note(merged)(x) }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(single) != fmt.Sprint(merged) {
		t.Errorf("single lines say\n%v\nmerged ones\n%v", single, merged)
	}
	if alike != len(merged) || alike >= lines {
		t.Errorf("%d lines for %d, of %d workload by workload", alike, len(merged), lines)
	}
}
