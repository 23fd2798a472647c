package policy

import (
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

func portsNamed(ports []inventory.Port, name string) netset.Traffic {
	t := netset.None()
	for _, p := range ports {
		if p.Name == name {
			t = t.Union(netset.Of(p.Protocol, p.Number, p.Number))
		}
	}
	return t
}

// checkEnds finds what is unwise in the ends of a rule, guardrail or exception.
func (r *resolver) checkEnds(s *spoken, from, to Peers) {
	for i := range s.from.list {
		r.checkEnd(s, &s.from.list[i], to)
	}
	for i := range s.to.list {
		r.checkEnd(s, &s.to.list[i], from)
	}
}

func (r *resolver) checkEnd(s *spoken, e *lang.Endpoint, other Peers) {
	if e.CIDR && r.enforces(other) {
		r.diags.Errorf(e.ValuePos, "cidr-in-rule", "%s names an address range where a zone enforces", s.what).
			WithHelp("name workloads by their labels; what is outside the estate is an External with an owner and a reason")
	}
	if e.Kind != lang.BySelect && e.Kind != lang.ByPrincipal {
		return
	}
	ids := r.endpoint(e).peers.Identities
	if len(ids) > 0 {
		r.checkValues(e.Pos, s.what, e.Selector)
	}
	if len(ids) == 0 {
		if e.Kind == lang.BySelect {
			r.nothing(e.Pos, s.what, e.Selector)
		} else if !r.empty() {
			r.diags.Warnf(e.Pos, "selector-matches-nothing", "%s: no workload has the principal %s", s.what, e.Name)
		}
	}
	if s.allows && e.Selector.MatchesAbsence() {
		r.diags.Warnf(e.Pos, "selector-matches-absence", "the selector %q also allows workloads that lack the label", e.Selector).
			WithHelp("to demand that the label be there, begin the selector with %q", strings.Join(absentKeys(e.Selector), ",")+",")
	}
}

// absentKeys returns the labels whose absence the selector tolerates: those of
// which nothing in it demands that they be there.
func absentKeys(s label.Selector) []string {
	return slices.DeleteFunc(s.Keys(), func(k string) bool {
		return slices.ContainsFunc(s.Requirements(), func(q label.Requirement) bool {
			return q.Key == k && (q.Op == label.In || q.Op == label.Exists)
		})
	})
}

// enforces reports whether some workload of the peers is in a zone that does.
func (r *resolver) enforces(p Peers) bool {
	if p.Any {
		return slices.ContainsFunc(r.p.Zones, func(z Zone) bool { return z.Stage == Enforce })
	}
	return slices.ContainsFunc(r.identitiesOf(p), func(id int) bool {
		return r.zones[r.groups[id].zone].Stage == Enforce
	})
}

// checkNamed judges a port name by how many of the destinations know it. Where
// the destinations are everything but something, only a name that nothing
// knows is wrong.
func (r *resolver) checkNamed(s *spoken, p lang.Port, found, of int) {
	if slices.ContainsFunc(s.to.list, func(e lang.Endpoint) bool { return e.Kind == lang.ByExternal }) && !s.to.not {
		r.diags.Errorf(p.Pos, "bad-port", "an External has no named ports: %q", p.Name).WithHelp("write a number, as in 443/TCP")
		return
	}
	if r.empty() || r.serviceFlawed || slices.ContainsFunc(s.to.list, r.isUnknown) {
		return // what ports there are is not known
	}
	service := s.to.service()
	any := s.to.not || len(s.to.list) == 1 && s.to.list[0].Kind == lang.ByAny
	switch {
	case found == 0 && (of > 0 || service != ""):
		if service != "" && r.declares(service, p.Name) {
			return // the service is empty, and has been reported
		}
		names := r.portNames()
		if s.to.not && slices.Contains(names, p.Name) {
			return
		}
		d := r.diags.Errorf(p.Pos, "unknown-reference", "no destination of %s has a port named %q", s.what, p.Name)
		if near := r.nearest("port", p.Name, r.portNames); near != "" {
			d.WithHelp("did you mean %q?", near)
		}
	case found < of && !any:
		r.diags.Warnf(p.Pos, "port-not-everywhere", "%d of %d identities that %s reaches have no port named %q: there it says nothing", of-found, of, s.what, p.Name)
	}
}

// empty reports whether there are no workloads at all. Then nothing is said
// about what matches none of them.
func (r *resolver) empty() bool { return len(r.p.Inventory.Workloads) == 0 }

// isUnknown reports whether an endpoint could not be read or names what is not
// there, both of which have been reported.
func (r *resolver) isUnknown(e lang.Endpoint) bool {
	switch e.Kind {
	case lang.ByNothing:
		return true
	case lang.ByService, lang.ByZone, lang.ByExternal:
		return r.endpoint(&e).index < 0
	}
	return false
}

func (r *resolver) declares(service, port string) bool {
	i := r.serviceNames.find(service)
	return i >= 0 && !portsNamed(r.services[i].Ports, port).IsEmpty()
}

// portNames lists the name of every port that something has, each once.
func (r *resolver) portNames() []string {
	if r.portsThere != nil {
		return r.portsThere
	}
	out := []string{}
	for _, s := range r.services {
		for _, p := range s.Ports {
			out = append(out, p.Name)
		}
	}
	for _, g := range r.groups {
		for _, p := range g.workload.Ports {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	r.portsThere = slices.Compact(out)
	return r.portsThere
}

// checkSelects warns of zones and services that are empty, or hold less than
// their selectors say.
func (r *resolver) checkSelects() {
	taken := map[int]bool{} // zones that select what another has
	for _, g := range r.groups {
		for _, i := range g.overlaps {
			taken[i] = true
		}
	}
	for i, s := range r.zoneSelects {
		if s != nil && len(r.inZone[i]) == 0 && !s.Unread && !taken[i] {
			r.nothing(s.Pos, "zone "+r.zones[i].Name, s.Selector)
		}
		if s != nil && len(r.inZone[i]) > 0 {
			r.checkValues(s.Pos, "zone "+r.zones[i].Name, s.Selector)
		}
	}
	for i, s := range r.serviceSelects {
		if s != nil && len(r.inService[i]) == 0 && !s.Unread {
			r.nothing(s.Pos, "service "+r.services[i].Name, s.Selector)
		}
		if s != nil && len(r.inService[i]) > 0 {
			r.checkValues(s.Pos, "service "+r.services[i].Name, s.Selector)
		}
	}
}
