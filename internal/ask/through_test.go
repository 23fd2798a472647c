package ask_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/ask"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// randomEstate has frontends of every kind before few workloads, and Cases
// about them.
func randomEstate(r *rand.Rand) (policyText, inventoryText string) {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	end := func() string {
		return pick("{zone: web}", "{zone: data}", "{service: s}", "{any: true}", "{any: true}", "{external: x}", "{external: n}", "{select: env=prod}", "{select: env!=prod}")
	}
	var p, w strings.Builder
	p.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8]}\n")
	for _, z := range []string{"web", "data"} {
		fmt.Fprintf(&p, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: tier=%s, stage: %s, default: %s}\n", z, z, pick("observe", "enforce"), pick("deny", "deny", "allow"))
	}
	fmt.Fprintf(&p, "---\nkind: Service\nmetadata: {name: s}\nspec: {select: env=prod, ports: [{name: %s, port: 80}, {name: web, port: 8080}]}\n", pick("http", "other"))
	p.WriteString("---\nkind: Service\nmetadata: {name: t}\nspec: {select: tier, ports: [{name: http, port: 8081}]}\n")
	p.WriteString("---\nkind: External\nmetadata: {name: x, owner: o}\nspec: {fqdns: [api.example], cidrs: [192.0.2.0/24], reason: r}\n")
	p.WriteString("---\nkind: External\nmetadata: {name: n, owner: o}\nspec: {fqdns: [www.example], reason: r}\n")
	if r.IntN(3) == 0 {
		fmt.Fprintf(&p, "---\nkind: Guardrail\nmetadata: {name: g}\nspec: {stage: %s, never: {from: %s, to: %s, ports: [80/TCP]}}\n", pick("observe", "enforce"), end(), end())
	}
	fmt.Fprintf(&p, "---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec:\n  stage: enforce\n  rules:\n")
	for i := range 1 + r.IntN(5) {
		fmt.Fprintf(&p, "  - {name: r%d, effect: %s, from: %s, to: %s, reason: r%s%s%s%s}\n", i, pick("allow", "allow", "deny"), end(), end(),
			pick("", ", ports: [80/TCP]", ", ports: [http]", ", ports: [8000-9000/TCP]"), pick("", "", ", http: [{methods: [POST]}]"),
			pick("", "", `, when: {hours: "06:00-22:00"}`), pick("", "", ", stage: observe"))
	}
	for i := range 2 + r.IntN(4) {
		fmt.Fprintf(&w, "---\nkind: Workload\nmetadata: {name: w%d, labels: {%s}}\nspec: {addresses: [10.0.0.%d%s]%s}\n", i,
			pick("tier: web", "tier: data", "tier: web, env: prod", "env: prod", "app: a"), i+1, pick("", "", ", 10.9.9.9"), pick("", ", ports: [{name: http, port: 80}]", ", ports: [{name: http, port: 8082}]"))
	}
	for i, address := range []string{"10.1.0.1", "192.0.2.9", "10.9.9.9"} {
		fmt.Fprintf(&w, "---\nkind: Frontend\nmetadata: {name: f%d}\nspec: {addresses: [%s], ports: [{name: http, port: 80, targetPort: %s}%s], to: %s, rewrites: %s}\n", i, address,
			pick("http", "80", "8080", "8081"), pick("", ", {port: 443, targetPort: 8080}", ", {port: 80, protocol: UDP, targetPort: 80}"), pick("{service: s}", "{service: t}", "{workloads: [w0, w1]}"), pick("destination", "source", "both"))
	}
	for i := range 2 {
		fmt.Fprintf(&p, "---\nkind: Case\nmetadata: {name: c%d}\nspec:\n  expect:\n", i)
		for range 20 {
			from := pick("zone: web", "service: s", "any: true", "workload: w0", "workload: w1", "external: x", "ip: 10.9.9.9", "ip: 8.8.8.8", "ip: 10.77.0.1", "ip: 10.1.0.1")
			fmt.Fprintf(&p, "  - {from: {%s}, to: {ip: %s}, effect: %s, inForce: %s%s%s%s}\n", from, pick("10.1.0.1", "192.0.2.9", "10.9.9.9"), pick("allow", "deny"), pick("true", "false"),
				pick("", ", port: http", ", port: 80/TCP", ", port: 80/TCP", ", port: 443/TCP", ", port: 80/UDP", ", port: 1-443/TCP"), pick("", "", ", http: POST /a", ", http: GET /a"), pick("", ", at: 2026-11-23T23:00:00Z"))
		}
	}
	return p.String(), w.String()
}

// TestFrontendsAreWhatTheReferenceSays judges Cases about frontends by both.
func TestFrontendsAreWhatTheReferenceSays(t *testing.T) {
	seen := map[string]int{}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for seed := range uint64(100) {
		policyText, inventoryText := randomEstate(rand.New(rand.NewPCG(seed, 3)))
		dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(policyText)}})
		if diags.HasErrors() {
			t.Fatal(diags, policyText)
		}
		part, diags := file.Read(fstest.MapFS{"i.yaml": {Data: []byte(inventoryText)}}, "i.yaml")
		if diags.HasErrors() {
			t.Fatal(diags, inventoryText)
		}
		inv, _ := inventory.Join(part)
		p, _ := policy.Resolve(dir, inv)
		if p == nil {
			seen["no estate"]++
			continue
		}
		e, err := verify.New(p, verify.Options{At: at})
		if err != nil {
			t.Fatal(err)
		}
		got, want := ask.Cases(dir, e), semantics.New(dir, inv).Cases(at)
		for i := range want {
			seen[want[i].Got]++
			if got[i].Got != want[i].Got {
				t.Fatalf("seed %d, %s:\n%+v, want\n%+v\n%s%s", seed, want[i].Pos, got[i], want[i], policyText, inventoryText)
			}
		}
	}
	for _, word := range []string{"allow", "deny", "unknown"} {
		if seen[word] < 100 {
			t.Errorf("only %d lines are judged %s: too few to mean anything", seen[word], word)
		}
	}
	if seen["no estate"] > 50 {
		t.Errorf("%d estates have errors", seen["no estate"])
	}
}
