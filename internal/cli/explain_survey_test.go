package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

type dice struct{ *rand.Rand }

func (d dice) of(words ...string) string { return words[d.IntN(len(words))] }

// estate is random text of few words, so that everything meets everything.
func (d dice) estate() (policyText, inventoryText string) {
	var p, w strings.Builder
	fmt.Fprintf(&p, "kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8]}\n")
	for _, z := range []string{"web", "data"} {
		fmt.Fprintf(&p, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: tier=%s, stage: %s, default: %s}\n", z, z, d.of("observe", "enforce"), d.of("deny", "deny", "allow"))
	}
	fmt.Fprintf(&p, "---\nkind: Service\nmetadata: {name: s}\nspec: {select: env=prod, ports: [{name: http, port: %s}]}\n", d.of("80", "8080"))
	fmt.Fprintf(&p, "---\nkind: Service\nmetadata: {name: u}\nspec: {select: tier, ports: [{name: sql, port: 5432}, {name: http, port: 8081}]}\n")
	p.WriteString("---\nkind: External\nmetadata: {name: x, owner: o}\nspec: {fqdns: [api.example], cidrs: [192.0.2.0/24], reason: r}\n")
	p.WriteString("---\nkind: External\nmetadata: {name: y, owner: o}\nspec: {cidrs: [192.0.2.128/25, 198.51.100.0/24], reason: r}\n")
	if d.IntN(2) == 0 {
		fmt.Fprintf(&p, "---\nkind: Guardrail\nmetadata: {name: g}\nspec: {stage: %s, never: {from: %s, to: %s, ports: [%s]}}\n", d.of("observe", "enforce"), d.end(), d.end(), d.ports())
	}
	fmt.Fprintf(&p, "---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec:\n  stage: %s\n  rules:\n", d.of("observe", "enforce", "enforce"))
	for i := range 1 + d.IntN(6) {
		fmt.Fprintf(&p, "  - {name: r%d, effect: %s, from: %s, to: %s, reason: r%s%s%s%s}\n", i, d.of("allow", "allow", "deny"), d.end(), d.end(),
			d.of("", ", ports: ["+d.ports()+"]", ", ports: ["+d.ports()+"]"),
			d.of("", "", ", http: [{methods: [POST], paths: [/a/*]}]", ", http: [{methods: [GET, POST], headers: {x-team: [ops]}}]"),
			d.of("", "", "", `, when: {hours: "06:00-22:00"}`), d.of("", "", ", stage: observe"))
	}
	for i := range 3 + d.IntN(6) {
		fmt.Fprintf(&w, "---\nkind: Workload\nmetadata: {name: w%d, labels: {%s}}\nspec: {addresses: [10.0.0.%d%s]%s}\n", i,
			d.of("tier: web", "tier: data", "tier: web, env: prod", "tier: data, env: prod", "env: prod", "app: a"), i+1, d.of("", "", ", 10.9.9.9"),
			d.of("", ", ports: [{name: http, port: 80}]", ", ports: [{name: admin, port: 22}]", ", ports: [{name: admin, port: 23}]"))
	}
	fmt.Fprintf(&w, "---\nkind: Frontend\nmetadata: {name: vip}\nspec: {addresses: [10.1.0.1], ports: [{name: http, port: 80, targetPort: %s}], to: {service: s}, rewrites: %s}\n",
		d.of("http", "80", "8080"), d.of("destination", "both"))
	return p.String(), w.String()
}

func (d dice) end() string {
	return d.of("{zone: web}", "{zone: data}", "{service: s}", "{service: u}", "{any: true}", "{external: x}", "{external: y}", "{select: env=prod}", "{select: env!=prod}")
}

func (d dice) ports() string {
	return d.of("http", "sql", "8080/TCP", "80/TCP", "22-23/TCP", "443/TCP")
}

// readTexts makes an estate; nil if the dice have made one with errors.
func readTexts(t *testing.T, policyText, inventoryText string) *loaded {
	t.Helper()
	tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(policyText)}})
	if diags.HasErrors() {
		t.Fatal(diags, policyText)
	}
	part, diags := file.Read(fstest.MapFS{"i.yaml": {Data: []byte(inventoryText)}}, "i.yaml")
	if diags.HasErrors() {
		t.Fatal(diags, inventoryText)
	}
	inv, diags := inventory.Join(part)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p, _ := policy.Resolve(tree, inv)
	if p == nil {
		return nil
	}
	return &loaded{dir: ".", tree: tree, inv: inv, p: p, eval: semantics.New(tree, inv)}
}

// everyPair is explain without any short cut.
func (l *loaded) everyPair(f explainFlags, in flow.Circumstances) (*explanation, error) {
	_, froms, err := l.parties("--from", *f.from)
	if err != nil {
		return nil, err
	}
	end, tos, err := l.parties("--to", *f.to)
	if err != nil {
		return nil, err
	}
	x := &explanation{Judged: "to come", In: in, Timed: *f.at != ""}
	for _, from := range froms {
		for _, to := range tos {
			if len(froms)*len(tos) > 1 && one(from) != nil && one(from) == one(to) {
				continue
			}
			q := question{l: l, eval: l.eval, from: from, to: to, inForce: *f.inForce, in: in}
			if q.asked, err = q.traffic(*f.port, end); err != nil {
				return nil, err
			}
			p, err := q.answer()
			if err != nil {
				return nil, err
			}
			x.add(p)
		}
	}
	x.conclude()
	l.findNearest(x, nil)
	return x, nil
}

// TestExplainIsWhatEveryPairSays asks about whole zones by the engine and pair
// by pair by the reference.
func TestExplainIsWhatEveryPairSays(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(150) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		policyText, inventoryText := d.estate()
		l := readTexts(t, policyText, inventoryText)
		if l == nil {
			seen["no estate"]++
			continue
		}
		for range 12 {
			from := d.of("zone:web", "zone:data", "zone:unassigned", "service:s", "service:u", "workload:w0", "workload:w1", "external:x", "external:y", "world", "ip:10.9.9.9", "ip:10.77.0.1", "ip:192.0.2.200")
			to := d.of("zone:web", "zone:data", "service:s", "service:u", "workload:w1", "external:x", "world", "ip:10.9.9.9", "frontend:vip")
			port := d.of("http", "sql", "admin", "8080/TCP", "80/TCP", "22/TCP", "22-23/TCP", "80-8080/TCP", "443/TCP", "icmp", "")
			at := d.of("", "2026-11-23T12:00:00Z", "2026-11-23T23:00:00Z")
			inForce := d.IntN(2) == 0
			in := flow.Circumstances{At: time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC), MTLS: d.IntN(3) > 0}
			if at != "" {
				in.At, _ = time.Parse(time.RFC3339, at)
			}
			switch d.IntN(4) {
			case 0:
				in.HTTP = &flow.Request{Method: "POST", Path: "/a/b"}
			case 1:
				in.HTTP = &flow.Request{Method: "GET", Path: "/a", Headers: map[string]string{"x-team": "ops"}}
			}
			f := explainFlags{from: &from, to: &to, port: &port, at: &at, inForce: &inForce}
			question := fmt.Sprintf("seed %d: %s → %s %s at %s in force %v %+v", seed, from, to, port, in.At, inForce, in.HTTP)
			want, wantErr := l.everyPair(f, in)
			got, err := l.explain(f, in, 0)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: error %v, want %v\n%s%s", question, err, wantErr, policyText, inventoryText)
			}
			if err != nil {
				seen["misuse"]++
				continue
			}
			seen[got.Effect]++
			seen[fmt.Sprint(min(len(got.Pairs), 3), " answers")]++
			want.From, want.To, want.Traffic, want.Judged, want.Outside = got.From, got.To, got.Traffic, got.Judged, got.Outside
			if a, b := written(t, got), written(t, want); a != b {
				t.Fatalf("%s:\n%s\nwant\n%s\n%s%s", question, a, b, policyText, inventoryText)
			}
		}
	}
	for _, what := range []string{"allow", "deny", "unknown", "misuse", "1 answers", "2 answers", "3 answers"} {
		if seen[what] < 20 {
			t.Errorf("only %d times %s: too few to mean anything (%v)", seen[what], what, seen)
		}
	}
}

// written is the answer in both forms.
func written(t *testing.T, x *explanation) string {
	t.Helper()
	var b bytes.Buffer
	if err := explainText(&b, x); err != nil {
		t.Fatal(err)
	}
	if err := explainJSON(&b, x); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
