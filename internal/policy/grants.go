package policy

import (
	"slices"
	"strings"

	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// grants says which traffic is meant at which destinations.
func (r *resolver) grants(s *spoken, to Peers) []Grant {
	if s.ports == nil {
		return []Grant{{To: to, Traffic: netset.All()}}
	}
	fixed := netset.None() // the same everywhere
	var named []lang.Port
	for _, p := range s.ports {
		if p.Name == "" {
			fixed = fixed.Union(p.Traffic)
		} else {
			named = append(named, p)
		}
	}
	var out []Grant
	if !fixed.IsEmpty() {
		out = append(out, Grant{To: to, Traffic: fixed})
	}
	return append(out, r.namedGrants(s, named, to)...)
}

// namedGrants groups the destinations by what the names mean there.
func (r *resolver) namedGrants(s *spoken, named []lang.Port, to Peers) []Grant {
	if len(named) == 0 {
		return nil
	}
	ids := r.identitiesOf(to)
	service := r.serviceNames.find(s.to.service())
	var out []Grant
	found := make([]int, len(named)) // at how many destinations each name means something
	for _, id := range ids {
		traffic := netset.None()
		for i, p := range named {
			if t := r.portNamed(p.Name, id, service); !t.IsEmpty() {
				traffic, found[i] = traffic.Union(t), found[i]+1
			}
		}
		if !traffic.IsEmpty() {
			out = addGrant(out, id, traffic)
		}
	}
	for i, p := range named {
		r.checkNamed(s, p, found[i], len(ids))
	}
	if len(out) > 1 { // the order must not depend on how identities are numbered
		slices.SortFunc(out, func(a, b Grant) int { return strings.Compare(a.Traffic.String(), b.Traffic.String()) })
	}
	return out
}

func addGrant(out []Grant, id int, traffic netset.Traffic) []Grant {
	for i := range out {
		if out[i].Traffic.Equal(traffic) {
			out[i].To.Identities = append(out[i].To.Identities, id)
			return out
		}
	}
	return append(out, Grant{To: Peers{Identities: []int{id}}, Traffic: traffic})
}

// portNamed returns what a port name means at a destination. Where the text
// names a service (its index, or -1) that declares the name, the service says
// it; else the workload's own ports do, and those of every service that it
// belongs to.
func (r *resolver) portNamed(name string, id int, service int) netset.Traffic {
	if service >= 0 {
		if t := portsNamed(r.p.Services[service].Ports, name); !t.IsEmpty() {
			return t
		}
	}
	g := r.groups[id]
	t := portsNamed(g.workload.Ports, name)
	for _, s := range g.services {
		t = t.Union(portsNamed(r.p.Services[s].Ports, name))
	}
	return t
}
