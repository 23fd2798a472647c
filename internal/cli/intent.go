package cli

import (
	"fmt"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
)

// intent is what was meant, of the policy in force or the one to come.
func (l *loaded) intent(toCome bool) prove.Intent {
	in := prove.Intent{
		Policy: l.p,
		ToCome: toCome,
		Resolve: func(inv *inventory.Snapshot) (*policy.Policy, error) {
			p, diags := policy.Resolve(l.tree, inv)
			if p == nil || diags.HasErrors() {
				return nil, fmt.Errorf("the policy has errors with this inventory: %v", diags)
			}
			return p, nil
		},
		Accepted: func(r flow.Rule) string { return l.tree.Accepted("unenforced", r.Policy) },
	}
	for _, s := range l.tree.Selectors() {
		in.Selectors = append(in.Selectors, s.Selector)
	}
	return in
}
