package ebpf

import (
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// verdicts are what one end says about one peer: about the base class, which
// is always the first, and about every class that differs from it.
type verdicts struct {
	classes   []int // sorted
	decisions []decision
	entries   *[]entry // what they come to in the table, once that was asked for
}

// entry is an entry of the table for whatever peer.
type entry struct {
	class  uint16
	toCome int32 // what decides it, to come: an index as of ruleIndex
	value  layout.PolicyValue
}

// evaluate decides the base class, every class in which an item's traffic
// differs from it, and the extra ones.
func (r *renderer) evaluate(s *side, items []item, extra []int) verdicts {
	classes := append([]int{base}, extra...)
	last := int32(-1)
	for _, it := range items {
		if it.set != last {
			classes = append(classes, r.classes.deviant[it.set]...)
			last = it.set
		}
	}
	slices.Sort(classes)
	v := verdicts{classes: slices.Compact(classes)}
	v.decisions = make([]decision, len(v.classes))
	c := r.times.course(items)
	for i, class := range v.classes {
		v.decisions[i] = r.decide(items, c, class, r.p.Identities[s.ident].Zone)
	}
	return v
}

// at returns the decision about a class; one that is not listed is as base.
func (v *verdicts) at(class int) decision {
	if i, ok := slices.BinarySearch(v.classes, class); ok {
		return v.decisions[i]
	}
	return v.decisions[0]
}

// combine merges what several owners of an address say.
func combine(all []*verdicts, strictest bool) *verdicts {
	if len(all) == 1 {
		return all[0]
	}
	v := &verdicts{}
	for _, a := range all {
		v.classes = append(v.classes, a.classes...)
	}
	slices.Sort(v.classes)
	v.classes = slices.Compact(v.classes)
	v.decisions = make([]decision, len(v.classes))
	for i, class := range v.classes {
		d := all[0].at(class)
		for _, a := range all[1:] {
			d = merge(d, a.at(class), strictest)
		}
		v.decisions[i] = d
	}
	return v
}

// decideAll fills the policy table, end by end.
func (r *renderer) decideAll() {
	rules := len(r.p.Rules) + 2*len(r.p.Zones)
	r.ruleNum, r.used = make([]uint32, rules), make([]int, rules)
	for _, l := range r.locals {
		for _, d := range [...]flow.Direction{flow.Egress, flow.Ingress} {
			r.decideSide(l, d)
		}
	}
	if r.total > r.limit() {
		r.refusePolicy()
		return
	}
	if r.unlimited {
		return // a host's are cut from what was emitted
	}
	r.tables.Policy = make(map[layout.PolicyKey]layout.PolicyValue, r.total)
	for _, run := range r.emitted {
		for _, e := range run {
			for _, x := range *e.entries {
				e.key.Class = x.class
				r.tables.Policy[e.key] = x.value
			}
		}
	}
}

func (r *renderer) decideSide(l local, d flow.Direction) {
	sides := make([]*side, len(l.idents))
	var mentioned []int
	for i, id := range l.idents {
		sides[i] = r.side(id, d)
		mentioned = append(mentioned, sides[i].mentioned...)
	}
	slices.Sort(mentioned)
	all := make([]*verdicts, len(sides))
	loosest := func(f func(*side) *verdicts) *verdicts {
		for i, s := range sides {
			all[i] = f(s)
		}
		return combine(all, false)
	}
	byDefault := loosest(func(s *side) *verdicts { return &s.byDefault })
	r.emit(l.number, layout.AnyPeer, d, byDefault, nil)
	for _, far := range slices.Compact(mentioned) {
		v := loosest(func(s *side) *verdicts { return r.toIdentity(s, far) })
		r.emit(l.number, r.identity(far), d, v, byDefault)
	}
	for i := range r.peers {
		far := &r.peers[i]
		v := loosest(func(s *side) *verdicts {
			if far.externals != nil {
				return r.toExternals(s, far.externals)
			}
			owners := make([]*verdicts, len(far.idents))
			for j, id := range far.idents {
				owners[j] = r.toIdentity(s, id)
			}
			return combine(owners, true)
		})
		r.emit(l.number, far.number, d, v, byDefault)
	}
	for i := range r.frontends {
		far := &r.frontends[i]
		v := loosest(func(s *side) *verdicts {
			if d == flow.Egress {
				return r.toFrontend(s, far)
			}
			return r.toExternals(s, far.externals)
		})
		r.emit(l.number, far.number, d, v, byDefault)
	}
	for i := range r.relays {
		v := loosest(func(s *side) *verdicts { return r.toRelay(s, &r.relays[i], d) })
		r.emit(l.number, r.relays[i].number, d, v, byDefault)
	}
	for _, s := range sides {
		r.done(s)
	}
	r.emitted = append(r.emitted, slices.Clone(r.run))
	r.run = r.run[:0]
}

// emission is the entries about one peer; key lacks the class.
type emission struct {
	key     layout.PolicyKey
	entries *[]entry
}

// emit notes the entries about one peer, unless they say what those about any
// peer, byDefault, say.
func (r *renderer) emit(local, peer uint32, d flow.Direction, v, byDefault *verdicts) {
	if v.entries == nil {
		v.entries = new([]entry)
		if byDefault == nil || v != byDefault && !v.saysAs(byDefault) {
			*v.entries = r.entries(v)
		}
	} else if v == byDefault {
		return
	}
	entries := *v.entries
	if len(entries) == 0 {
		return
	}
	if !r.unlimited {
		for i := range entries {
			r.used[entries[i].toCome]++
		}
	}
	if r.total += len(entries); r.total <= r.limit() {
		r.run = append(r.run, emission{layout.PolicyKey{Local: local, Peer: peer, Direction: d}, v.entries})
	}
}

func (r *renderer) entries(v *verdicts) []entry {
	out := make([]entry, 0, len(v.classes))
	for i, class := range v.classes {
		d := &v.decisions[i]
		if i > 0 && *d == v.decisions[0] {
			continue
		}
		toCome := r.ruleIndex(d.toComeRule, d.toComeOwner)
		out = append(out, entry{r.classes.number[class], toCome, layout.PolicyValue{
			InForceRule:  r.number(r.ruleIndex(d.inForceRule, d.inForceOwner)),
			ToComeRule:   r.number(toCome),
			AllowInForce: d.inForce,
			AllowToCome:  d.toCome,
			InForceUntil: r.times.nanos(d.inForceUntil),
			ToComeUntil:  r.times.nanos(d.toComeUntil),
		}})
	}
	return out
}

// saysAs reports whether both say the same about every class.
func (v *verdicts) saysAs(w *verdicts) bool {
	for i, class := range v.classes {
		if v.decisions[i] != w.at(class) {
			return false
		}
	}
	for i, class := range w.classes {
		if w.decisions[i] != v.at(class) {
			return false
		}
	}
	return true
}

// ruleIndex gives rules and, behind them, two defaults of each zone an index of
// their own.
func (r *renderer) ruleIndex(rule, zone int32) int32 {
	switch rule {
	case defaultDeny:
		return int32(len(r.p.Rules)) + 2*zone
	case defaultAllow:
		return int32(len(r.p.Rules)) + 2*zone + 1
	default:
		return rule
	}
}

// defaultOf is the zone whose default an index is, and whether that allows.
func (r *renderer) defaultOf(index int32) (zone int32, allow, is bool) {
	index -= int32(len(r.p.Rules))
	return index / 2, index%2 == 1, index >= 0
}

// number returns what the kernel calls the rule of that index.
func (r *renderer) number(index int32) uint32 {
	if r.ruleNum[index] == 0 {
		r.ruleNum[index] = r.n.rule(r.keyOf(index))
	}
	return r.ruleNum[index]
}

func (r *renderer) keyOf(index int32) string {
	if zone, allow, is := r.defaultOf(index); is {
		return defaultKey(defaultWord(allow), r.p.Zones[zone].Name)
	}
	return ruleKey(r.p.Rules[index].Ref)
}

func defaultWord(allow bool) string {
	if allow {
		return "default-allow"
	}
	return "default-deny"
}
