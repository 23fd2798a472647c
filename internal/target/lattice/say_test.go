package lattice

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/plan"
)

// Workloads without a role are named once, whomever they would call.
func TestRolesThatAreMissingAreSaidOnce(t *testing.T) {
	r := &renderer{said: map[string]bool{}, inv: &inventory.Snapshot{}}
	for i := range 9 {
		r.inv.Workloads = append(r.inv.Workloads, inventory.Workload{Name: fmt.Sprint("w", i)})
		w := &kin{workloads: []int{i}}
		for j := range 3 {
			r.roleless(w, &plan.Subject{Name: fmt.Sprint("s", j)})
		}
	}
	r.sayRoleless()
	if len(r.diags) != 1 || !strings.Contains(r.diags[0].Message, "w0, w1, w2, w3, w4 and 4 more may not reach s0, s1, s2,") {
		t.Errorf("%v", r.diags)
	}
}
