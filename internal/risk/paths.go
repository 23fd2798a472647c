package risk

import "slices"

// Place is a workload at its node, or a node outside (Workload is then empty).
type Place struct {
	Node     int
	Workload string
}

// Path is one way to get from one place to another.
type Path struct {
	Cost int // of its hops, added up
	Hops []PathHop
}

// PathHop is one conversation of an attack.
type PathHop struct {
	From, To string // workloads, or what is outside
	Alike    int    // how many more workloads would do instead of To
	FromZone string // empty outside
	ToZone   string
	Text     string   // what may pass
	Opens    []Keeper // what permits it, most important first
	Attacks  []Attack // cheapest first, never empty; the first one is what it costs
	Unknown  bool     // whether it is open is not known
}

// Paths finds the k cheapest ways from any of some places to any of others,
// the cheapest first and, of equal cost, the shortest. A way visits no node
// twice and goes through no other of the places and nothing outside.
func (g *Graph) Paths(from, to []Place, k int) []Path {
	w := newWays(g, from, to)
	var out []Path
	for _, arcs := range w.best(k) {
		out = append(out, w.path(arcs))
	}
	return out
}

// path says a way in words.
func (w *ways) path(way []step) Path {
	var out Path
	first, last := w.names(way)
	name := first
	for i, s := range way {
		a, b := &w.g.Nodes[s.from], &w.g.Nodes[s.to]
		p := &w.g.Passes[s.pass]
		h := PathHop{From: name, FromZone: a.Zone, ToZone: b.Zone, Text: p.text(), Unknown: p.Unknown, Attacks: w.attacks(s)}
		switch {
		case i == len(way)-1:
			h.To, h.Alike = last, len(w.to[s.to])-1
			if slices.Contains(w.to[s.to], first) && first != last {
				h.Alike--
			}
		default:
			h.To, h.Alike = b.Workloads[0], len(b.Workloads)-1
		}
		for _, k := range p.Opens {
			h.Opens = append(h.Opens, w.g.Keepers[k])
		}
		name = h.To
		out.Cost += h.Attacks[0].Cost
		out.Hops = append(out.Hops, h)
	}
	return out
}

// names are those of the first and the last on a way, two different ones.
func (w *ways) names(way []step) (first, last string) {
	a, b := way[0].from, way[len(way)-1].to
	starts, ends := w.from[a], w.to[b]
	first, last = starts[0], ends[0]
	if a == b && first == last {
		if len(ends) > 1 {
			last = ends[1]
		} else {
			first = starts[1]
		}
	}
	if w.g.Nodes[a].Outside() {
		first = w.g.Nodes[a].Name
	}
	if w.g.Nodes[b].Outside() {
		last = w.g.Nodes[b].Name
	}
	return first, last
}
