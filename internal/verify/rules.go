package verify

import (
	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// item is one grant of a rule: the pairs of peers and the traffic that it
// speaks of. Items of one rule have ascending numbers; a number is never used
// again.
type item struct {
	rule     int32 // index into rules.slots
	traffic  netset.Traffic
	spans    []span
	from, to *roaring.Bitmap // of peers
}

// ruleSlot is a rule under a number that stays the same for as long as the
// rule says the same.
type ruleSlot struct {
	r     *policy.Rule // in the present policy
	index int32        // into Policy.Rules; -1 for a rule that is gone
	items []int32
}

// ruleKey names a rule across policies.
type ruleKey struct {
	policy, rule string
	nth          int // of the rules so called
}

type rules struct {
	slots []ruleSlot
	byKey map[ruleKey]int32
	items []item
	at    []int32 // slots by index into Policy.Rules
	index []int32 // indices into Policy.Rules by slot
}

func (s *rules) init() { s.byKey = map[ruleKey]int32{} }

// cellChange puts an item into the pairs of some peers, or takes it out.
type cellChange struct {
	item     int32
	add      bool
	from, to *roaring.Bitmap
}

// changes is what a new policy changes about pairs. Reordered means that rules
// which stayed come in another order.
type changes struct {
	cells     []cellChange
	reordered bool
}

func (s *rules) update(e *Engine, m moves) changes {
	e.ends.begin(m)
	var c changes
	gone := roaring.New()
	for _, x := range m.removed {
		gone.Add(uint32(x))
	}
	stay := make(map[int32]bool, len(s.slots))
	keys := keysOf(e.p)
	slots := make([]int32, len(keys))
	for i := range e.p.Rules {
		slots[i] = -1
		if at, ok := s.byKey[keys[i]]; ok && sameRule(s.slots[at].r, &e.p.Rules[i]) {
			slots[i], stay[at] = at, true
		}
	}
	for key, at := range s.byKey {
		if !stay[at] {
			s.remove(at, gone, &c)
			delete(s.byKey, key)
		}
	}
	last := int32(-1)
	for i := range e.p.Rules {
		r := &e.p.Rules[i]
		at := slots[i]
		if at < 0 {
			at = s.add(r)
			s.byKey[keys[i]] = at
		} else {
			c.reordered = c.reordered || s.slots[at].index < last
			last = s.slots[at].index
		}
		slots[i] = at
		s.slots[at].r = r
		s.place(e, at, gone, &c)
	}
	s.index = make([]int32, len(s.slots))
	for i, at := range slots {
		s.slots[at].index, s.index[at] = int32(i), int32(i)
	}
	s.at = slots
	e.ends.end()
	return c
}

func keysOf(p *policy.Policy) []ruleKey {
	seen := make(map[[2]string]int, len(p.Rules))
	out := make([]ruleKey, len(p.Rules))
	for i := range p.Rules {
		name := [2]string{p.Rules[i].Ref.Policy, p.Rules[i].Ref.Rule}
		out[i] = ruleKey{name[0], name[1], seen[name]}
		seen[name]++
	}
	return out
}

// sameRule reports whether a rule says what it said, apart from its ends.
func sameRule(a, b *policy.Rule) bool {
	if a.Tier != b.Tier || a.Priority != b.Priority || a.Effect != b.Effect || a.Stage != b.Stage || a.Cond != b.Cond || len(a.Grants) != len(b.Grants) {
		return false
	}
	for i := range a.Grants {
		if !a.Grants[i].Traffic.Equal(b.Grants[i].Traffic) {
			return false
		}
	}
	return true
}

func (s *rules) add(r *policy.Rule) int32 {
	at := int32(len(s.slots))
	slot := ruleSlot{index: -1}
	for i := range r.Grants {
		slot.items = append(slot.items, int32(len(s.items)))
		s.items = append(s.items, item{rule: at, traffic: r.Grants[i].Traffic, spans: spansOf(r.Grants[i].Traffic)})
	}
	s.slots = append(s.slots, slot)
	return at
}

func (s *rules) remove(at int32, gone *roaring.Bitmap, c *changes) {
	for _, n := range s.slots[at].items {
		it := &s.items[n]
		c.cells = append(c.cells, cellChange{n, false, less(it.from, gone), less(it.to, gone)})
		it.from, it.to = nil, nil
	}
	s.slots[at] = ruleSlot{index: -1}
}

// place finds the pairs that a rule's items must be put into or taken out of.
func (s *rules) place(e *Engine, at int32, gone *roaring.Bitmap, c *changes) {
	r := s.slots[at].r
	from := e.ends.bitmap(e, &r.From)
	for i, n := range s.slots[at].items {
		it := &s.items[n]
		to := e.ends.bitmap(e, &r.Grants[i].To)
		if it.from == from && it.to == to && !from.Intersects(gone) && !to.Intersects(gone) {
			continue
		}
		if it.from == nil {
			c.cells = append(c.cells, cellChange{n, true, from, to})
		} else {
			c.difference(n, less(it.from, gone), less(it.to, gone), from, to)
		}
		it.from, it.to = from, to
	}
}

// difference turns the pairs from × to into those of newFrom × newTo.
func (c *changes) difference(n int32, from, to, newFrom, newTo *roaring.Bitmap) {
	both := roaring.And(from, newFrom)
	for _, x := range []cellChange{
		{n, false, roaring.AndNot(from, newFrom), to},
		{n, false, both, roaring.AndNot(to, newTo)},
		{n, true, roaring.AndNot(newFrom, from), newTo},
		{n, true, both, roaring.AndNot(newTo, to)},
	} {
		if !x.from.IsEmpty() && !x.to.IsEmpty() {
			c.cells = append(c.cells, x)
		}
	}
}

func less(a, gone *roaring.Bitmap) *roaring.Bitmap {
	if gone.IsEmpty() {
		return a
	}
	return roaring.AndNot(a, gone)
}
