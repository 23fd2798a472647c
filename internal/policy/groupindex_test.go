package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// With many selectors, identities are looked up instead of asked one by one.
func TestManySelectorsAreLookedUp(t *testing.T) {
	d, inv := large(t, 300, 100, 100)
	for i := range inv.Workloads {
		inv.Workloads[i].Principal = fmt.Sprint("id/", i%7)
	}
	var ends []lang.Endpoint
	for i := range 50 {
		for _, s := range []string{"team=t%d", "team in (t%d,t3),env=prod", "app notin (a%d)", "zone=z%d,!none", "app", "team=t%d,zone in (z1,z2,z3)"} {
			if s != "app" {
				s = fmt.Sprintf(s, i)
			}
			ends = append(ends, selects(t, s))
		}
		ends = append(ends, lang.Endpoint{Kind: lang.ByPrincipal, Name: fmt.Sprint("id/", i)})
	}
	p := &lang.Policy{Meta: meta("many", 1)}
	for i, e := range ends {
		p.Rules = append(p.Rules, &lang.Rule{Name: fmt.Sprint("r", i), From: e, To: zone("z1")})
	}
	d.Policies, d.Exceptions, d.Guardrails = []*lang.Policy{p}, nil, nil
	got, list := policy.Resolve(d, inv)
	if got == nil {
		t.Fatal(list)
	}
	for i, e := range ends {
		means := func(w inventory.Workload) bool {
			return e.Kind == lang.ByPrincipal && w.Principal == e.Name || e.Kind == lang.BySelect && e.Selector.Matches(w.Labels)
		}
		for j, w := range inv.Workloads {
			if slices.Contains(got.Rules[i].From.Identities, got.IdentityOf[j]) != means(w) {
				t.Fatalf("%s and %s", got.Rules[i].FromText, w.Name)
			}
		}
		if !slices.IsSorted(got.Rules[i].From.Identities) {
			t.Errorf("%s: %v", got.Rules[i].FromText, got.Rules[i].From.Identities)
		}
	}
}
