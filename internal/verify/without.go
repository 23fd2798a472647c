package verify

import (
	"slices"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Without is what Permitted would be if the policy had no rule of that index.
// The pair must have an end that is a workload.
func (e *Engine) Without(from, to Peer, inForce bool, rule int) space.Set {
	items := e.lists.items(e.cells[from][to], nil)
	items = slices.DeleteFunc(items, func(n int32) bool {
		return e.rules.slots[e.rules.items[n].rule].index == int32(rule) || inForce && e.ruleOf(n).Stage != policy.Enforce
	})
	bit := uint8(byDefault)
	if inForce {
		bit = byDefaultInForce
	}
	permits, undecided := e.sets(e.walk(e.inOrder(items)))
	return e.withDefault(permits, undecided, from, to, bit)
}
