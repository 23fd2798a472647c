package nacl_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/target/nacl"
)

// shut is an estate with one subnet that n single addresses must never reach.
func shut(t *testing.T, n int, field string) *estate {
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8]" + field + "}\n")
	b.WriteString("---\nkind: Zone\nmetadata: {name: all}\nspec: {select: tier, stage: enforce, default: deny}\n")
	b.WriteString("---\nkind: Guardrail\nmetadata: {name: g}\nspec: {stage: enforce, never: {from: {external: bad}, to: {zone: all}}}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: bad}\nspec:\n  reason: x\n  cidrs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - 203.0.113.%d/32\n", 2*i)
	}
	inv := "kind: Workload\nmetadata: {name: w, labels: {tier: db, net/vpc: vpc-1, net/subnet: subnet-1}}\nspec: {addresses: [10.1.0.10]}\n"
	return open(t, fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}, "inventory.yaml": {Data: []byte(inv)}},
		inventory.Network{Name: "vpc-1"}, inventory.Network{Name: "subnet-1", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}})
}

// TestEntriesAreCounted finds how many addresses fit into a network ACL by
// default, and how many more where AWS granted more entries.
// docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
func TestEntriesAreCounted(t *testing.T) {
	fit := func(field string) (most int) {
		for n := 1; n <= 45; n++ {
			files, diags := nacl.Target{}.Render(shut(t, n, field).wanted(false))
			if !diags.HasErrors() {
				if len(files) == 0 || most < n-1 {
					t.Fatalf("%s: %d addresses fit, with %d files", field, n, len(files))
				}
				most = n
				continue
			}
			if len(files) > 0 || diags[0].Code != "over-quota" || !strings.HasSuffix(diags[0].Help, "quotas: {nacl: {entries-per-acl: N}}") {
				t.Fatalf("%d: %d files, %v", n, len(files), diags)
			}
		}
		return most
	}
	plain := fit("")
	if plain < 10 || plain >= 20 {
		t.Fatalf("%d addresses fit by default", plain)
	}
	for _, row := range []struct{ granted, more int }{{21, 1}, {30, 10}, {40, 20}, {400, 20}} {
		if n := fit(fmt.Sprintf(", quotas: {nacl: {entries-per-acl: %d}}", row.granted)); n != plain+row.more {
			t.Errorf("%d entries: %d addresses fit, and %d by default", row.granted, n, plain)
		}
	}
}
