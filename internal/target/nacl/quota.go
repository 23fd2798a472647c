package nacl

import "firebreak/internal/target"

// maxEntries is of one direction, IPv4 and IPv6 together, with the last one of
// each family that denies everything else.
const (
	maxEntries = 20
	lastOnes   = 2
)

// Quotas returns the limits that Render counts against.
func (Target) Quotas() []target.Quota {
	return []target.Quota{{Name: "entries of a network ACL for each direction, the two last ones included; AWS raises it to 40 on demand", Limit: maxEntries, Source: limitsPage}}
}
