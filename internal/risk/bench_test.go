package risk

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// large makes an estate of 2,000 nodes that stand for 100,000 workloads, and
// 10,000 rules that keep links open, each from a few nodes to a few others.
// Spread is how far a rule leads: small gives tiers that lead one way, large a
// tangle in which all reach all. Dense adds a default that opens everything.
func large(spread int, dense bool) *Graph {
	const nodes, rules = 2000, 10_000
	r := rand.New(rand.NewPCG(7, uint64(spread)))
	g := &Graph{Nodes: make([]Node, nodes), Links: make([][]Link, nodes)}
	for i := range g.Nodes {
		g.Nodes[i].Zone = fmt.Sprint("zone", i/100)
		for j := range 50 {
			g.Nodes[i].Workloads = append(g.Nodes[i].Workloads, fmt.Sprintf("w%d-%d", i, j))
		}
	}
	keepers := make([]map[int32][]int32, nodes)
	for i := range keepers {
		keepers[i] = map[int32][]int32{}
	}
	for k := range int32(rules) {
		g.Keepers = append(g.Keepers, Keeper{Rule: flow.Rule{Policy: "p", Rule: fmt.Sprint("rule", k)}})
		from := r.IntN(nodes)
		for range 1 + r.IntN(4) {
			for range 1 + r.IntN(4) {
				a, b := (from+r.IntN(5))%nodes, from+1+r.IntN(spread)
				if spread < nodes && b >= nodes {
					continue
				}
				keepers[a][int32(b%nodes)] = append(keepers[a][int32(b%nodes)], k)
			}
		}
	}
	g.Passes = []Pass{{Traffic: netset.All()}} // of the default
	for a := range g.Nodes {
		for b := range int32(nodes) {
			k := keepers[a][b]
			if k == nil {
				if dense {
					g.Links[a] = append(g.Links[a], Link{To: b})
				}
				continue
			}
			p := Pass{Traffic: netset.Of(netset.TCP, 443, 443), Opens: k}
			if len(k) == 1 && !dense {
				p.Sole = k
			}
			g.Links[a] = append(g.Links[a], Link{To: b, Pass: int32(len(g.Passes))})
			g.Passes = append(g.Passes, p)
		}
	}
	return g
}

func eachShape(b *testing.B, run func(*testing.B, *Graph)) {
	for _, s := range []struct {
		name   string
		spread int
		dense  bool
	}{{"tiers", 60, false}, {"tangle", 2000, false}, {"flat", 2000, true}} {
		b.Run(s.name, func(b *testing.B) {
			g := large(s.spread, s.dense)
			b.ResetTimer()
			run(b, g)
		})
	}
}

// BenchmarkBlast is the mean blast radius of 100,000 workloads.
func BenchmarkBlast(b *testing.B) {
	eachShape(b, func(b *testing.B, g *Graph) {
		b.ReportAllocs()
		for b.Loop() {
			b.ReportMetric(g.Blast().Mean, "mean")
		}
	})
}

// BenchmarkCuts is the five best of 10,000 rules.
func BenchmarkCuts(b *testing.B) {
	eachShape(b, func(b *testing.B, g *Graph) {
		b.ReportAllocs()
		for b.Loop() {
			got := g.Cuts(5)
			b.ReportMetric(float64(got.Skipped), "skipped")
			b.ReportMetric(float64(len(got.Rules)), "cuts")
		}
	})
}
