package risk

// frameBuilder chooses links that reach all that all links do: inside each
// strongly connected component a tree away from one member and a tree towards
// it, and between components one link wherever no other way leads. It need not
// be the smallest choice.
type frameBuilder struct {
	g      *Graph
	solid  matrix // preferred
	chosen matrix
}

func (f *frameBuilder) build() {
	g := f.g
	comps := g.findComponents(allLinks)
	inward := make([][]int32, len(g.Nodes))
	for v := range g.Links {
		if g.Nodes[v].Outside() {
			continue
		}
		for _, l := range g.Links[v] {
			if comps.of[l.To] == comps.of[v] {
				inward[l.To] = append(inward[l.To], int32(v))
			}
		}
	}
	covered := newMatrix(len(comps.members), len(comps.members))
	for c, members := range comps.members {
		if len(members) > 1 {
			f.tree(members, comps, func(v int32, visit func(int32)) {
				for _, l := range g.Links[v] {
					visit(l.To)
				}
			}, func(v, to int32) arc { return arc{v, to} })
			f.tree(members, comps, func(v int32, visit func(int32)) {
				for _, from := range inward[v] {
					visit(from)
				}
			}, func(v, from int32) arc { return arc{from, v} })
		} else if g.hasLink(members[0], members[0], allLinks) {
			f.chosen.add(arc{members[0], members[0]})
		}
		f.outward(c, comps, covered)
	}
}

// tree spans a component from its first member, over solid links first.
func (f *frameBuilder) tree(members []int32, comps components, next func(int32, func(int32)), as func(v, to int32) arc) {
	home := comps.of[members[0]]
	seen := map[int32]bool{members[0]: true}
	strong, weak := []int32{members[0]}, []int32{members[0]}
	take := func(v int32, solidOnly bool) {
		next(v, func(to int32) {
			a := as(v, to)
			if comps.of[to] != home || seen[to] || solidOnly && !f.solid.has(a) {
				return
			}
			seen[to] = true
			f.chosen.add(a)
			strong, weak = append(strong, to), append(weak, to)
		})
	}
	for len(seen) < len(members) {
		if n := len(strong); n > 0 {
			v := strong[n-1]
			strong = strong[:n-1]
			take(v, true)
			continue
		}
		v := weak[0]
		weak = weak[1:]
		take(v, false)
	}
}

// outward chooses links to other components, to those first that come last in
// the order: what they reach needs no link any more.
func (f *frameBuilder) outward(c int, comps components, covered matrix) {
	g := f.g
	best := map[int32]arc{}
	for _, m := range comps.members[c] {
		for _, l := range g.Links[m] {
			to := comps.of[l.To]
			if to < 0 || int(to) == c {
				continue
			}
			a := arc{m, l.To}
			if old, found := best[to]; !found || f.solid.has(a) && !f.solid.has(old) {
				best[to] = a
			}
		}
	}
	row := covered.row(c)
	row.add(c)
	for to := c - 1; to >= 0; to-- {
		if a, found := best[int32(to)]; found && !row.has(to) {
			f.chosen.add(a)
			row.or(covered.row(to))
		}
	}
}
