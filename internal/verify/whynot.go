package verify

import (
	"cmp"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Near is an allow rule that almost permits a conversation, and what keeps it
// from doing so.
type Near struct {
	Rule      int  // index into Policy.Rules
	From, To  bool // the rule speaks of that end
	Ports     bool // it speaks of that port, at least at some destination
	Condition bool // its condition holds
	Overruled bool // it speaks of the conversation, and something decides before it
}

// misses weighs what is missing: another end is further away than another port.
func (n Near) misses() int {
	sum := 0
	for _, x := range []struct {
		ok     bool
		weight int
	}{{n.From, 4}, {n.To, 4}, {n.Ports, 2}, {n.Condition, 1}} {
		if !x.ok {
			sum += x.weight
		}
	}
	return sum
}

// WhyNot lists the allow rules that come nearest to permitting a conversation,
// nearest first, at most max of them. A rule that speaks of neither end, or of
// nothing but one end's everything, is not near.
func (e *Engine) WhyNot(from, to Peer, proto netset.Protocol, port uint16, at space.Point, max int) []Near {
	var out []Near
	for i := range e.p.Rules {
		if e.p.Rules[i].Effect == policy.Allow {
			if n := e.near(i, from, to, proto, port, at); n.From || n.To {
				out = append(out, n)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Near) int { return cmp.Compare(a.misses(), b.misses()) })
	if len(out) > 0 { // what is much further away than the nearest does not help
		limit := out[0].misses() + 1
		out = slices.DeleteFunc(out, func(n Near) bool { return n.misses() > limit })
	}
	return out[:min(max, len(out))]
}

func (e *Engine) near(rule int, from, to Peer, proto netset.Protocol, port uint16, at space.Point) Near {
	n := Near{Rule: rule}
	for _, i := range e.rules.slots[e.rules.at[rule]].items {
		it := &e.rules.items[i]
		n.From = it.from.Contains(uint32(from))
		toHere := it.to.Contains(uint32(to))
		ports := contains(it.spans, point(proto, port))
		if toHere && !n.To {
			n.To, n.Ports = true, ports
		} else if toHere == n.To {
			n.Ports = n.Ports || ports
		}
	}
	cond := e.condition(&e.p.Rules[rule])
	n.Condition = cond == nil || cond.Contains(proto, port, at)
	n.Overruled = n.misses() == 0
	return n
}
