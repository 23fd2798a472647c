package prove

import (
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/policy"
)

// observes reports whether an end is a workload whose zone is not in force: what is
// denied there is denied by rules only, and all else passes.
func (e *estate) observes(x int) bool {
	g := e.u.engine
	if g == nil || !e.inForce || !e.u.ends[x].managed() {
		return false
	}
	zone := g.Zone(e.u.ends[x].peer)
	return zone >= 0 && g.Policy().Zones[zone].Stage != policy.Enforce
}

// opens reports whether a layer governs an end, and lets everything pass there.
func (s *sides) opens(d flow.Direction, layer, x int) bool {
	row := s.e.layers[layer].halves[d].rows[x]
	if len(row) == 0 {
		return false
	}
	open, known := s.open[&row[0]]
	if !known {
		open = !slices.ContainsFunc(row, func(content int32) bool { return !s.e.bounds(content).lower.Equal(everything) })
		s.open[&row[0]] = open
	}
	return open
}

// observed takes what passes beyond the intent for not enforced, rather than for
// wrong, if the layer leaves all ends open at which it should not pass, and their
// zones observe.
func (j *judge) observed(sig *signature, n int, p *piece) {
	if p.kind != over || p.fault == [2]bool{} {
		return
	}
	for d, flag := range [2]int32{observedFrom, observedTo} {
		if p.fault[d] && sig.at[n][2]&flag == 0 {
			return
		}
	}
	p.kind, p.open = unenforcedOver, true
	p.why = j.e.layers[n].Target + " leaves open whose zone observes: what is denied there in force is not enforced"
}

// openTogether is what passes all layers since all that govern its ends leave them
// open; layers are the pieces of each. Nil for nothing.
func openTogether(layers [][]piece) *piece {
	var out *piece
	for _, pieces := range layers {
		for i := range pieces {
			p := &pieces[i]
			if !p.open {
				continue
			}
			if out == nil {
				out = &piece{kind: unenforcedOver, why: p.why}
			}
			out.set = out.set.Union(p.set)
		}
	}
	for _, pieces := range layers {
		for i := range pieces {
			if out != nil && pieces[i].kind == over {
				out.set = out.set.Subtract(pieces[i].set)
			}
		}
	}
	return out
}
