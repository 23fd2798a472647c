package all

import (
	"slices"

	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
)

// Relays are those of some targets under a policy, the one in force or the one
// to come. Names of no target are left out.
func Relays(names []string, p *policy.Policy, toCome bool) []plan.Relay {
	var out []plan.Relay
	for _, t := range Targets() {
		if r, can := t.(target.Relayer); can && slices.Contains(names, t.Name()) {
			out = append(out, r.Relay(p, toCome))
		}
	}
	return out
}
