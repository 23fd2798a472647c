package awssg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
)

// standing is how one workload stands to the groups.
type standing struct {
	governed bool
	vpc      string
	sure     []string // keys of the groups that all its interfaces are in, sorted
	maybe    []string // of those that some are in, sorted
	doubt    string   // why it is not known what it is in
}

// standings finds the interfaces of every workload. taken says, by holder, that a
// workload stands behind it.
func (l *lifter) standings() (all []standing, taken []bool) {
	byName, byAddr := map[string][]int{}, map[netip.Addr][]int{}
	for i, h := range l.holders {
		for _, n := range h.names {
			byName[n] = append(byName[n], i)
		}
		for _, a := range h.addrs {
			byAddr[a] = append(byAddr[a], i)
		}
	}
	vpcs := map[string]bool{}
	for _, g := range l.groups {
		vpcs[g.vpc] = true
	}
	all = make([]standing, len(l.src.Inventory.Workloads))
	taken = make([]bool, len(l.holders))
	for i := range l.src.Inventory.Workloads {
		w := &l.src.Inventory.Workloads[i]
		var mine []int
		for _, n := range []string{w.Name, w.Host, w.Labels["net/interface"]} {
			if n != "" {
				mine = append(mine, byName[n]...)
			}
		}
		mine = slices.DeleteFunc(mine, func(n int) bool { return !l.compatible(w, &l.holders[n]) })
		for _, a := range w.Addresses {
			for _, n := range byAddr[a] {
				if l.sameVPC(w, &l.holders[n]) {
					mine = append(mine, n)
				}
			}
		}
		slices.Sort(mine)
		mine = slices.Compact(mine)
		for _, n := range mine {
			taken[n] = true
		}
		all[i] = l.standing(w, mine, vpcs)
	}
	return all, taken
}

// compatible reports whether an interface that has a workload's name can be its:
// pods have the name of their host, and other addresses than an interface of
// the host that is not theirs.
func (l *lifter) compatible(w *inventory.Workload, h *holder) bool {
	if !l.sameVPC(w, h) {
		return false
	}
	if len(w.Addresses) == 0 || len(h.addrs) == 0 || slices.Contains(h.names, w.Name) {
		return true
	}
	return slices.ContainsFunc(w.Addresses, func(a netip.Addr) bool { return slices.Contains(h.addrs, a) })
}

func (l *lifter) sameVPC(w *inventory.Workload, h *holder) bool {
	vpc := w.Labels["net/vpc"]
	return vpc == "" || h.vpc == "" || vpc == h.vpc || !strings.HasPrefix(vpc, "vpc-") || !strings.HasPrefix(h.vpc, "vpc-")
}

// standing says what a workload is in that stands behind some holders.
func (l *lifter) standing(w *inventory.Workload, mine []int, vpcs map[string]bool) standing {
	s := standing{vpc: w.Labels["net/vpc"]}
	if len(mine) == 0 {
		switch {
		case s.vpc == "" || l.src.Alone:
		case vpcs[s.vpc]:
			s.governed, s.doubt = true, "no interface of "+w.Name+" is known, and so not its groups"
		default:
			s.governed, s.doubt = l.silent != "", l.silent
		}
		return s
	}
	// What AWS shows without any group is a NAT gateway, a load balancer that was made
	// without, an attachment of a gateway: nothing filters what it does
	// (docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html).
	if !slices.ContainsFunc(mine, func(n int) bool { return !l.holders[n].bare }) {
		return s
	}
	s.governed = true
	for i, n := range mine {
		h := &l.holders[n]
		groups := sortedSet(h.groups)
		s.doubt = cmp.Or(s.doubt, h.doubt)
		if len(groups) == 0 && !h.bare {
			s.doubt = cmp.Or(s.doubt, h.what+" is given no group and gets the VPC's default one")
		}
		s.maybe = append(s.maybe, groups...)
		if i == 0 {
			s.sure = groups
		} else {
			s.sure = slices.DeleteFunc(s.sure, func(k string) bool { return !slices.Contains(groups, k) })
		}
	}
	s.maybe = slices.DeleteFunc(sortedSet(s.maybe), func(k string) bool { return slices.Contains(s.sure, k) })
	for _, k := range append(slices.Clone(s.sure), s.maybe...) {
		if g := l.groups[k]; s.vpc == "" && g != nil {
			s.vpc = g.vpc
		}
	}
	return s
}

func sortedSet(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}
