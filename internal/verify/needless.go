package verify

import (
	"slices"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

func everything() space.Set { return space.Plain(span{0, lastPoint}.traffic()) }

// Needless is a rule that could be left out of the policy to come without
// changing any verdict.
type Needless struct {
	Rule  int  // index into Policy.Rules
	By    By   // what decides instead of it, of the first pair that it speaks of
	Never bool // it decides nothing at all; otherwise it decides as others would
}

// Needless lists the allow and deny rules, apart from guardrails, that speak of
// some pair and change nothing, in the order of the policy. Of two rules that
// say the same both are listed: either could go, not both.
func (e *Engine) Needless() []Needless {
	type finding struct {
		needed, seen, decides bool
		by                    By
	}
	found := make([]finding, len(e.rules.slots))
	var items []int32
	for list := 1; list < min(len(e.tables), len(e.used)); list++ {
		if e.tables[list] == nil || !e.used[list].any() {
			continue
		}
		items = e.lists.items(int32(list), items[:0])
		for _, n := range items {
			slot := e.rules.items[n].rule
			f := &found[slot]
			if f.needed || e.ruleOf(n).Tier == policy.Guardrails {
				continue
			}
			if !f.seen {
				f.seen, f.by = true, e.insteadOf(list, n, items)
			}
			f.decides = f.decides || e.decides(list, slot)
			f.needed = f.decides && e.needed(list, slot, items)
		}
	}
	var out []Needless
	for i, at := range e.rules.at {
		if f := found[at]; f.seen && !f.needed && e.p.Rules[i].Effect != policy.Pass {
			out = append(out, Needless{i, f.by, !f.decides})
		}
	}
	return out
}

func (e *Engine) decides(list int, slot int32) bool {
	return slices.ContainsFunc(e.tables[list].toCome.steps, func(s step) bool { return s.rule == slot })
}

// needed reports whether some verdict about the pairs with the list would be
// another without the rule.
func (e *Engine) needed(list int, slot int32, items []int32) bool {
	rest := slices.DeleteFunc(slices.Clone(items), func(n int32) bool { return e.rules.items[n].rule == slot })
	permits, undecided := e.sets(e.walk(e.inOrder(rest)))
	t, u := e.tables[list], &e.used[list]
	if u[0]|u[2] != 0 && !permits.Equal(t.permits) {
		return true
	}
	return u.byDefault() && !permits.Union(undecided).Equal(t.permits.Union(t.undecided))
}

// insteadOf is the rule that decides where an item speaks and its rule does not
// decide, or would decide if there were no such rule; 0 if that is a default.
func (e *Engine) insteadOf(list int, n int32, items []int32) By {
	slot := e.rules.items[n].rule
	rest := slices.DeleteFunc(slices.Clone(items), func(m int32) bool { return e.rules.items[m].rule == slot })
	about := e.speaksOf(n)
	for _, x := range e.pieces(e.walk(e.inOrder(rest))) {
		if x.rule != noRule && !x.set.Intersect(about).IsEmpty() {
			return By(e.rules.slots[x.rule].index + 1)
		}
	}
	return 0
}
