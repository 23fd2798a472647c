package nftables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/load"
	"firebreak/internal/semantics"
)

// spareGround has addresses on each host beside those of the estate's workloads: where
// others may come to be.
func spareGround() map[string][]netip.Prefix {
	out := ground()
	for i, h := range []string{"a", "b"} {
		out[h] = append(out[h], netip.MustParsePrefix(fmt.Sprintf("10.91.%d.13/24", i+1)), netip.MustParsePrefix(fmt.Sprintf("fd91:0:0:%d::13/64", i+1)))
	}
	return out
}

func spare(host string) []netip.Addr {
	n := map[string]int{"a": 1, "b": 2}[host]
	return []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.91.%d.13", n)), netip.MustParseAddr(fmt.Sprintf("fd91:0:0:%d::13", n))}
}

// changes are what may happen to an inventory after files were rendered. Every
// address stays on the host that really has it.
var changes = []struct {
	name string
	do   func(*rand.Rand, *inventory.Snapshot)
}{
	{"another tier", func(r *rand.Rand, s *inventory.Snapshot) {
		one(r, s).Labels["tier"] = []string{"web", "data", "app", "none"}[r.IntN(4)]
	}},
	{"a label goes", func(r *rand.Rand, s *inventory.Snapshot) {
		delete(one(r, s).Labels, []string{"tier", "env"}[r.IntN(2)])
	}},
	{"another environment", func(r *rand.Rand, s *inventory.Snapshot) {
		one(r, s).Labels["env"] = []string{"prod", "dev"}[r.IntN(2)]
	}},
	{"two swap places", func(r *rand.Rand, s *inventory.Snapshot) {
		a, b := one(r, s), one(r, s)
		a.Host, b.Host, a.Addresses, b.Addresses = b.Host, a.Host, b.Addresses, a.Addresses
	}},
	{"another address", func(r *rand.Rand, s *inventory.Snapshot) {
		w := one(r, s)
		w.Addresses = spare(w.Host)
	}},
	{"another host", func(r *rand.Rand, s *inventory.Snapshot) {
		w := one(r, s)
		w.Host = map[string]string{"a": "b", "b": "a"}[w.Host]
		w.Addresses = spare(w.Host)
	}},
	{"one more address", func(r *rand.Rand, s *inventory.Snapshot) {
		w := one(r, s)
		w.Addresses = slices.Concat(w.Addresses, spare(w.Host))
	}},
	{"a new workload", func(r *rand.Rand, s *inventory.Snapshot) {
		w := *one(r, s)
		w.Name, w.Addresses = "new", spare(w.Host)
		s.Workloads = append(s.Workloads, w)
	}},
	{"a workload goes", func(r *rand.Rand, s *inventory.Snapshot) {
		i := r.IntN(len(s.Workloads))
		s.Workloads = slices.Delete(s.Workloads, i, i+1)
	}},
	{"an address is taken over", func(r *rand.Rand, s *inventory.Snapshot) {
		i, j := r.IntN(len(s.Workloads)), r.IntN(len(s.Workloads))
		s.Workloads[i].Host, s.Workloads[i].Addresses = s.Workloads[j].Host, s.Workloads[j].Addresses
		if i != j {
			s.Workloads = slices.Delete(s.Workloads, j, j+1)
		}
	}},
}

func one(r *rand.Rand, s *inventory.Snapshot) *inventory.Workload {
	return &s.Workloads[r.IntN(len(s.Workloads))]
}

// cloned is an inventory that may be changed.
func cloned(s *inventory.Snapshot) *inventory.Snapshot {
	out := &inventory.Snapshot{Frontends: s.Frontends, Networks: s.Networks, Workloads: slices.Clone(s.Workloads)}
	for i := range out.Workloads {
		w := &out.Workloads[i]
		w.Addresses = slices.Clone(w.Addresses)
		labels := map[string]string{}
		for k, v := range w.Labels {
			labels[k] = v
		}
		w.Labels = labels
	}
	return out
}

func parsedText(t testing.TB, policy string) (*lang.Dir, *inventory.Snapshot) {
	t.Helper()
	l, diags := load.FS(fstest.MapFS{"policy.yaml": {Data: []byte(policy)}, "inventory.yaml": {Data: []byte(inventoryText())}}, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	return l.Tree, l.Policy.Inventory
}

// Files that were rendered of an inventory that has changed since are proven
// only where packets still do what the reference evaluator says of the new one.
func TestChangedInventoriesAreSeen(t *testing.T) {
	f := newField(t, "fbnfti", spareGround())
	f.quiet()
	total, beyond, short, caught, alarms := 0, 0, 0, 0, 0
	kinds := map[string]int{}
	for seed := uint64(300); total < *mutants && !t.Failed(); seed++ {
		tree, inv := parsedText(t, randomPolicy(seed))
		w := wanted(t, tree, inv)
		files := rendered(t, w)
		if !loadBoth(f, files) {
			t.Fatalf("seed %d is not loaded", seed)
		}
		original := proofOf(t, w, liftOf(t, w, files, true))
		if !original.proven {
			t.Fatalf("seed %d: %s", seed, original.text)
		}
		qs := questions(w, f)
		f.sendFor(probesOf(qs), 250*time.Millisecond)
		before := semantics.New(tree, inv)
		r := rand.New(rand.NewPCG(6, seed))
		for range 30 {
			changed := cloned(inv)
			c := &changes[r.IntN(len(changes))]
			c.do(r, changed)
			slices.SortFunc(changed.Workloads, func(a, b inventory.Workload) int { return strings.Compare(a.Name, b.Name) })
			if fmt.Sprint(changed) == fmt.Sprint(inv) {
				continue
			}
			total++
			after := semantics.New(tree, changed)
			more, less := (*question)(nil), (*question)(nil)
			for _, q := range qs {
				switch verdict := ruled(after, q); {
				case verdict == flow.Unjudged:
				case verdict == flow.Dropped && q.passed:
					more = q
				case abandoned(after, q): // what stands at an address of nobody's shuts out nobody
				case verdict != flow.Dropped && !q.passed && ruled(before, q) == flow.Dropped:
					less = q
				}
			}
			w := wanted(t, tree, changed)
			said := proofOf(t, w, liftOf(t, w, files, true))
			switch wrong := more != nil || less != nil; {
			case wrong && !said.catches(original):
				q := more
				if q == nil {
					q = less
				}
				t.Errorf("seed %d, %s: %s: packet %v, and the files are proven:\n%s", seed, c.name, q.describe(), q.passed, said.text)
			case wrong:
				caught++
			case !said.proven:
				alarms++
			}
			if more != nil {
				beyond++
				kinds[c.name]++
			} else if less != nil {
				short++
			}
		}
	}
	t.Logf("%d changed inventories: files permit more in %d, only less in %d; %d of them caught; %d more are not proven; %v", total, beyond, short, caught, alarms, kinds)
	if beyond < total/10 || caught != beyond+short {
		t.Errorf("of %d, %d permit more: the test shows little", total, beyond)
	}
}

// ruled is what the text means for a conversation between two addresses:
// Unjudged where neither is a workload's.
func ruled(e *semantics.Evaluator, q *question) flow.Verdict {
	return e.Decide(e.Address(q.from), e.Address(q.to), q.port.protocol, q.port.number, flow.Circumstances{At: now, MTLS: true}).InForce
}

// abandoned reports whether an end is an address of the estate that nobody has
// any more.
func abandoned(e *semantics.Evaluator, q *question) bool {
	return e.Address(q.from).Unknown || e.Address(q.to).Unknown
}
