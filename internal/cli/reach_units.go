package cli

import (
	"slices"
	"strings"
)

// unit is what a line names: a workload, or all of those of an end that no
// layer tells apart.
type unit struct {
	key, name string
	end       int
	many      bool // it is more than one workload, which may talk to each other
}

// destination is one of the units and outside names that lines lead to, by its
// place in their order, and what may pass.
type destination struct{ rank, traffic int32 }

// liveLines writes what may pass, in order.
type liveLines struct {
	r       *liveReach
	outside func(end int, outgoing bool) []reached
	key     func(string) string

	from  []unit
	to    []unit
	ranks map[string]int32 // of outside names
	order []string         // keys, by rank
	names []string         // by rank
	ofEnd [][]int32        // by end: ranks of its units
	self  map[string]int32 // by a from-unit's key: its own rank
	known [][]destination  // by end
}

// units are the workloads that were asked about.
func (r *liveReach) units(asked *ends, key func(string) string) []unit {
	var out []unit
	for x := range r.Ends {
		var inside []int
		for _, w := range r.Ends[x].Workloads {
			if asked.hasWorkload(w) {
				inside = append(inside, w)
			}
		}
		if r.merged && len(inside) > 0 {
			out = append(out, unit{key(r.Ends[x].Name), r.Ends[x].Name, x, len(inside) > 1})
			continue
		}
		for _, w := range inside {
			name := r.inv.Workloads[w].Name
			out = append(out, unit{key(name), name, x, false})
		}
	}
	slices.SortFunc(out, func(a, b unit) int { return strings.Compare(a.key, b.key) })
	return out
}

// lineCount is how many lines there would be, workload by workload.
func (r *liveReach) lineCount() int {
	from, to := r.weights(&r.from), r.weights(&r.to)
	n := 0
	for i := range r.Edges {
		if r.edges[i] >= 0 {
			n += from[r.Edges[i].From] * to[r.Edges[i].To]
		}
	}
	return n
}

// weights counts what was asked about, by end; addresses are one.
func (r *liveReach) weights(asked *ends) []int {
	out := make([]int, len(r.Ends))
	for x := range r.Ends {
		if r.Ends[x].Workloads == nil {
			out[x] = 1
		}
		for _, w := range r.Ends[x].Workloads {
			if asked.hasWorkload(w) {
				out[x]++
			}
		}
	}
	return out
}

// lines visits everything that may pass, in the order of the keys, but for what
// is no question: from a workload to itself, and between two that are outside.
// It stops at the first error.
func (r *liveReach) lines(outside func(int, bool) []reached, key func(string) string, visit func(from, to string, traffic int32) error) error {
	l := &liveLines{r: r, outside: outside, key: key, from: r.units(&r.from, key), to: r.units(&r.to, key)}
	l.rank()
	incoming, names := l.incoming()
	l.known = make([][]destination, len(r.Ends))
	for a, b := 0, 0; a < len(l.from) || b < len(names); {
		if b == len(names) || a < len(l.from) && l.from[a].key < key(names[b]) {
			if err := l.outgoing(&l.from[a], visit); err != nil {
				return err
			}
			a++
			continue
		}
		for _, d := range incoming[names[b]] {
			if err := visit(names[b], l.names[d.rank], d.traffic); err != nil {
				return err
			}
		}
		b++
	}
	return nil
}

// rank orders everything that lines lead to.
func (l *liveLines) rank() {
	type named struct {
		key, name string
		end       int // -1: outside
	}
	var all []named
	for _, u := range l.to {
		all = append(all, named{u.key, u.name, u.end})
	}
	seen, ends := map[string]bool{}, map[int]bool{}
	for _, u := range l.from {
		if ends[u.end] {
			continue
		}
		ends[u.end] = true
		for _, x := range l.outside(u.end, true) {
			if !seen[x.name] {
				seen[x.name] = true
				all = append(all, named{l.key(x.name), x.name, -1})
			}
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.key, b.key) })
	l.ranks, l.self, l.ofEnd = map[string]int32{}, map[string]int32{}, make([][]int32, len(l.r.Ends))
	for i, x := range all {
		l.order, l.names = append(l.order, x.key), append(l.names, x.name)
		if x.end < 0 {
			l.ranks[x.name] = int32(i)
		} else {
			l.self[x.key] = int32(i)
			l.ofEnd[x.end] = append(l.ofEnd[x.end], int32(i))
		}
	}
}

// incoming is what may come in from outside, and the names of that, in order.
func (l *liveLines) incoming() (map[string][]destination, []string) {
	out := map[string][]destination{}
	for x := range l.r.Ends {
		if len(l.ofEnd[x]) == 0 {
			continue
		}
		for _, from := range l.outside(x, false) {
			for _, rank := range l.ofEnd[x] {
				out[from.name] = append(out[from.name], destination{rank, from.traffic})
			}
		}
	}
	var names []string
	for name := range out {
		names = append(names, name)
		byRank(out[name])
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(l.key(a), l.key(b)) })
	return out, names
}

func byRank(list []destination) {
	slices.SortFunc(list, func(a, b destination) int { return int(a.rank) - int(b.rank) })
}

// outgoing visits what a unit may reach.
func (l *liveLines) outgoing(u *unit, visit func(from, to string, traffic int32) error) error {
	list := l.known[u.end]
	if list == nil {
		list = l.destinations(u.end)
		l.known[u.end] = list
	}
	self, isBoth := l.self[u.key]
	for _, d := range list {
		if isBoth && d.rank == self && !u.many {
			continue
		}
		if err := visit(u.name, l.names[d.rank], d.traffic); err != nil {
			return err
		}
	}
	return nil
}

func (l *liveLines) destinations(end int) []destination {
	list := []destination{}
	for _, i := range l.r.out[end] {
		for _, rank := range l.ofEnd[l.r.Edges[i].To] {
			list = append(list, destination{rank, l.r.edges[i]})
		}
	}
	for _, x := range l.outside(end, true) {
		list = append(list, destination{l.ranks[x.name], x.traffic})
	}
	byRank(list)
	return list
}

// endText is what people call an end.
func (r *liveReach) endText(x int) string {
	if e := &r.Ends[x]; e.Workloads == nil {
		return outsideText(e)
	}
	return r.Ends[x].Name
}

// unknown is the traffic of which nobody can say whether it may pass, end by
// end.
func (r *liveReach) unknown() []unknownPair {
	from, to := r.weights(&r.from), r.weights(&r.to)
	out := []unknownPair{}
	for i := range r.Edges {
		e := &r.Edges[i]
		if e.Reason == "" || from[e.From]*to[e.To] == 0 {
			continue
		}
		if _, ok := r.outsideName(e.From, &r.from); r.Ends[e.From].Workloads == nil && !ok {
			continue
		}
		if _, ok := r.outsideName(e.To, &r.to); r.Ends[e.To].Workloads == nil && !ok {
			continue
		}
		doubt := e.Upper.Subtract(e.Lower)
		if !r.at.IsZero() {
			doubt = doubt.At(r.at)
		}
		if !doubt.IsEmpty() {
			out = append(out, unknownPair{r.endText(e.From), r.endText(e.To), doubt.String(), e.Reason})
		}
	}
	return out
}
