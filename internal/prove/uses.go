package prove

import (
	"cmp"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/policy"
)

func drift(in Intent, layers []*layer.Layer, o Options) (*Difference, error) {
	c, err := newComparison(in, layers, o)
	if err != nil {
		return nil, err
	}
	c.pairs.each(nil, c.differs, c.note)
	out := &Difference{Beyond: []Line{}, Missing: []Line{}, Unknown: []Line{}}
	names := newNamer(c.e.u, c.p)
	for n, l := range c.e.layers {
		for p, t := range c.byPoint[n] {
			point := ""
			if p < len(l.Points) {
				point = l.Points[p].Name
			}
			take := func(into *[]Line, kinds ...kind) {
				lines, more := t.lines(names, o.lines(), kinds...)
				out.More += more
				for _, line := range lines {
					line.Target, line.Point = l.Target, point
					*into = append(*into, line)
				}
			}
			take(&out.Beyond, caughtOver, unenforcedOver, over)
			take(&out.Missing, under)
			take(&out.Unknown, perhaps)
		}
	}
	return out, c.e.u.space.Err()
}

func compare(layers []*layer.Layer, in Intent, o Options) (*Equivalence, error) {
	c, err := newComparison(in, layers, o)
	if err != nil {
		return nil, err
	}
	all := newTally(c.e)
	known := map[int32][]piece{}
	c.pairs.each(nil, func(sig int32) bool {
		if _, done := known[sig]; !done {
			known[sig] = c.equivalent(sig)
		}
		return len(known[sig]) > 0
	}, func(i, j int, sig int32) {
		for k := range known[sig] {
			all.note(i, j, &known[sig][k])
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
// permits differ, where what nobody governs passes.
func (c *comparison) equivalent(sig int32) []piece {
	s := &c.pairs.list[sig]
	want := c.pairs.intents[s.kind].permitted
	lower, upper := c.j.composed(s, false).passes, c.j.composed(s, true).passes
	more, less := lower.Intersect(upper).Subtract(want), want.Subtract(upper.Union(lower))
	maybe := upper.Union(lower).Subtract(lower.Intersect(upper))
	var out []piece
	for _, p := range []piece{{kind: over, set: more}, {kind: under, set: less}, {kind: perhaps, set: maybe, why: c.j.why(s)}} {
		if !p.set.IsEmpty() {
			out = append(out, p)
		}
	}
	return out
}

func reach(inv *inventory.Snapshot, p *policy.Policy, layers []*layer.Layer, o Options) (*Reachability, error) {
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
	ps, j := newPairs(e), judge{e: e}
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
			s := &ps.list[sig]
			d.Lower, d.Upper = j.composed(s, false).passes, j.composed(s, true).passes
			if !d.Lower.Equal(d.Upper) {
				d.Reason = j.why(s)
			}
		}
		return !d.Upper.IsEmpty()
	}, func(a, b int, sig int32) {
		d := &done[sig]
		out.Edges = append(out.Edges, Reached{From: a, To: b, Lower: d.Lower, Upper: d.Upper, Reason: d.Reason})
	})
	slices.SortFunc(out.Edges, func(a, b Reached) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return out, e.u.space.Err()
}
