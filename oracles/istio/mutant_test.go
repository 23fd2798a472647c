package istio

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
	"firebreak/internal/verify"
)

// others are values that a scalar may be changed to, by the list or field that
// it stands in.
var others = map[string][]string{
	"ports": {"80", "443", "8080", "9090"}, "notPorts": {"80", "9090"}, "methods": {"GET", "POST", "*"}, "paths": {"/a", "/a/*", "/*", "*", "/b/c"},
	"principals": {"*", "cluster.local/ns/shop/sa/web", "cluster.local/ns/bank/sa/api", "cluster.local/ns/shop/*"}, "ipBlocks": {"0.0.0.0/0", "10.0.0.0/8", "198.51.100.7"},
	"notIpBlocks": {"203.0.113.9"}, "hosts": {"*", "*.example"}, "values": {"*", "blue"}, "action": {"ALLOW", "DENY", "AUDIT"},
	"mode": {"PERMISSIVE", "DISABLE", "UNSET"}, "app": {"front", "orders", "none"}, "v": {"0", "1", "2"}, "namespace": namespaces, "key": {"request.headers[other]"},
	"name": {"front0", "orders2", "front6"},
}

// edit is a place in a tree that can be changed, and how.
type edit struct {
	kind string
	do   func()
}

// edits lists what can be done to a tree: take something out, put something
// else in, or, where rules are, let in everybody.
func edits(d dice, at string, node any, set func(any)) []edit {
	var out []edit
	switch n := node.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(n)) {
			if at == "metadata" && k != "namespace" || k == "apiVersion" || k == "kind" || k == "data" {
				continue
			}
			if at != "metadata" && k != "metadata" && k != "spec" {
				out = append(out, edit{"drop " + k, func() { delete(n, k) }})
			}
			out = append(out, edits(d, k, n[k], func(v any) { n[k] = v })...)
		}
	case []any:
		for i := range n {
			if len(n) > 1 {
				out = append(out, edit{"drop one of " + at, func() { set(slices.Delete(slices.Clone(n), i, i+1)) }})
			}
			out = append(out, edits(d, at, n[i], func(v any) { n[i] = v })...)
		}
		if at == "rules" {
			out = append(out, edit{"let in everybody", func() { set(append(slices.Clone(n), map[string]any{})) }})
		}
		if list := others[at]; list != nil {
			out = append(out, edit{"widen " + at, func() { set(append(slices.Clone(n), d.of(list...))) }})
		}
	case string:
		if list := others[at]; list != nil {
			v := d.of(list...)
			if v != n {
				out = append(out, edit{"change " + at, func() { set(v) }})
			}
		}
	}
	return out
}

// mutate changes one thing in one of the documents, or takes one out.
func mutate(d dice, docs []string) (out []string, kind string) {
	out = slices.Clone(docs)
	i := d.IntN(len(docs))
	if d.one(12) {
		return slices.Delete(out, i, i+1), "drop an object"
	}
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(docs[i]), &tree); err != nil {
		panic(err)
	}
	list := edits(d, "", tree, nil)
	if len(list) == 0 {
		return nil, ""
	}
	e := list[d.IntN(len(list))]
	e.do()
	text, err := yaml.Marshal(tree)
	if err != nil {
		panic(err)
	}
	out[i] = string(text)
	return out, e.kind
}

// grid asks Istio about every conversation that the estates' rules can tell
// apart, or nearly so, and writes the answers down.
func grid(w *world, inv *inventory.Snapshot) string {
	requests := []*flow.Request{nil}
	for _, m := range []string{"GET", "POST", "PUT"} {
		for _, p := range []string{"/", "/a", "/a/b", "/a/b/x", "/b/c", "/q/b", "/z"} {
			requests = append(requests, &flow.Request{Method: m, Path: p, Host: "other"})
		}
	}
	requests = append(requests, &flow.Request{Method: "GET", Path: "/a", Host: "shop.example"}, &flow.Request{Method: "POST", Path: "/a/b", Host: "shop.example", Headers: map[string]string{"x-team": "red"}},
		&flow.Request{Method: "GET", Path: "/a", Host: "other", Headers: map[string]string{"x-team": "red"}}, &flow.Request{Method: "GET", Path: "/b/c", Host: "x.example", Headers: map[string]string{"x-team": "blue"}})
	var b strings.Builder
	for i := range inv.Workloads {
		to := &inv.Workloads[i]
		for _, port := range []uint32{80, 443, 8080, 8085, 9090, 7} {
			for _, r := range requests {
				ask := func(s seen) {
					if s.principal != "" && w.disabled(to, port) {
						b.WriteByte('0')
						return
					}
					b.WriteByte("01"[map[bool]int{true: 1}[w.passes(to, s)]])
				}
				for _, a := range []string{"203.0.113.9", "203.0.113.200", "198.51.100.7", "8.8.8.8", "10.0.9.9"} {
					ask(seen{port: port, request: r, from: netip.MustParseAddr(a)})
				}
				for j := range inv.Workloads {
					x := &inv.Workloads[j]
					if i == j {
						continue // what a workload says to itself is nobody's business
					}
					ask(seen{port: port, request: r, from: x.Addresses[0], principal: "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]})
				}
			}
		}
	}
	return b.String()
}

// found says what a proof of some files finds.
func found(t *testing.T, in prove.Intent, docs []string, inv *inventory.Snapshot) (signature string, proven bool) {
	t.Helper()
	fs := fstest.MapFS{}
	for i, d := range docs {
		fs[fmt.Sprintf("x/%04d.yaml", i)] = &fstest.MapFile{Data: []byte(d)}
	}
	var files []target.File
	for name, f := range fs {
		files = append(files, target.File{Path: name, Data: f.Data})
	}
	l, _ := targets.Named("istio").Lift(&target.Source{Folder: folder(files), Inventory: inv, Networks: networks, Estate: "e", Alone: true})
	report, err := prove.Prove(in, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	proven = true
	for _, r := range report.Results {
		proven = proven && r.Result.Proven()
		signature += fmt.Sprintln(r.Point, r.Result, r.Over, r.Under)
	}
	return signature + fmt.Sprint(l.Unknown), proven
}

// TestMutants damages what was rendered. Istio itself says which mutants permit
// something else; each of those must be found by the proof.
func TestMutants(t *testing.T) {
	kinds := map[string]int{}
	var made, refused, same, caught int
	for seed := uint64(0); caught < 250 && seed < 400; seed++ {
		d := dice{rand.New(rand.NewPCG(seed, 3))}
		e := d.estate(t)
		whole := docs(e.files)
		before, proven := found(t, e.intent, whole, e.inv)
		w, err := newWorld(whole)
		if err != nil || !proven {
			continue
		}
		meant := grid(w, e.inv)
		for range 12 {
			mutant, kind := mutate(d, whole)
			if mutant == nil {
				continue
			}
			made++
			m, err := newWorld(mutant)
			if err != nil {
				refused++
				continue
			}
			if grid(m, e.inv) == meant {
				same++
				continue
			}
			after, proven := found(t, e.intent, mutant, e.inv)
			if proven || after == before {
				t.Fatalf("seed %d: %s: the mutant permits something else, and the proof did not see it\n%s\n%s\nbefore:\n%s", seed, kind, e.text, m.text(), w.text())
			}
			caught++
			kinds[kind]++
		}
	}
	t.Logf("%d mutants: %d refused by Istio's validation, %d permit the same, %d permit something else and are all found: %v", made, refused, same, caught, kinds)
	if caught < 200 {
		t.Error("too few mutants")
	}
}

// TestChangedInventory changes a label, a service account or a namespace. What
// was rendered before may then be wrong: it is if Istio does something else with
// what would be rendered now.
func TestChangedInventory(t *testing.T) {
	var same, caught int
	for seed := uint64(0); caught < 40 && seed < 600; seed++ {
		d := dice{rand.New(rand.NewPCG(seed, 4))}
		e := d.estate(t)
		changed := people()
		x := &changed.Workloads[d.IntN(len(changed.Workloads))]
		x.Labels = maps.Clone(x.Labels)
		switch d.IntN(3) {
		case 0:
			x.Labels["app"] = d.of("front", "orders", "new")
		case 1:
			x.Labels["v"] = d.of("0", "1", "2", "3")
		default:
			x.Labels["k8s/serviceaccount"] = d.of("web", "webby", "api", "other")
		}
		tree, _ := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(e.text)}})
		p, diags := policy.Resolve(tree, changed)
		if p == nil {
			t.Fatal(diags)
		}
		engine, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		files, list := targets.Named("istio").Render(plan.Make(tree, p, engine, plan.Options{At: noon, Targets: []string{"istio"}}))
		if list.HasErrors() {
			continue
		}
		in := prove.Intent{Policy: p}
		if _, proven := found(t, in, docs(files), changed); !proven {
			continue
		}
		now, err1 := newWorld(docs(files))
		old, err2 := newWorld(docs(e.files))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if grid(now, changed) == grid(old, changed) {
			same++
			continue
		}
		if sig, proven := found(t, in, docs(e.files), changed); proven {
			t.Fatalf("seed %d: what was rendered before %v came permits something else, and the proof did not see it: %s\n%s", seed, x.Labels, sig, e.text)
		}
		caught++
	}
	t.Logf("%d changes of the inventory make no difference, %d do and are all found", same, caught)
	if caught < 30 {
		t.Error("too few changes")
	}
}
