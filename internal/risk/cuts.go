package risk

import (
	"cmp"
	"slices"
)

// Cut is what removing one keeper would do.
type Cut struct {
	Keeper      Keeper
	Before, Now float64 // the mean blast radius with it and without
}

// Cuts are the keepers whose removal, one at a time, lowers the mean blast
// radius most; those that lower it by nothing are not among them.
type Cuts struct {
	Rules    []Cut // best first; equally good ones in the order of Graph.Keepers
	Defaults []Cut // likewise
	// Skipped is how many rules and defaults were not worked out, because that
	// would have taken too long; there may be better ones among them.
	Skipped int
}

// The bounds of Cuts. Work is counted in steps over 64 nodes; 2e9 of them take
// a few seconds.
const (
	mostNodes = 20_000
	mostWork  = 2_000_000_000
)

// Cuts finds the best n rules and the best n defaults. The answer is exact as
// far as Skipped is 0. It gives up on estates of more than 20,000 nodes, and
// after a fixed amount of work.
func (g *Graph) Cuts(n int) Cuts { return g.cuts(n, mostWork) }

func (g *Graph) cuts(n, work int) Cuts {
	byKeeper := g.soleLinks()
	if len(g.Nodes) > mostNodes {
		return Cuts{Skipped: len(byKeeper)}
	}
	c := newCutter(g, work)
	var rules, defaults []candidate
	for _, k := range sortedKeys(byKeeper) {
		x, matters := c.candidate(k, byKeeper[k])
		switch {
		case !matters:
		case g.Keepers[k].Zone == "":
			rules = append(rules, x)
		default:
			defaults = append(defaults, x)
		}
	}
	out := Cuts{Rules: c.best(rules, n), Defaults: c.best(defaults, n)}
	out.Skipped = c.skipped
	return out
}

// arc is a link by its two ends.
type arc struct{ from, to int32 }

// soleLinks lists, by keeper, the links that nothing else keeps open.
func (g *Graph) soleLinks() map[int32][]arc {
	out := map[int32][]arc{}
	for v := range g.Links {
		for _, l := range g.Links[v] {
			if g.Nodes[v].Outside() || g.Nodes[l.To].Outside() {
				continue
			}
			for _, k := range g.Passes[l.Pass].Sole {
				out[k] = append(out[k], arc{int32(v), l.To})
			}
		}
	}
	return out
}

func sortedKeys(m map[int32][]arc) []int32 {
	out := make([]int32, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// candidate is a keeper whose removal may part somebody from somebody.
type candidate struct {
	keeper int32
	arcs   []arc // that would go
	broken []arc // those of them that cannot be gone around, of the frame
	bound  int64 // its gain is no more than this
	gain   int64 // pairs of workloads that would be parted
}

// cutter works out what links do for the closure. What it counts are ordered
// pairs of different workloads of which the first can reach the second.
type cutter struct {
	g        *Graph
	weights  []int64
	links    matrix // rows: where a node's links lead
	reach    matrix // rows: whom a node reaches in one step or more
	reached  matrix // the same the other way round
	frame    matrix // links that reach all that all links do
	after    matrix // scratch: rows of reach as they would be
	total    int64
	pairs    int64 // of all workloads
	work     int   // what is left of it
	skipped  int
	seen     bitset // scratch, as are the next two
	frontier []int32
	sources  bitset
	targets  bitset
}

func newCutter(g *Graph, work int) *cutter {
	n := len(g.Nodes)
	c := &cutter{
		g: g, weights: g.weights(), work: work,
		links: newMatrix(n, n), reached: newMatrix(n, n),
		seen: newBitset(n), sources: newBitset(n), targets: newBitset(n),
	}
	for v := range g.Links {
		for _, l := range g.Links[v] {
			if !g.Nodes[v].Outside() && !g.Nodes[l.To].Outside() {
				c.links.row(v).add(int(l.To))
			}
		}
	}
	c.after = newMatrix(n, n)
	c.closure()
	c.reach, c.after = c.after, newMatrix(n, n)
	for v := range n {
		c.reach.row(v).each(func(to int) { c.reached.row(to).add(v) })
		c.total += c.weights[v] * c.reachSum(v, c.reach.row(v))
	}
	w := int64(g.workloads())
	c.pairs = w * (w - 1)
	c.frame = c.spanning()
	return c
}

// reachSum is how many other workloads one workload of v reaches, if its node
// reaches these.
func (c *cutter) reachSum(v int, row bitset) int64 {
	sum := row.weigh(c.weights)
	if row.has(v) {
		sum--
	}
	return sum
}

// spanning chooses few links that reach all that all links do, if possible
// such as no single keeper keeps open. Without a link of them nothing changes.
func (c *cutter) spanning() matrix {
	n := len(c.g.Nodes)
	solid := newMatrix(n, n) // that nothing alone closes
	for v := range c.g.Links {
		for _, l := range c.g.Links[v] {
			if len(c.g.Passes[l.Pass].Sole) == 0 {
				solid.row(v).add(int(l.To))
			}
		}
	}
	f := &frameBuilder{g: c.g, solid: solid, chosen: newMatrix(n, n)}
	f.build()
	return f.chosen
}

// candidate finds out whether a keeper matters at all. It does not if every
// link of the frame that would go can be gone around.
func (c *cutter) candidate(keeper int32, arcs []arc) (candidate, bool) {
	x := candidate{keeper: keeper, arcs: arcs}
	if !slices.ContainsFunc(arcs, c.frame.has) {
		return x, false
	}
	c.take(arcs)
	defer c.giveBack(arcs)
	for _, a := range arcs {
		if c.frame.has(a) && !c.goesAround(a) {
			x.broken = append(x.broken, a)
		}
	}
	// Who loses something loses it over a broken link.
	c.before(x.broken)
	clear(c.targets)
	for _, a := range x.broken {
		c.targets.or(c.reach.row(int(a.to)))
		c.targets.add(int(a.to))
	}
	x.bound = c.sources.weigh(c.weights) * c.targets.weigh(c.weights)
	return x, x.broken != nil
}

// before puts into c.sources who reaches one of the links.
func (c *cutter) before(arcs []arc) {
	clear(c.sources)
	for _, a := range arcs {
		c.sources.or(c.reached.row(int(a.from)))
		c.sources.add(int(a.from))
	}
}

func (c *cutter) take(arcs []arc) {
	for _, a := range arcs {
		c.links.row(int(a.from)).remove(int(a.to))
	}
}

func (c *cutter) giveBack(arcs []arc) {
	for _, a := range arcs {
		c.links.row(int(a.from)).add(int(a.to))
	}
}

// goesAround reports whether there is a way from one end to the other over
// the links that are left.
func (c *cutter) goesAround(a arc) bool {
	clear(c.seen)
	to := int(a.to)
	c.frontier = append(c.frontier[:0], a.from)
	for len(c.frontier) > 0 {
		v := int(c.frontier[len(c.frontier)-1])
		c.frontier = c.frontier[:len(c.frontier)-1]
		row := c.links.row(v)
		if row.has(to) {
			return true
		}
		c.work -= len(row)
		for i, w := range row {
			fresh := w &^ c.seen[i]
			c.seen[i] |= fresh
			eachBit(fresh, func(b int) { c.frontier = append(c.frontier, int32(i<<6+b)) })
		}
	}
	return false
}

// best works out the candidates, the most promising first, until no other can
// be among the best n.
func (c *cutter) best(all []candidate, n int) []Cut {
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.bound, a.bound) })
	var done []candidate
	better := func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.keeper, b.keeper))
	}
	for i, x := range all {
		if len(done) >= n && x.bound < done[n-1].gain {
			break
		}
		if c.work <= 0 {
			c.skipped += len(all) - i
			break
		}
		x.gain = c.gain(x)
		at, _ := slices.BinarySearchFunc(done, x, better)
		done = slices.Insert(done, at, x)
		done = done[:min(len(done), n)]
	}
	var out []Cut
	for _, x := range done {
		if x.gain > 0 {
			out = append(out, Cut{c.g.Keepers[x.keeper], share(c.total, c.pairs), share(c.total-x.gain, c.pairs)})
		}
	}
	return out
}

// gain is how many pairs would be parted. Only those that reach a broken link
// can lose anything.
func (c *cutter) gain(x candidate) int64 {
	c.take(x.arcs)
	defer c.giveBack(x.arcs)
	c.before(x.broken)
	c.closureOf(c.sources)
	gain := int64(0)
	c.sources.each(func(v int) {
		is := c.after.row(v)
		for i, w := range c.reach.row(v) {
			eachBit(w&^is[i], func(b int) {
				to := i<<6 + b
				gain += c.weights[v] * c.weights[to]
				if to == v {
					gain -= c.weights[v]
				}
			})
		}
	})
	return gain
}
