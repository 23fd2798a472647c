package risk

import (
	"cmp"
	"slices"

	"firebreak/internal/netset"
)

// Attack is a technique that open ports permit.
type Attack struct {
	Technique
	Service string         // for people: "SSH"
	Traffic netset.Traffic // the open ports that permit it; empty where they are not known
}

// Attacks lists what may be tried over this traffic between two workloads, or
// from or to the outside: the cheapest first, each technique once.
func Attacks(t netset.Traffic, fromOutside, toOutside bool) []Attack {
	table, rest := lateral(), exploit
	switch {
	case toOutside:
		table, rest = outward(), leak
	case fromOutside:
		table, rest = inward(), public
	}
	var out []Attack
	add := func(name string, open netset.Traffic, techniques ...Technique) {
		for _, q := range techniques {
			if !slices.ContainsFunc(out, func(a Attack) bool { return a.ID == q.ID }) {
				out = append(out, Attack{q, name, open})
			}
		}
	}
	named := netset.None()
	for _, s := range table {
		if open := t.Intersect(s.traffic); !open.IsEmpty() {
			add(s.name, open, s.techniques...)
			named = named.Union(open)
		}
	}
	other := netset.Of(netset.Other, 0, 0)
	if open := t.Intersect(other); !open.IsEmpty() {
		add("other protocols", open, otherC2)
	}
	// Whatever listens may have a fault, the services above included.
	if open := t.Subtract(named).Subtract(other); !open.IsEmpty() || t.IsEmpty() {
		add("a service", open, rest)
	} else if open := t.Subtract(netset.Of(netset.ICMP, 0, 0)).Subtract(other); !open.IsEmpty() {
		add("a service", open, rest)
	}
	slices.SortStableFunc(out, func(a, b Attack) int { return cmp.Compare(a.Cost, b.Cost) })
	return out
}
