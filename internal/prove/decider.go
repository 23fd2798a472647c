package prove

import (
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// decider is the rule that decides, laxly read, about one conversation in which
// the end of that number has a part; nil if it is the default.
func (t *table) decider(self, other int, proto netset.Protocol, port uint16, at space.Point) (found *layer.Rule, effect layer.Effect) {
	group, governs := t.governs(self)
	if governs == layer.No {
		return nil, layer.Abstain
	}
	tier := -1
	for _, item := range t.lists.items(t.rows[group][t.u.peerClass[other]]) {
		r := &t.rules[item>>itemBits]
		if found != nil && r.tier > tier {
			break
		}
		if item&inDoubt != 0 && r.Effect == layer.Deny || found != nil && r.Effect >= found.Effect {
			continue
		}
		if set, _ := t.u.space.Of(r.Traffic, r.Cond, r.Effect == layer.Deny); set.Contains(proto, port, at) {
			found, tier = r.part(t.u, other), r.tier
		}
	}
	if found == nil {
		return nil, t.Default
	}
	return found, found.Effect
}

// decider names the rule of a layer that decides about one conversation: one
// that denies, else one that allows. It is the zero Rule for a default. from, to
// and ports are by direction: what the tables of that direction see.
func (l *compiled) decider(from, to [2]int, ports [2]uint16, proto netset.Protocol, at space.Point) flow.Rule {
	var ref flow.Rule
	best := layer.Abstain + 1
	for _, t := range l.tables {
		d := t.Direction
		self, other := from[d], to[d]
		if d == flow.Ingress {
			self, other = other, self
		}
		if r, effect := t.decider(self, other, proto, ports[d], at); effect < best {
			best, ref = effect, flow.Rule{}
			if r != nil {
				ref = r.Ref
			}
		}
	}
	return ref
}
