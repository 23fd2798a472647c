package adopt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/inventory"
)

// memberPrefix is what the keys of labels begin with that say in which security
// group a workload is (inventory/aws).
const memberPrefix = "aws/group."

// row is a set of workloads of one end that are in one zone and in the same
// groups, or the addresses of a place.
type row struct {
	end   int
	place int // index into all; 0 for workloads
	atoms []int
}

// side is one end of a rule that says something in one word: the members of a
// group, a zone, everything, or places.
type side struct {
	rows   []int
	ends   []int
	zone   int         // index into zoneList; -1 for none
	group  *membership // of members
	any    bool
	places []int // indices into all
}

// wide reports whether a side is more than a group or some places.
func (s *side) wide() bool { return s.any || s.zone >= 0 }

// membership is a service to be: the members of a security group.
type membership struct {
	label pair
	name  string
	zone  string // that all of them are in; empty for several
	first int    // a member
	taken bool   // some rule speaks of it
}

// rowsOf divides workloads and places, and finds the sides that rules may have.
func (c *cover) rowsOf() {
	a := c.a
	at := map[string]int{}
	byZone := map[int][]int{}
	byLabel := map[pair][]int{}
	c.groups = map[pair]*membership{}
	for i := range a.all {
		if i >= a.places {
			c.rows = append(c.rows, row{end: a.all[i].end, place: i, atoms: []int{i}})
			continue
		}
		for _, w := range a.all[i].workloads {
			labels := members(&a.inv.Workloads[w])
			key := fmt.Sprint(a.all[i].end, " ", a.all[i].zone, " ", labels)
			n, known := at[key]
			if !known {
				n = len(c.rows)
				at[key] = n
				c.rows = append(c.rows, row{end: a.all[i].end})
				byZone[a.all[i].zone] = append(byZone[a.all[i].zone], n)
				for _, l := range labels {
					byLabel[l] = append(byLabel[l], n)
				}
			}
			if x := &c.rows[n]; !slices.Contains(x.atoms, i) {
				x.atoms = append(x.atoms, i)
			}
			for _, l := range labels {
				c.join(l, w, a.all[i].zone)
			}
		}
	}
	for _, l := range sortedPairs(byLabel) {
		c.sides = append(c.sides, c.side(side{rows: byLabel[l], zone: -1, group: c.groups[l]}))
	}
	for z := range a.zoneList {
		c.sides = append(c.sides, c.side(side{rows: byZone[z], zone: z}))
	}
	everything := side{zone: -1, any: true}
	for i := range c.rows {
		everything.rows = append(everything.rows, i)
	}
	c.sides = append(c.sides, c.side(everything))
}

// members lists the labels of the groups that a workload is in.
func members(w *inventory.Workload) []pair {
	var out []pair
	for k, v := range w.Labels {
		if strings.HasPrefix(k, memberPrefix) && usable(k, v) {
			out = append(out, pair{k, v})
		}
	}
	slices.SortFunc(out, pair.compare)
	return out
}

func (p pair) compare(q pair) int {
	return cmp.Or(strings.Compare(p.key, q.key), strings.Compare(p.value, q.value))
}

func sortedPairs(m map[pair][]int) []pair {
	var out []pair
	for p := range m {
		out = append(out, p)
	}
	slices.SortFunc(out, pair.compare)
	return out
}

// join makes a workload a member of a group.
func (c *cover) join(l pair, w, zone int) {
	name := ""
	if z := c.a.zoneList[zone]; z.selector != "" {
		name = z.name
	}
	g := c.groups[l]
	if g == nil {
		g = &membership{label: l, name: slug(strings.TrimPrefix(l.key, memberPrefix)), zone: name, first: w}
		c.groups[l] = g
	}
	if g.zone != name {
		g.zone = ""
	}
}

// side completes one.
func (c *cover) side(s side) side {
	for _, r := range s.rows {
		s.ends = append(s.ends, c.rows[r].end)
	}
	slices.Sort(s.ends)
	s.ends = slices.Compact(s.ends)
	return s
}

// said is how a rule names a side.
func (c *cover) said(s *side) []endpoint {
	switch {
	case s.any:
		return []endpoint{{"{any: true}", "any"}}
	case s.group != nil:
		return []endpoint{{"{service: " + s.group.name + "}", s.group.name}}
	case s.zone >= 0:
		return []endpoint{c.a.zoneEnd(s.zone)}
	}
	var out []endpoint
	for _, name := range c.a.externals(s.places) {
		out = append(out, endpoint{"{external: " + name + "}", name})
	}
	return out
}
