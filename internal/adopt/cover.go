package adopt

import (
	"cmp"
	"container/heap"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// cover says what passes between groups, zones and places, where that is how an
// estate's own rules speak: a workload is in several groups, and what it may do is
// what any of them may. Such rules overlap, so that they are not found by dividing
// the pairs. Of all rules whose traffic passes for each of their pairs, the one
// that says most of what is not said yet is taken, until there is none; nothing
// is permitted that does not pass.
type cover struct {
	a      *adopter
	t      *traffics
	all    int32 // the number of all traffic
	rows   []row
	sides  []side
	groups map[pair]*membership
	passes []int32 // by two ends: what passes in whatever the circumstances
	left   []int32 // by two rows: what of it no rule has said yet
	taken  []stroke
}

// stroke is a rule to be.
type stroke struct {
	from, to *side
	traffic  int32 // that passes for each pair
	gain     int   // as it was last asked
}

// Bounds of what is tried, for the sake of time and memory: two tables of this
// many rows squared, and sides in pairs.
const (
	mostRows  = 5000
	mostSides = 2000
)

// newCover returns nil where nothing is in a group, and where there is too much.
func newCover(a *adopter) *cover {
	c := &cover{a: a, t: newTraffics()}
	c.all = c.t.of(netset.All())
	c.rowsOf()
	if len(c.groups) == 0 || len(c.rows) > mostRows || len(c.sides) > mostSides {
		return nil
	}
	c.tables()
	c.choose(c.strokes())
	return c
}

// tables fills passes and left.
func (c *cover) tables() {
	n := len(c.a.r.Ends)
	c.passes = make([]int32, n*n)
	odd := make([]bool, n*n)
	for _, x := range c.a.r.Edges {
		whole := x.Upper.Whole()
		odd[x.From*n+x.To] = isOdd(x.Upper)
		if !whole.IsAll() {
			whole = whole.Subtract(netset.Of(netset.Other, 0, 0)) // no rule can say it
		}
		c.passes[x.From*n+x.To] = c.t.of(whole)
	}
	c.left = make([]int32, len(c.rows)*len(c.rows))
	for i, x := range c.rows {
		for j, y := range c.rows {
			if at := x.end*n + y.end; !odd[at] {
				c.left[i*len(c.rows)+j] = c.passes[at]
			}
		}
	}
}

// isOdd reports whether ports alone do not say a set: it needs conditions, or a
// denial of its own. It is said as a whole, whatever else is said of the pair.
func isOdd(s space.Set) bool {
	whole := s.Whole()
	return !space.Plain(whole).Equal(s) || !whole.IsAll() && whole.Contains(netset.Other, 0)
}

// strokes lists the rules that could be: those between two sides, and those
// between one and the places for which the same passes.
func (c *cover) strokes() []*stroke {
	var out []*stroke
	for i := range c.sides {
		for j := range c.sides {
			s := &stroke{from: &c.sides[i], to: &c.sides[j]}
			if s.traffic = c.common(s.from, s.to); s.traffic != 0 {
				out = append(out, s)
			}
		}
	}
	for i := range c.sides {
		if !c.sides[i].any {
			out = append(out, c.outward(&c.sides[i], false)...)
			out = append(out, c.outward(&c.sides[i], true)...)
		}
	}
	out = slices.DeleteFunc(out, func(s *stroke) bool {
		s.gain, _ = c.gain(s)
		return s.gain == 0
	})
	return out
}

// outward lists the rules of a side and places, from the places if inward.
func (c *cover) outward(s *side, inward bool) []*stroke {
	between := func(p *side) *stroke {
		x := &stroke{from: s, to: p}
		if inward {
			x.from, x.to = p, s
		}
		x.traffic = c.common(x.from, x.to)
		return x
	}
	var alone []*stroke
	var kinds []int32
	for r := range c.rows {
		if p := c.rows[r].place; p > 0 {
			x := between(&side{rows: []int{r}, ends: []int{c.rows[r].end}, zone: -1, places: []int{p}})
			alone = append(alone, x)
			kinds = append(kinds, x.traffic)
		}
	}
	slices.Sort(kinds)
	var out []*stroke
	for _, kind := range slices.Compact(kinds) {
		if kind == 0 {
			continue
		}
		p := &side{zone: -1}
		for _, x := range alone {
			if c.t.intersect(x.traffic, kind) == kind {
				one := x.to
				if inward {
					one = x.from
				}
				p.rows, p.places = append(p.rows, one.rows...), append(p.places, one.places...)
			}
		}
		*p = c.side(*p)
		out = append(out, between(p))
	}
	return out
}

// common is what passes from every end of one side to every end of the other.
// What nobody asks is left out: addresses among themselves, and a single workload
// with itself.
func (c *cover) common(from, to *side) int32 {
	ends := c.a.r.Ends
	out := c.all
	for _, i := range from.ends {
		for _, j := range to.ends {
			if ends[i].Workloads == nil && ends[j].Workloads == nil || i == j && len(ends[i].Workloads) == 1 {
				continue
			}
			if out = c.t.intersect(out, c.passes[i*len(ends)+j]); out == 0 {
				return 0
			}
		}
	}
	return out
}

// gain counts the pairs of rows of which a rule says something new, and gives
// all that is new. That a whole zone does something tells less of why than that
// a group does, and it is so of whatever comes into the zone: it has to gain
// twice as much.
func (c *cover) gain(s *stroke) (n int, news int32) {
	for _, i := range s.from.rows {
		for _, j := range s.to.rows {
			if x := c.news(s, i, j); x != 0 {
				n++
				news = c.t.union(news, x)
			}
		}
	}
	if !s.from.wide() && !s.to.wide() {
		n *= 2
	}
	return n, news
}

// news is what a rule says of a pair that is still to be said. Of a pair for
// which everything is left a part is no use: protocols without ports can only be
// permitted with all.
func (c *cover) news(s *stroke, i, j int) int32 {
	left := c.left[i*len(c.rows)+j]
	if c.all == left && s.traffic != c.all {
		return 0
	}
	return c.t.intersect(left, s.traffic)
}

// choose takes rules until none says anything new. What a rule gains only ever
// gets less, so that what it gained when it was last asked bounds it.
func (c *cover) choose(all []*stroke) {
	h := queue(all)
	heap.Init(&h)
	for len(h) > 0 {
		s := h[0]
		gain, news := c.gain(s)
		if gain == 0 {
			heap.Pop(&h)
			continue
		}
		if gain < s.gain {
			s.gain = gain
			heap.Fix(&h, 0)
			continue
		}
		heap.Pop(&h)
		c.take(s, news)
	}
}

func (c *cover) take(s *stroke, news int32) {
	for _, i := range s.from.rows {
		for _, j := range s.to.rows {
			at := i*len(c.rows) + j
			c.left[at] = c.t.subtract(c.left[at], c.news(s, i, j))
		}
	}
	said := *s
	if s.traffic != c.all {
		said.traffic = news // what other rules say need not be said again
	}
	for _, x := range []*side{s.from, s.to} {
		if x.group != nil {
			x.group.taken = true
		}
	}
	c.taken = append(c.taken, said)
}

// queue has the rule on top that may say most; of two that say as much the one
// about fewer.
type queue []*stroke

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].gain, q[i].gain), cmp.Compare(len(q[i].from.rows)*len(q[i].to.rows), len(q[j].from.rows)*len(q[j].to.rows))) < 0
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is never called: what is in the queue only leaves it.
func (q *queue) Push(x any) { *q = append(*q, x.(*stroke)) }

// Pop takes the last.
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// rest gives for pairs of atoms what is left to say of them.
func (c *cover) rest(each func(from, to int, t netset.Traffic)) {
	left := map[[2]int]int32{}
	for i := range c.rows {
		for j := range c.rows {
			t := c.left[i*len(c.rows)+j]
			if t == 0 {
				continue
			}
			for _, x := range c.rows[i].atoms {
				for _, y := range c.rows[j].atoms {
					left[[2]int{x, y}] = c.t.union(t, left[[2]int{x, y}])
				}
			}
		}
	}
	for pair, n := range left {
		each(pair[0], pair[1], c.t.all[n])
	}
}

// rules turns what was taken into rules. What many zones may do alike is said
// together.
func (c *cover) rules(names *names) {
	type like struct {
		other   *side
		from    bool // the zones are the sources
		traffic int32
	}
	zones := map[like][]int{}
	var order []like
	for i := range c.taken {
		x := &c.taken[i]
		k := like{x.to, true, x.traffic}
		if x.from.zone < 0 {
			k = like{x.from, false, x.traffic}
		}
		if x.from.zone < 0 && x.to.zone < 0 {
			c.a.make(names, c.said(x.from), c.said(x.to), c.terms(x.traffic))
			continue
		}
		if zones[k] == nil {
			order = append(order, k)
		}
		n := x.to.zone
		if k.from {
			n = x.from.zone
		}
		zones[k] = append(zones[k], n)
	}
	for _, k := range order {
		from, to := c.a.zonesTogether(zones[k]), c.said(k.other)
		if !k.from {
			from, to = to, from
		}
		c.a.make(names, from, to, c.terms(k.traffic))
	}
}

func (c *cover) terms(traffic int32) []terms { return c.a.say(space.Plain(c.t.all[traffic])) }
