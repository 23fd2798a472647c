package ask

import (
	"cmp"
	"encoding/binary"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Comparison is what one policy permits and another does not, in as few lines
// as people can read. Without Lines the two permit the same.
type Comparison struct {
	Ends  []End
	Lines []Line // what is gained first; then the lines about most pairs first
	names []string
}

// Workloads lists those of an end (an index into Ends), sorted, at most max of
// them; none outside.
func (c *Comparison) Workloads(end, max int) []string {
	members := c.Ends[end].members
	out := []string{}
	for _, i := range members[:min(len(members), max)] {
		out = append(out, c.names[i])
	}
	return out
}

// End is what changes alike, under one name.
type End struct {
	Name    string // a service, a workload, "zone x", "12 workloads of zone x", or what is outside
	Kind    string // "service", "workload", "zone", "workloads" or "outside"
	Zone    string // of workloads
	Groups  []int  // of the Delta
	members []int32
}

// Size is how many workloads the end stands for; 0 outside.
func (e *End) Size() int { return len(e.members) }

// Line says that something may pass from each end of From to each end of To
// (indices into Ends, a workload's conversation with itself left out) that might
// not before, or the other way round.
type Line struct {
	From, To []int
	Gained   bool
	Set      space.Set
	// By made the difference: the rule that decides now, or, where only a
	// default decides now, the rule that did. Was are what decided, Is what
	// decides, for some of the pairs; where there was, or is, no such pair,
	// nothing did.
	By      Maker
	Was, Is []flow.Rule
	pairs   int
}

// Maker is a rule of one of the two policies.
type Maker struct {
	Rule flow.Rule
	Old  bool // it is the old policy's
}

// Compare finds lines for what a Delta says.
func Compare(d *verify.Delta, old, new *verify.Engine) Comparison {
	c := &comparer{d: d, old: old, new: new, known: map[*verify.Moved][]content{}, byMaker: map[Maker][]content{}, rows: map[content]map[int][]int32{}}
	for i := range d.Changes {
		x := &d.Changes[i]
		c.note(x.From, x.To, x.Gained, true)
		c.note(x.From, x.To, x.Lost, false)
	}
	n := newNamer(d, old, new)
	var out Comparison
	for _, k := range c.order {
		for _, r := range rectangles(d, c.rows[k]) {
			about := &c.contents[k]
			out.Lines = append(out.Lines, Line{
				From: n.ends(r.from), To: n.ends(r.to), Gained: about.gained, Set: about.set, By: about.by, Was: about.was, Is: about.is,
				pairs: weight(d, r.from) * weight(d, r.to),
			})
		}
	}
	out.Ends, out.names = n.out, n.names
	slices.SortStableFunc(out.Lines, func(a, b Line) int {
		if a.Gained != b.Gained {
			return map[bool]int{true: -1, false: 1}[a.Gained]
		}
		return cmp.Or(cmp.Compare(b.pairs, a.pairs), compareNames(out.Ends, a.From, b.From), compareNames(out.Ends, a.To, b.To))
	})
	return out
}

func compareNames(ends []End, a, b []int) int {
	return slices.CompareFunc(a, b, func(x, y int) int { return cmp.Compare(ends[x].Name, ends[y].Name) })
}

func weight(d *verify.Delta, groups []int32) int {
	n := 0
	for _, g := range groups {
		n += max(1, len(d.Groups[g].Workloads))
	}
	return n
}

// content is an index into comparer.contents: what is gained or lost, and why.
type content int

type about struct {
	gained  bool
	set     space.Set
	by      Maker
	was, is []flow.Rule
}

// comparer sorts changes out by what is gained or lost.
type comparer struct {
	d        *verify.Delta
	old, new *verify.Engine
	known    map[*verify.Moved][]content // many changes share their parts
	contents []about
	byMaker  map[Maker][]content
	order    []content
	rows     map[content]map[int][]int32 // by source: the destinations, ascending
}

func (c *comparer) note(from, to int, moved []verify.Moved, gained bool) {
	if len(moved) == 0 {
		return
	}
	kinds, known := c.known[&moved[0]]
	if !known {
		kinds = c.sort(moved, gained)
		c.known[&moved[0]] = kinds
	}
	for _, k := range kinds {
		if c.rows[k] == nil {
			c.rows[k] = map[int][]int32{}
			c.order = append(c.order, k)
		}
		c.rows[k][from] = append(c.rows[k][from], int32(to))
	}
}

// sort puts together what one rule makes of a pair.
func (c *comparer) sort(moved []verify.Moved, gained bool) []content {
	var parts []about
	for _, m := range moved {
		by := c.maker(m)
		i := slices.IndexFunc(parts, func(a about) bool { return a.by == by })
		if i < 0 {
			i = len(parts)
			parts = append(parts, about{gained: gained, by: by})
		}
		p := &parts[i]
		p.set = p.set.Union(m.Set)
		p.was, p.is = add(p.was, c.old.Ref(m.Was)), add(p.is, c.new.Ref(m.Is))
	}
	var out []content
	for _, p := range parts {
		out = append(out, c.content(p))
	}
	return out
}

func add(rules []flow.Rule, r flow.Rule) []flow.Rule {
	if r == (flow.Rule{}) || slices.Contains(rules, r) {
		return rules
	}
	return append(rules, r)
}

func (c *comparer) maker(m verify.Moved) Maker {
	switch {
	case m.Is.Rule() < 0 && m.Was.Rule() >= 0, m.Is == 0:
		return Maker{c.old.Ref(m.Was), true}
	}
	return Maker{c.new.Ref(m.Is), false}
}

// content finds what is gained or lost by that maker, or notes it. What decided
// before, or decides now, need not be the same for all pairs.
func (c *comparer) content(a about) content {
	for _, i := range c.byMaker[a.by] {
		b := &c.contents[i]
		if a.gained == b.gained && a.set.Equal(b.set) {
			for _, r := range a.was {
				b.was = add(b.was, r)
			}
			for _, r := range a.is {
				b.is = add(b.is, r)
			}
			return i
		}
	}
	i := content(len(c.contents))
	c.contents, c.byMaker[a.by] = append(c.contents, a), append(c.byMaker[a.by], i)
	return i
}

// rectangle is every pair of some groups with some others.
type rectangle struct{ from, to []int32 }

// rectangles finds few of them for rows of destinations. What a single workload
// does with itself is no question, so that it may be in or not.
func rectangles(d *verify.Delta, rows map[int][]int32) []rectangle {
	type options struct{ plain, self string }
	keys, votes := map[int]options{}, map[string]int{}
	lists := map[string][]int32{}
	var froms []int
	for from, to := range rows {
		froms = append(froms, from)
		o := options{plain: keyOf(to)}
		lists[o.plain] = to
		votes[o.plain]++
		if at, in := slices.BinarySearch(to, int32(from)); !in && len(d.Groups[from].Workloads) == 1 {
			with := slices.Insert(slices.Clone(to), at, int32(from))
			o.self = keyOf(with)
			lists[o.self] = with
			votes[o.self]++
		}
		keys[from] = o
	}
	slices.Sort(froms)
	at := map[string]int{}
	var out []rectangle
	for _, from := range froms {
		key := keys[from].plain
		if self := keys[from].self; self != "" && votes[self] > votes[key] {
			key = self
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, rectangle{to: lists[key]})
		}
		out[i].from = append(out[i].from, int32(from))
	}
	return out
}

func keyOf(list []int32) string {
	b := make([]byte, 0, 4*len(list))
	for _, x := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return string(b)
}

// Arrivals are the workloads that only one of two policies knows, and those that
// are in another zone now.
type Arrivals struct {
	Came, Went []string
	Moved      []Move
}

// Move is a workload that is in another zone.
type Move struct{ Workload, Was, Is string }

// Arriving compares two inventories by name.
func Arriving(old, new *policy.Policy) Arrivals {
	was := make(map[string]int, len(old.Inventory.Workloads))
	for i := range old.Inventory.Workloads {
		was[old.Inventory.Workloads[i].Name] = i
	}
	var out Arrivals
	for j := range new.Inventory.Workloads {
		name := new.Inventory.Workloads[j].Name
		i, known := was[name]
		delete(was, name)
		if !known {
			out.Came = append(out.Came, name)
			continue
		}
		if a, b := old.Zones[old.ZoneOf[i]].Name, new.Zones[new.ZoneOf[j]].Name; a != b {
			out.Moved = append(out.Moved, Move{name, a, b})
		}
	}
	for name := range was {
		out.Went = append(out.Went, name)
	}
	slices.Sort(out.Went)
	return out
}
