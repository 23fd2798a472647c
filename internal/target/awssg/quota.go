package awssg

import "firebreak/internal/target"

// What AWS grants an account that has not asked for more.
const (
	maxRules   = 60   // of one direction and one IP family in a group
	maxGroups  = 5    // on an interface
	maxProduct = 1000 // of those two, which is not raised
	maxInVPC   = 2500 // groups in a region
	// listWeight is for how many rules the list of Lattice's addresses counts
	// (docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html).
	listWeight = 10
)

// Quotas returns the limits that Render counts against.
func (Target) Quotas() []target.Quota {
	return []target.Quota{
		{Name: "rules of a group for each direction and each IP family", Limit: maxRules, Source: limitsPage},
		{Name: "groups of a network interface", Limit: maxGroups, Source: limitsPage},
		{Name: "rules of a group times groups of an interface", Limit: maxProduct, Hard: true, Source: limitsPage},
		{Name: "groups in a region", Limit: maxInVPC, Source: limitsPage},
	}
}
