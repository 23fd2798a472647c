package cli

import (
	"cmp"
	"io"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/layer"
	"firebreak/internal/path"
	"firebreak/internal/prove"
)

// fewDeciders is how many rules an edge names of those that let it pass at one of
// its ends.
const fewDeciders = 3

// liveEdge is who can reach whom, and what lets them. Rules is never nil.
type liveEdge struct {
	From    string         `json:"from"`
	To      string         `json:"to"`
	Traffic string         `json:"traffic"`
	Rules   []path.Decider `json:"rules"`
	More    int            `json:"moreRules,omitempty"`
}

// liveJSON writes one edge after the other, so that none is kept.
func liveJSON(w io.Writer, r *liveReach) error {
	d := newLiveRules(r)
	return edgesJSON(w, r.unknown(), jsonFindings(r.diags), func(add func(any) error) error {
		return r.forMachines(true, plainKey, func(from, to string, traffic int32) error {
			rules, more := d.of(from, to, traffic)
			return add(liveEdge{from, to, r.texts.text[traffic], rules, more})
		})
	})
}

// liveRules finds what lets the lines pass.
type liveRules struct {
	r        *liveReach
	deciders *path.Deciders
	ends     map[string][]int // by the name in a line
	runs     []addressRun     // those that are not a workload's
	known    []*passing       // by edge
}

// passing is what lets an edge pass.
type passing struct {
	rules []path.Decider
	more  int
}

func newLiveRules(r *liveReach) *liveRules {
	d := &liveRules{r: r, ends: map[string][]int{}, known: make([]*passing, len(r.Edges))}
	parties := make([]layer.Party, len(r.Ends))
	for _, run := range slices.Backward(r.runs) {
		if run.end >= 0 {
			parties[run.end].Addr = run.lo
			d.runs = append(d.runs, run)
		}
	}
	for x := range r.Ends {
		e := &r.Ends[x]
		if e.External != "" {
			parties[x].External = e.External
			d.ends["external:"+e.External] = append(d.ends["external:"+e.External], x)
		}
		if len(e.Workloads) > 0 {
			parties[x] = layer.Party{Workload: &r.inv.Workloads[e.Workloads[0]]}
			d.ends[e.Name] = []int{x}
		}
		for _, w := range e.Workloads {
			d.ends[r.inv.Workloads[w].Name] = []int{x}
		}
	}
	estate := &path.Estate{Inventory: r.inv, Networks: r.networks, Layers: r.layers}
	d.deciders = estate.Deciders(parties)
	return d
}

// of lists what lets a line's traffic pass, and counts what is left out.
func (d *liveRules) of(from, to string, traffic int32) ([]path.Decider, int) {
	all := passing{rules: []path.Decider{}}
	for _, a := range d.endsOf(from) {
		for _, b := range d.endsOf(to) {
			i, is := slices.BinarySearchFunc(d.r.Edges, [2]int{a, b}, func(e prove.Reached, at [2]int) int {
				return cmp.Or(cmp.Compare(e.From, at[0]), cmp.Compare(e.To, at[1]))
			})
			if !is || d.r.edges[i] != traffic {
				continue
			}
			one := d.edge(i)
			if len(all.rules) == 0 {
				all = *one
				continue
			}
			for _, x := range one.rules {
				if !slices.Contains(all.rules, x) {
					all.rules = append(slices.Clip(all.rules), x)
				}
			}
			all.more = max(all.more, one.more)
		}
	}
	rules, more := firstAtEnds(all.rules)
	return rules, all.more + more
}

func (d *liveRules) edge(i int) *passing {
	if d.known[i] == nil {
		e := &d.r.Edges[i]
		rules, more := firstAtEnds(d.deciders.Of(e.From, e.To, d.r.texts.sets[d.r.edges[i]].Ports()))
		d.known[i] = &passing{rules, more}
	}
	return d.known[i]
}

// firstAtEnds cuts a list down to the first at either end, and counts the rest. It is
// never nil.
func firstAtEnds(all []path.Decider) ([]path.Decider, int) {
	out := []path.Decider{}
	has := map[string]int{}
	for _, x := range all {
		if has[x.End]++; has[x.End] <= fewDeciders {
			out = append(out, x)
		}
	}
	return out, len(all) - len(out)
}

// endsOf lists the ends that a line's name stands for: several for a run of
// addresses that layers tell apart.
func (d *liveRules) endsOf(name string) []int {
	list, known := d.ends[name]
	if known {
		return list
	}
	low, high, _ := strings.Cut(name, "-")
	lo, err1 := netip.ParseAddr(low)
	hi, err2 := netip.ParseAddr(high)
	if err1 == nil && err2 == nil {
		for _, run := range d.runs {
			if run.lo.Is4() == lo.Is4() && !hi.Less(run.lo) && !run.hi.Less(lo) && !slices.Contains(list, run.end) {
				list = append(list, run.end)
			}
		}
		slices.Sort(list)
	}
	d.ends[name] = list
	return list
}
