package policy_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// Resolving must end without a panic whatever the text and the inventory say,
// also if parsing found them wrong: check goes on to show all there is to say.
func FuzzResolve(f *testing.F) {
	f.Add(rules("application", "  - {name: r, effect: allow, from: {zone: web}, to: {service: db}, ports: [postgres, 1-2/UDP], reason: x}\n"),
		"kind: Workload\nmetadata: {name: a, labels: {tier: web}}\nspec: {addresses: [10.0.0.1], ports: [{name: postgres, port: 1}]}\n")
	f.Add(rules("platform\n  priority: 1", "  - {name: r, effect: pass, from: {select: 'tier!=web'}, to: {cidr: 192.0.2.0/24}, reason: x}\n"), "")
	f.Fuzz(func(t *testing.T, text, workloads string) {
		fsys := fstest.MapFS{"p.yaml": {Data: []byte(text)}, "inv.yaml": {Data: []byte(workloads)}}
		d, list := lang.Parse(fsys)
		inv, more := file.Read(fsys, "inv.yaml")
		p, found := policy.Resolve(d, inv)
		if (p == nil) != found.HasErrors() {
			t.Fatalf("policy is nil: %v, but %v", p == nil, found)
		}
		if p != nil && !list.HasErrors() && !more.HasErrors() && len(p.IdentityOf) != len(inv.Workloads) {
			t.Fatal("a workload has no identity")
		}
		if joined, _ := inventory.Join(inv, inv); joined == nil {
			t.Fatal("nil snapshot")
		}
	})
}
