package lattice_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/target/lattice"
)

// crowd is an estate of one service that many callers with roles of their own may
// reach by one rule, and few by another.
func crowd(t *testing.T, many int, requests string) *estate {
	t.Helper()
	inv := &inventory.Snapshot{Networks: []inventory.Network{{Name: "vpc-0", Complete: true}, {Name: "vpc-1", Complete: true}}}
	add := func(app string, vpc, n int) {
		inv.Workloads = append(inv.Workloads, inventory.Workload{
			Name: fmt.Sprint(app, n), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(vpc), byte(n / 250), byte(1 + n%250)})}, Ports: []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}},
			Labels: map[string]string{"app": app, "n": fmt.Sprint(n), "net/vpc": fmt.Sprint("vpc-", vpc), "aws/role": fmt.Sprintf("arn:aws:iam::111122223333:role/%s-%03d", app, n)},
		})
	}
	for n := range many {
		add("web", 1, n)
	}
	add("job", 1, 900)
	add("orders", 0, 901)
	e, err := resolve(`
kind: Estate
metadata: {name: shop}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: all}
spec: {select: app, stage: enforce, default: deny}
---
kind: Service
metadata: {name: orders}
spec: {select: app=orders}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: few, effect: allow, from: {select: app=job}, to: {service: orders}, ports: [8080/TCP]}
  - {name: many, effect: allow, from: {select: app=web}, to: {service: orders}, ports: [8080/TCP]`+requests+`}
`, inv)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestLargeDocumentsAreRefused: a policy has at most 10 KB, which cannot be
// raised. The error says how many there are and which rule is to blame, and where
// it stands.
// docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html
func TestLargeDocumentsAreRefused(t *testing.T) {
	for _, requests := range []string{"", ", http: [{methods: [GET]}]"} {
		last := 0
		for _, many := range []int{100, 180, 240, 300} {
			files, diags := lattice.Target{}.Render(crowd(t, many, requests).wanted)
			if !diags.HasErrors() {
				if last = many; len(files) == 0 {
					t.Fatalf("%d: no files", many)
				}
				continue
			}
			if len(files) > 0 || len(diags) != 1 || diags[0].Code != "over-quota" || diags[0].Severity != diag.Error {
				t.Fatalf("%d: %d files, %v", many, len(files), diags)
			}
			m := regexp.MustCompile(`shop-orders would have (\d+) bytes, of at most 10000; (\d+) of its (\d+) roles are for rule p/many`).FindStringSubmatch(diags[0].Message)
			if m == nil || diags[0].Pos.File != "policy.yaml" || diags[0].Pos.Line != 20 {
				t.Fatalf("%d: %v", many, diags)
			}
			if n, _ := strconv.Atoi(m[1]); n <= 10000 || n < 40*many || m[2] != fmt.Sprint(many) || m[3] != fmt.Sprint(many+1) {
				t.Errorf("%d: %s", many, m[0])
			}
			if many == 300 && last == 0 {
				t.Error("nothing is small enough")
			}
		}
		if last == 300 {
			t.Errorf("%q: 300 roles fit", requests)
		}
	}
}
