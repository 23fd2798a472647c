package adopt_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/adopt"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// random makes an estate of labelled workloads in a few namespaces, divides it
// into ends, and lets some sets pass between some of them.
func random(r *rand.Rand) (*inventory.Snapshot, *prove.Reachability) {
	inv := &inventory.Snapshot{}
	ends := 2 + r.IntN(5)
	reach := &prove.Reachability{Ends: make([]prove.End, ends+2)}
	for i := range 3 + r.IntN(9) {
		end := r.IntN(ends)
		w := inventory.Workload{Name: fmt.Sprintf("w%02d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}, Labels: map[string]string{}}
		w.Labels["app"] = fmt.Sprint("app-", end, "-", r.IntN(2))
		if r.IntN(4) > 0 {
			w.Labels["tier"] = fmt.Sprint("tier-", r.IntN(3))
		}
		if r.IntN(8) == 0 {
			w.Labels["app"] = "shared" // the same in several ends: labels do not tell them apart
		}
		inv.Workloads = append(inv.Workloads, w)
		reach.Ends[end].Workloads = append(reach.Ends[end].Workloads, i)
	}
	reach.Ends[ends] = prove.End{Prefixes: []string{"0.0.0.0/0", "::/0"}}
	reach.Ends[ends+1] = prove.End{Prefixes: []string{"198.51.100.0/24"}}
	sets := []space.Set{space.Plain(netset.All()), space.Plain(netset.Of(netset.TCP, 80, 80)), space.Plain(netset.Of(netset.UDP, 53, 60).Union(netset.Of(netset.ICMP, 0, 0))),
		space.Plain(netset.All().Subtract(netset.Of(netset.TCP, 5432, 5433)))} // as a network ACL leaves it
	open := r.IntN(3) == 0
	for i := range reach.Ends {
		for j := range reach.Ends {
			from, to := reach.Ends[i].Workloads, reach.Ends[j].Workloads
			if from == nil && to == nil || i == j && len(from) < 2 || !open && r.IntN(2) == 0 {
				continue
			}
			s := sets[r.IntN(len(sets))]
			if open {
				s = sets[0]
			}
			reach.Edges = append(reach.Edges, prove.Reached{From: i, To: j, Lower: s, Upper: s})
		}
	}
	return inv, reach
}

// resolve reads what was written, over the inventory that it was made of.
func resolve(t *testing.T, inv *inventory.Snapshot, p *adopt.Policy) *verify.Engine {
	t.Helper()
	text, parts := fstest.MapFS{}, []*inventory.Snapshot{inv}
	for _, f := range p.Files {
		if f.Name == "labels.yaml" {
			part, diags := file.Read(fstest.MapFS{f.Name: {Data: f.Text}}, f.Name)
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			parts = append(parts, part)
			continue
		}
		text[f.Name] = &fstest.MapFile{Data: f.Text}
	}
	tree, diags := lang.Parse(text)
	snap, more := inventory.Join(parts...)
	pol, resolved := policy.Resolve(tree, snap)
	if all := slices.Concat(diags, more, resolved); pol == nil || all.HasErrors() {
		t.Fatalf("%v", all)
	}
	e, err := verify.New(pol, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWhatIsWrittenIsWhatWasFound writes policies for random estates, reads them
// back and asks about every pair of workloads and both places.
func TestWhatIsWrittenIsWhatWasFound(t *testing.T) {
	for seed := range uint64(400) {
		inv, reach := random(rand.New(rand.NewPCG(seed, 7)))
		o := adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}}
		if seed%2 == 1 {
			o.Networks = []string{"10.0.0.0/8"} // which has addresses that no workload has
		}
		p := adopt.Write(inv, reach, o)
		e := resolve(t, inv, p)
		check(t, e, inv, reach)
		if t.Failed() {
			for _, f := range p.Files {
				t.Logf("%s:\n%s", f.Name, f.Text)
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

func check(t *testing.T, e *verify.Engine, inv *inventory.Snapshot, reach *prove.Reachability) {
	t.Helper()
	outside := func(a string) verify.Peer { x, _ := e.OfAddress(netip.MustParseAddr(a)); return x }
	type member struct {
		name string
		end  int
		peer verify.Peer
	}
	var all []member
	for i, x := range reach.Ends {
		for _, w := range x.Workloads {
			all = append(all, member{inv.Workloads[w].Name, i, e.OfWorkload(w)})
		}
	}
	all = append(all, member{"internet", len(reach.Ends) - 2, outside("192.0.2.1")})
	all = append(all, member{"an address of the estate's networks that nobody has", len(reach.Ends) - 2, outside("10.0.1.1")})
	if len(reach.Ends[len(reach.Ends)-1].Prefixes) > 0 {
		all = append(all, member{"net", len(reach.Ends) - 1, outside("198.51.100.1")})
	}
	for _, from := range all {
		for _, to := range all {
			got, managed := e.Permitted(from.peer, to.peer, false)
			if !managed || from == to {
				continue
			}
			var want space.Set
			for _, x := range reach.Edges {
				if x.From == from.end && x.To == to.end {
					want = x.Upper
				}
			}
			if !got.Equal(want) {
				t.Errorf("%s to %s: %s, want %s", from.name, to.name, got, want)
			}
		}
	}
}

// TestRulesAreHumanSized: what holds for a namespace is said about the
// namespace, and what is wide open takes one line.
func TestRulesAreHumanSized(t *testing.T) {
	inv := &inventory.Snapshot{}
	reach := &prove.Reachability{Ends: []prove.End{{}, {}, {Prefixes: []string{"0.0.0.0/0", "::/0"}}}}
	for i := range 20 {
		ns := []string{"open", "shut"}[i%2]
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: fmt.Sprintf("w%02d", i), Labels: map[string]string{"k8s/namespace": ns, "app": fmt.Sprintf("a%02d", i)}})
		reach.Ends[i%2].Workloads = append(reach.Ends[i%2].Workloads, i)
	}
	all, http := space.Plain(netset.All()), space.Plain(netset.Of(netset.TCP, 80, 80))
	for _, x := range []prove.Reached{{From: 0, To: 0, Upper: all}, {From: 1, To: 0, Upper: all}, {From: 2, To: 0, Upper: all}, {From: 0, To: 1, Upper: http}} {
		x.Lower = x.Upper
		reach.Edges = append(reach.Edges, x)
	}
	p := adopt.Write(inv, reach, adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}})
	check(t, resolve(t, inv, p), inv, &prove.Reachability{Ends: append(reach.Ends, prove.End{}), Edges: reach.Edges}) // the last place: none
	if p.Rules != 2 || p.Zones != 2 || len(p.Notes) > 0 {
		t.Errorf("%d rules, %d zones, notes %q", p.Rules, p.Zones, p.Notes)
	}
	var text string
	for _, f := range p.Files {
		if f.Name == "policy.yaml" {
			text = string(f.Text)
		}
	}
	for _, want := range []string{"from: {any: true}\n    to: {zone: open}", "from: {zone: open}\n    to: {zone: shut}\n    ports: [80/TCP]"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestNamesFit: labels may have 63 letters, and so may names, but two labels
// make one rule's name.
func TestNamesFit(t *testing.T) {
	long := strings.Repeat("very-", 11) + "long"
	inv := &inventory.Snapshot{}
	reach := &prove.Reachability{}
	for i := range 6 {
		app := fmt.Sprintf("%s-%d", long, i)
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: app, Labels: map[string]string{"app": app, "k8s/namespace": long}})
		reach.Ends = append(reach.Ends, prove.End{Workloads: []int{i}})
		if s := space.Plain(netset.Of(netset.TCP, 80, 80)); i > 0 {
			reach.Edges = append(reach.Edges, prove.Reached{From: 0, To: i, Upper: s, Lower: s}, prove.Reached{From: i, To: 0, Upper: s, Lower: s})
		}
	}
	e := resolve(t, inv, adopt.Write(inv, reach, adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}}))
	if got, _ := e.Permitted(e.OfWorkload(0), e.OfWorkload(5), false); got.String() != "TCP 80" {
		t.Errorf("permitted %s", got)
	}
}

// TestNamesAreNames adopts what is called like words that are no names, like
// something else, and like nothing in our letters.
func TestNamesAreNames(t *testing.T) {
	inv := &inventory.Snapshot{}
	reach := &prove.Reachability{}
	set := space.Plain(netset.Of(netset.TCP, 80, 80))
	add := func(namespace, app string) {
		end := len(reach.Ends)
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: fmt.Sprintf("w%02d", end), Labels: map[string]string{"k8s/namespace": namespace, "app": app}})
		reach.Ends = append(reach.Ends, prove.End{Workloads: []int{end}})
		if end > 0 {
			reach.Edges = append(reach.Edges, prove.Reached{From: end - 1, To: end, Upper: set, Lower: set})
		}
	}
	for _, ns := range []string{"world", "null", "unknown", "unassigned", "on", "123", "1e3", "日本"} {
		for _, app := range []string{"null", "world", "app-2", "app", "1e3", "日本"} {
			add(ns, app)
		}
	}
	e := resolve(t, inv, adopt.Write(inv, reach, adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}}))
	for i := range inv.Workloads[1:] {
		if got, _ := e.Permitted(e.OfWorkload(i), e.OfWorkload(i+1), false); !got.Equal(set) {
			t.Errorf("from %v to %v: %s", inv.Workloads[i].Labels, inv.Workloads[i+1].Labels, got)
		}
	}
}

// TestLongListsAreSaidInFull: an end of more prefixes than one External gets is
// several Externals, and nothing of it is left out.
func TestLongListsAreSaidInFull(t *testing.T) {
	const many = 50_001
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w", Labels: map[string]string{"app": "w"}}}}
	listed := prove.End{}
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(i >> 15), byte(i >> 7), byte(i << 1)}) }
	for i := range many {
		listed.Prefixes = append(listed.Prefixes, netip.PrefixFrom(at(i), 32).String())
	}
	set := space.Plain(netset.Of(netset.TCP, 443, 443))
	reach := &prove.Reachability{Ends: []prove.End{{Workloads: []int{0}}, {Prefixes: []string{"0.0.0.0/0", "::/0"}}, listed}, Edges: []prove.Reached{{From: 2, To: 0, Lower: set, Upper: set}}}
	p := adopt.Write(inv, reach, adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}})
	if p.Rules != 2 || len(p.Notes) > 0 {
		t.Errorf("%d rules, notes %q", p.Rules, p.Notes)
	}
	e := resolve(t, inv, p)
	for i, want := range map[int]space.Set{0: set, many / 2: set, many - 1: set, many: {}} {
		outside, _ := e.OfAddress(at(i))
		if got, _ := e.Permitted(outside, e.OfWorkload(0), false); !got.Equal(want) {
			t.Errorf("%v: %s, want %s", at(i), got, want)
		}
	}
}
