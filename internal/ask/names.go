package ask

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

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

	number map[string]int32 // by workload: the index into names
	names  []string

	out   []End
	at    map[endKey]int
	taken map[string]bool
	known map[string][]int // by set of groups
}

// endKey tells ends apart.
type endKey struct {
	kind, name string
	members    [sha256.Size]byte
}

// named is an end and its workloads.
type namedEnd struct {
	End
	workloads []string
}

func newNamer(d *verify.Delta, old, new *verify.Engine) *namer {
	n := &namer{
		d: d, old: old, new: new, services: map[string][]string{}, of: map[string][]string{}, zone: map[string]string{}, sizes: map[string]int{},
		group: map[string]int{}, number: map[string]int32{}, at: map[endKey]int{}, taken: map[string]bool{}, known: map[string][]int{},
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
			n.number[name] = int32(len(n.names))
			n.names = append(n.names, name)
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
	var ends []namedEnd
	for _, w := range list {
		if !left[w] {
			continue
		}
		e := n.largest(w, left)
		for _, x := range e.workloads {
			delete(left, x)
		}
		if ends = append(ends, e); len(ends) > fewEnds {
			break
		}
	}
	switch whole := len(list) == n.sizes[zone]; {
	case len(ends) <= fewEnds:
	case whole:
		ends = []namedEnd{{End{Name: "zone " + zone, Kind: "zone"}, list}}
	default:
		ends = []namedEnd{{End{Name: fmt.Sprintf("%d workloads of zone %s", len(list), zone), Kind: "workloads"}, list}}
	}
	var out []int
	for _, e := range ends {
		e.Zone = zone
		out = append(out, n.keep(e.End, e.workloads))
	}
	return out
}

// largest is the largest service of a workload of which all is left, or the
// workload itself.
func (n *namer) largest(w string, left map[string]bool) namedEnd {
	for _, s := range n.of[w] {
		all := n.services[s]
		if len(all) <= len(left) && !slices.ContainsFunc(all, func(x string) bool { return !left[x] }) {
			return namedEnd{End{Name: s, Kind: "service"}, all}
		}
	}
	return namedEnd{End{Name: w, Kind: "workload"}, []string{w}}
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
		out = append(out, n.keep(e, nil))
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
func (n *namer) keep(e End, workloads []string) int {
	for _, w := range workloads {
		e.Groups = append(e.Groups, n.group[w])
		e.members = append(e.members, n.number[w])
	}
	slices.Sort(e.Groups)
	e.Groups = slices.Compact(e.Groups)
	key := endKey{e.Kind, e.Name, sha256.Sum256([]byte(fmt.Sprint(e.Groups) + keyOf(e.members)))}
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
		name += " (" + n.names[e.members[0]] + " and others)"
	}
	base := name
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s #%d", base, i)
	}
	n.taken[name] = true
	return name
}
