package lattice_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/target/lattice"
)

// large is an estate of one service with many workloads on some HTTP ports, of
// which a few are instances without addresses, and a caller in another VPC.
func large(t *testing.T, addresses, instances, ports int) *estate {
	t.Helper()
	return largeOf(t, addresses, instances, ports, "")
}

// largeOf is such an estate, whose Estate has a field more.
func largeOf(t *testing.T, addresses, instances, ports int, field string) *estate {
	t.Helper()
	inv := &inventory.Snapshot{}
	for v := range 2 {
		inv.Networks = append(inv.Networks, inventory.Network{Name: fmt.Sprint("vpc-", v), Labels: map[string]string{"cloud/provider": "aws", "cloud/account": "111122223333", "cloud/region": "eu-central-1"}})
	}
	var open []inventory.Port
	for p := range ports {
		open = append(open, inventory.Port{Name: "http", Number: uint16(8080 + p), Protocol: netset.TCP})
	}
	for i := range addresses + instances {
		w := inventory.Workload{Name: fmt.Sprintf("orders-%05d", i), Ports: open, Labels: map[string]string{"app": "orders", "net/vpc": "vpc-0"}}
		if i < addresses {
			w.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(1 + i%250)})}
		} else {
			w.Host = fmt.Sprintf("i-%017x", i)
		}
		inv.Workloads = append(inv.Workloads, w)
	}
	inv.Workloads = append(inv.Workloads, inventory.Workload{Name: "web", Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.1")}, Labels: map[string]string{"app": "web", "net/vpc": "vpc-1", "aws/role": "arn:aws:iam::111122223333:role/web"}})
	e, err := resolve(`
kind: Estate
metadata: {name: shop}
spec: {networks: [10.0.0.0/8]`+field+`}
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
  - {name: r, effect: allow, from: {select: app=web}, to: {service: orders}, ports: [8080-8090/TCP]}
`, inv)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTargetGroupsAreDivided: a group holds 1,000 targets, a forward action names
// 10 groups, a service has 10.
// docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html
// docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ForwardAction.html
func TestTargetGroupsAreDivided(t *testing.T) {
	for _, row := range []struct {
		addresses, instances, ports int
		services, groups            int
	}{
		{1, 0, 2, 1, 2},
		{1000, 0, 1, 1, 1},
		{1001, 0, 2, 1, 4},
		{1001, 1, 1, 1, 3},
		{1, 9, 1, 1, 2},
		{4100, 0, 2, 1, 10},
		{5100, 0, 2, 2, 12},
		{10000, 0, 1, 1, 10},
	} {
		e := large(t, row.addresses, row.instances, row.ports)
		files, diags := lattice.Target{}.Render(e.wanted)
		if diags.HasErrors() {
			t.Fatalf("%v: %v", row, diags)
		}
		got := map[string]int{}
		sizes := map[string]int{}
		for _, r := range tinyRead(t, files) {
			got[r.kind]++
			if group, ok := r.at["target_group_identifier"].(string); ok {
				sizes[group]++
			}
		}
		if got["aws_vpclattice_service"] != row.services || got["aws_vpclattice_target_group"] != row.groups || len(sizes) != row.groups {
			t.Errorf("%v: %v", row, got)
		}
		total := 0
		for group, n := range sizes {
			total += n
			if n > 1000 {
				t.Errorf("%v: %d targets in %s", row, n, group)
			}
		}
		if want := (row.addresses + row.instances) * row.ports; total != want {
			t.Errorf("%v: %d targets, want %d", row, total, want)
		}
		for _, r := range e.proofs(t, files).Results {
			if !r.Result.Proven() || len(r.Over)+len(r.Under) > 0 {
				t.Errorf("%v: %s is %s: %s over %v under %v", row, r.Point, r.Result, r.Reason, r.Over, r.Under)
			}
		}
	}
}

// Each target gets the same share of the requests, so that a group's weight,
// which is at most 999, is how many there are in it.
// docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_WeightedTargetGroup.html
func TestWeightsAreSizes(t *testing.T) {
	e := large(t, 1990, 7, 1)
	files, _ := lattice.Target{}.Render(e.wanted)
	all := tinyRead(t, files)
	sizes := map[string]int{}
	for _, r := range all {
		if r.kind == "aws_vpclattice_target_group_attachment" {
			sizes[r.at["target_group_identifier"].(string)]++
		}
	}
	text := ""
	for _, f := range files {
		text += string(f.Data)
	}
	found := regexp.MustCompile(`target_group_identifier = (aws_vpclattice_target_group\.\S+)\.id\n +weight += (\d+)`).FindAllStringSubmatch(text, -1)
	if len(found) != 3 || len(sizes) != 3 {
		t.Fatalf("%v %v", found, sizes)
	}
	for _, m := range found {
		if weight, _ := strconv.Atoi(m[2]); weight != min(999, sizes[m[1]]) {
			t.Errorf("%s has the weight %d and %d targets", m[1], weight, sizes[m[1]])
		}
	}
}

// A target that comes leaves the others where they are.
func TestTargetsStayWhereTheyAre(t *testing.T) {
	where := func(n int) map[string]string {
		files, _ := lattice.Target{}.Render(large(t, n, 0, 1).wanted)
		out := map[string]string{}
		for _, r := range tinyRead(t, files) {
			if r.kind == "aws_vpclattice_target_group_attachment" {
				out[r.at["target.id"].(string)] = r.at["target_group_identifier"].(string)
			}
		}
		return out
	}
	before, after := where(2400), where(2401)
	for id, group := range before {
		if after[id] != group {
			t.Fatalf("%s moved from %s to %s", id, group, after[id])
		}
	}
}

func TestTooManyTargetsAreRefused(t *testing.T) {
	files, diags := lattice.Target{}.Render(large(t, 10_001, 0, 1).wanted)
	if text := fmt.Sprint(diags); len(files) > 0 || !diags.HasErrors() || !strings.Contains(text, "11 target groups (10001 targets, at most 1000 in a group), of at most 10") {
		t.Errorf("%d files, %v", len(files), text)
	}
}

// What is written is written as terraform fmt would, whatever a host is called.
func TestTargetsAreFormatted(t *testing.T) {
	e := large(t, 3, 2, 2)
	e.inv.Workloads[4].Host = "i-\"${x}%{y}\n"
	files, _ := lattice.Target{}.Render(e.wanted)
	for _, f := range files {
		if string(hclwrite.Format(f.Data)) != string(f.Data) {
			t.Errorf("%s:\n%s", f.Path, f.Data)
		}
	}
	ids := map[string]bool{}
	for _, r := range tinyRead(t, files) {
		if id, ok := r.at["target.id"].(string); ok {
			ids[id] = true
		}
	}
	if len(ids) != 5 || !ids[e.inv.Workloads[4].Host] {
		t.Errorf("%v", ids)
	}
}
