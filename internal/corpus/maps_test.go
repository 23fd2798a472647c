package corpus_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/corpus"
	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/semantics"
	"firebreak/internal/target"
	"firebreak/internal/target/ebpf"
	"firebreak/internal/verify"
)

// mapsOf renders a case for one host that runs everything, as target ebpf does.
func mapsOf(t *testing.T, c corpus.Case, at time.Time) (*plan.Wanted, []byte) {
	t.Helper()
	inv := &inventory.Snapshot{Workloads: slices.Clone(c.Inv.Workloads), Frontends: c.Inv.Frontends, Networks: c.Inv.Networks}
	for i := range inv.Workloads {
		inv.Workloads[i].Host = "h"
	}
	p, diags := policy.Resolve(c.Dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	w := plan.Make(c.Dir, p, e, plan.Options{At: at, KeepsTime: func(*inventory.Workload) bool { return true }})
	files, diags := ebpf.Target{}.Render(w)
	if diags.HasErrors() || len(files) != 1 {
		t.Fatalf("%d files: %v", len(files), diags)
	}
	return w, files[0].Data
}

func liftMaps(w *plan.Wanted, data []byte) (*layer.Layer, bool) {
	l, diags := ebpf.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"h.maps.json": {Data: data}}), Inventory: w.Policy.Inventory, Networks: w.Policy.Networks, Estate: w.Policy.Estate})
	return l, !diags.HasErrors()
}

// loadDump loads a dump into the kernel of a host whose own processes may do
// everything.
func (k *kernel) loadDump(t *testing.T, d *layout.Dump, now time.Time) {
	t.Helper()
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		t.Fatal(err)
	}
	tables := d.Tables()
	tables.Clock = now.UnixNano() - boot.Nano()
	tables.HostIdentity = neutral
	for _, way := range []flow.Direction{flow.Egress, flow.Ingress} {
		tables.Policy[layout.PolicyKey{Local: neutral, Direction: way}] = layout.PolicyValue{InForceRule: layout.FirstRule, ToComeRule: layout.FirstRule, AllowInForce: true, AllowToCome: true}
	}
	if _, err := k.dp.Apply(tables); err != nil {
		t.Fatal(err)
	}
}

// The file that is rendered is what the kernel holds when it is loaded.
func TestKernelReadsBackWhatWasRendered(t *testing.T) {
	k := newKernel(t)
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		_, data := mapsOf(t, c, corpus.Noon)
		d, err := layout.ParseDump(data)
		if err != nil {
			t.Fatal(err)
		}
		k.loadDump(t, d, corpus.Noon)
		back, err := k.dp.Dump()
		if err != nil {
			t.Fatal(err)
		}
		got, want := back.Tables(), d.Tables()
		for _, way := range []flow.Direction{flow.Egress, flow.Ingress} {
			delete(got.Policy, layout.PolicyKey{Local: neutral, Direction: way})
		}
		if back.Default != neutral || !reflect.DeepEqual(got.Policy, want.Policy) || !same(got.Addresses, want.Addresses) || !same(got.Classes, want.Classes) {
			t.Errorf("%s: the kernel holds %d decisions, %d addresses, %d classes; loaded were %d, %d, %d", c.Name,
				len(got.Policy), len(got.Addresses), len(got.Classes), len(want.Policy), len(want.Addresses), len(want.Classes))
		}
	}
}

// same compares without regard to order.
func same[T comparable](a, b []T) bool {
	count := map[T]int{}
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// mutateMaps changes one thing of a dump's JSON tree; false if it found nothing.
func mutateMaps(r *rand.Rand, tree map[string]any) (string, bool) {
	list := func(name string) []any { l, _ := tree[name].([]any); return l }
	one := func(name string) map[string]any {
		l := list(name)
		if len(l) == 0 {
			return nil
		}
		return l[r.IntN(len(l))].(map[string]any)
	}
	switch r.IntN(9) {
	case 0, 1:
		e := one("policy")
		e["allow"] = e["allow"] != true
		return "a decision is turned", true
	case 2:
		l := list("policy")
		i := r.IntN(len(l))
		tree["policy"] = slices.Delete(slices.Clone(l), i, i+1)
		return "a decision goes", true
	case 3:
		a, b := one("policy"), one("policy")
		a["peer"], b["peer"] = b["peer"], a["peer"]
		return "peers are swapped", a["peer"] != b["peer"]
	case 4:
		e := one("policy")
		e["direction"] = map[any]any{"ingress": "egress", "egress": "ingress"}[e["direction"]]
		return "a direction is swapped", e["direction"] != nil
	case 5:
		if c := one("classes"); c != nil {
			c["lo"], c["hi"] = 0, 65535
			return "a class is widened", true
		}
	case 6:
		a, b := one("addresses"), one("addresses")
		a["peer"], b["peer"] = b["peer"], a["peer"]
		return "addresses change owners", a["peer"] != b["peer"] && a["rule"] == nil && b["rule"] == nil
	case 7:
		a, b := one("policy"), one("policy")
		a["class"], b["class"] = b["class"], a["class"]
		return "classes are swapped", a["class"] != b["class"]
	case 8:
		if e := one("policy"); e["until"] != nil {
			delete(e, "until")
			return "a deadline goes", true
		}
	}
	return "", false
}

// mutants is how many are made; `make oracles` makes many.
var mutants = flag.Int("mutants", 60, "how many mutants the kernel judges, of maps and of inventories each")

// proofOf is what prove says of maps alone, as of noon.
func proofOf(t *testing.T, w *plan.Wanted, data []byte) (proven bool, text string) {
	t.Helper()
	l, ok := liftMaps(w, data)
	r, err := prove.Prove(prove.Intent{Policy: w.Policy}, []*layer.Layer{l}, prove.Options{At: corpus.Noon})
	if err != nil {
		t.Fatal(err)
	}
	proven = ok
	results := slices.Clone(r.Results)
	if r.Together != nil {
		results = append(results, *r.Together)
	}
	for _, x := range results {
		proven = proven && x.Result.Proven()
		text += fmt.Sprintln(x.Point, x.Result, x.Reason, x.Over, x.Under)
	}
	return proven, text
}

// provenCase is a case whose maps are proven, with what the kernel does to some
// conversations.
type provenCase struct {
	corpus.Case
	w    *plan.Wanted
	data []byte
	said string
	qs   []*pairQuestion
}

func provenCases(t *testing.T) []*provenCase {
	t.Helper()
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*provenCase
	for _, c := range cases {
		w, data := mapsOf(t, c, corpus.Noon)
		if proven, said := proofOf(t, w, data); proven {
			out = append(out, &provenCase{c, w, data, said, pairsOf(w)})
		}
	}
	t.Logf("%d of %d cases are proven, so that mutants of them can be", len(out), len(cases))
	if len(out) < len(cases)/3 {
		t.Fatal("those are too few")
	}
	return out
}

// passes tries a conversation that is new to the kernel.
func (k *kernel) passes(t *testing.T, q *pairQuestion) bool {
	t.Helper()
	k.port++
	ok, err := k.dp.Try(packet(q.f, k.port))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Of every mutant the lifted layer says what the kernel does, and no proof of
// one that permits more passes.
func TestKernelJudgesMutantsOfMaps(t *testing.T) {
	k := newKernel(t)
	cases := provenCases(t)
	r := rand.New(rand.NewPCG(9, 9))
	total, beyond, caught, agreed := 0, 0, 0, 0
	for round := 0; total < *mutants && round < 20**mutants; round++ {
		c := cases[r.IntN(len(cases))]
		var tree map[string]any
		if err := json.Unmarshal(c.data, &tree); err != nil {
			t.Fatal(err)
		}
		what, ok := mutateMaps(r, tree)
		if !ok {
			continue
		}
		changed, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		d, err := layout.ParseDump(changed)
		if err != nil {
			continue
		}
		total++
		k.loadDump(t, d, corpus.Noon)
		l, _ := liftMaps(c.w, changed)
		before, _ := liftMaps(c.w, c.data)
		var more *pairQuestion
		for _, q := range c.qs {
			passes := k.passes(t, q)
			lower, upper := q.says(l, c.w)
			if _, was := q.says(before, c.w); passes && was == layer.Deny {
				more = q
			}
			// whose address is another's, the kernel takes for a forger besides
			forged := what == "addresses change owners"
			if !q.doubted(l, c.w) && (passes && upper == layer.Deny || !passes && lower != layer.Deny && !forged) {
				t.Errorf("%s, %s: %s → %s %s %d: the kernel says %v, the layer %s to %s", c.Name, what, q.f.From, q.f.To, q.f.Protocol, q.f.Port, passes, lower, upper)
				return
			}
			agreed++
		}
		if more == nil {
			continue
		}
		beyond++
		if proven, said := proofOf(t, c.w, changed); proven || said == c.said {
			t.Errorf("%s, %s: %s → %s %s %d passes, and is proven:\n%s", c.Name, what, more.f.From, more.f.To, more.f.Protocol, more.f.Port, said)
		} else {
			caught++
		}
	}
	t.Logf("%d mutants, %d permit more, %d of them caught by the proof; %d conversations agreed", total, beyond, caught, agreed)
	if total < *mutants || beyond < total/20 || caught != beyond {
		t.Error("that is too few, or not all")
	}
}

// changeInventory changes one thing of an inventory whose hosts keep the maps
// that they have.
func changeInventory(r *rand.Rand, s *inventory.Snapshot) (what string) {
	one := func() *inventory.Workload { return &s.Workloads[r.IntN(len(s.Workloads))] }
	w := one()
	switch r.IntN(6) {
	case 0: // another's labels
		w.Labels, w.Zone = one().Labels, ""
		return "another's labels"
	case 1:
		labels := maps.Clone(w.Labels)
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			delete(labels, key)
			break
		}
		w.Labels = labels
		return "a label goes"
	case 2:
		x := one()
		w.Addresses, x.Addresses = x.Addresses, w.Addresses
		return "addresses are swapped"
	case 3:
		x := *w
		x.Name, x.Addresses = "new", []netip.Addr{netip.MustParseAddr("10.250.250.250")}
		s.Workloads = append(s.Workloads, x)
		return "a new workload"
	case 4:
		i := r.IntN(len(s.Workloads))
		s.Workloads = slices.Delete(s.Workloads, i, i+1)
		return "a workload goes"
	default:
		w.Addresses = []netip.Addr{netip.MustParseAddr("10.250.250.250")}
		return "another address"
	}
}

// Maps that were rendered of an inventory that has changed since are not proven
// where the kernel lets pass what the reference evaluator denies under the new
// one.
func TestKernelJudgesChangedInventories(t *testing.T) {
	k := newKernel(t)
	cases := provenCases(t)
	r := rand.New(rand.NewPCG(3, 9))
	total, beyond, caught, alarms := 0, 0, 0, 0
	kinds := map[string]int{}
	for round := 0; total < *mutants && round < 20**mutants; round++ {
		c := cases[r.IntN(len(cases))]
		inv := &inventory.Snapshot{Workloads: slices.Clone(c.w.Policy.Inventory.Workloads), Frontends: c.w.Policy.Inventory.Frontends, Networks: c.w.Policy.Inventory.Networks}
		if len(inv.Workloads) < 2 {
			continue
		}
		what := changeInventory(r, inv)
		slices.SortFunc(inv.Workloads, func(a, b inventory.Workload) int { return strings.Compare(a.Name, b.Name) })
		p, _ := policy.Resolve(c.Dir, inv)
		if p == nil || reflect.DeepEqual(inv.Workloads, c.w.Policy.Inventory.Workloads) {
			continue // it is none, or nothing changed
		}
		total++
		d, err := layout.ParseDump(c.data)
		if err != nil {
			t.Fatal(err)
		}
		k.loadDump(t, d, corpus.Noon)
		w := *c.w
		w.Policy = p
		after := semantics.New(c.Dir, inv)
		var more *pairQuestion
		for _, q := range pairsOf(&w) {
			v := after.Decide(after.Address(q.f.From), after.Address(q.f.To), q.f.Protocol, q.f.Port, flow.Circumstances{At: corpus.Noon, MTLS: true})
			if v.InForce == flow.Dropped && k.passes(t, q) {
				more = q
			}
		}
		proven, said := proofOf(t, &w, c.data)
		switch {
		case more == nil && !proven:
			alarms++
		case more == nil:
		case proven:
			t.Errorf("%s, %s: %s → %s %s %d passes, and is proven:\n%s", c.Name, what, more.f.From, more.f.To, more.f.Protocol, more.f.Port, said)
		default:
			caught++
		}
		if more != nil {
			beyond++
			kinds[what]++
		}
	}
	t.Logf("%d changed inventories, maps permit more in %d, %d of them caught; %d more are not proven; %v", total, beyond, caught, alarms, kinds)
	if total < *mutants || beyond < total/20 || caught != beyond {
		t.Error("that is too few, or not all")
	}
}

// pairQuestion is a conversation between two ends of a case.
type pairQuestion struct {
	f    corpus.Flow
	a, b layer.Party
}

func (q *pairQuestion) says(l *layer.Layer, w *plan.Wanted) (lower, upper layer.Effect) {
	holds := func(r *layer.Rule) bool {
		return r.Cond == nil || r.Cond.Expires.IsZero() || corpus.Noon.Before(r.Cond.Expires)
	}
	v := l.Decide(layer.Conversation{From: q.a, To: q.b, Protocol: q.f.Protocol, Port: q.f.Port, Holds: holds}, w.Policy.Networks)
	return v.Lower, v.Upper
}

func (q *pairQuestion) doubted(l *layer.Layer, w *plan.Wanted) bool {
	return slices.ContainsFunc(l.Unknown, func(u layer.Unknown) bool {
		return u.Concerns.Matches(q.a, w.Policy.Networks) != layer.No || u.Concerns.Matches(q.b, w.Policy.Networks) != layer.No
	})
}

// pairsOf are some conversations of a case: between all addresses that one
// workload has, and with one address outside. Each must be a new one to the
// kernel, which those without ports or an identifier are not.
func pairsOf(w *plan.Wanted) []*pairQuestion {
	owners := map[netip.Addr]int{}
	for _, x := range w.Policy.Inventory.Workloads {
		for _, a := range x.Addresses {
			owners[a]++
		}
	}
	type place struct {
		a netip.Addr
		p layer.Party
	}
	outside := netip.MustParseAddr("198.51.100.77")
	places := []place{{outside, layer.Party{Addr: outside}}}
	for i := range w.Policy.Inventory.Workloads {
		x := &w.Policy.Inventory.Workloads[i]
		if len(x.Addresses) == 1 && owners[x.Addresses[0]] == 1 && len(places) < 6 {
			places = append(places, place{x.Addresses[0], layer.Party{Workload: x}})
		}
	}
	var out []*pairQuestion
	for _, x := range places {
		for _, y := range places {
			if x.a == y.a || x.a.Is4() != y.a.Is4() {
				continue
			}
			for _, p := range []corpus.Flow{{Protocol: netset.TCP, Port: 80}, {Protocol: netset.TCP, Port: 5432}, {Protocol: netset.TCP, Port: 443}, {Protocol: netset.UDP, Port: 53}, {Protocol: netset.ICMP}} {
				p.From, p.To = x.a, y.a
				out = append(out, &pairQuestion{p, x.p, y.p})
			}
		}
	}
	return out
}
