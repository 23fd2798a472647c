package lang

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
)

// everything is a document of each kind with everything that it can hold, so
// that a place that is forgotten when a document moves shows.
const everything = `kind: Estate
metadata: {name: shop, owner: platform}
spec:
  inventory: [{kube: ./manifests}, {file: ./hosts.yaml}]
  networks: [10.0.0.0/8, "fd00::/8"]
  labels: [{from: "tag:Environment", to: env, map: {production: prod}, authority: controller}]
  targets: [ebpf]
---
kind: Zone
metadata: {name: data, owner: platform-db}
spec: {select: "tier=data,env=prod", sensitivity: restricted, scope: [pci-dss], stage: enforce, default: deny}
---
kind: Service
metadata: {name: orders-db}
spec: {select: app=orders-db, ports: [{name: postgres, port: 5432, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]}
---
kind: External
metadata: {name: psp, owner: payments}
spec: {cidrs: [192.0.2.0/24, "2001:db8::/32"], fqdns: [api.psp.example], reason: card capture}
---
kind: Policy
metadata: {name: orders, owner: orders-team}
spec:
  rules:
  - {name: a, effect: allow, stage: alert, from: {service: orders}, to: {select: a=b}, ports: [postgres, 1/TCP], require: mtls,
     http: [{methods: [GET], paths: [/*], headers: {x: [y]}}, {grpc: [a.B/C]}], when: {hours: 06:00-22:00, timeZone: Europe/Berlin}}
  - {name: t, template: database-access, with: {clients: [{zone: a}, {principal: b}], database: {zone: c}, ports: [1/TCP]}}
---
kind: Guardrail
metadata: {name: g}
spec: {only: {to: {zone: data}, from: [{service: a}, {zone: b}], ports: [a], http: [{paths: [/a]}]}, controls: [x]}
---
kind: Guardrail
metadata: {name: m}
spec: {must: {rule: {to: {zone: data}}, have: [owner, reason]}}
---
kind: Exception
metadata: {name: e}
spec: {from: {zone: a}, to: {zone: b}, ports: [a], http: [{paths: [/a]}], ticket: t, approver: p, expires: 2027-01-31T18:00:00Z}
---
kind: Case
metadata: {name: c}
spec: {expect: [{from: {workload: w}, to: {ip: 192.0.2.1}, port: 1/TCP, http: {method: GET, path: /, headers: {a: b}}, at: 2026-11-22T00:00:00Z, effect: deny}]}
`

// rough are documents with something wrong, or with something to say about
// others; a shuffled tree is made of them and of those of everything.
var rough = []string{
	"kind: Zone\nmetadata: {name: web}\nspec: {select: a=b, stagee: x}\n",
	"kind: Zone\nmetadata: {name: \"a b\"}\nspec: {select: a=b}\n",
	"kind: Zoned\n",
	"kind: [\n",
	"kind: Workload\nmetadata: {name: w}\n",
	"apiVersion: v1\nkind: Pod\n",
	"# nothing\n",
	"policy: ./p\n",
	"kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - {" + goodRule + "}\n  - {" + goodRule + "}\n",
	"kind: Policy\nmetadata: {name: q}\nspec:\n  rules:\n  - {name: r, effect: deny, from: {cidr: 192.0.2.0/24}, to: {cidr: 198.51.100.0/24}}\n",
	"kind: Policy\nmetadata: {name: s}\nspec:\n  rules:\n  - {name: r, effect: deny, from: {cidr: 192.0.2.0/24}, to: {zone: a}}\n",
	long("application"), long("baseline"), long("platform"),
	"kind: External\nmetadata: {name: in}\nspec: {cidrs: [10.1.0.0/16]}\n",
	"kind: Policy\nmetadata: {name: big}\nspec:\n  rules:\n" + strings.Repeat("  - {name: r}\n", 200),
}

// long is a policy of rules that each have lines of their own.
func long(tier string) string {
	text := "---\nkind: Policy\nmetadata:\n  name: long\n  owner: b\nspec:\n  stage: observe\n  tier: " + tier + "\n  rules:\n"
	for i := range 8 {
		text += fmt.Sprintf("  - name: r%d\n    effect: allow\n    from: {select: a=b%d}\n    # why\n    to:\n      zone: b\n    ports:\n    - b\n    - 1/TCP\n    http: [{grpc: [a.B/C]}]\n", i, i)
		if i%3 == 0 {
			text += "  - {name: t" + fmt.Sprint(i) + ", template: egress-by-name, with: {from: {zone: b}, to: {external: b}}}\n"
		}
	}
	return text
}

// tree is a directory as the texts of the documents of its files.
type tree map[string][]string

func (f tree) fs() fstest.MapFS {
	out := fstest.MapFS{}
	for name, docs := range f {
		out[name] = &fstest.MapFile{Data: []byte(strings.Join(docs, "---\n"))}
	}
	return out
}

// edit changes the tree somewhere, as people do: it adds, removes, moves,
// copies and touches documents.
func (f tree) edit(rnd *rand.Rand, pool []string) {
	name := []string{"a.yaml", "b.yaml", "c/d.yml"}[rnd.IntN(3)]
	docs := f[name]
	at := rnd.IntN(len(docs) + 1)
	switch op := rnd.IntN(12); {
	case op < 3 || at == len(docs):
		docs = slices.Insert(docs, at, pool[rnd.IntN(len(pool))])
	case op == 3:
		docs = slices.Delete(docs, at, at+1)
	case op == 4:
		docs[at] = strings.Replace(docs[at], "a", "a ", 1)
	case op == 5:
		docs[at] = strings.Repeat("\n", rnd.IntN(3)) + docs[at]
	case op == 6:
		docs = slices.Insert(docs, at, fmt.Sprintf("kind: Zone\nmetadata: {name: z%d}\nspec: {select: a=b}\n", rnd.IntN(5)))
	case op < 10:
		docs[at] = editLine(rnd, docs[at])
	default:
		other := rnd.IntN(len(docs))
		docs[at], docs[other] = docs[other], docs[at]
	}
	f[name] = docs
	if rnd.IntN(30) == 0 {
		delete(f, name)
	}
}

// editLine removes, doubles, swaps or touches a line, so that rules come, go,
// move and change, or are given something else by their policy.
func editLine(rnd *rand.Rand, doc string) string {
	lines := strings.SplitAfter(doc, "\n")
	at := rnd.IntN(len(lines))
	switch rnd.IntN(5) {
	case 0:
		lines = slices.Delete(lines, at, at+1)
	case 1:
		lines = slices.Insert(lines, at, lines[at])
	case 2:
		other := rnd.IntN(len(lines))
		lines[at], lines[other] = lines[other], lines[at]
	case 3:
		lines[at] = strings.Replace(lines[at], "observe", "alert", 1)
	default:
		lines[at] = strings.Replace(lines[at], "b", "c", 1)
	}
	return strings.Join(lines, "")
}

// TestCacheSaysWhatParseSays edits a directory at random and compares. What was
// handed out must not change when the next version is read.
func TestCacheSaysWhatParseSays(t *testing.T) {
	pool := append(strings.SplitAfter(everything, "---\n"), rough...)
	for i := range pool {
		pool[i] = strings.TrimSuffix(pool[i], "---\n")
	}
	for seed := range uint64(16) {
		rnd, files, cache := rand.New(rand.NewPCG(seed, 7)), tree{"a.yaml": {estate}}, &Cache{}
		var before, copied *Dir
		for step := range 40 {
			files.edit(rnd, pool)
			want, wantList := Parse(files.fs())
			got, gotList := cache.Parse(files.fs())
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotList, wantList) {
				t.Fatalf("seed %d, step %d: got\n%s\nwant\n%s", seed, step, texts(gotList), texts(wantList))
			}
			if before != nil && !reflect.DeepEqual(before, copied) {
				t.Fatalf("seed %d, step %d: what was handed out has changed", seed, step)
			}
			before, copied = got, want
		}
	}
}

func TestUnchangedDocumentsAreTheSameNodes(t *testing.T) {
	var c Cache
	parse := func(head string) (*Dir, diag.List) {
		return c.Parse(fstest.MapFS{"a.yaml": {Data: []byte(head)}, "b.yaml": {Data: []byte(everything)}})
	}
	a, list := parse("# one\n")
	if len(list) > 0 {
		t.Fatal(texts(list))
	}
	b, _ := parse("kind: Zone\nmetadata: {name: other}\nspec: {select: a=b}\n")
	same := a.Estate == b.Estate && a.Zones[0] == b.Zones[1] && a.Services[0] == b.Services[0] && a.Externals[0] == b.Externals[0] &&
		a.Policies[0] == b.Policies[0] && a.Policies[0].Rules[0] == b.Policies[0].Rules[0] && a.Guardrails[0] == b.Guardrails[0] &&
		a.Exceptions[0] == b.Exceptions[0] && a.Cases[0] == b.Cases[0]
	if !same {
		t.Error("an unchanged document is another node")
	}
	if len(c.last) != 10 {
		t.Errorf("%d documents are kept, want 10", len(c.last))
	}
	if d, _ := parse("# three\n"); len(d.Zones) != 1 || len(c.last) != 9 {
		t.Errorf("%d zones; %d documents are kept, want 9", len(d.Zones), len(c.last))
	}
}

// TestEveryPlaceMoves moves every kind of document and looks at every place.
func TestEveryPlaceMoves(t *testing.T) {
	var c Cache
	first, _ := c.Parse(fstest.MapFS{"b.yaml": {Data: []byte(everything)}})
	moved := fstest.MapFS{"x.yaml": {Data: []byte("kind: Zone\nmetadata: {name: other}\nspec: {select: a=b}\n---\n" + everything)}}
	got, list := c.Parse(moved)
	want, _ := Parse(moved)
	if len(list) > 0 || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\ngot  %+v\nwant %+v", texts(list), got, want)
	}
	if p, q := got.Policies[0], first.Policies[0]; p == q || p.Rules[0] == q.Rules[0] || &p.Rules[0].Ports[0] == &q.Rules[0].Ports[0] {
		t.Error("what moved is the same node")
	}
	again, _ := c.Parse(moved)
	if again.Policies[0] != got.Policies[0] {
		t.Error("what stayed is another node")
	}
	if n := places(reflect.ValueOf(got)); n < 80 {
		t.Errorf("%d places were compared; the tree is too small to say anything", n)
	}
}

// places counts the places in a tree, and fails none: DeepEqual compares them.
func places(v reflect.Value) int {
	n := 0
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type().Elem().PkgPath() == nodeType.PkgPath() {
			n += places(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += places(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == posType {
			return 1
		}
		for i := range v.NumField() {
			n += places(v.Field(i))
		}
	}
	return n
}

func TestCacheOfATreeThatCannotBeRead(t *testing.T) {
	var c Cache
	files := fstest.MapFS{"a.yaml": {Data: []byte(everything)}}
	c.Parse(files)
	if d, list := c.Parse(gone{}); d == nil || len(list) != 1 {
		t.Errorf("got %s", texts(list))
	}
	if d, list := c.Parse(files); len(list) > 0 || len(d.Policies) != 1 {
		t.Errorf("got %s", texts(list))
	}
	if _, err := os.Stat("testdata/shop"); err == nil {
		d, list := c.Parse(os.DirFS("testdata/shop"))
		again, _ := c.Parse(os.DirFS("testdata/shop"))
		if len(list) > 0 || !reflect.DeepEqual(d, again) {
			t.Errorf("got %s", texts(list))
		}
	}
}
