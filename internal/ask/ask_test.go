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

const estate = `
kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: web}
spec: {select: tier=web, stage: enforce}
---
kind: Zone
metadata: {name: data}
spec: {select: tier=data, stage: observe}
---
kind: Service
metadata: {name: front}
spec: {select: "app=front", ports: [{name: http, port: 8080}]}
---
kind: Service
metadata: {name: db}
spec: {select: "app=db", ports: [{name: sql, port: 5432}]}
---
kind: External
metadata: {name: psp, owner: o}
spec: {fqdns: [api.psp.example], cidrs: [192.0.2.0/24], reason: r}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: sql, effect: allow, from: {service: front}, to: {service: db}, ports: [sql], reason: r}
  - {name: api, effect: allow, from: {any: true}, to: {service: front}, ports: [http], http: [{methods: [POST], paths: [/pay/*]}], reason: r}
  - {name: backup, effect: allow, from: {zone: data}, to: {external: psp}, ports: [443/TCP], when: {hours: "01:00-03:00"}, reason: r}
  - {name: admin, effect: allow, from: {select: role=admin}, to: {zone: data}, ports: [22/TCP], require: mtls, reason: r}
---
kind: Guardrail
metadata: {name: g}
spec: {stage: enforce, never: {from: {external: psp}, to: {any: true}}}
`

const workloads = `
kind: Workload
metadata: {name: f1, labels: {tier: web, app: front}}
spec: {addresses: [10.0.0.1, 10.9.9.9]}
---
kind: Workload
metadata: {name: f2, labels: {tier: web, app: front, role: admin}}
spec: {addresses: [10.0.0.2]}
---
kind: Workload
metadata: {name: d1, labels: {tier: data, app: db}}
spec: {addresses: [10.0.0.3, 10.9.9.9], ports: [{name: admin, port: 22}]}
---
kind: Workload
metadata: {name: lone}
spec: {addresses: [10.0.0.4]}
---
kind: Frontend
metadata: {name: vip}
spec: {addresses: [10.0.0.100], ports: [{port: 80, targetPort: http}], to: {service: front}, rewrites: destination}
---
kind: Frontend
metadata: {name: hiding}
spec: {addresses: [10.0.0.101], ports: [{name: http, port: 80, targetPort: http}, {name: sql, port: 5432}, {port: 443, targetPort: 22}], to: {workloads: [f2, d1]}, rewrites: both}
---
kind: Frontend
metadata: {name: nat}
spec: {addresses: [192.0.2.50], ports: [{name: http, port: 8080}, {port: 22}], to: {workloads: [lone, f1]}, rewrites: source}
`

// TestCasesHoldAsTheReferenceSays judges random lines by both.
func TestCasesHoldAsTheReferenceSays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	end := func() string {
		return pick("service: front", "service: db", "zone: web", "zone: data", "zone: unassigned", "external: psp", "any: true", "workload: f1", "workload: lone",
			"select: role=admin", "select: app", "ip: 10.0.0.1", "ip: 10.0.0.2", "ip: 10.0.0.3", "ip: 10.0.0.4", "ip: 10.9.9.9", "ip: 192.0.2.7", "ip: 8.8.8.8", "ip: 10.77.0.1", "ip: 127.0.0.1", "ip: 10.0.0.100", "ip: 10.0.0.101", "ip: 192.0.2.50", "select: nothing=here")
	}
	var b strings.Builder
	b.WriteString(estate)
	const n = 1500
	for i := range n / 50 {
		fmt.Fprintf(&b, "---\nkind: Case\nmetadata: {name: c%d}\nspec:\n  expect:\n", i)
		for range 50 {
			fmt.Fprintf(&b, "  - {from: {%s}, to: {%s}, effect: %s, inForce: %s%s%s%s%s}\n", end(), end(), pick("allow", "deny"), pick("true", "false"),
				pick("", ", port: http", ", port: sql", ", port: 5432/TCP", ", port: 8080/TCP", ", port: 22/TCP", ", port: 443/TCP", ", port: icmp", ", port: 1-9000/TCP"),
				pick("", "", ", http: POST /pay/1", ", http: GET /pay/1"), pick("", ", mtls: false"), pick("", ", at: 2026-11-23T02:00:00Z", ", at: 2026-11-23T12:00:00Z"))
		}
	}
	dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(b.String())}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	inv := inventoryOf(t)
	p, diags := policy.Resolve(dir, inv)
	if p == nil {
		t.Fatal(diags)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	e, err := verify.New(p, verify.Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	got, want := ask.Cases(dir, e), semantics.New(dir, inv).Cases(at)
	for i := range want {
		seen[want[i].Got]++
		if got[i].Got != want[i].Got || got[i].Case != want[i].Case || got[i].Index != want[i].Index {
			x := dir.Cases[i/50].Expect[i%50]
			t.Errorf("%s: %+v → %+v: %+v, want %+v", want[i].Pos, x.From, x.To, got[i], want[i])
		}
	}
	for _, word := range []string{"allow", "deny", "unknown"} {
		if seen[word] < 50 {
			t.Errorf("only %d lines are judged %s: too few to mean anything", seen[word], word)
		}
	}
}

func inventoryOf(t *testing.T) *inventory.Snapshot {
	t.Helper()
	part, diags := file.Read(fstest.MapFS{"i.yaml": {Data: []byte(workloads)}}, "i.yaml")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	inv, diags := inventory.Join(part)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return inv
}
