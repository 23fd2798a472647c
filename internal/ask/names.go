package ask

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// fewEnds is how many services and workloads of one zone are named before only
// their number is.
const fewEnds = 4

// namer finds names for sets of groups, and keeps them.
type namer struct {
	d        *verify.Delta
	old, new *verify.Engine
	services map[string][]string // by name: its workloads in either policy, sorted
	of       map[string][]string // by workload: its services, the largest first
	zone     map[string]string   // by workload: its zone, the new one if there is one
	sizes    map[string]int      // by zone: how many workloads
	zones    []string            // in the order of the policies
	group    map[string]int      // by workload

	out   []End
	at    map[string]int // by name and members
	taken map[string]bool
	known map[string][]int // by set of groups
}

func newNamer(d *verify.Delta, old, new *verify.Engine) *namer {
	n := &namer{
		d: d, old: old, new: new, services: map[string][]string{}, of: map[string][]string{}, zone: map[string]string{}, sizes: map[string]int{},
		group: map[string]int{}, at: map[string]int{}, taken: map[string]bool{}, known: map[string][]int{},
	}
	if len(d.Changes) == 0 {
		return n
	}
	for _, p := range []*policy.Policy{new.Policy(), old.Policy()} {
		n.learn(p)
	}
	for name := range n.services {
		list := n.services[name]
		slices.Sort(list)
		n.services[name] = slices.Compact(list)
	}
	for name, list := range n.services {
		for _, w := range list {
			n.of[w] = append(n.of[w], name)
		}
	}
	for _, list := range n.of {
		slices.SortFunc(list, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(n.services[b]), len(n.services[a])), cmp.Compare(a, b))
		})
	}
	for g := range d.Groups {
		for _, w := range d.Groups[g].Workloads {
			n.group[w] = g
		}
	}
	return n
}

// learn takes in services and zones; what is known already stays.
func (n *namer) learn(p *policy.Policy) {
	for _, z := range p.Zones {
		if !slices.Contains(n.zones, z.Name) {
			n.zones = append(n.zones, z.Name)
		}
	}
	for i := range p.Inventory.Workloads {
		name := p.Inventory.Workloads[i].Name
		if _, known := n.zone[name]; !known {
			z := p.Zones[p.ZoneOf[i]].Name
			n.zone[name] = z
			n.sizes[z]++
		}
	}
	for _, s := range p.Services {
		for _, w := range s.Workloads {
			n.services[s.Name] = append(n.services[s.Name], p.Inventory.Workloads[w].Name)
		}
	}
}

// ends names a set of groups.
func (n *namer) ends(groups []int32) []int {
	key := keyOf(groups)
	if known, ok := n.known[key]; ok {
		return known
	}
	byZone := map[string][]string{}
	var out []int
	for _, g := range groups {
		for _, w := range n.d.Groups[g].Workloads {
			byZone[n.zone[w]] = append(byZone[n.zone[w]], w)
		}
	}
	for _, z := range n.zones {
		if list := byZone[z]; list != nil {
			slices.Sort(list)
			out = append(out, n.inZone(z, list)...)
		}
	}
	out = append(out, n.outside(groups)...)
	n.known[key] = out
	return out
}

// inZone names workloads of one zone: whole services, then what is left, if
// those are few; else their number.
func (n *namer) inZone(zone string, list []string) []int {
	left := make(map[string]bool, len(list))
	for _, w := range list {
		left[w] = true
	}
	var ends []End
	for _, w := range list {
		if !left[w] {
			continue
		}
		e := n.largest(w, left)
		for _, x := range e.Workloads {
			delete(left, x)
		}
		if ends = append(ends, e); len(ends) > fewEnds {
			break
		}
	}
	switch whole := len(list) == n.sizes[zone]; {
	case len(ends) <= fewEnds:
	case whole:
		ends = []End{{Name: "zone " + zone, Kind: "zone", Workloads: list}}
	default:
		ends = []End{{Name: fmt.Sprintf("%d workloads of zone %s", len(list), zone), Kind: "workloads", Workloads: list}}
	}
	var out []int
	for _, e := range ends {
		e.Zone = zone
		out = append(out, n.keep(e))
	}
	return out
}

// largest is the largest service of a workload of which all is left, or the
// workload itself.
func (n *namer) largest(w string, left map[string]bool) End {
	for _, s := range n.of[w] {
		all := n.services[s]
		if len(all) <= len(left) && !slices.ContainsFunc(all, func(x string) bool { return !left[x] }) {
			return End{Name: s, Kind: "service", Workloads: all}
		}
	}
	return End{Name: w, Kind: "workload", Workloads: []string{w}}
}

// outside names the groups that are no workloads, those of one name together.
func (n *namer) outside(groups []int32) []int {
	var ends []End
	for _, g := range groups {
		x := &n.d.Groups[g]
		if len(x.Workloads) > 0 {
			continue
		}
		name := n.place(x)
		i := slices.IndexFunc(ends, func(e End) bool { return e.Name == name })
		if i < 0 {
			i = len(ends)
			ends = append(ends, End{Name: name, Kind: "outside"})
		}
		ends[i].Groups = append(ends[i].Groups, int(g))
	}
	var out []int
	for _, e := range ends {
		out = append(out, n.keep(e))
	}
	return out
}

// place is what addresses are, and what they were if that was something else.
func (n *namer) place(g *verify.Group) string {
	switch {
	case g.New == verify.None:
		return n.old.Name(g.Old) + " (as it was)"
	case g.Old == verify.None || n.old.Name(g.Old) == n.new.Name(g.New):
		return n.new.Name(g.New)
	}
	return fmt.Sprintf("%s (was %s)", n.new.Name(g.New), n.old.Name(g.Old))
}

// keep gives the same end the same index, and different ends different names.
func (n *namer) keep(e End) int {
	if e.Kind != "outside" {
		for _, w := range e.Workloads {
			e.Groups = append(e.Groups, n.group[w])
		}
		slices.Sort(e.Groups)
		e.Groups = slices.Compact(e.Groups)
	}
	key := e.Kind + "\x00" + e.Name + "\x00" + fmt.Sprint(e.Groups) + strings.Join(e.Workloads, "\x00")
	if i, known := n.at[key]; known {
		return i
	}
	n.at[key] = len(n.out)
	e.Name = n.free(e)
	n.out = append(n.out, e)
	return len(n.out) - 1
}

// free is the name of an end, or, if another end has that, a longer one.
func (n *namer) free(e End) string {
	taken := func(name string) bool { return n.taken[name] }
	name := e.Name
	if taken(name) && (e.Kind == "service" || e.Kind == "workload") {
		name = e.Kind + ":" + name
	}
	if taken(name) && e.Kind == "workloads" {
		name += " (" + e.Workloads[0] + " and others)"
	}
	base := name
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s #%d", base, i)
	}
	n.taken[name] = true
	return name
}
