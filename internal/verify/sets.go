package verify

import (
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// piece is a part of all traffic and circumstances, and the rule that decides
// about it, or noRule.
type piece struct {
	set  space.Set
	rule int32
}

// pieces divides everything by the rule that decides.
func (e *Engine) pieces(w *walk) []piece {
	at := map[int32]int{}
	var out []piece
	add := func(s space.Set, rule int32) {
		i, known := at[rule]
		if !known {
			i = len(out)
			at[rule] = i
			out = append(out, piece{rule: rule})
		}
		out[i].set = out[i].set.Union(s)
	}
	w.each(e, add)
	return out
}

// each visits disjoint parts of everything with what decides about them.
func (w *walk) each(e *Engine, visit func(space.Set, int32)) {
	for i := range w.starts {
		run := span{w.starts[i], lastPoint}
		if i+1 < len(w.starts) {
			run.hi = w.starts[i+1] - 1
		}
		w.from(w.first[i], space.Plain(run.traffic()), visit)
	}
}

// from visits what becomes of a set of which a step is asked.
func (w *walk) from(i int32, set space.Set, visit func(space.Set, int32)) {
	for ; ; i++ {
		s := &w.steps[i]
		if s.cond == nil {
			visit(set, s.rule)
			return
		}
		if held := set.Intersect(*s.cond); !held.IsEmpty() {
			if s.pass > 0 {
				w.from(s.pass, held, visit)
			} else {
				visit(held, s.rule)
			}
			set = set.Subtract(held)
			if set.IsEmpty() {
				return
			}
		}
	}
}

// sets returns what a walk permits by rule and what it leaves to the defaults.
func (e *Engine) sets(w *walk) (permits, undecided space.Set) {
	w.each(e, func(s space.Set, rule int32) {
		switch {
		case rule == noRule:
			undecided = undecided.Union(s)
		case e.rules.slots[rule].r.Effect == policy.Allow:
			permits = permits.Union(s)
		}
	})
	return permits, undecided
}

// Permitted is everything that may pass from one peer to another, in the
// policy to come or the one in force; managed is false, and the set empty,
// where neither end is a workload.
func (e *Engine) Permitted(from, to Peer, inForce bool) (set space.Set, managed bool) {
	if e.peers.slots[from].identity < 0 && e.peers.slots[to].identity < 0 {
		return space.Set{}, false
	}
	t := e.tables[e.cells[from][to]]
	if !inForce {
		return e.withDefault(t.permits, t.undecided, from, to, byDefault), true
	}
	permits, undecided := t.permits, t.undecided
	if t.inForce != t.toCome {
		permits, undecided = e.sets(t.inForce)
	}
	return e.withDefault(permits, undecided, from, to, byDefaultInForce), true
}

func (e *Engine) withDefault(permits, undecided space.Set, from, to Peer, bit uint8) space.Set {
	if e.bits[from]&e.bits[to]&bit != 0 {
		return permits.Union(undecided)
	}
	return permits
}

// Part is a part of all traffic and circumstances and what decides about it.
type Part struct {
	Set     space.Set
	Permits bool
	By      By
}

// Parts divides all traffic from one peer to another by what decides about it;
// nil where neither end is a workload. No part is empty.
func (e *Engine) Parts(from, to Peer, inForce bool) []Part {
	if e.peers.slots[from].identity < 0 && e.peers.slots[to].identity < 0 {
		return nil
	}
	t := e.tables[e.cells[from][to]]
	w := t.toCome
	if inForce {
		w = t.inForce
	}
	var out []Part
	for _, x := range e.pieces(w) {
		permits, by := e.outcome(x.rule, from, to, inForce)
		out = append(out, Part{x.set, permits, by})
	}
	return out
}

// Undecided reports whether no rule speaks of the pair at all, so that only
// the zones' defaults decide.
func (e *Engine) Undecided(from, to Peer) bool { return e.cells[from][to] == 0 }

// Class is a number that two pairs share only if the same rules speak of them
// and the same defaults hold, so that whatever is asked of both has the same
// answer. It is below Classes.
func (e *Engine) Class(from, to Peer) int {
	return int(e.cells[from][to])*4 + int(e.bits[from]&e.bits[to])
}

// Classes is the number above all classes.
func (e *Engine) Classes() int { return len(e.lists.parent) * 4 }
