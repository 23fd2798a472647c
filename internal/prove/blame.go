package prove

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/verify/space"
)

// governing has by direction and end the tables of a layer that decide there.
type governing [2][][]decides

func newGoverning(l *compiled) (out governing) {
	for d := range out {
		out[d] = make([][]decides, len(l.u.ends))
	}
	for i, t := range l.tables {
		for _, g := range t.governed {
			out[t.Direction][g.end] = append(out[t.Direction][g.end], decides{i, g})
		}
	}
	return out
}

// side is one table at one end of a pair, or an end that a layer governs and about
// which no table of it decides.
type side struct {
	layer, table int // table is -1 where none decides
	d            flow.Direction
	end          int
	list         int32
	points       []int32
}

func (s *side) appendKey(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(2*s.layer)+uint64(s.d))
	b = binary.AppendUvarint(b, uint64(s.table+1))
	b = binary.AppendUvarint(b, uint64(s.list))
	return appendPoints(b, s.points)
}

func appendPoints(b []byte, points []int32) []byte {
	for _, p := range points {
		b = binary.AppendUvarint(b, uint64(p)+1)
	}
	return append(b, 0)
}

// between appends the sides of a pair.
func (f *faults) between(out []side, i, j int) []side {
	u := f.c.e.u
	for n, l := range f.c.e.layers {
		for d, self := range [2]int{i, j} {
			if !u.ends[self].managed() || l.halves[d].rows[self] == nil {
				continue
			}
			s := side{layer: n, table: -1, d: flow.Direction(d), end: self, points: l.points[self]}
			tables := f.sides[n][d][self]
			if l.missing(self) || len(tables) == 0 {
				out = append(out, s)
				continue
			}
			for _, t := range tables {
				s.table, s.list = t.table, l.tables[t.table].rows[t.group][u.peerClass[[2]int{j, i}[d]]]
				out = append(out, s)
			}
		}
	}
	return out
}

// decision is what one rule decides about a pair; without a rule, the default.
type decision struct {
	*rule
	effect layer.Effect
	set    space.Set
}

// size says how much a decision is about: the more, the less specific. A default
// is about more than any rule.
func (d *decision) size() float64 {
	if d.rule == nil {
		return math.Inf(1)
	}
	ports := 0
	for _, r := range d.Traffic.Runs() {
		ports += int(r.Hi) - int(r.Lo) + 1
	}
	return float64(ports) * float64(1+d.subject.may.GetCardinality()) * float64(1+d.peer.may.GetCardinality())
}

// decisions are what the rules of a list decide, each by itself.
func (t *table) decisions(list int32, lax bool) (out []decision) {
	items, left := t.lists.items(list), everything
	for i := 0; i < len(items) && !left.IsEmpty(); {
		var said [3]space.Set
		first := len(out)
		tier := t.rules[items[i]>>itemBits].tier
		for ; i < len(items) && t.rules[items[i]>>itemBits].tier == tier; i++ {
			r := &t.rules[items[i]>>itemBits]
			if items[i]&inDoubt != 0 && lax == (r.Effect == layer.Deny) {
				continue
			}
			set, _ := t.u.space.Of(r.Traffic, r.Cond, r.Effect == layer.Deny)
			said[r.Effect] = said[r.Effect].Union(set)
			out = append(out, decision{r, r.Effect, left.Intersect(set)})
		}
		for k := first; k < len(out); k++ {
			for e := range out[k].effect { // what is stronger goes before
				out[k].set = out[k].set.Subtract(said[e])
			}
		}
		left = left.Subtract(said[0]).Subtract(said[1]).Subtract(said[2])
	}
	return append(out, decision{nil, t.Default, left})
}

// decisions are those of a side, worked out once.
func (f *faults) decisions(s *side, lax bool) []decision {
	key := [3]int32{int32(s.layer), int32(s.table), 2*s.list + int32(flag(lax))}
	out, known := f.decided[key]
	if !known {
		out = f.c.e.layers[s.layer].tables[s.table].decisions(s.list, lax)
		f.decided[key] = out
	}
	return out
}

// pick finds few decisions of an effect that are about a set: the most specific
// that is about all of it, else the most specific that are about parts.
func pick(all []decision, set space.Set, effect layer.Effect) (out []decision, size float64) {
	all = slices.DeleteFunc(slices.Clone(all), func(d decision) bool { return d.effect != effect || d.set.Intersect(set).IsEmpty() })
	slices.SortStableFunc(all, func(a, b decision) int { return cmp.Compare(a.size(), b.size()) })
	if k := slices.IndexFunc(all, func(d decision) bool { return set.Subtract(d.set).IsEmpty() }); k >= 0 {
		all = all[k : k+1]
	}
	for _, d := range all {
		if d.set = d.set.Intersect(set); !d.set.IsEmpty() {
			set, size = set.Subtract(d.set), d.size()
			out = append(out, d)
		}
	}
	return out, size
}

// blame finds for what differs between two ends the rules that make it so.
type blame struct {
	*faults
	s      *signature
	w      *intended
	i, j   int
	sides  []side
	layers [][]piece
	out    []located
}

// add puts a part of a piece at a place.
func (b *blame) add(p piece, set space.Set, at spot) {
	if p.set = set; set.IsEmpty() {
		return
	}
	p.number = b.c.numbers.number([]piece{p})[0].number
	b.out = append(b.out, located{p, at})
}

// culprit is a side with what it decides about a set.
type culprit struct {
	side
	said []decision
	size float64
	// around is 1 where the conversation need not go through the layer, fault 1 where
	// the intent would have it as this side does.
	around, fault int
}

// byRank sorts culprits: those first whom people should look at.
func (b *blame) byRank(list []culprit) []culprit {
	slices.SortStableFunc(list, func(x, y culprit) int {
		return cmp.Or(cmp.Compare(x.around, y.around), cmp.Compare(b.foreign(x.layer), b.foreign(y.layer)), cmp.Compare(x.fault, y.fault),
			cmp.Compare(x.size, y.size), cmp.Compare(b.rank[x.layer], b.rank[y.layer]))
	})
	return list
}

// culprits are the sides that decide so about some of a set. Of what a relay
// leads, the other layers see the relay: their sides are others.
func (b *blame) culprits(set space.Set, effect layer.Effect, lax bool) (out []culprit) {
	led := b.s.way == closed && b.s.via != nil
	meant := [2]space.Set{b.w.leaving, b.w.arriving}
	for _, s := range b.sides {
		l := b.c.e.layers[s.layer]
		if led && !l.relays() {
			continue
		}
		x := culprit{side: s}
		if s.table >= 0 {
			x.said, x.size = pick(b.decisions(&s, lax), set, effect)
		} else if effect == layer.Allow {
			x.said, x.size = []decision{{nil, layer.Allow, set}}, math.Inf(1)
		}
		if l.Optional && !led {
			x.around = 1
		}
		if inside := set.Subtract(meant[s.d]).IsEmpty(); inside == (effect == layer.Allow) {
			x.fault = 1
		}
		if len(x.said) > 0 {
			out = append(out, x)
		}
	}
	return b.byRank(out)
}

// passes says what lets a piece pass: one side of it for each part.
func (b *blame) passes(p piece) {
	rest := p.set
	for _, x := range b.culprits(p.set, layer.Allow, true) {
		for _, d := range x.said {
			b.add(b.because(p, &x.side), d.set.Intersect(rest), b.placeOf(&x.side, &d))
			rest = rest.Subtract(d.set)
		}
	}
	b.others(p, rest)
}

// cuts says what does not let a piece pass, and which other layers do not either.
func (b *blame) cuts(p piece) {
	rest := p.set
	for _, lax := range []bool{true, false} { // the second where only replies are stopped
		list := b.culprits(rest, layer.Deny, lax)
		for _, x := range list {
			for _, d := range x.said {
				q := p
				q.why = strings.TrimPrefix(strings.Join([]string{p.why, b.also(list, &x, d.set.Intersect(rest))}, "; "), "; ")
				q.why = strings.TrimSuffix(q.why, "; ")
				b.add(q, d.set.Intersect(rest), b.placeOf(&x.side, &d))
				rest = rest.Subtract(d.set)
			}
		}
	}
	b.others(p, rest)
}

// also names the other layers that refuse some of a set.
func (b *blame) also(list []culprit, but *culprit, set space.Set) string {
	var out []string
	for _, x := range list {
		name := b.c.e.layers[x.layer].Target
		if x.layer != but.layer && !slices.Contains(out, name) && slices.ContainsFunc(x.said, func(d decision) bool { return !d.set.Intersect(set).IsEmpty() }) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return ""
	}
	slices.Sort(out)
	return "refused by " + strings.Join(out, " and ") + " as well"
}

// because adds why nothing is enforced at a side.
func (b *blame) because(p piece, s *side) piece {
	l := b.c.e.layers[s.layer]
	if p.why == "" && s.table < 0 && l.missing(s.end) {
		p.why = l.Points[s.points[0]].Missing
	}
	return p
}

// others puts what no side explains where the layers themselves differ.
func (b *blame) others(p piece, rest space.Set) {
	for _, n := range b.order {
		for k := range b.layers[n] {
			if x := &b.layers[n][k]; x.kind == p.kind {
				b.add(p, x.set.Intersect(rest), b.at(n, b.i, b.j, x))
				rest = rest.Subtract(x.set)
			}
		}
	}
	b.add(p, rest, spot{})
}

// placeOf is where a decision stands.
func (b *blame) placeOf(s *side, d *decision) spot {
	l := b.c.e.layers[s.layer]
	out := spot{target: l.Target}
	switch {
	case d.rule != nil:
		out.rule = d.Ref
	case s.table >= 0:
		out.rule.Rule = "default"
	}
	for k, p := range s.points {
		name := l.Points[p].Name
		if k == 0 || strings.Contains(out.rule.Policy, name) || s.table >= 0 && strings.Contains(l.tables[s.table].Name, name) {
			out.point = name
		}
	}
	return out
}
