package risk

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// threeTiers has two web, three app, one data workload and a lonely one. The
// app workloads may talk to each other.
func threeTiers() *Graph {
	return made(`
		world
		web*2 dmz
		app*3 app
		data*1 data!
		lonely*1 app`, `
		world>web 443 in
		web>app 8080 web-to-app
		app>app 7000 peers
		app>data 5432 app-to-data spare
		lonely>web 80 default:app`)
}

func TestBlastByHand(t *testing.T) {
	g := threeTiers()
	got := g.Blast()
	// web: 3 app and data, 4 of 6. app: 2 others and data, 3 of 6. data: none.
	// lonely: 2 web, 3 app, data, 6 of 6.
	if want := (2*4 + 3*3 + 0 + 6) / (7. * 6); got.Mean != want || got.MeanKnown != want || got.Workloads != 7 {
		t.Errorf("mean %v of %d, want %v of 7", got.Mean, got.Workloads, want)
	}
	want := []ZoneMean{{"app", 4, false, (9 + 6) / 24.}, {"data", 1, true, 0}, {"dmz", 2, false, 8 / 12.}}
	if !slices.Equal(got.Zones, want) {
		t.Errorf("zones %v, want %v", got.Zones, want)
	}
}

func TestFromByHand(t *testing.T) {
	g := threeTiers()
	got := g.From(1, "web-2")
	want := Reach{Name: "web-2", Zone: "dmz", Reachable: 4, Share: 4 / 6., Restricted: 1, RestrictedOf: 1, Hops: []Hop{
		{1, 3, 0, []Group{{"app", false, []string{"app-1", "app-2", "app-3"}}}},
		{2, 1, 1, []Group{{"data", true, []string{"data-1"}}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("from web-2\n%+v, want\n%+v", got, want)
	}
	if got := g.From(2, "app-2"); got.Reachable != 3 || !slices.Equal(got.Hops[0].Groups[0].Names, []string{"app-1", "app-3"}) {
		t.Errorf("from app-2: %+v", got)
	}
	data := g.From(3, "data-1")
	if _, some := data.RestrictedShare(); some || data.Reachable != 0 || len(data.Hops) != 0 {
		t.Errorf("from data-1: %+v", data)
	}
	if got := g.From(0, ""); got.Name != "world" || got.Reachable != 6 || got.Share != 6/7. {
		t.Errorf("from the world: %+v", got)
	}
}

// TestUnknownCounts demands that what is not known counts and is said.
func TestUnknownCounts(t *testing.T) {
	g := made("a*1 x\nb*1 x\nc*1 x", "a>b ?\nb>c 1 r")
	e := g.Blast()
	if e.Unsure != 1 || e.Mean != 3/6. || e.MeanKnown != 1/6. {
		t.Errorf("%+v", e)
	}
	if r := g.From(0, "a-1"); r.Reachable != 2 || r.Unsure != 2 {
		t.Errorf("%+v", r)
	}
}

func TestNobodyThere(t *testing.T) {
	for name, g := range map[string]*Graph{"nothing": {}, "one": made("a*1 x", "a>a 1 r"), "outside": made("world", "")} {
		if e := g.Blast(); e.Mean != 0 || e.Unsure != 0 && name != "one" {
			t.Errorf("%s: %+v", name, e)
		}
		if c := g.Cuts(5); c.Rules != nil || c.Skipped != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// walk is reachability said as plainly as possible: workload by workload. It
// returns how many others each workload reaches, by name.
func walk(g *Graph, keep func(Link) bool) map[string]int {
	node := map[string]int{}
	for v := range g.Nodes {
		for _, w := range g.Nodes[v].Workloads {
			node[w] = v
		}
	}
	out := map[string]int{}
	for start := range node {
		held := map[string]bool{start: true}
		for grown := true; grown; {
			grown = false
			for w := range held {
				for _, l := range g.Links[node[w]] {
					if !keep(l) {
						continue
					}
					for _, to := range g.Nodes[l.To].Workloads {
						if !held[to] {
							held[to], grown = true, true
						}
					}
				}
			}
		}
		out[start] = len(held) - 1
	}
	return out
}

func TestReachableAgreesWithWalking(t *testing.T) {
	for seed := range uint64(2000) {
		g := random(rand.New(rand.NewPCG(seed, 1)))
		want := walk(g, allLinks)
		sums := g.reachable(allLinks)
		for v := range g.Nodes {
			for _, w := range g.Nodes[v].Workloads {
				if int(sums[v]) != want[w] {
					t.Fatalf("seed %d: %s reaches %d, want %d", seed, w, sums[v], want[w])
				}
				if r := g.From(v, w); r.Reachable != want[w] {
					t.Fatalf("seed %d: hops from %s reach %d, want %d", seed, w, r.Reachable, want[w])
				}
			}
		}
	}
}

// TestReachableInParts demands the same of an estate that does not fit one
// block: a long chain.
func TestReachableInParts(t *testing.T) {
	n := columns + columns/2
	g := &Graph{Nodes: make([]Node, n), Links: make([][]Link, n), Passes: []Pass{{}}}
	for i := range n {
		g.Nodes[i] = Node{Workloads: []string{"w"}}
		if i > 0 {
			g.Links[i] = []Link{{To: int32(i - 1)}}
		}
	}
	for v, sum := range g.reachable(allLinks) {
		if int(sum) != v {
			t.Fatalf("%d reaches %d", v, sum)
		}
	}
}
