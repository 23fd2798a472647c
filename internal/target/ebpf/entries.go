package ebpf

import (
	"encoding/binary"
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// verdicts are what one end says about one peer: about the base class, which
// is always the first, and about every class that differs from it.
type verdicts struct {
	classes   []int // sorted
	decisions []decision
}

// side is what the rules that touch one identity here say in one direction,
// sorted out by far end. All lists are sorted.
type side struct {
	ident     int
	any       []item // what speaks of a far end that no rule names
	byIdent   map[int]named
	byExt     map[int]named
	byDefault verdicts // what any says alone
	known     map[string]verdicts
}

// named is how what speaks of a far end that rules name differs from any: with
// what names it, and without what speaks of everything but it.
type named struct{ with, without []item }

func (r *renderer) side(ident int, d flow.Direction) *side {
	s := &side{ident: ident, byIdent: map[int]named{}, byExt: map[int]named{}, known: map[string]verdicts{}}
	for _, t := range r.touches[r.slot[ident]][d] {
		if t.far.Any || t.far.Not {
			s.any = append(s.any, t.item)
		}
		for _, id := range t.far.Identities {
			s.byIdent[id] = s.byIdent[id].and(t)
		}
		for _, x := range t.far.Externals {
			s.byExt[x] = s.byExt[x].and(t)
		}
	}
	s.byDefault = r.evaluate(s, s.any, nil)
	return s
}

func (n named) and(t touch) named {
	if t.far.Not {
		n.without = append(n.without, t.item)
	} else {
		n.with = append(n.with, t.item)
	}
	return n
}

// toIdentity returns what the end says about a far identity.
func (r *renderer) toIdentity(s *side, ident int) verdicts {
	return r.remembered(s, s.byIdent[ident])
}

// toExternals returns what the end says about an address in those Externals.
func (r *renderer) toExternals(s *side, set []int) verdicts {
	if len(set) == 1 {
		return r.remembered(s, s.byExt[set[0]])
	}
	var own named
	for _, x := range set {
		own.with = mergeItems(own.with, s.byExt[x].with)
		own.without = mergeItems(own.without, s.byExt[x].without)
	}
	return r.remembered(s, own)
}

// remembered evaluates a list of items once, however many peers have it.
func (r *renderer) remembered(s *side, own named) verdicts {
	if len(own.with) == 0 && len(own.without) == 0 {
		return s.byDefault
	}
	key := make([]byte, 0, 8*(len(own.with)+len(own.without)+1))
	for _, it := range own.with {
		key = appendItem(key, it)
	}
	key = appendItem(key, item{rule: -1, grant: -1})
	for _, it := range own.without {
		key = appendItem(key, it)
	}
	if v, ok := s.known[string(key)]; ok {
		return v
	}
	v := r.evaluate(s, mergeItems(lessItems(s.any, own.without), own.with), s.byDefault.classes)
	s.known[string(key)] = v
	return v
}

func appendItem(key []byte, it item) []byte {
	key = binary.NativeEndian.AppendUint32(key, uint32(it.rule))
	return binary.NativeEndian.AppendUint32(key, uint32(it.grant))
}

// lessItems returns a without those of b, all of which a has.
func lessItems(a, b []item) []item {
	if len(b) == 0 {
		return a
	}
	out := make([]item, 0, len(a))
	for _, it := range a {
		if len(b) > 0 && it == b[0] {
			b = b[1:]
			continue
		}
		out = append(out, it)
	}
	return out
}

// mergeItems merges two lists in the order of rules and drops what is twice.
func mergeItems(a, b []item) []item {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]item, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && less(a[0], b[0]):
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || less(b[0], a[0]):
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return out
}

func less(a, b item) bool { return a.rule < b.rule || a.rule == b.rule && a.grant < b.grant }

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
func (v verdicts) at(class int) decision {
	if i, ok := slices.BinarySearch(v.classes, class); ok {
		return v.decisions[i]
	}
	return v.decisions[0]
}

// combine merges what several owners of an address say.
func combine(all []verdicts, strictest bool) verdicts {
	if len(all) == 1 {
		return all[0]
	}
	var v verdicts
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
	r.tables.Policy = map[layout.PolicyKey]layout.PolicyValue{}
	r.ruleNum, r.used = map[ruleID]uint32{}, map[ruleID]int{}
	for _, l := range r.locals {
		for _, d := range [...]flow.Direction{flow.Egress, flow.Ingress} {
			r.decideSide(l, d)
		}
	}
	if r.total > layout.MaxPolicy {
		r.refusePolicy()
	}
}

func (r *renderer) decideSide(l local, d flow.Direction) {
	sides := make([]*side, len(l.idents))
	mentioned := map[int]bool{}
	for i, id := range l.idents {
		sides[i] = r.side(id, d)
		for far := range sides[i].byIdent {
			mentioned[far] = true
		}
	}
	loosest := func(f func(*side) verdicts) verdicts {
		all := make([]verdicts, len(sides))
		for i, s := range sides {
			all[i] = f(s)
		}
		return combine(all, false)
	}
	byDefault := loosest(func(s *side) verdicts { return s.byDefault })
	r.emit(l.number, layout.AnyPeer, d, byDefault, verdicts{})
	for _, far := range sorted(mentioned) {
		v := loosest(func(s *side) verdicts { return r.toIdentity(s, far) })
		r.emit(l.number, r.identity(far), d, v, byDefault)
	}
	for i := range r.peers {
		far := &r.peers[i]
		v := loosest(func(s *side) verdicts {
			if far.externals != nil {
				return r.toExternals(s, far.externals)
			}
			all := make([]verdicts, len(far.idents))
			for j, id := range far.idents {
				all[j] = r.toIdentity(s, id)
			}
			return combine(all, true)
		})
		r.emit(l.number, far.number, d, v, byDefault)
	}
}

func sorted(set map[int]bool) []int {
	out := make([]int, 0, len(set))
	for i := range set {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// emit writes the entries about one peer, unless they say what those about any
// peer say.
func (r *renderer) emit(local, peer uint32, d flow.Direction, v, byDefault verdicts) {
	if peer != layout.AnyPeer && v.saysAs(byDefault) {
		return
	}
	for i, class := range v.classes {
		if i > 0 && v.decisions[i] == v.decisions[0] {
			continue
		}
		key := layout.PolicyKey{Local: local, Peer: peer, Class: r.classes.number[class], Direction: d}
		r.enter(key, v.decisions[i])
	}
}

// saysAs reports whether both say the same about every class.
func (v verdicts) saysAs(w verdicts) bool {
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

// enter adds an entry, or only counts it once the kernel's map would be full.
func (r *renderer) enter(key layout.PolicyKey, d decision) {
	toCome := ruleID{d.toComeRule, d.toComeOwner}
	r.used[toCome.normal()]++
	r.total++
	if r.total > layout.MaxPolicy {
		return
	}
	r.tables.Policy[key] = layout.PolicyValue{
		InForceRule:  r.number(ruleID{d.inForceRule, d.inForceOwner}),
		ToComeRule:   r.number(toCome),
		AllowInForce: d.inForce,
		AllowToCome:  d.toCome,
		InForceUntil: r.times.nanos(d.inForceUntil),
		ToComeUntil:  r.times.nanos(d.toComeUntil),
	}
}

// ruleID is an index into Policy.Rules, or a default and the zone whose it is.
type ruleID struct{ rule, zone int32 }

func (id ruleID) normal() ruleID {
	if id.rule >= 0 {
		id.zone = -1
	}
	return id
}

func (r *renderer) number(id ruleID) uint32 {
	id = id.normal()
	number, ok := r.ruleNum[id]
	if !ok {
		number = r.n.rule(r.keyOf(id))
		r.ruleNum[id] = number
	}
	return number
}

func (r *renderer) keyOf(id ruleID) string {
	if id.rule >= 0 {
		return ruleKey(r.p.Rules[id.rule].Ref)
	}
	return defaultKey(defaultWord(id.rule), r.p.Zones[id.zone].Name)
}

func defaultWord(id int32) string {
	if id == defaultAllow {
		return "default-allow"
	}
	return "default-deny"
}
