package istio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const estateHead = `kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8], targets: [istio]}
---
kind: Zone
metadata: {name: in, owner: o}
spec: {select: app, stage: enforce}
---
kind: External
metadata: {name: psp, owner: o}
spec: {cidrs: [203.0.113.0/24], reason: r}
---
kind: External
metadata: {name: office, owner: o}
spec: {cidrs: [198.51.100.0/24, 203.0.113.128/25], reason: r}
`

// estate is a random estate, in which each workload is a service of its own.
type estate struct {
	text   string
	inv    *inventory.Snapshot
	intent prove.Intent
	wanted *plan.Wanted
	files  []target.File
	diags  string
}

func (d dice) policy(inv *inventory.Snapshot) string {
	var b strings.Builder
	b.WriteString(estateHead)
	var services []string
	for i, w := range inv.Workloads {
		services = append(services, fmt.Sprintf("s%d", i))
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: s%d, owner: o}\nspec: {select: \"app=%s,v=%s,k8s/namespace=%s\", ports: [{name: p, port: 80}]}\n", i, w.Labels["app"], w.Labels["v"], w.Namespace)
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec:\n  stage: enforce\n  rules:\n")
	for i := range 3 + d.IntN(8) {
		end := func(ingress bool) string {
			switch {
			case d.one(8):
				return "{select: app=front}"
			case ingress && d.one(6):
				return "{external: " + d.of("psp", "office") + "}"
			case ingress && d.one(10):
				return "{any: true}"
			}
			return "{service: " + d.of(services...) + "}"
		}
		more := ""
		effect := "allow"
		if d.one(5) {
			effect = "deny"
		}
		if !d.one(4) {
			more += ", ports: [" + d.of("80/TCP", "8080/TCP", "443/TCP", "80/TCP, 9090/TCP", "8080-8090/TCP", "53/UDP") + "]"
		}
		if d.one(2) {
			var alts []string
			for range 1 + d.IntN(2) {
				var f []string
				if d.one(2) {
					f = append(f, "methods: "+d.list(2, d.method))
				}
				if !d.one(3) {
					f = append(f, "paths: "+d.list(2, func() string { return d.of("/a", "/a/*", "/", "/a/{id}/x", "/{x}/b", "/a/{x}/*", "/*", "/b/c") }))
				}
				if d.one(4) {
					f = append(f, "hosts: [shop.example]")
				}
				if d.one(4) {
					f = append(f, "headers: {x-team: [red]}")
				}
				if f == nil {
					f = []string{"methods: [GET]"}
				}
				alts = append(alts, "{"+strings.Join(f, ", ")+"}")
			}
			more += ", http: [" + strings.Join(alts, ", ") + "]"
		}
		if effect == "allow" && d.one(4) {
			more += ", require: mtls"
		}
		fmt.Fprintf(&b, "  - {name: r%d, effect: %s, from: %s, to: %s%s, reason: r}\n", i, effect, end(true), end(false), more)
	}
	return b.String()
}

func (d dice) estate(t *testing.T) *estate { return d.estateOf(t, people()) }

func (d dice) estateOf(t *testing.T, inv *inventory.Snapshot) *estate {
	e := &estate{inv: inv}
	e.text = d.policy(e.inv)
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(e.text)}})
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, e.text)
	}
	p, diags := policy.Resolve(tree, e.inv)
	if p == nil {
		t.Fatalf("%v\n%s", diags, e.text)
	}
	engine, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	e.wanted = plan.Make(tree, p, engine, plan.Options{At: noon, Targets: []string{"istio"}})
	e.intent = prove.Intent{Policy: p, Resolve: func(s *inventory.Snapshot) (*policy.Policy, error) {
		p, d := policy.Resolve(tree, s)
		if p == nil {
			return nil, fmt.Errorf("%v", d)
		}
		return p, nil
	}}
	files, list := targets.Named("istio").Render(e.wanted)
	if list.HasErrors() {
		t.Fatalf("%v\n%s", list, e.text)
	}
	e.files = files
	for _, x := range list {
		e.diags += x.String() + "\n"
	}
	return e
}

// docs takes rendered files apart.
func docs(files []target.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, strings.Split(string(f.Data), "---\n")...)
	}
	return out
}

func folder(files []target.File) *live.Folder {
	fs := fstest.MapFS{}
	for _, f := range files {
		fs[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return live.Open(fs)
}

func (e *estate) lift(files []target.File, inv *inventory.Snapshot) *layer.Layer {
	l, _ := targets.Named("istio").Lift(&target.Source{Folder: folder(files), Inventory: inv, Networks: networks, Estate: "e", Alone: true})
	return l
}

// TestRendered: what is rendered passes Istio's validation, is read as Istio
// reads it, and proves.
func TestRendered(t *testing.T) {
	var count tally
	words := map[string]int{}
	objects := 0
	for seed := range uint64(400) {
		d := dice{rand.New(rand.NewPCG(seed, 2))}
		e := d.estate(t)
		w, err := newWorld(docs(e.files))
		if err != nil {
			t.Fatal(err)
		}
		objects += len(docs(e.files))
		l := e.lift(e.files, e.inv)
		if l.Foreign > 0 || len(l.Unknown) > 0 {
			t.Fatalf("%d foreign, %v", l.Foreign, l.Unknown)
		}
		compare(t, d, w, e.inv, l, true, 40, &count)
		report, err := prove.Prove(e.intent, []*layer.Layer{l}, prove.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Results {
			words[string(r.Result)]++
			if len(r.Over) > 0 {
				t.Fatalf("seed %d: %s lets pass what was not meant: %v\n%s", seed, r.Point, r.Over, e.text)
			}
			if r.Result == prove.Wrong || !slices.Contains([]string{"exact", "exact-today"}, string(r.Result)) && !strings.Contains(e.diags, "warning") {
				t.Fatalf("seed %d: %s is %s: %s\nover %v\nunder %v\nwitness %+v\n%s\n%s\n%s", seed, r.Point, r.Result, r.Reason, r.Over, r.Under, r.Witness, e.diags, e.text, w.text())
			}
		}
	}
	t.Logf("%d rendered objects pass Istio's validation; %d cases agree exactly, %d within what is unknown; proofs: %v", objects, count.exact, count.unknown, words)
}
