package verify

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Conflict is an allow and a deny of one tier that both speak of some
// conversation, where neither speaks of all that the other speaks of.
type Conflict struct {
	Allow, Deny int // indices into Policy.Rules
	From, To    Peer
	Set         space.Set // what both speak of, between those two
}

// Conflicts lists the conflicts of the application and the baseline tier, each
// pair of rules once, in the order of the policy.
func (e *Engine) Conflicts() []Conflict {
	at := map[int32][][2]int32{} // by list: the items that conflict
	known := map[[2]int32]bool{}
	var items []int32
	for list := 1; list < min(len(e.tables), len(e.used)); list++ {
		if e.tables[list] == nil || !e.used[list].any() {
			continue
		}
		items = e.lists.items(int32(list), items[:0])
		for _, d := range items {
			if r := e.ruleOf(d); r.Effect != policy.Deny || r.Tier < policy.Application {
				continue
			}
			for _, a := range items {
				pair := [2]int32{e.rules.items[a].rule, e.rules.items[d].rule}
				if known[pair] || e.ruleOf(a).Effect != policy.Allow || e.ruleOf(a).Tier != e.ruleOf(d).Tier {
					continue
				}
				known[pair] = true
				if !e.within(pair[0], pair[1]) && !e.within(pair[1], pair[0]) {
					at[int32(list)] = append(at[int32(list)], [2]int32{a, d})
				}
				if e.speaksOf(a).Intersect(e.speaksOf(d)).IsEmpty() {
					delete(known, pair) // perhaps elsewhere, by another item
					at[int32(list)] = slices.DeleteFunc(at[int32(list)], func(x [2]int32) bool { return x == [2]int32{a, d} })
				}
			}
		}
	}
	out := e.conflicts(at)
	slices.SortFunc(out, func(a, b Conflict) int { return cmp.Or(cmp.Compare(a.Deny, b.Deny), cmp.Compare(a.Allow, b.Allow)) })
	return out
}

// conflicts finds a pair of peers for each.
func (e *Engine) conflicts(at map[int32][][2]int32) []Conflict {
	var out []Conflict
	for from, row := range e.cells {
		for to, list := range row {
			for _, x := range at[list] {
				a, d := e.rules.items[x[0]].rule, e.rules.items[x[1]].rule
				out = append(out, Conflict{int(e.rules.slots[a].index), int(e.rules.slots[d].index), Peer(from), Peer(to), e.speaksOf(x[0]).Intersect(e.speaksOf(x[1]))})
			}
			delete(at, list)
			if len(at) == 0 {
				return out
			}
		}
	}
	return out
}

// within reports whether a rule speaks of nothing that another does not speak
// of, judged grant by grant.
func (e *Engine) within(inner, outer int32) bool {
	for _, n := range e.rules.slots[inner].items {
		i := &e.rules.items[n]
		if !slices.ContainsFunc(e.rules.slots[outer].items, func(m int32) bool {
			o := &e.rules.items[m]
			return subset(i.from, o.from) && subset(i.to, o.to) && e.speaksOf(n).Subtract(e.speaksOf(m)).IsEmpty()
		}) {
			return false
		}
	}
	return true
}

func subset(a, b *roaring.Bitmap) bool { return a.AndCardinality(b) == a.GetCardinality() }
