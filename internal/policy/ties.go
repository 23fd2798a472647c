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
			if !r.disagree(a, b) {
				continue
			}
			r.diags.Errorf(b.Pos, "priority-tie", "rule %s and rule %s have priority %d and disagree about %s", a.Ref, b.Ref, a.Priority, r.commonTraffic(a, b)).
				WithHelp("give one of their policies another priority")
		}
	}
}

// disagree reports whether two rules say different things about something that
// both speak of. Conditions keep rules apart only where that is obvious.
func (r *resolver) disagree(a, b *Rule) bool {
	return a.Effect != b.Effect && r.overlap(a.From, b.From) && !r.commonTraffic(a, b).IsEmpty() && !apart(a.Cond, b.Cond)
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
	if len(b.Identities) < len(a.Identities) && !b.Any && !b.Not || a.Any || a.Not {
		a, b = b, a
	}
	return slices.ContainsFunc(r.identitiesOf(a), b.Identity) ||
		slices.ContainsFunc(r.outside, func(x []int) bool { return a.Address(x) && b.Address(x) })
}
