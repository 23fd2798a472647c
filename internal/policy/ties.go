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
	all := make([]sides, len(r.platform))
	for i, rec := range r.platform {
		all[i] = r.sidesOf(&rec.out)
	}
	for j := range all {
		b := all[j].rule
		for i := j - 1; i >= 0 && all[i].rule.Priority == b.Priority; i-- {
			a := all[i].rule
			if a.Effect == b.Effect || !r.meet(&all[i], &all[j]) {
				continue
			}
			r.tiesFound.Errorf(b.Pos, "priority-tie", "rule %s/%s and rule %s/%s have priority %d and disagree about %s",
				a.Ref.Policy, a.Ref.Rule, b.Ref.Policy, b.Ref.Rule, a.Priority, r.commonTraffic(a, b)).
				WithHelp("give one of their policies another priority").WithSee(a.Pos)
			break
		}
	}
}

// sides is a rule and everything that its ends match, for comparing many.
type sides struct {
	rule     *Rule
	from, to peerSet
}

func (r *resolver) sidesOf(rule *Rule) sides {
	return sides{rule, r.setOf(rule.From), r.setOf(rule.To)}
}

// meet reports whether two rules both speak of something. Conditions keep
// rules apart only where that is obvious.
func (r *resolver) meet(a, b *sides) bool {
	return a.to.meets(b.to) && a.from.meets(b.from) && !apart(a.rule.Cond, b.rule.Cond) && !r.commonTraffic(a.rule, b.rule).IsEmpty()
}

// commonTraffic is what both rules speak about at some common destination.
func (r *resolver) commonTraffic(a, b *Rule) netset.Traffic {
	common := netset.None()
	for _, g := range a.Grants {
		for _, h := range b.Grants {
			if t := g.Traffic.Intersect(h.Traffic); !t.IsEmpty() && r.setOf(g.To).meets(r.setOf(h.To)) {
				common = common.Union(t)
			}
		}
	}
	return common
}

// peerSet has a bit for every identity, and behind them one for each of
// resolver.outside.
type peerSet []uint64

func (s peerSet) meets(other peerSet) bool {
	for i := range s {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

func (r *resolver) setOf(p Peers) peerSet {
	n := len(r.groups)
	out := make(peerSet, (n+len(r.outside)+63)/64)
	if p.Any || p.Not {
		for id := range n {
			out[id/64] |= 1 << (id % 64)
		}
	}
	for _, id := range p.Identities {
		out[id/64] ^= 1 << (id % 64) // of Any there are none
	}
	for i, x := range r.outside {
		if p.Address(x) {
			out[(n+i)/64] |= 1 << ((n + i) % 64)
		}
	}
	return out
}
