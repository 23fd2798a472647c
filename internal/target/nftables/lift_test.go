package nftables

import (
	"bytes"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// ports are asked about: two that rules speak of and one that none does.
type port struct {
	protocol netset.Protocol
	number   uint16
}

var asked = []port{{netset.TCP, 80}, {netset.TCP, 443}, {netset.TCP, 8080}, {netset.TCP, 5432}, {netset.TCP, 9}, {netset.UDP, 53}, {netset.UDP, 80}, {netset.SCTP, 80}, {netset.ICMP, 0}, {netset.Other, 0}}

// says is what a layer says about a pair: lower and upper.
func says(l *layer.Layer, networks []netip.Prefix, from, to layer.Party, p port) (lower, upper layer.Effect) {
	v := l.Decide(layer.Conversation{From: from, To: to, Protocol: p.protocol, Port: p.number, Holds: func(*layer.Rule) bool { return true }}, networks)
	return v.Lower, v.Upper
}

// meant reports what an L4 layer that governs both ends, as far as they are
// workloads, is to permit.
func meant(w *plan.Wanted, from, to int, p port) bool {
	e := w.Engine
	a, b := e.OfWorkload(from), e.OfWorkload(to)
	grant := func(self int, d flow.Direction, peer int) bool {
		s := w.SubjectOf(w.Policy.IdentityOf[self])
		x := e.OfWorkload(peer)
		for _, g := range s.Grants(d) {
			for _, y := range g.Peers {
				if x == y && g.Open.Contains(p.protocol, p.number) {
					return true
				}
			}
		}
		return false
	}
	_, _ = a, b
	return grant(from, flow.Egress, to) && grant(to, flow.Ingress, from)
}

func liftOf(t testing.TB, w *plan.Wanted, files map[string][]byte, alone bool) *layer.Layer {
	t.Helper()
	l, diags := Target{}.Lift(source(w, files, alone))
	for _, d := range diags {
		t.Error(d)
	}
	return l
}

// family reports whether two workloads have addresses of one family.
func related(a, b *inventory.Workload) bool {
	for _, x := range a.Addresses {
		for _, y := range b.Addresses {
			if x.Is4() == y.Is4() {
				return true
			}
		}
	}
	return false
}

// agrees compares a lifted layer with what is wanted, pair by pair.
func agrees(t testing.TB, w *plan.Wanted, l *layer.Layer) (cases int) {
	t.Helper()
	ws := w.Policy.Inventory.Workloads
	for i := range ws {
		for j := range ws {
			if i == j || !related(&ws[i], &ws[j]) || ws[i].Host == "" || ws[j].Host == "" {
				continue
			}
			for _, p := range asked {
				lower, upper := says(l, w.Policy.Networks, layer.Party{Workload: &ws[i]}, layer.Party{Workload: &ws[j]}, p)
				want := meant(w, i, j, p)
				if (upper == layer.Deny) == want || lower != upper {
					t.Errorf("%s → %s %s %d: %s to %s, wanted %v", ws[i].Name, ws[j].Name, p.protocol, p.number, lower, upper, want)
				}
				cases++
			}
		}
	}
	return cases
}

func TestLiftSaysWhatWasWanted(t *testing.T) {
	for _, name := range []string{"three-tier"} {
		w := example(t, name)
		l := liftOf(t, w, rendered(t, w), true)
		for _, u := range l.Unknown {
			t.Error(u)
		}
		if len(l.Points) == 0 || l.Ours != len(l.Points) || l.Foreign != 0 {
			t.Errorf("%d points, %d ours, %d foreign", len(l.Points), l.Ours, l.Foreign)
		}
		t.Log(name, agrees(t, w, l), "cases", len(l.Tables), "tables")
		_ = policy.Allow
	}
}

// A set's name begins with a letter, whatever the services and externals in it
// are called: nft prints others, and refuses to read what it printed.
func TestNamesOfSets(t *testing.T) {
	sets := regexp.MustCompile(`"set":\{"family":"inet","table":"firebreak","name":"([^"]*)"`)
	seen, numbered := 0, 0
	for seed := range uint64(10) {
		text := strings.ReplaceAll(strings.ReplaceAll(randomPolicy(seed), "name: x}", "name: 3x}"), "external: x", "external: 3x")
		for _, data := range rendered(t, wantedText(t, text, inventoryText())) {
			for _, m := range sets.FindAllSubmatch(data, -1) {
				if seen++; m[1][0] < 'A' {
					t.Errorf("a set is called %s", m[1])
				}
				if bytes.HasPrefix(m[1], []byte("peers_3x")) {
					numbered++
				}
			}
		}
	}
	if seen == 0 || numbered == 0 {
		t.Errorf("%d sets, %d of what has such a name", seen, numbered)
	}
}

// Pods are behind their hosts: what passes between those of one host is asked
// about both ends, there and nowhere else.
func TestLiftOfPodsSaysWhatWasWanted(t *testing.T) {
	cases := 0
	for seed := range uint64(40) {
		w := wantedText(t, randomPolicy(seed), inventoryText())
		for i := range w.Policy.Inventory.Workloads {
			x := &w.Policy.Inventory.Workloads[i]
			if seed%3 > 0 || i%2 > 0 { // else one of two stays on the host
				x.Namespace = "shop"
			}
			if seed%2 > 0 {
				x.Host = "a"
			}
		}
		l := liftOf(t, w, rendered(t, w), true)
		for _, u := range l.Unknown {
			t.Errorf("seed %d: %v", seed, u)
		}
		cases += agrees(t, w, l)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, randomPolicy(seed))
		}
	}
	t.Log(cases, "cases")
}

// Sets and maps that are read as plain addresses say what they say when they are
// read as any others, which a blank in them brings about.
func TestPlainElementsAreReadAsOthers(t *testing.T) {
	plain := 0
	for seed := range uint64(8) {
		w := wantedText(t, randomPolicy(seed), inventoryText())
		files, blank := rendered(t, w), map[string][]byte{}
		for name, data := range files {
			for line := range bytes.Lines(data) {
				if _, elements := plainElements(bytes.TrimSuffix(bytes.TrimSpace(line), []byte(","))); elements != nil {
					plain++
				}
			}
			blank[name] = bytes.ReplaceAll(data, []byte(`"elem":[`), []byte(`"elem": [`))
		}
		if got, want := liftOf(t, w, files, true), liftOf(t, w, blank, true); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
	if plain < 50 {
		t.Errorf("only %d sets and maps are plain", plain)
	}
	for _, raw := range []string{
		`{"add":{"set":{"name":"a","elem":["10.0.0.1"]}}`, `{"add":{"set":{"name":"a","elem":["10.0.0.1",]}}}`, `{"add":{"set":{"name":"a","elem":["10.0.0"]}}}`,
		`{"add":{"set":{"name":"a","elem":[{"range":["10.0.0.2","10.0.0.1"]}]}}}`, `{"add":{"set":{"name":"a","elem":[{"range":["10.0.0.2","::1"]}]}}}`, `{"add":{"set":{"name":"a","elem":[{"prefix":{"addr":"10.0.0.0","len":33}}]}}}`,
		`{"add":{"set":{"name":"a","elem":["::ffff:10.0.0.1"]}}}`, `{"add":{"set":{"name":"a","elem":["10.0.0.1" "10.0.0.2"]}}}`, `{"add":{"map":{"name":"a","elem":[["10.0.0.1",{"goto":{"target":"a\\u0062"}}]]}}}`,
		`{"add":{"map":{"name":"a","elem":[["10.0.0.1",{"jump":{"target":"a"}}]]}}}`, `{"set":{"x":{"name":"a","elem":["10.0.0.1"]}}}`, `{"add":{"set":{"name":"a","elem":[]}}}`,
	} {
		if _, elements := plainElements([]byte(raw)); elements != nil {
			t.Errorf("%s: %v", raw, elements)
		}
	}
}
