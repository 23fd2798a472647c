package agent

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

func TestAnyCatalogCanBeSent(t *testing.T) {
	for name, x := range map[string]struct {
		rules, deciding, services, text int
		wantRules                       int
	}{
		"small":                 {100, 10, 10, 100, 100},
		"many rules":            {20000, 50, 10, 400, 50},
		"many deciding":         {20000, 3000, 10, 400, 3000},
		"many workloads":        {10, 10, 100000, 10, 10},
		"far too much deciding": {20000, 20000, 10, 4000, -1},
	} {
		c := &wire.Catalog{Host: "h", Estate: "e"}
		decides := map[flow.Rule]bool{}
		for i := range x.rules {
			ref := flow.Rule{Policy: "policy", Rule: fmt.Sprint("rule-", i), File: "policy.yaml", Line: i}
			c.Rules = append(c.Rules, wire.RuleInfo{Rule: ref, From: "service a", To: "service b", Ports: "TCP 80", Text: strings.Repeat("x", x.text)})
			if i < x.deciding {
				decides[ref] = true
			}
		}
		for i := range x.services {
			c.Services = append(c.Services, wire.ServiceInfo{Name: fmt.Sprint("workload-", i), Zone: "z", Workloads: []string{fmt.Sprint("workload-", i)}, Loose: true})
		}
		fit(c, decides)
		if _, err := wire.Marshal(wire.Message{Catalog: c}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x.wantRules >= 0 && len(c.Rules) != x.wantRules {
			t.Errorf("%s: %d rules are left, want %d", name, len(c.Rules), x.wantRules)
		}
		if len(c.Rules) == 0 {
			t.Errorf("%s: nothing is left", name)
		}
	}
}
