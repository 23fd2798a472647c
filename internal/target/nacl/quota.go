package nacl

import "firebreak/internal/target"

// entriesPerACL is the Estate's word for the entries of one direction, IPv4 and
// IPv6 together, with the last one of each family that denies everything else.
const entriesPerACL = "entries-per-acl"

const lastOnes = 2

// Quotas returns the limits that Render counts against.
func (Target) Quotas() []target.Quota {
	return []target.Quota{{Name: "entries of a network ACL for each direction, the two last ones included", Key: entriesPerACL, Limit: 20, Most: 40, Source: limitsPage}}
}
