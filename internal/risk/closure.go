package risk

// components are the strongly connected components of the part of a graph that
// is inside the estate: who is in one can reach all others in it.
type components struct {
	of      []int32   // by node; -1 outside
	members [][]int32 // by component; a component comes after every other that it can reach
}

// frame is one step of the search for components.
type frame struct{ node, next int32 }

// findComponents is Tarjan's algorithm with a stack of its own, since a path
// may be as long as the estate is large.
func (g *Graph) findComponents(keep func(Link) bool) components {
	n := len(g.Nodes)
	out := components{of: make([]int32, n)}
	order, low := make([]int32, n), make([]int32, n) // 0: not seen yet
	var stack []int32
	var calls []frame
	seen := int32(0)
	enter := func(v int32) {
		seen++
		order[v], low[v] = seen, seen
		stack = append(stack, v)
		calls = append(calls, frame{node: v})
	}
	leave := func(v int32) {
		if low[v] != order[v] {
			return
		}
		c := int32(len(out.members))
		at := len(stack) - 1
		for stack[at] != v {
			at--
		}
		members := append([]int32(nil), stack[at:]...)
		for _, m := range members {
			out.of[m] = c
		}
		out.members = append(out.members, members)
		stack = stack[:at]
	}
	for v := range n {
		out.of[v] = -1
	}
	for root := range n {
		if order[root] != 0 || g.Nodes[root].Outside() {
			continue
		}
		enter(int32(root))
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			if int(f.next) < len(g.Links[f.node]) {
				l := g.Links[f.node][f.next]
				f.next++
				switch {
				case g.Nodes[l.To].Outside() || !keep(l):
				case order[l.To] == 0:
					enter(l.To)
				case out.of[l.To] < 0: // still on the stack
					low[f.node] = min(low[f.node], order[l.To])
				}
				continue
			}
			v := f.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				up := calls[len(calls)-1].node
				low[up] = min(low[up], low[v])
			}
			leave(v)
		}
	}
	return out
}

// columns is how many components are followed at once; it bounds the memory
// that closure takes to this many bits for each component.
const columns = 4096

// reachable returns, by node, how many other workloads one of its workloads
// can reach in any number of steps; 0 outside. Links that keep refuses do not
// count.
func (g *Graph) reachable(keep func(Link) bool) []int64 {
	weights := g.weights()
	comps := g.findComponents(keep)
	n := len(comps.members)
	weight, sums := make([]int64, n), make([]int64, n)
	for c, members := range comps.members {
		for _, m := range members {
			weight[c] += weights[m]
		}
	}
	reach := newMatrix(n, min(n, columns))
	for first := 0; first < n; first += columns {
		size := min(columns, n-first)
		clear(reach.words)
		// Whom a component reaches comes before it, so that one pass is enough.
		for c := first; c < n; c++ {
			row := reach.row(c)
			if c < first+size {
				row.add(c - first)
			}
			for _, m := range comps.members[c] {
				for _, l := range g.Links[m] {
					to := int(comps.of[l.To])
					if to < first || to == c || !keep(l) || to < first+size && row.has(to-first) {
						continue
					}
					row.or(reach.row(to))
				}
			}
			sums[c] += row.weigh(weight[first : first+size])
		}
	}
	out := make([]int64, len(g.Nodes))
	for c, members := range comps.members {
		// All that is reached, less itself; a node alone reaches its own kind
		// only over a link to itself.
		for _, m := range members {
			out[m] = sums[c] - 1
			if len(members) == 1 && !g.hasLink(m, m, keep) {
				out[m] = sums[c] - weight[c]
			}
		}
	}
	return out
}

func (g *Graph) hasLink(from, to int32, keep func(Link) bool) bool {
	for _, l := range g.Links[from] {
		if l.To == to && keep(l) {
			return true
		}
	}
	return false
}

func allLinks(Link) bool { return true }

// known leaves out what is only possible.
func (g *Graph) known(l Link) bool { return !g.Passes[l.Pass].Unknown }
