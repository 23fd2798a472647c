package policy

import (
	"slices"
	"strings"

	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// ends is one end of what is said: any of these, or with not everything else.
type ends struct {
	list []lang.Endpoint
	not  bool
}

func one(e lang.Endpoint) ends { return ends{list: []lang.Endpoint{e}} }

// String is what people read: "service orders", "any but zone web, zone data".
func (e ends) String() string {
	words := make([]string, len(e.list))
	for i, x := range e.list {
		words[i] = endText(x)
	}
	text := strings.Join(words, ", ")
	if e.not {
		return "any but " + text
	}
	return text
}

// service returns the name of the one service that is meant, if it is that.
func (e ends) service() string {
	if len(e.list) == 1 && !e.not && e.list[0].Kind == lang.ByService {
		return e.list[0].Name
	}
	return ""
}

// peers resolves one end. What is unknown is reported and stands for nothing.
func (r *resolver) peers(e ends) Peers {
	if len(e.list) == 1 && !e.not {
		return r.endpoint(e.list[0])
	}
	var all Peers
	for _, x := range e.list {
		all = union(all, r.endpoint(x))
	}
	if e.not {
		return complement(all)
	}
	return all
}

// union is what either of two ends matches; neither may have Not.
func union(a, b Peers) Peers {
	if a.Any || b.Any {
		return Peers{Any: true}
	}
	return Peers{Identities: sortedUnion(a.Identities, b.Identities), Externals: sortedUnion(a.Externals, b.Externals)}
}

func complement(p Peers) Peers {
	switch {
	case p.Any:
		return Peers{}
	case len(p.Identities)+len(p.Externals) == 0:
		return Peers{Any: true}
	}
	return Peers{Not: true, Identities: p.Identities, Externals: p.Externals}
}

func sortedUnion(a, b []int) []int {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// endpoint resolves what one endpoint names.
func (r *resolver) endpoint(e lang.Endpoint) Peers {
	switch e.Kind {
	case lang.ByAny:
		return Peers{Any: true}
	case lang.ByExternal:
		if i := r.lookup(e, "external", &r.externalNames); i >= 0 {
			return Peers{Externals: []int{i}}
		}
	case lang.ByService:
		if i := r.lookup(e, "service", &r.serviceNames); i >= 0 {
			return Peers{Identities: r.inService[i]}
		}
	case lang.ByZone:
		if i := r.lookup(e, "zone", &r.zoneNames); i >= 0 {
			return Peers{Identities: r.inZone[i]}
		}
	case lang.BySelect:
		return r.identitiesThat(func(g *group) bool { return e.Selector.Matches(g.workload.Labels) })
	case lang.ByPrincipal:
		return r.identitiesThat(func(g *group) bool { return slices.Contains(g.workload.Principals(), e.Name) })
	}
	return Peers{}
}

func (r *resolver) lookup(e lang.Endpoint, kind string, known *names) int {
	i := known.find(e.Name)
	if i < 0 {
		r.unknown(e.ValuePos, kind, e.Name, known.list)
	}
	return i
}

func (r *resolver) identitiesThat(match func(*group) bool) Peers {
	var p Peers
	for id, g := range r.groups {
		if match(g) {
			p.Identities = append(p.Identities, id)
		}
	}
	return p
}

// identitiesOf lists the identities that an end matches, ascending. It may be
// a slice of p's.
func (r *resolver) identitiesOf(p Peers) []int {
	if !p.Any && !p.Not {
		return p.Identities
	}
	var out []int
	for id := range r.groups {
		if p.Identity(id) {
			out = append(out, id)
		}
	}
	return out
}

func endText(e lang.Endpoint) string {
	switch e.Kind {
	case lang.ByAny:
		return "any"
	case lang.BySelect:
		return "select " + e.Selector.String()
	default:
		return e.Kind.String() + " " + e.Name
	}
}

func portsText(ports []lang.Port) string {
	if ports == nil {
		return "all"
	}
	var words []string
	fixed := netset.None()
	for _, p := range ports {
		if p.Name != "" {
			words = append(words, p.Name)
		}
		fixed = fixed.Union(p.Traffic)
	}
	if !fixed.IsEmpty() {
		words = append(words, fixed.String())
	}
	return strings.Join(words, "; ")
}
