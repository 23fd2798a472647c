package policy

import (
	"slices"

	"firebreak/internal/netset"
)

// checkTies refuses platform rules of one priority that disagree about some
// conversation: the order of a text must not decide.
func (r *resolver) checkTies() {
	for i := range r.p.Rules {
		a := &r.p.Rules[i]
		for j := i + 1; j < len(r.p.Rules); j++ {
			b := &r.p.Rules[j]
			if a.Tier != Platform || b.Tier != Platform || a.Priority != b.Priority {
				break // rules are sorted by both
			}
			if a.Effect == b.Effect || !r.overlap(a.From, b.From) {
				continue
			}
			if t := r.commonTraffic(a, b); !t.IsEmpty() {
				r.diags.Errorf(b.Pos, "priority-tie", "rule %s and rule %s have priority %d and disagree about %s", a.Ref, b.Ref, a.Priority, t).
					WithHelp("give one of their policies another priority")
			}
		}
	}
}

// commonTraffic is what both rules speak about at some common destination.
func (r *resolver) commonTraffic(a, b *Rule) netset.Traffic {
	common := netset.None()
	for _, g := range a.Grants {
		for _, h := range b.Grants {
			if t := g.Traffic.Intersect(h.Traffic); !t.IsEmpty() && r.overlap(g.To, h.To) {
				common = common.Union(t)
			}
		}
	}
	return common
}

// overlap reports whether some peer is meant by both.
func (r *resolver) overlap(a, b Peers) bool {
	switch {
	case a.Any:
		return b.Any || len(b.Identities) > 0 || len(b.Externals) > 0
	case b.Any:
		return r.overlap(b, a)
	}
	common := func(id int) bool {
		_, found := slices.BinarySearch(b.Identities, id)
		return found
	}
	return slices.ContainsFunc(a.Identities, common) || slices.ContainsFunc(r.prefixes, func(p PrefixPeer) bool {
		return intersects(p.Externals, a.Externals) && intersects(p.Externals, b.Externals)
	})
}

func intersects(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}
