package verify

import "firebreak/internal/policy"

// A decision is a handful of look-ups in memory, and most of its time is
// waiting for it. So what decisions need is kept close together here, beside
// the tables that everything else reads.

// What a run of ports, or a step, says: a rule (its slot, doubled, plus one if
// it allows), or one of these.
const (
	left  int32 = -1 // to the defaults
	asked int32 = -2 // some rule has a condition: the walk must be gone
)

func (s *step) what() int32 {
	switch {
	case s.rule == noRule:
		return left
	case s.effect == policy.Allow:
		return s.rule<<1 | 1
	}
	return s.rule << 1
}

// run is a run of ports: it begins at a point, and ends before the next one.
type run struct {
	start uint32
	what  int32
}

// runs holds the runs of all walks, one walk after the other.
type runs []run

// place is where the runs of a walk are.
type place struct{ at, n uint32 }

// quick is where the runs of both policies of a list are.
type quick struct{ toCome, inForce place }

func (r runs) find(p place, x uint32) int32 {
	in := r[p.at : p.at+p.n]
	lo, hi := 0, len(in)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); in[mid].start <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	return in[lo].what
}

func (r *runs) add(w *walk) place {
	p := place{uint32(len(*r)), uint32(len(w.starts))}
	for i, start := range w.starts {
		s := &w.steps[w.first[i]]
		what := asked
		if s.cond == nil {
			what = s.what()
		}
		*r = append(*r, run{start, what})
	}
	return p
}

// hasten makes quick of the tables that are new. When there is twice as much as
// once was needed, most of it belongs to tables that are gone, and all is made
// anew.
func (e *Engine) hasten(fresh []int32) {
	if n := len(e.tables); n > len(e.quick) {
		e.quick = append(e.quick, make([]quick, n-len(e.quick))...)
	}
	if e.kept > 0 {
		for _, list := range fresh {
			e.runs = e.hastenOne(list)
		}
	}
	if e.kept > 0 && len(e.runs) <= 2*e.kept+1024 {
		return
	}
	e.runs = nil
	for list, t := range e.tables {
		if t != nil {
			e.runs = e.hastenOne(int32(list))
		}
	}
	e.kept = len(e.runs)
}

func (e *Engine) hastenOne(list int32) runs {
	t, r := e.tables[list], e.runs
	q := &e.quick[list]
	q.toCome = r.add(t.toCome)
	q.inForce = q.toCome
	if t.inForce != t.toCome {
		q.inForce = r.add(t.inForce)
	}
	return r
}

// An end, as decisions need it: the bits of its zone's default, workloadEnd,
// and from zoneShift on the zone.
const (
	workloadEnd = 4
	zoneShift   = 3
)

// verdict is whether a conversation passes, and by what. What no rule decides,
// both ends' zones do: the first that refuses, else the first there is.
func (e *Engine) verdict(what int32, a, b uint32, bit uint32) (bool, By) {
	if what >= 0 {
		return what&1 != 0, By(e.rules.index[what>>1] + 1)
	}
	speaker := a
	if a&workloadEnd == 0 || a&bit != 0 && b&bit == 0 {
		speaker = b
	}
	by := -1 - 2*By(speaker>>zoneShift)
	if a&b&bit != 0 {
		return true, by - 1
	}
	return false, by
}
