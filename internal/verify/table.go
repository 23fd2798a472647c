package verify

import (
	"cmp"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// table is what a list of items says about all traffic, before defaults.
type table struct {
	toCome, inForce *walk // often the same
	conditional     bool  // some rule in it has a condition

	permits   space.Set // by rule, in the policy to come
	undecided space.Set // left to the defaults, in the policy to come

	broken []broken
}

// walk says for every run of ports which rules are asked, in the order in
// which they decide.
type walk struct {
	starts []uint32 // of the runs, ascending, the first 0
	first  []int32  // by run: the first of its steps
	steps  []step
}

// step asks one rule. If it has no condition, or that holds, its effect
// decides; a pass goes on at another step. Otherwise the next step is asked.
// The step of rule noRule leaves it to the default.
type step struct {
	rule   int32 // index into rules.slots
	pass   int32 // where a pass goes on; 0 for others
	effect policy.Effect
	cond   *space.Set // nil: none; of all traffic
}

const noRule = -1

// held is a condition as a rule of that effect has it.
type held struct {
	c    *policy.Condition
	deny bool
}

// condition returns the circumstances that a rule speaks of; nil for all. Once
// compile is done it only reads.
func (e *Engine) condition(r *policy.Rule) *space.Set {
	if r.Cond == nil {
		return nil
	}
	key := held{r.Cond, r.Effect == policy.Deny}
	if s := e.holds[key]; s != nil {
		return s
	}
	s, _ := e.space.Of(netset.All(), r.Cond, key.deny)
	e.holds[key] = &s
	return &s
}

// forget drops the tables that no longer hold.
func (e *Engine) forget(stale func(*table) bool) {
	e.holds = nil
	for i, t := range e.tables {
		if t != nil && stale(t) {
			e.tables[i] = nil
		}
	}
}

// compile makes the tables that are missing, and the conditions of all rules,
// also of those that speak of no pair: questions are asked by many at once.
func (e *Engine) compile() {
	if e.holds == nil {
		e.holds = map[held]*space.Set{}
	}
	for i := range e.p.Rules {
		e.condition(&e.p.Rules[i])
	}
	if n := len(e.lists.parent); n > len(e.tables) {
		e.tables = append(e.tables, make([]*table, n-len(e.tables))...)
	}
	var items, fresh []int32
	if e.tables[0] == nil {
		e.tables[0] = e.table(nil)
		fresh = append(fresh, 0)
	}
	for list := 1; list < min(len(e.tables), len(e.used)); list++ {
		if e.tables[list] == nil && e.used[list].any() {
			items = e.lists.items(int32(list), items[:0])
			e.tables[list] = e.table(items)
			fresh = append(fresh, int32(list))
		}
	}
	e.hasten(fresh)
}

func (e *Engine) table(items []int32) *table {
	t := &table{}
	order := e.inOrder(items)
	t.toCome = e.walk(order)
	t.inForce = t.toCome
	enforced := slices.DeleteFunc(slices.Clone(order), func(n int32) bool { return e.ruleOf(n).Stage != policy.Enforce })
	if len(enforced) != len(order) {
		t.inForce = e.walk(enforced)
	}
	for _, n := range order {
		t.conditional = t.conditional || e.ruleOf(n).Cond != nil
	}
	t.permits, t.undecided = e.sets(t.toCome)
	t.broken = e.brokenBy(order)
	return t
}

func (e *Engine) ruleOf(item int32) *policy.Rule { return e.rules.slots[e.rules.items[item].rule].r }

// inOrder sorts items as their rules decide: by tier, in the platform tier by
// priority and place, elsewhere denies before allows.
func (e *Engine) inOrder(items []int32) []int32 {
	out := slices.Clone(items)
	slices.SortFunc(out, func(a, b int32) int {
		ra, rb := e.ruleOf(a), e.ruleOf(b)
		c := cmp.Compare(ra.Tier, rb.Tier)
		if c == 0 && ra.Tier != policy.Platform {
			c = -cmp.Compare(ra.Effect, rb.Effect) // Deny is higher
		}
		return cmp.Or(c, cmp.Compare(e.rules.slots[e.rules.items[a].rule].index, e.rules.slots[e.rules.items[b].rule].index), cmp.Compare(a, b))
	})
	return out
}

// walk cuts the line wherever an item begins or ends, and notes for each run
// which rules speak.
func (e *Engine) walk(order []int32) *walk {
	w := &walk{starts: []uint32{0}}
	for _, n := range order {
		for _, s := range e.rules.items[n].spans {
			w.starts = append(w.starts, s.lo)
			if s.hi < lastPoint {
				w.starts = append(w.starts, s.hi+1)
			}
		}
	}
	slices.Sort(w.starts)
	w.starts = slices.Compact(w.starts)
	w.first = make([]int32, len(w.starts))
	speaking := e.speaking(order, w.starts)
	for i, at := range w.starts {
		w.first[i] = int32(len(w.steps))
		if speaking != nil {
			order = speaking[i]
		}
		e.steps(w, order, at)
	}
	w.merge()
	return w
}

// manyItems is from when on it pays to find out which items speak of which run
// before going through the runs.
const manyItems = 64

// speaking lists, for every run, the items that speak there, in their order; nil
// if there are few altogether. What can no longer be asked, because a rule
// without condition stands before it, is left out.
func (e *Engine) speaking(order []int32, starts []uint32) [][]int32 {
	if len(order) < manyItems {
		return nil
	}
	out, decided := make([][]int32, len(starts)), make([]bool, len(starts))
	for _, n := range order {
		r := e.ruleOf(n)
		for _, s := range e.rules.items[n].spans {
			i, _ := slices.BinarySearch(starts, s.lo)
			for ; i < len(starts) && starts[i] <= s.hi; i++ {
				if decided[i] {
					continue
				}
				out[i] = append(out[i], n)
				decided[i] = r.Cond == nil && r.Effect != policy.Pass && !slices.ContainsFunc(out[i], func(m int32) bool { return e.ruleOf(m).Effect == policy.Pass })
			}
		}
	}
	return out
}

// steps appends what is asked at one point, of items among which are all that
// speak there.
func (e *Engine) steps(w *walk, order []int32, at uint32) {
	passed := policy.Tier(0) // tiers up to this one are left
	var passes []int         // steps whose goal is not known yet
	for _, n := range order {
		it := &e.rules.items[n]
		r := e.rules.slots[it.rule].r
		if r.Tier < passed || !contains(it.spans, at) {
			continue
		}
		if r.Tier > policy.Platform {
			passes = w.land(passes)
		}
		cond := e.condition(r)
		if r.Effect == policy.Pass && cond == nil {
			passed = policy.Platform + 1
			continue
		}
		if r.Effect == policy.Pass {
			passes = append(passes, len(w.steps))
		}
		w.steps = append(w.steps, step{rule: it.rule, effect: r.Effect, cond: cond})
		switch {
		case cond == nil && len(passes) == 0:
			return
		case cond == nil: // what has passed still goes on behind the tier
			passed = policy.Platform + 1
		}
	}
	w.land(passes)
	w.steps = append(w.steps, step{rule: noRule})
}

// land lets passes go on at the next step.
func (w *walk) land(passes []int) []int {
	for _, i := range passes {
		w.steps[i].pass = int32(len(w.steps))
	}
	return nil
}

// merge joins neighbouring runs in which one and the same step decides at once.
func (w *walk) merge() {
	n := 0
	for i := range w.starts {
		if n > 0 {
			a, b := &w.steps[w.first[n-1]], &w.steps[w.first[i]]
			if a.cond == nil && *a == *b {
				continue
			}
		}
		w.starts[n], w.first[n] = w.starts[i], w.first[i]
		n++
	}
	w.starts, w.first = w.starts[:n:n], w.first[:n:n]
}
