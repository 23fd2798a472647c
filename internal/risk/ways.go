package risk

import (
	"cmp"
	"slices"
)

// step is a link on a way, with where it begins.
type step struct {
	from, to, pass int32
	weight         int64
}

// ways is a search between places. All places that it may begin at are one
// node of its own, source, and all that it may end at are target.
type ways struct {
	g              *Graph
	from, to       map[int32][]string // places, by node
	isTarget       bitset             // by node: in to
	source, target int32
	steps          [][]step         // by node, source included
	rest           []int64          // by node: the least that it takes from there to target; -1: no way
	byPass         [2][2][][]Attack // what was found out, by fromOutside, toOutside and pass
	byPort         map[costOf][]Attack
}

// costOf is what decides what a link costs: ports, and which end is outside.
type costOf struct {
	ports       string
	fromOutside bool
	toOutside   bool
}

// hopWeight makes a hop weigh something beside its cost, so that of two ways
// that cost the same the shorter one is better.
const hopWeight = 1 << 20

func newWays(g *Graph, from, to []Place) *ways {
	n := int32(len(g.Nodes))
	w := &ways{g: g, from: byNode(from), to: byNode(without(to, from)), source: n, target: n + 1, isTarget: newBitset(int(n)), steps: make([][]step, n+1), byPort: map[costOf][]Attack{}}
	for v := range w.to {
		w.isTarget.add(int(v))
	}
	for v := range n {
		starts := w.from[v] != nil
		if g.Nodes[v].Outside() && !starts {
			continue
		}
		at := v
		if starts {
			at = w.source
		} else if w.to[v] != nil {
			continue
		}
		for _, l := range g.Links[v] {
			s := step{from: v, to: l.To, pass: l.Pass}
			switch {
			case w.isTarget.has(int(l.To)):
				if v == l.To && !differ(w.from[v], w.to[v]) {
					continue
				}
			case w.from[l.To] != nil || g.Nodes[l.To].Outside():
				continue
			}
			s.weight = int64(w.attacks(s)[0].Cost)*hopWeight + 1
			w.steps[at] = append(w.steps[at], s)
		}
	}
	w.measure()
	return w
}

func byNode(places []Place) map[int32][]string {
	out := map[int32][]string{}
	for _, p := range places {
		out[int32(p.Node)] = append(out[int32(p.Node)], p.Workload)
	}
	return out
}

// without leaves out places that are held from the start, unless all are.
func without(to, from []Place) []Place {
	out := slices.DeleteFunc(slices.Clone(to), func(p Place) bool { return slices.Contains(from, p) })
	if len(out) == 0 && len(from) > 1 {
		return to
	}
	return out
}

// differ reports whether there is somebody in one and somebody else in the
// other.
func differ(a, b []string) bool {
	return len(a) > 1 || len(b) > 1 || len(a) == 1 && len(b) == 1 && a[0] != b[0]
}

// end is the node of the search that a step leads to.
func (w *ways) end(s step) int32 {
	if w.isTarget.has(int(s.to)) {
		return w.target
	}
	return s.to
}

// attacks is what a step permits; it is asked once for all that are alike.
func (w *ways) attacks(s step) []Attack {
	key := costOf{fromOutside: w.g.Nodes[s.from].Outside(), toOutside: w.g.Nodes[s.to].Outside()}
	byPass := &w.byPass[number(key.fromOutside)][number(key.toOutside)]
	if *byPass == nil {
		*byPass = make([][]Attack, len(w.g.Passes))
	}
	found := &(*byPass)[s.pass]
	if *found == nil {
		t := w.g.Passes[s.pass].Traffic
		key.ports = t.String()
		if w.byPort[key] == nil {
			w.byPort[key] = Attacks(t, key.fromOutside, key.toOutside)
		}
		*found = w.byPort[key]
	}
	return *found
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// measure works out rest, from the target backwards.
func (w *ways) measure() {
	inward := make([][]step, len(w.steps)+1)
	for v := range w.steps {
		for _, s := range w.steps[v] {
			back := step{to: int32(v), weight: s.weight}
			inward[w.end(s)] = append(inward[w.end(s)], back)
		}
	}
	w.rest = make([]int64, len(w.steps)+1)
	for v := range w.rest {
		w.rest[v] = -1
	}
	q := queue{{node: w.target}}
	for len(q) > 0 {
		at := q.pop()
		if w.rest[at.node] >= 0 {
			continue
		}
		w.rest[at.node] = at.weight
		for _, s := range inward[at.node] {
			if w.rest[s.to] < 0 {
				q.push(queued{node: s.to, weight: at.weight + s.weight})
			}
		}
	}
}

// mostTried bounds how many ways are looked at that lead back to where they
// began, and so are none.
const mostTried = 1000

// best is Yen's algorithm: every next way leaves an earlier one somewhere.
func (w *ways) best(k int) [][]step {
	if w.rest[w.source] < 0 || k < 1 {
		return nil
	}
	var done, tried, waiting [][]step
	waiting = append(waiting, w.shortest(nil, w.source, nil))
	for len(waiting) > 0 && len(done) < k && len(tried) < k+mostTried {
		slices.SortStableFunc(waiting, byWeight)
		last := waiting[0]
		waiting, tried = waiting[1:], append(tried, last)
		if w.leads(last) {
			done = append(done, last)
		}
		for i := range last {
			root := last[:i]
			at := w.source
			if i > 0 {
				at = w.end(last[i-1])
			}
			var closed []step
			for _, other := range slices.Concat(tried, waiting) {
				if len(other) > i && slices.Equal(other[:i], root) {
					closed = append(closed, other[i])
				}
			}
			if next := w.shortest(root, at, closed); next != nil {
				waiting = append(waiting, next)
			}
		}
	}
	return done
}

// leads reports whether a way ends at somebody else than it began with.
func (w *ways) leads(way []step) bool {
	a, b := way[0].from, way[len(way)-1].to
	return a != b || differ(w.from[a], w.to[b])
}

func byWeight(a, b []step) int {
	sum := func(way []step) (total int64) {
		for _, s := range way {
			total += s.weight
		}
		return total
	}
	return cmp.Or(cmp.Compare(sum(a), sum(b)), slices.CompareFunc(a, b, func(s, t step) int {
		return cmp.Or(cmp.Compare(s.from, t.from), cmp.Compare(s.to, t.to))
	}))
}

// shortest finds the best way that begins with root, which ends at a node,
// then takes none of the closed steps and comes to no node of root again.
// What is left at least, which rest knows, leads the search.
func (w *ways) shortest(root []step, at int32, closed []step) []step {
	n := len(w.rest)
	done := newBitset(n) // or not to be visited
	done.add(int(w.source))
	for _, s := range root {
		done.add(int(w.end(s)))
	}
	done.remove(int(at))
	came, before, reached := make([]step, n), make([]int32, n), make([]int64, n) // reached: 0 if not yet
	q := queue{{node: at, weight: w.rest[at]}}
	for len(q) > 0 {
		v := q.pop().node
		if done.has(int(v)) {
			continue
		}
		done.add(int(v))
		if v == w.target {
			return append(slices.Clone(root), trace(at, v, came, before)...)
		}
		for _, s := range w.steps[v] {
			to := w.end(s)
			if done.has(int(to)) || w.rest[to] < 0 || v == at && slices.Contains(closed, s) {
				continue
			}
			sum := reached[v] + s.weight
			if reached[to] != 0 && reached[to] <= sum {
				continue
			}
			reached[to], came[to], before[to] = sum, s, v
			q.push(queued{node: to, weight: sum + w.rest[to]})
		}
	}
	return nil
}

func trace(from, to int32, came []step, before []int32) []step {
	var out []step
	for v := to; v != from; v = before[v] {
		out = append(out, came[v])
	}
	slices.Reverse(out)
	return out
}
