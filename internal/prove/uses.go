package prove

import (
	"cmp"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/policy"
)

func compare(layers []*layer.Layer, in Intent, o Options) (*Equivalence, error) {
	o.byWay = true
	c, err := newComparison(in, layers, o)
	if err != nil {
		return nil, err
	}
	all := newTally(c.e)
	c.pairs.byWay = true
	known := map[int32][]piece{}
	c.pairs.each(nil, func(sig int32) bool {
		list, done := known[sig]
		if !done {
			list = c.numbers.number(c.equivalent(sig))
			known[sig] = list
		}
		return len(list) > 0
	}, func(i, j int, sig int32) {
		list := known[sig]
		for k := range list {
			all.note(i, j, &list[k])
		}
	})
	names := newNamer(c.e.u, c.p)
	out := &Equivalence{}
	for _, x := range []struct {
		into *[]Line
		kind kind
	}{{&out.Gained, under}, {&out.Lost, over}, {&out.Unknown, perhaps}} {
		lines, more := all.lines(names, o.lines(), x.kind)
		*x.into, out.More = lines, out.More+more
	}
	return out, c.e.u.space.Err()
}

// equivalent is how what all layers let pass together and what the policy
// permits differ, where what nobody governs passes if there is a way.
func (c *comparison) equivalent(sig int32) []piece {
	s := &c.pairs.list[sig]
	want := c.pairs.intents[s.kind].permitted
	lower, upper, why := c.e.through(s)
	more, less := lower.Intersect(upper).Subtract(want), want.Subtract(upper.Union(lower))
	maybe := upper.Union(lower).Subtract(lower.Intersect(upper))
	var out []piece
	for _, p := range []piece{{kind: over, set: more}, {kind: under, set: less}, {kind: perhaps, set: maybe, why: why}} {
		if !p.set.IsEmpty() {
			out = append(out, p)
		}
	}
	return out
}

func reach(inv *inventory.Snapshot, p *policy.Policy, layers []*layer.Layer, o Options) (*Reachability, error) {
	o.byWay = true
	e, err := build(inv, p, false, layers, o)
	if err != nil {
		return nil, err
	}
	out := &Reachability{}
	names := newNamer(e.u, p)
	for x := range e.u.ends {
		end := &e.u.ends[x]
		r := End{Name: names.name([]int32{int32(x)}), External: end.name}
		for _, w := range end.workloads {
			r.Workloads = append(r.Workloads, int(w))
		}
		for _, n := range end.regions {
			r.Prefixes = append(r.Prefixes, e.u.regions[n].String())
		}
		out.Ends = append(out.Ends, r)
	}
	ps := newPairs(e)
	ps.byWay = true
	type passed struct {
		known bool
		Reached
	}
	var done []passed
	ps.each(nil, func(sig int32) bool {
		for int(sig) >= len(done) {
			done = append(done, passed{})
		}
		d := &done[sig]
		if !d.known {
			d.known = true
			if d.Lower, d.Upper, d.Reason = e.through(&ps.list[sig]); d.Lower.Equal(d.Upper) {
				d.Reason = ""
			}
		}
		return !d.Upper.IsEmpty()
	}, func(a, b int, sig int32) {
		d := done[sig].Reached
		d.From, d.To = a, b
		out.Edges = append(out.Edges, d)
	})
	slices.SortFunc(out.Edges, func(a, b Reached) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return out, e.u.space.Err()
}
