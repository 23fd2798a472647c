package risk

import (
	"slices"
)

// Estate is how far a taken workload reaches on the average.
type Estate struct {
	Workloads int
	// Mean is the share of the other workloads, 0 to 1, that a workload can
	// reach in any number of hops, as the mean over all workloads.
	Mean  float64
	Zones []ZoneMean // by name; those that have workloads
	// Unsure are the links of which nobody knows whether they are open. They
	// count as open; MeanKnown is the mean if all of them were shut.
	Unsure    int
	MeanKnown float64
	Reachable []int64 // by node: how many other workloads one of its own reaches; 0 outside
}

// ZoneMean is the mean over the workloads of one zone.
type ZoneMean struct {
	Zone       string
	Workloads  int
	Restricted bool
	Mean       float64
}

// Blast works out the means of an estate. An estate of one workload or none has
// the mean 0.
func (g *Graph) Blast() Estate {
	out := Estate{Workloads: g.workloads()}
	for v := range g.Links {
		for _, l := range g.Links[v] {
			if !g.known(l) && !g.Nodes[v].Outside() && !g.Nodes[l.To].Outside() {
				out.Unsure++
			}
		}
	}
	sums := g.reachable(allLinks)
	out.Reachable = sums
	out.Mean = g.mean(sums, nil)
	out.MeanKnown = out.Mean
	if out.Unsure > 0 {
		out.MeanKnown = g.mean(g.reachable(g.known), nil)
	}
	out.Zones = g.zoneMeans(sums)
	return out
}

// mean is over the workloads of the nodes that count; nil: all.
func (g *Graph) mean(sums []int64, counts func(int) bool) float64 {
	weighted, of := int64(0), int64(0)
	for v, w := range g.weights() {
		if counts == nil || counts(v) {
			weighted += w * sums[v]
			of += w
		}
	}
	return share(weighted, of*int64(g.workloads()-1))
}

// share is a part of a whole, and 0 of nothing.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func (g *Graph) zoneMeans(sums []int64) []ZoneMean {
	at := map[string]int{}
	var out []ZoneMean
	var weighted []int64
	for v := range g.Nodes {
		n := &g.Nodes[v]
		if n.Outside() {
			continue
		}
		i, known := at[n.Zone]
		if !known {
			i = len(out)
			at[n.Zone] = i
			out = append(out, ZoneMean{Zone: n.Zone, Restricted: n.Restricted})
			weighted = append(weighted, 0)
		}
		out[i].Workloads += len(n.Workloads)
		weighted[i] += int64(len(n.Workloads)) * sums[v]
	}
	for i := range out {
		out[i].Mean = share(weighted[i], int64(out[i].Workloads)*int64(g.workloads()-1))
	}
	slices.SortFunc(out, func(a, b ZoneMean) int { return compare(a.Zone, b.Zone) })
	return out
}

// Reach is how far one taken workload, or somebody outside, gets.
type Reach struct {
	Name      string
	Zone      string // empty outside
	Reachable int    // other workloads
	Share     float64
	// Restricted is how many of the workloads in restricted zones, other than
	// itself, are among them, RestrictedOf how many there are.
	Restricted, RestrictedOf int
	Hops                     []Hop // by number; only where somebody is reached
	// Unsure are those that are reached only if links are open of which nobody
	// knows.
	Unsure int
}

// RestrictedShare is Restricted of RestrictedOf; false if there are none.
func (r *Reach) RestrictedShare() (float64, bool) {
	return share(int64(r.Restricted), int64(r.RestrictedOf)), r.RestrictedOf > 0
}

// Hop is who is reached in a number of hops and not in fewer.
type Hop struct {
	Hop        int // from 1
	Workloads  int
	Restricted int
	Groups     []Group // by zone, then name
}

// Group is workloads of one node.
type Group struct {
	Zone       string
	Restricted bool
	Names      []string // sorted, never empty
}

// From follows what begins at a node. Workload is the name of the taken
// workload, which is one of the node's; empty for a node outside.
func (g *Graph) From(node int, workload string) Reach {
	n := &g.Nodes[node]
	out := Reach{Name: workload, Zone: n.Zone}
	others := g.workloads() - 1
	if n.Outside() {
		out.Name, others = n.Name, g.workloads()
	}
	for v := range g.Nodes {
		if g.Nodes[v].Restricted {
			out.RestrictedOf += len(g.Nodes[v].Workloads)
		}
	}
	if n.Restricted {
		out.RestrictedOf--
	}
	depth := g.depths(node, allLinks)
	for v, d := range depth {
		if d > 0 {
			out.add(d, g.group(v, node, workload))
		}
	}
	out.Share = share(int64(out.Reachable), int64(others))
	for i := range out.Hops {
		slices.SortFunc(out.Hops[i].Groups, func(a, b Group) int {
			return compare(a.Zone, b.Zone, a.Names[0], b.Names[0])
		})
	}
	for v, d := range g.depths(node, g.known) {
		if depth[v] > 0 && d == 0 {
			out.Unsure += len(g.group(v, node, workload).Names)
		}
	}
	return out
}

// Worst is the place from which an attacker gets furthest, of equals the first;
// there must be one. Estate is the answer of Blast.
func (g *Graph) Worst(e Estate, places []Place) Place {
	worst, most := places[0], int64(-1)
	for _, p := range places {
		reaches := e.Reachable[p.Node]
		if g.Nodes[p.Node].Outside() {
			reaches = int64(g.From(p.Node, "").Reachable)
		}
		if reaches > most {
			worst, most = p, reaches
		}
	}
	return worst
}

// group is who of a node can be reached by a workload of another, or its own.
func (g *Graph) group(v, from int, workload string) Group {
	n := &g.Nodes[v]
	names := n.Workloads
	if i := slices.Index(names, workload); v == from && i >= 0 {
		names = slices.Concat(names[:i], names[i+1:])
	}
	return Group{Zone: n.Zone, Restricted: n.Restricted, Names: names}
}

func (r *Reach) add(hop int, group Group) {
	if len(group.Names) == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(r.Hops, hop, func(h Hop, hop int) int { return h.Hop - hop })
	if !found {
		r.Hops = slices.Insert(r.Hops, i, Hop{Hop: hop})
	}
	h := &r.Hops[i]
	h.Groups = append(h.Groups, group)
	h.Workloads += len(group.Names)
	r.Reachable += len(group.Names)
	if group.Restricted {
		h.Restricted += len(group.Names)
		r.Restricted += len(group.Names)
	}
}

// depths returns, by node, in how many hops it is first reached; 0 if never or
// outside. The node from which all begins is reached if its own kind is.
func (g *Graph) depths(from int, keep func(Link) bool) []int {
	depth := make([]int, len(g.Nodes))
	next := []int{from}
	for hop := 1; len(next) > 0; hop++ {
		now := next
		next = nil
		for _, v := range now {
			for _, l := range g.Links[v] {
				if depth[l.To] == 0 && !g.Nodes[l.To].Outside() && keep(l) {
					depth[l.To] = hop
					if int(l.To) != from {
						next = append(next, int(l.To))
					}
				}
			}
		}
	}
	return depth
}
