package networkpolicy

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// What holds for many subjects is said once.
func TestLostTrafficIsSaidOnce(t *testing.T) {
	r := &renderer{w: &plan.Wanted{Policy: &policy.Policy{Zones: []policy.Zone{{}}}}}
	icmp := netset.Of(netset.ICMP, 0, 0)
	for i := range 9 {
		r.noteLost(&plan.Subject{Name: fmt.Sprint("s", i/3)}, flow.Ingress, icmp)
	}
	r.noteLost(&plan.Subject{Name: "s9"}, flow.Egress, icmp)
	r.sayLost()
	if len(r.diags) != 2 || !strings.Contains(r.diags[0].Message, "to reach s0, s1, s2") || !strings.Contains(r.diags[1].Message, "to be reached by s9") {
		t.Errorf("%v", r.diags)
	}
}
