package policy

import (
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
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

// checkInventory finds what cannot be, and what an estate would regret.
func (r *resolver) checkInventory() {
	owner := map[netip.Addr]*inventory.Workload{}
	for i := range r.p.Inventory.Workloads {
		w := &r.p.Inventory.Workloads[i]
		for _, a := range w.Addresses {
			if other := owner[a]; other != nil {
				r.diags.Warnf(w.Source, "shared-address", "%s belongs to workload %s and to workload %s", a, other.Name, w.Name).
					WithHelp("as a peer, such an address is permitted only what all of its owners are permitted")
				continue
			}
			owner[a] = w
			r.checkAddress(w, a)
		}
	}
}

func (r *resolver) checkAddress(w *inventory.Workload, a netip.Addr) {
	b := slices.IndexFunc(builtins[:], func(b PrefixPeer) bool { return b.Prefix.Contains(a) })
	switch {
	case b >= 0:
		r.diags.Errorf(w.Source, "invalid-inventory", "workload %s has the address %s, which is the %s's", w.Name, a, builtins[b].Builtin)
	case a.IsUnspecified() || a.IsMulticast():
		r.diags.Errorf(w.Source, "invalid-inventory", "workload %s has the address %s, which no workload can have", w.Name, a)
	case len(r.p.Networks) > 0 && !inside(netip.PrefixFrom(a, a.BitLen()), r.p.Networks):
		r.diags.Warnf(w.Source, "address-outside-estate", "the address %s of workload %s is in none of the estate's networks", a, w.Name).
			WithHelp("add its network to the Estate's networks; only there is an address without an owner unknown instead of the world's")
	}
}

// checkEnds finds what is unwise in the ends of a rule, guardrail or exception.
func (r *resolver) checkEnds(s spoken, from, to Peers) {
	for _, e := range s.from.list {
		r.checkEnd(s, e, to)
	}
	for _, e := range s.to.list {
		r.checkEnd(s, e, from)
	}
}

func (r *resolver) checkEnd(s spoken, e lang.Endpoint, other Peers) {
	if e.CIDR && r.enforces(other) {
		r.diags.Errorf(e.ValuePos, "cidr-in-rule", "%s names an address range where a zone enforces", s.what).
			WithHelp("name workloads by their labels; what is outside the estate is an External with an owner and a reason")
	}
	if e.Kind != lang.BySelect && e.Kind != lang.ByPrincipal {
		return
	}
	if len(r.endpoint(e).Identities) == 0 {
		if e.Kind == lang.BySelect {
			r.nothing(e.Pos, s.what, e.Selector)
		} else {
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
		return r.p.Zones[r.p.Identities[id].Zone].Stage == Enforce
	})
}

// checkNamed judges a port name by how many of the destinations know it. Where
// the destinations are everything but something, only a name that nothing
// knows is wrong.
func (r *resolver) checkNamed(s spoken, p lang.Port, found, of int) {
	if slices.ContainsFunc(s.to.list, func(e lang.Endpoint) bool { return e.Kind == lang.ByExternal }) && !s.to.not {
		r.diags.Errorf(p.Pos, "bad-port", "an External has no named ports: %q", p.Name).WithHelp("write a number, as in 443/TCP")
		return
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
		if near := diag.Nearest(p.Name, names); near != "" {
			d.WithHelp("did you mean %q?", near)
		}
	case found < of && !any:
		r.diags.Warnf(p.Pos, "port-not-everywhere", "%d of %d identities that %s reaches have no port named %q: there it says nothing", of-found, of, s.what, p.Name)
	}
}

func (r *resolver) declares(service, port string) bool {
	i := r.serviceNames.find(service)
	return i >= 0 && !portsNamed(r.p.Services[i].Ports, port).IsEmpty()
}

func (r *resolver) portNames() []string {
	var out []string
	for _, s := range r.p.Services {
		for _, p := range s.Ports {
			out = append(out, p.Name)
		}
	}
	for _, g := range r.groups {
		for _, p := range g.workload.Ports {
			out = append(out, p.Name)
		}
	}
	return out
}

// checkCases finds Cases that speak of what does not exist. That a Case means
// nobody at all is for whoever judges it.
func (r *resolver) checkCases() {
	var workloads names
	for _, w := range r.p.Inventory.Workloads {
		workloads.add(w.Name)
	}
	for _, c := range r.dir.Cases {
		for _, x := range c.Expect {
			for _, e := range []lang.Endpoint{x.From, x.To} {
				switch e.Kind {
				case lang.ByWorkload:
					r.lookup(e, "workload", &workloads)
				case lang.ByService:
					r.lookup(e, "service", &r.serviceNames)
				case lang.ByZone:
					r.lookup(e, "zone", &r.zoneNames)
				case lang.ByExternal:
					r.lookup(e, "external", &r.externalNames)
				}
			}
			if x.Port != nil && x.Port.Name != "" && !slices.Contains(r.portNames(), x.Port.Name) {
				r.unknown(x.Port.Pos, "port", x.Port.Name, r.portNames())
			}
		}
	}
}

// checkFrontends finds frontends that stand before what is not there.
func (r *resolver) checkFrontends() {
	var workloads names
	for _, w := range r.p.Inventory.Workloads {
		workloads.add(w.Name)
	}
	for _, f := range r.p.Inventory.Frontends {
		if f.ToService != "" && r.serviceNames.find(f.ToService) < 0 {
			r.unknown(f.Source, "service", f.ToService, r.serviceNames.list)
		}
		for _, name := range f.Workloads {
			if workloads.find(name) < 0 {
				r.unknown(f.Source, "workload", name, workloads.list)
			}
		}
	}
}
