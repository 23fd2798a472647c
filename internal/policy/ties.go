package policy

import (
	"slices"

	"firebreak/internal/netset"
)

// checkTies refuses platform rules of one priority that disagree about some
// conversation: the order of a text must not decide. Of every rule, the
// nearest before it that it disagrees with is named.
func (r *resolver) checkTies() {
	if !r.sameTies() {
		r.findTies()
	} else {
		r.tiesFound = r.old.tiesFound
	}
	r.diags = append(r.diags, r.tiesFound...)
}

func (r *resolver) sameTies() bool {
	return r.old != nil && r.frame == r.old.frame && r.touched < r.generation && slices.Equal(r.platform, r.old.platform) &&
		!slices.ContainsFunc(r.platform, r.isRenewed)
}

func (r *resolver) findTies() {
	for j, x := range r.platform {
		b := &x.out
		for i := j - 1; i >= 0 && r.platform[i].out.Priority == b.Priority; i-- {
			a := &r.platform[i].out
			if !r.disagree(a, b) {
				continue
			}
			r.tiesFound.Errorf(b.Pos, "priority-tie", "rule %s and rule %s have priority %d and disagree about %s", a.Ref, b.Ref, a.Priority, r.commonTraffic(a, b)).
				WithHelp("give one of their policies another priority")
			break
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
