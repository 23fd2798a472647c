package prove

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// fewEnds is how many services and workloads of one zone are named before only
// their number is; fewPrefixes the same for addresses.
const (
	fewEnds     = 4
	fewPrefixes = 3
)

// namer finds names for sets of ends. Without a policy, all workloads are of one
// zone without a name.
type namer struct {
	u     *universe
	p     *policy.Policy
	sizes []int         // by zone: how many workloads
	peers map[int32]int // by peer: how many ends
	of    [][]int       // by workload: its services, the largest first
	known map[string]string
}

func newNamer(u *universe, p *policy.Policy) *namer {
	n := &namer{u: u, p: p, known: map[string]string{}, peers: map[int32]int{}}
	for i := range u.ends {
		n.peers[int32(u.ends[i].peer)]++
	}
	if p == nil || len(p.ZoneOf) != len(u.inv.Workloads) {
		n.p = nil
		n.sizes = []int{len(u.inv.Workloads)}
		return n
	}
	n.sizes = make([]int, len(p.Zones))
	n.of = make([][]int, len(p.ServicesOf))
	for w, z := range p.ZoneOf {
		n.sizes[z]++
		n.of[w] = slices.Clone(p.ServicesOf[w])
		slices.SortStableFunc(n.of[w], func(a, b int) int {
			return cmp.Compare(len(p.Services[b].Workloads), len(p.Services[a].Workloads))
		})
	}
	return n
}

// name says who some ends are.
func (n *namer) name(ends []int32) string {
	key := keyOf(ends)
	if text, known := n.known[key]; known {
		return text
	}
	byZone := make([][]int32, len(n.sizes))
	for _, x := range ends {
		for _, w := range n.u.ends[x].workloads {
			z := n.zone(int(w))
			byZone[z] = append(byZone[z], w)
		}
	}
	var out []string
	if total := n.u.countWorkloads(byZone); total > 1 && total == len(n.u.inv.Workloads) {
		out = append(out, "every workload")
	} else {
		for z, list := range byZone {
			if len(list) > 0 {
				slices.Sort(list)
				out = append(out, n.inZone(z, list)...)
			}
		}
	}
	out = append(out, n.outside(ends)...)
	n.known[key] = strings.Join(out, ", ")
	return n.known[key]
}

func (u *universe) countWorkloads(byZone [][]int32) int {
	total := 0
	for _, list := range byZone {
		total += len(list)
	}
	return total
}

func (n *namer) zone(w int) int {
	if n.p == nil {
		return 0
	}
	return n.p.ZoneOf[w]
}

// inZone names workloads of one zone: whole services, then what is left, if
// those are few; else their number.
func (n *namer) inZone(zone int, list []int32) []string {
	left := make(map[int]bool, len(list))
	for _, w := range list {
		left[int(w)] = true
	}
	var names []string
	for _, w := range list {
		if !left[int(w)] {
			continue
		}
		name, members := n.largest(int(w), left)
		for _, x := range members {
			delete(left, x)
		}
		if names = append(names, name); len(names) > fewEnds {
			break
		}
	}
	switch {
	case len(names) <= fewEnds:
		return names
	case n.p == nil:
		return []string{fmt.Sprintf("%d workloads (%s …)", len(list), n.u.inv.Workloads[list[0]].Name)}
	case len(list) == n.sizes[zone]:
		return []string{"zone " + n.p.Zones[zone].Name}
	}
	return []string{fmt.Sprintf("%d workloads of zone %s (%s …)", len(list), n.p.Zones[zone].Name, names[0])}
}

// largest is the largest service of a workload of which all is left, or the
// workload itself.
func (n *namer) largest(w int, left map[int]bool) (string, []int) {
	if n.p != nil {
		for _, s := range n.of[w] {
			all := n.p.Services[s].Workloads
			if len(all) <= len(left) && !slices.ContainsFunc(all, func(x int) bool { return !left[x] }) {
				return n.p.Services[s].Name, all
			}
		}
	}
	return n.u.inv.Workloads[w].Name, []int{w}
}

// outside names addresses and names: what the intent calls them, and which of
// them if not all.
func (n *namer) outside(ends []int32) []string {
	type part struct {
		peer int32
		ends []int32
	}
	var parts []part
	var out []string
	for _, x := range ends {
		e := &n.u.ends[x]
		switch {
		case e.managed():
			continue
		case e.name != "":
			out = append(out, e.name)
			continue
		case e.relay != "": // whatever the policy calls them
			out = append(out, e.relay+" ("+n.prefixes([]int32{x})+")")
			continue
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.peer == int32(e.peer) })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{peer: int32(e.peer)})
		}
		parts[i].ends = append(parts[i].ends, x)
	}
	for _, p := range parts {
		name := "address"
		if p.peer != int32(verify.None) {
			name = n.u.engine.Name(verify.Peer(p.peer))
		}
		if len(p.ends) < n.peers[p.peer] || p.peer == int32(verify.None) {
			name += " " + n.prefixes(p.ends)
		}
		out = append(out, name)
	}
	return out
}

// prefixes lists the addresses of ends, as far as they are few.
func (n *namer) prefixes(ends []int32) string {
	var list []string
	for _, x := range ends {
		for _, r := range n.u.ends[x].regions {
			list = append(list, n.u.outline(int(r))...)
		}
	}
	if len(list) > fewPrefixes {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:fewPrefixes], ", "), len(list)-fewPrefixes)
	}
	return strings.Join(list, ", ")
}

// outline says what a region is: the prefixes that longer regions leave of it,
// if those are few.
func (u *universe) outline(r int) []string {
	p := u.regions[r]
	var inside []netip.Prefix
	for _, x := range u.regions[r+1:] {
		if !p.Contains(x.Addr()) {
			break
		}
		inside = append(inside, x)
	}
	if len(inside) == 0 {
		return []string{p.String()}
	}
	var out []string
	var cut func(p netip.Prefix, inside []netip.Prefix) bool
	cut = func(p netip.Prefix, inside []netip.Prefix) bool {
		switch {
		case len(inside) == 0:
			out = append(out, p.String())
		case slices.Contains(inside, p):
		case p.IsSingleIP():
		default:
			for _, half := range [2]netip.Prefix(pair(halves(p))) {
				var some []netip.Prefix
				for _, x := range inside {
					if half.Overlaps(x) {
						some = append(some, x)
					}
				}
				if !cut(half, some) {
					return false
				}
			}
		}
		return len(out) <= fewPrefixes
	}
	if cut(p, outermost(inside)) && len(out) > 0 {
		return out
	}
	return []string{p.String() + " less what is named otherwise"}
}

func pair(a, b netip.Prefix) []netip.Prefix { return []netip.Prefix{a, b} }
