package policy

import (
	"slices"

	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// endpointKey tells endpoints apart by what they mean.
type endpointKey struct {
	kind lang.EndpointKind
	name string // or the text of the selector
}

// endpoint is what an endpoint of the text means; all that say the same share
// one.
type endpoint struct {
	key      endpointKey
	selector label.Selector
	index    int // of the zone, service or External; -1 if there is none
	peers    Peers
	touched  int // the generation in which its meaning changed last
	used     int // the generation in which it was last spoken of
}

// endpoint looks up what e means, without a word about it.
func (r *resolver) endpoint(e *lang.Endpoint) *endpoint {
	key := endpointKey{e.Kind, e.Name}
	if e.Kind == lang.BySelect {
		key.name = e.Selector.String()
	}
	x := r.endpoints[key]
	if x == nil {
		x = &endpoint{key: key, selector: e.Selector, touched: r.generation}
		r.find(x)
		r.endpoints[key] = x
	}
	x.used = r.generation
	return x
}

func (r *resolver) find(x *endpoint) {
	x.index = -1
	switch x.key.kind {
	case lang.ByAny:
		x.peers = Peers{Any: true}
	case lang.ByExternal:
		if x.index = r.externalNames.find(x.key.name); x.index >= 0 {
			x.peers = Peers{Externals: []int{x.index}}
		}
	case lang.ByService:
		if x.index = r.serviceNames.find(x.key.name); x.index >= 0 {
			x.peers = Peers{Identities: r.inService[x.index]}
		}
	case lang.ByZone:
		if x.index = r.zoneNames.find(x.key.name); x.index >= 0 {
			x.peers = Peers{Identities: r.inZone[x.index]}
		}
	case lang.BySelect, lang.ByPrincipal:
		ids, some := r.candidatesFor(x)
		if !some {
			ids = r.identitiesOf(Peers{Any: true})
		}
		for _, id := range ids {
			if x.matches(r.groups[id]) {
				x.peers.Identities = append(x.peers.Identities, id)
			}
		}
	}
}

func (x *endpoint) matches(g *group) bool {
	if x.key.kind == lang.ByPrincipal {
		return slices.Contains(g.workload.Principals(), x.key.name)
	}
	return x.selector.Matches(g.workload.Labels)
}

// refreshEndpoints brings what is known about endpoints up to date.
func (r *resolver) refreshEndpoints() {
	r.endpoints = map[endpointKey]*endpoint{}
	if r.old == nil {
		return
	}
	var ids []int
	for id, c := range r.changed {
		if c {
			ids = append(ids, id)
		}
	}
	for key, x := range r.old.endpoints {
		switch {
		case key.kind == lang.BySelect || key.kind == lang.ByPrincipal:
			if r.touched == r.generation {
				r.rematch(x, ids)
			}
		case r.frame != r.old.frame:
			continue // found anew when it is spoken of
		case key.kind == lang.ByService || key.kind == lang.ByZone:
			before := x.peers.Identities
			if r.find(x); !sameSlice(before, x.peers.Identities) {
				x.touched = r.generation
			}
		}
		r.endpoints[key] = x
	}
}

// rematch asks the selector about the identities that changed only.
func (r *resolver) rematch(x *endpoint, ids []int) {
	var now []int
	dropped := false
	for _, id := range x.peers.Identities {
		if id < len(r.groups) && !r.changed[id] {
			now = append(now, id)
		} else {
			dropped = true
		}
	}
	kept := len(now)
	for _, id := range ids {
		if x.matches(r.groups[id]) {
			now = append(now, id)
		}
	}
	if dropped || len(now) > kept {
		slices.Sort(now)
		x.peers, x.touched = Peers{Identities: now}, r.generation
	}
}

// peers resolves one end. What is unknown is reported and stands for nothing.
func (r *resolver) peers(e ends) Peers {
	if len(e.list) == 1 && !e.not {
		return r.lookup(&e.list[0]).peers
	}
	var all Peers
	for i := range e.list {
		all = union(all, r.lookup(&e.list[i]).peers)
	}
	if e.not {
		return complement(all)
	}
	return all
}

// lookup is endpoint for where the name has to be known.
func (r *resolver) lookup(e *lang.Endpoint) *endpoint {
	x := r.endpoint(e)
	if x.index < 0 {
		switch e.Kind {
		case lang.ByExternal:
			r.unknown(e.ValuePos, "external", e.Name, r.externalNames.list)
		case lang.ByService:
			r.unknown(e.ValuePos, "service", e.Name, r.serviceNames.list)
		case lang.ByZone:
			r.unknown(e.ValuePos, "zone", e.Name, r.zoneNames.list)
		}
	}
	return x
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
