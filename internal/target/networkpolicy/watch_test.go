package networkpolicy_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

const watchPolicy = `
kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8], inventory: [{file: i.yaml}]}
---
kind: Zone
metadata: {name: shop}
spec: {select: app, stage: observe, default: deny}
---
kind: External
metadata: {name: inet}
spec: {cidrs: [0.0.0.0/0, "::/0"], reason: r}
---
kind: Guardrail
metadata: {name: g, owner: o}
spec:
  stage: enforce
  `

const watchInventory = `
kind: Workload
metadata: {name: dev, labels: {app: web, env: dev, k8s/namespace: a}}
spec: {addresses: []}
---
kind: Workload
metadata: {name: prod, labels: {app: db, env: prod, k8s/namespace: b}}
spec: {addresses: []}
`

// TestAZoneThatObserves says what is denied and nothing else, or nothing at all.
func TestAZoneThatObserves(t *testing.T) {
	const dev, known = "never: {from: {select: env=dev}, to: {select: env=prod}}", "addresses: [10.0.0.7]"
	for _, c := range []struct {
		name, guardrail, addresses string
		stage                      string
		want, without, said        string
	}{
		{name: "addresses outside", guardrail: "never: {from: {external: inet}, to: {select: env=prod}}", want: `cidr: "10.0.0.0/8"`, without: "0.0.0.0/0"},
		{name: "pods whose addresses are known", guardrail: dev, addresses: known, want: `{key: env, operator: NotIn, values: [dev]}`},
		{name: "and are left out of the blocks", guardrail: dev, addresses: known, want: `cidr: "0.0.0.0/0", except: ["10.0.0.7/32", `},
		{name: "metadata services pass", guardrail: "never: {from: {select: env=dev}, to: {external: inet}}", want: `"169.254.169.254/32"`},
		{name: "pods whose addresses are not", guardrail: dev, without: "kind: NetworkPolicy", said: "one of them may be that of"},
		{name: "some ports", guardrail: "never: {from: {external: inet}, to: {select: env=prod}, ports: [22/TCP]}", without: "kind: NetworkPolicy", said: "ICMP"},
		{name: "a zone that enforces is closed", guardrail: dev, stage: "enforce", want: "ingress: []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv, text := watchInventory, watchPolicy+c.guardrail+"\n"
			if c.addresses != "" {
				inv = strings.Replace(strings.Replace(inv, "addresses: []", c.addresses, 1), "addresses: []", "addresses: [10.0.0.8]", 1)
			}
			if c.stage != "" {
				text = strings.Replace(text, "stage: observe", "stage: "+c.stage, 1)
			}
			l, diags := load.FS(fstest.MapFS{"p.yaml": {Data: []byte(text)}, "i.yaml": {Data: []byte(inv)}}, ".", nil)
			if l.Policy == nil {
				t.Fatal(diags)
			}
			at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
			e, err := verify.New(l.Policy, verify.Options{At: at})
			if err != nil {
				t.Fatal(err)
			}
			files, said := rendered(t, plan.Make(l.Tree, l.Policy, e, plan.Options{At: at}))
			if said.HasErrors() {
				t.Fatal(said)
			}
			got := all(files)
			if !strings.Contains(got, c.want) || c.without != "" && strings.Contains(got, c.without) {
				t.Errorf("want %s and not %s:\n%s\n%v", c.want, c.without, got, said)
			}
			warned := false
			for _, d := range said {
				warned = warned || d.Code == "unenforced" && strings.Contains(d.Message, c.said)
			}
			if warned != (c.said != "") {
				t.Errorf("said %v, want %q", said, c.said)
			}
		})
	}
}
