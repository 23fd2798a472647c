package prove

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/verify/space"
)

// nobodyGoverns is said of workloads that the policy governs and no layer does.
// They may be outside what was read, or their layer may be gone.
const nobodyGoverns = "nothing that was read governs them: their layer is gone, or it was not read"

func drift(in Intent, layers []*layer.Layer, o Options) (*Difference, error) {
	c, err := newComparison(in, layers, o)
	if err != nil {
		return nil, err
	}
	f := newFaults(c)
	c.pairs.each(nil, c.differs, f.note)
	out := &Difference{Beyond: []Line{}, Missing: []Line{}, Unknown: []Line{}}
	names := newNamer(c.e.u, c.p)
	if open := slices.Sorted(maps.Keys(c.open)); len(open) > 0 {
		out.Unknown = append(out.Unknown, Line{From: "everybody", To: names.name(open), Traffic: everything.String(), Reason: nobodyGoverns, Set: everything, Pairs: len(open)})
	}
	for _, x := range []struct {
		into  *[]Line
		kinds []kind
	}{{&out.Beyond, []kind{unenforcedOver, over}}, {&out.Beyond, []kind{caughtOver}}, {&out.Missing, []kind{under}}, {&out.Unknown, []kind{perhaps}}} {
		lines, more := f.lines(names, x.kinds...)
		*x.into, out.More = append(*x.into, lines...), out.More+more
	}
	return out, c.e.u.space.Err()
}

// spot is what a line of a drift points at: an enforcement point, and the rule
// there that makes it so. That is "default" where no rule speaks, and the zero Rule
// if none is known.
type spot struct {
	target, point string
	rule          flow.Rule
}

// located is a part of what differs between two ends, and where it comes from.
type located struct {
	piece
	spot
}

// faults collects what differs by where it comes from: each thing once, however
// many layers have a part in it.
type faults struct {
	c       *comparison
	order   []int       // the layers, the preferred ones first
	rank    []int       // by layer: its place in that order
	sides   []governing // by layer
	known   map[string][]located
	tallies map[spot]*tally
	decided map[[3]int32][]decision // by layer, table and twice the list, plus one if read laxly
	key     []byte
	room    []side
}

func newFaults(c *comparison) *faults {
	f := &faults{c: c, rank: make([]int, len(c.e.layers)), known: map[string][]located{}, tallies: map[spot]*tally{}, decided: map[[3]int32][]decision{}}
	for n, l := range c.e.layers {
		f.order = append(f.order, n)
		f.sides = append(f.sides, newGoverning(l))
	}
	slices.SortStableFunc(f.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(f.foreign(a), f.foreign(b)), cmp.Compare(a, b))
	})
	for at, n := range f.order {
		f.rank[n] = at
	}
	return f
}

// foreign is how little a layer is the estate's own: 0 where it is one of its
// targets, 1 where it holds something with the estate's mark, else 2.
func (f *faults) foreign(n int) int {
	switch l := f.c.e.layers[n]; {
	case slices.Contains(f.c.o.Targets, l.Target):
		return 0
	case l.Ours > 0:
		return 1
	}
	return 2
}

// note takes in what differs for one pair.
func (f *faults) note(i, j int, sig int32) {
	d := f.c.of(sig)
	if d.clean {
		return
	}
	for _, x := range f.of(i, j, sig) {
		t := f.tallies[x.spot]
		if t == nil {
			t = newTally(f.c.e)
			f.tallies[x.spot] = t
		}
		t.note(i, j, &x.piece)
	}
	for k, x := range []int{i, j} {
		if d.open[k] {
			f.c.open[int32(x)] = true
		}
	}
}

// of is what differs for one pair. It is the same for pairs of a signature about
// which the same rules and points decide.
func (f *faults) of(i, j int, sig int32) []located {
	f.room = f.room[:0]
	f.key = binary.LittleEndian.AppendUint32(f.key[:0], uint32(sig))
	if slices.ContainsFunc(f.c.of(sig).together, func(p piece) bool { return p.kind == under || p.kind == over || p.kind == unenforcedOver }) {
		f.room = f.between(f.room, i, j)
		for k := range f.room {
			f.key = f.room[k].appendKey(f.key)
		}
	} else { // rules are of no interest, points are
		for n := range f.sides {
			for _, x := range [2]int{i, j} {
				f.key = appendPoints(f.key, f.c.e.layers[n].points[x])
			}
		}
	}
	out, known := f.known[string(f.key)]
	if !known {
		out = f.locate(i, j, sig, f.room)
		f.known[string(f.key)] = out
	}
	return out
}

// locate says of everything that differs between two ends where it comes from:
// first of what differs for all layers composed, then of what a layer has beside
// that.
func (f *faults) locate(i, j int, sig int32, sides []side) []located {
	d := f.c.of(sig)
	b := blame{faults: f, s: &f.c.pairs.list[sig], i: i, j: j, sides: sides, layers: d.layers}
	b.w = f.c.j.want(b.s.kind)
	var told [under + 1]space.Set
	for _, p := range d.together {
		told[p.kind] = told[p.kind].Union(p.set)
		switch p.kind {
		case over, unenforcedOver:
			b.passes(p)
		case under:
			b.cuts(p)
		}
	}
	sureOver, sureUnder := told[over].Union(told[unenforcedOver]).Union(told[acceptedOver]), told[under].Union(told[shut])
	unsure, byWhy := space.Set{}, map[string]space.Set{}
	for _, n := range f.order {
		for _, p := range d.layers[n] {
			switch p.kind {
			case caughtOver:
			case over, unenforcedOver:
				p.set = p.set.Subtract(sureOver).Subtract(told[perhaps]).Subtract(relayed(d.together, f.c.e.layers[n].Target))
				sureOver = sureOver.Union(p.set)
			case under:
				p.set = p.set.Subtract(sureUnder)
				sureUnder = sureUnder.Union(p.set)
			case perhaps:
				unsure = unsure.Union(p.set)
				p.set = p.set.Subtract(sureOver).Subtract(sureUnder).Subtract(byWhy[p.why])
				byWhy[p.why] = byWhy[p.why].Union(p.set)
			default:
				continue
			}
			b.add(p, p.set, f.at(n, i, j, &p))
		}
	}
	for _, p := range d.together {
		if p.kind == perhaps {
			b.add(p, p.set.Subtract(unsure), spot{})
		}
	}
	return b.out
}

// relayed is what layers other than one decide as relays.
func relayed(together []piece, target string) (out space.Set) {
	for _, p := range together {
		if p.kind == caughtOver && p.caught != target {
			out = out.Union(p.set)
		}
	}
	return out
}

// at is the first point of a layer at an end where it differs.
func (f *faults) at(n, i, j int, p *piece) spot {
	l := f.c.e.layers[n]
	out := spot{target: l.Target}
	for _, all := range []bool{false, true} {
		for d, x := range [2]int{i, j} {
			if (all || p.fault[d]) && len(l.points[x]) > 0 {
				out.point = l.Points[l.points[x][0]].Name
				return out
			}
		}
	}
	return out
}

// lines makes lines of some kinds, those about most pairs first, and counts those
// that are too many.
func (f *faults) lines(names *namer, kinds ...kind) (out []Line, more int) {
	for _, at := range slices.SortedFunc(maps.Keys(f.tallies), comparePlaces) {
		lines, _ := f.tallies[at].lines(names, 1<<30, kinds...)
		for _, l := range lines {
			l.Target, l.Point, l.Rule = at.target, at.point, at.rule
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Pairs, a.Pairs), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Traffic, b.Traffic))
	})
	if most := f.c.o.lines(); len(out) > most {
		out, more = out[:most], len(out)-most
	}
	return out, more
}

func comparePlaces(a, b spot) int {
	return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.point, b.point), cmp.Compare(a.rule.File, b.rule.File), cmp.Compare(a.rule.Line, b.rule.Line), cmp.Compare(a.rule.String(), b.rule.String()))
}
