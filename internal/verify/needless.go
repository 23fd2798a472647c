package verify

import (
	"slices"

	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

func everything() space.Set { return space.Plain(span{0, lastPoint}.traffic()) }

// Needless is a rule that could be left out without changing any verdict, in
// force or to come.
type Needless struct {
	Rule  int  // index into Policy.Rules
	By    By   // what decides instead of it, of the first pair that it speaks of
	Never bool // it decides nothing at all; otherwise it decides as others would
}

// Needless lists the allow and deny rules, apart from guardrails, that speak of
// some pair and change nothing, in the order of the policy. Of two rules that
// say the same both are listed: either could go, not both. Guardrails are left
// out of account: a rule that only repeats one is what the guardrail's proof
// rests on.
func (e *Engine) Needless() []Needless {
	found := make([]finding, len(e.rules.slots))
	var items []int32
	for list := 1; list < min(len(e.tables), len(e.used)); list++ {
		if e.tables[list] == nil || !e.used[list].any() {
			continue
		}
		items = slices.DeleteFunc(e.lists.items(int32(list), items[:0]), func(n int32) bool { return e.ruleOf(n).Tier == policy.Guardrails })
		for _, n := range items {
			e.judge(&found[e.rules.items[n].rule], items, n, &e.used[list])
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

// finding is what is known of a rule so far.
type finding struct {
	needed, seen, decides bool
	by                    By
}

// half is one of the two policies, as a list has it.
type half struct {
	walk               *walk
	permits, undecided space.Set
	decides            bool // the rule that is asked about decides something
}

// half is that of some items; slot is the rule that is asked about.
func (e *Engine) half(items []int32, slot int32) half {
	h := half{walk: e.walk(e.inOrder(items))}
	h.permits, h.undecided = e.sets(h.walk)
	h.walk.each(e, func(_ space.Set, rule int32) { h.decides = h.decides || rule == slot })
	return h
}

func (e *Engine) enforced(items []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(items), func(n int32) bool { return e.ruleOf(n).Stage != policy.Enforce })
}

// judge adds to what is known of the rule of an item of a list. All that
// matters is what speaks of the same, which is little of a long list.
func (e *Engine) judge(f *finding, list []int32, n int32, u *use) {
	if f.needed {
		return
	}
	slot := e.rules.items[n].rule
	var all, rest []int32
	for _, m := range list {
		switch {
		case e.rules.items[m].rule == slot:
			all = append(all, m)
		case e.meets(m, slot):
			all, rest = append(all, m), append(rest, m)
		}
	}
	with, without := e.half(all, slot), e.half(rest, slot)
	if !f.seen {
		f.seen, f.by = true, e.insteadOf(n, without.walk)
	}
	inForce := e.half(e.enforced(all), slot)
	if !with.decides && !inForce.decides {
		return
	}
	f.decides = true
	f.needed = without.differs(&with, u[0]|u[2] != 0, u.byDefault())
	if !f.needed && e.rules.slots[slot].r.Stage == policy.Enforce {
		without = e.half(e.enforced(rest), slot)
		f.needed = without.differs(&inForce, u[0]|u[1] != 0, u[2]|u[3] != 0)
	}
}

// meets reports whether an item may speak of something that a rule speaks of.
func (e *Engine) meets(item, slot int32) bool {
	if !slices.ContainsFunc(e.rules.slots[slot].items, func(n int32) bool {
		return overlap(e.rules.items[item].spans, e.rules.items[n].spans)
	}) {
		return false
	}
	a, b := e.condition(e.ruleOf(item)), e.condition(e.rules.slots[slot].r)
	return a == nil || b == nil || a == b || !a.Intersect(*b).IsEmpty()
}

// differs compares what passes where defaults refuse, and where they let pass,
// as far as there are such pairs.
func (h *half) differs(was *half, refusing, passing bool) bool {
	return refusing && !h.permits.Equal(was.permits) ||
		passing && !h.permits.Union(h.undecided).Equal(was.permits.Union(was.undecided))
}

// insteadOf is the first rule of a walk that decides about what an item speaks
// of, as its own rule would if there is one; 0 if only defaults do.
func (e *Engine) insteadOf(n int32, w *walk) By {
	about := e.speaksOf(n)
	by := By(0)
	for _, x := range e.pieces(w) {
		if x.rule == noRule || x.set.Intersect(about).IsEmpty() {
			continue
		}
		same := e.rules.slots[x.rule].r.Effect == e.ruleOf(n).Effect
		if same || by == 0 {
			by = By(e.rules.slots[x.rule].index + 1)
		}
		if same {
			break
		}
	}
	return by
}
