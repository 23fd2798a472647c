package risk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/netset"
)

func line(p Path) string {
	var b strings.Builder
	fmt.Fprint(&b, p.Cost, ":")
	for i, h := range p.Hops {
		if i == 0 {
			fmt.Fprint(&b, " ", h.From)
		}
		fmt.Fprintf(&b, " -%s/%s> %s", h.Attacks[0].ID, h.Text, h.To)
	}
	return b.String()
}

func lines(paths []Path) string {
	var out []string
	for _, p := range paths {
		out = append(out, line(p))
	}
	return strings.Join(out, "\n")
}

func TestPathsByHand(t *testing.T) {
	g := made(`
		world
		web*2 dmz
		app*2 app
		jump*1 ops
		data*1 data!`, `
		world>web 443 in
		web>world 443 out
		web>app 8080 web-to-app
		web>jump 22 web-to-jump
		app>data 5432 app-to-data
		jump>app 3389 ops
		jump>data 22 jump-to-data
		app>app 7000 peers`)
	place := func(node int, w string) []Place { return []Place{{node, w}} }
	for name, c := range map[string]struct {
		from, to []Place
		want     string
	}{
		"from web to data": {place(1, "web-1"), place(4, "data-1"), `2: web-1 -T1021.004/TCP 22> jump-1 -T1021.004/TCP 22> data-1
5: web-1 -T1021.004/TCP 22> jump-1 -T1021.001/TCP 3389> app-1 -T1213.006/TCP 5432> data-1
7: web-1 -T1210/TCP 8080> app-1 -T1213.006/TCP 5432> data-1`},
		"from outside": {place(0, ""), place(1, "web-2"), `4: world -T1190/TCP 443> web-2`},
		"to outside":   {place(2, "app-1"), place(0, ""), ``},
		"straight out": {place(1, "web-1"), place(0, ""), `1: web-1 -T1071.001/TCP 443> world`},
		"to one alike": {place(2, "app-1"), place(2, "app-2"), `4: app-1 -T1210/TCP 7000> app-2`},
		"to itself":    {place(2, "app-1"), place(2, "app-1"), ``},
		"no peers":     {place(1, "web-1"), place(1, "web-2"), ``},
		"among all":    {[]Place{{2, "app-1"}, {2, "app-2"}}, []Place{{2, "app-1"}, {2, "app-2"}}, `4: app-1 -T1210/TCP 7000> app-2`},
		"held already": {[]Place{{1, "web-1"}, {3, "jump-1"}}, []Place{{3, "jump-1"}, {4, "data-1"}}, `1: jump-1 -T1021.004/TCP 22> data-1
4: jump-1 -T1021.001/TCP 3389> app-1 -T1213.006/TCP 5432> data-1
7: web-1 -T1210/TCP 8080> app-1 -T1213.006/TCP 5432> data-1`},
	} {
		if got := lines(g.Paths(c.from, c.to, 5)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestAlike demands that whoever would do as well is counted, and nobody else.
func TestAlike(t *testing.T) {
	g := made("web*2 dmz\napp*4 app", "web>app 1 r\napp>app 2 s")
	all := []Place{{1, "app-1"}, {1, "app-2"}, {1, "app-3"}}
	for _, c := range []struct {
		from, to []Place
		want     int
	}{
		{[]Place{{0, "web-1"}}, all, 2},
		{[]Place{{0, "web-1"}}, all[:1], 0},
		{all, all, 1},
		{all[:1], all[1:], 1},
	} {
		p := g.Paths(c.from, c.to, 1)
		if len(p) != 1 || len(p[0].Hops) != 1 || p[0].Hops[0].Alike != c.want {
			t.Errorf("from %v to %v: %+v, want %d alike", c.from, c.to, p, c.want)
		}
	}
	g = made("web*2 dmz\napp*4 app\ndb*1 data", "web>app 1 r\napp>db 2 s")
	if p := g.Paths([]Place{{0, "web-1"}}, []Place{{2, "db-1"}}, 1); p[0].Hops[0].Alike != 3 || p[0].Hops[1].Alike != 0 {
		t.Errorf("%+v", p)
	}
}

// plainPaths lists the cost and the length of every simple path.
func plainPaths(g *Graph, from, to int) []string {
	var out []string
	costs := map[[3]int]int{}
	cost := func(l Link, from, to int) int {
		key := [3]int{int(l.Pass), from, to}
		if costs[key] == 0 {
			costs[key] = Attacks(g.Passes[l.Pass].Traffic, g.Nodes[from].Outside(), g.Nodes[to].Outside())[0].Cost
		}
		return costs[key]
	}
	var walk func(at, cost int, seen []int)
	walk = func(at, sofar int, seen []int) {
		for _, l := range g.Links[at] {
			next := int(l.To)
			sum := sofar + cost(l, at, next)
			switch {
			case next == to:
				out = append(out, fmt.Sprintf("%03d in %d", sum, len(seen)))
			case !g.Nodes[next].Outside() && !slices.Contains(seen, next):
				walk(next, sum, append(slices.Clone(seen), next))
			}
		}
	}
	walk(from, 0, []int{from})
	slices.Sort(out)
	return out
}

func TestPathsAgreeWithTryingAll(t *testing.T) {
	ports := []uint16{22, 135, 445, 5432, 8080}
	some := 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 3))
		g := random(r)
		for i := range g.Passes {
			port := ports[r.IntN(len(ports))]
			g.Passes[i].Traffic = netset.Of(netset.TCP, port, port)
		}
		from, to := r.IntN(len(g.Nodes)), r.IntN(len(g.Nodes))
		if from == to {
			continue
		}
		const k = 6
		want := plainPaths(g, from, to)
		want = want[:min(len(want), k)]
		var got []string
		seen := map[string]bool{}
		for _, p := range g.Paths([]Place{placeOf(g, from)}, []Place{placeOf(g, to)}, k) {
			got = append(got, fmt.Sprintf("%03d in %d", p.Cost, len(p.Hops)))
			if text := line(p); seen[text] {
				t.Fatalf("seed %d: twice: %s", seed, text)
			} else {
				seen[text] = true
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
		if len(want) > 1 {
			some++
		}
	}
	if some < 300 {
		t.Errorf("only %d graphs had a choice", some)
	}
}

func placeOf(g *Graph, v int) Place {
	if g.Nodes[v].Outside() {
		return Place{Node: v}
	}
	return Place{v, g.Nodes[v].Workloads[0]}
}

func TestAttacks(t *testing.T) {
	port := func(n uint16) netset.Traffic { return netset.Of(netset.TCP, n, n) }
	for name, c := range map[string]struct {
		traffic     netset.Traffic
		fromOutside bool
		toOutside   bool
		want        string
	}{
		"RDP":           {port(3389), false, false, "T1021.001 T1563.002 T1210"},
		"SMB":           {port(445), false, false, "T1021.002 T1570 T1080 T1210"},
		"DCOM":          {port(135), false, false, "T1021.003 T1210"},
		"SSH":           {port(22), false, false, "T1021.004 T1563.001 T1570 T1210"},
		"VNC":           {port(5901), false, false, "T1021.005 T1210"},
		"WinRM":         {port(5986), false, false, "T1021.006 T1210"},
		"Kubernetes":    {port(6443), false, false, "T1609 T1610 T1210"},
		"kubelet":       {port(10250), false, false, "T1609 T1210"},
		"a database":    {port(5432), false, false, "T1213.006 T1210"},
		"NFS":           {port(2049), false, false, "T1570 T1080 T1210"},
		"any service":   {port(8080), false, false, "T1210"},
		"ICMP":          {netset.Of(netset.ICMP, 0, 0), false, false, "T1046 T1018"},
		"tunnels":       {netset.Of(netset.Other, 0, 0), false, false, "T1095"},
		"not known":     {netset.None(), false, false, "T1210"},
		"into the web":  {port(443), true, false, "T1190"},
		"into SSH":      {port(22), true, false, "T1133 T1190"},
		"out to web":    {port(443), false, true, "T1071.001 T1048"},
		"out elsewhere": {port(4444), false, true, "T1048"},
	} {
		var got []string
		for _, a := range Attacks(c.traffic, c.fromOutside, c.toOutside) {
			got = append(got, a.ID)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	if all := Attacks(netset.All(), false, false); all[0].Cost != 1 || len(all) < 15 {
		t.Errorf("all ports permit %v", all)
	}
	if got := ssh.URL(); got != "https://attack.mitre.org/techniques/T1021/004/" {
		t.Error(got)
	}
}

func BenchmarkPaths(b *testing.B) {
	eachShape(b, func(b *testing.B, g *Graph) {
		to := []Place{{len(g.Nodes) - 1, g.Nodes[len(g.Nodes)-1].Workloads[0]}}
		for b.Loop() {
			b.ReportMetric(float64(len(g.Paths([]Place{{0, "w0-0"}}, to, 5))), "paths")
		}
	})
}
