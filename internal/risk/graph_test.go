package risk

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// made makes a graph by hand. A node is "name*weight zone" and is outside
// without weight; "!" behind the zone makes it restricted. A link is
// "from>to port keepers…", where keepers of which each is needed are joined by
// "&" and alternatives stand beside each other.
func made(nodes, links string) *Graph {
	g := &Graph{}
	at := map[string]int{}
	for line := range strings.Lines(nodes) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		name, weight, inside := strings.Cut(f[0], "*")
		n := Node{Name: name}
		if inside {
			n.Zone, n.Restricted = strings.TrimSuffix(f[1], "!"), strings.HasSuffix(f[1], "!")
			count := 0
			fmt.Sscan(weight, &count)
			for i := range count {
				n.Workloads = append(n.Workloads, fmt.Sprintf("%s-%d", name, i+1))
			}
		}
		at[name] = len(g.Nodes)
		g.Nodes = append(g.Nodes, n)
	}
	g.Links = make([][]Link, len(g.Nodes))
	keepers := map[string]int32{}
	for line := range strings.Lines(links) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		from, to, _ := strings.Cut(f[0], ">")
		port := uint16(0)
		fmt.Sscan(f[1], &port)
		p := Pass{Traffic: netset.Of(netset.TCP, port, port), Unknown: f[1] == "?"}
		for _, word := range f[2:] {
			for _, name := range strings.Split(word, "&") {
				k, known := keepers[name]
				if !known {
					k = int32(len(g.Keepers))
					keepers[name] = k
					keeper := Keeper{Rule: flow.Rule{Policy: "p", Rule: name}}
					if zone, ok := strings.CutPrefix(name, "default:"); ok {
						keeper = Keeper{Rule: flow.Rule{Rule: "default-allow"}, Zone: zone}
					}
					g.Keepers = append(g.Keepers, keeper)
				}
				p.Opens = append(p.Opens, k)
				if len(f) == 3 {
					p.Sole = append(p.Sole, k)
				}
			}
		}
		g.Links[at[from]] = append(g.Links[at[from]], Link{To: int32(at[to]), Pass: int32(len(g.Passes))})
		g.Passes = append(g.Passes, p)
	}
	return g
}

// random makes a small graph of any shape.
func random(r *rand.Rand) *Graph {
	g := &Graph{Nodes: make([]Node, 1+r.IntN(9))}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		n.Name = fmt.Sprint("n", i)
		if r.IntN(8) == 0 {
			continue // outside
		}
		n.Zone = fmt.Sprint("z", r.IntN(3))
		for j := range 1 + r.IntN(4) {
			n.Workloads = append(n.Workloads, fmt.Sprintf("%s-%d", n.Name, j))
		}
	}
	keepers := 1 + r.IntN(8)
	for k := range keepers {
		g.Keepers = append(g.Keepers, Keeper{Rule: flow.Rule{Policy: "p", Rule: fmt.Sprint("r", k)}})
		if r.IntN(4) == 0 {
			g.Keepers[k] = Keeper{Rule: flow.Rule{Rule: "default-allow", Line: k}, Zone: fmt.Sprint("z", k)}
		}
	}
	g.Links = make([][]Link, len(g.Nodes))
	density := r.IntN(100)
	for v := range g.Nodes {
		for to := range g.Nodes {
			if r.IntN(100) >= density {
				continue
			}
			port := uint16(1 + r.IntN(9000))
			p := Pass{Traffic: netset.Of(netset.TCP, port, port), Unknown: r.IntN(20) == 0}
			for k := range int32(keepers) {
				if r.IntN(3) == 0 {
					p.Opens = append(p.Opens, k)
				}
			}
			if len(p.Opens) == 1 || r.IntN(3) == 0 {
				p.Sole = p.Opens
			}
			g.Links[v] = append(g.Links[v], Link{To: int32(to), Pass: int32(len(g.Passes))})
			g.Passes = append(g.Passes, p)
		}
	}
	return g
}
