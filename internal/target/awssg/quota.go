package awssg

import (
	"fmt"

	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// The Estate's words for what AWS raises.
const (
	rulesPerGroup      = "rules-per-group"
	groupsPerInterface = "groups-per-interface"
	groupsPerRegion    = "groups-per-region"
)

// listWeight is for how many rules the list of Lattice's addresses counts
// (docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html).
const listWeight = 10

// Quotas returns the limits that Render counts against.
func (Target) Quotas() []target.Quota {
	return []target.Quota{
		{Name: "rules of a group for each direction and each IP family", Key: rulesPerGroup, Limit: 60, Source: limitsPage},
		{Name: "groups of a network interface", Key: groupsPerInterface, Limit: 5, Most: 16, Source: limitsPage},
		{Name: "rules of a group times groups of an interface", Key: "rules-per-interface", Limit: 1000, Hard: true, Of: []string{rulesPerGroup, groupsPerInterface}, Source: limitsPage},
		{Name: "groups in a region", Key: groupsPerRegion, Limit: 2500, Source: limitsPage},
	}
}

// limits are those that hold for this estate.
type limits struct {
	rules  int // of one direction and one IP family in a group
	groups int // on an interface
	region int // groups in a region
}

func limitsOf(w *plan.Wanted) limits {
	of := func(key string) int { return target.Limit(w, Target{}, key) }
	return limits{rules: of(rulesPerGroup), groups: of(groupsPerInterface), region: of(groupsPerRegion)}
}

// all is how many rules of a direction and a family an interface can have.
func (l limits) all() int { return l.rules * l.groups }

// orRaise ends the help of an error about quotas.
func orRaise(help string, keys ...string) string {
	return fmt.Sprintf("%s; %s", help, target.Raise(Target{}, keys...))
}
