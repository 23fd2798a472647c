package semantics

import (
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// matches reports whether an end of a rule means a party, which is one
// workload or one address that is not built in.
func (e *Evaluator) matches(end lang.Endpoint, p Party) bool {
	if end.Kind == lang.ByAny {
		return true
	}
	if end.Kind == lang.ByExternal {
		return p.isExternal(end.Name)
	}
	if len(p.Owners) == 0 {
		return false
	}
	w := p.Owners[0]
	switch end.Kind {
	case lang.ByService:
		return e.inService(w, end.Name)
	case lang.ByZone:
		return e.zone(w).Name == end.Name
	case lang.BySelect:
		return end.Selector.Matches(w.Labels)
	case lang.ByPrincipal:
		return hasPrincipal(w, end.Name)
	case lang.ByWorkload:
		return w.Name == end.Name
	}
	return false
}

func (e *Evaluator) inService(w *inventory.Workload, name string) bool {
	s := e.services[name]
	return s != nil && s.Select.Selector.Matches(w.Labels)
}

// hasPrincipal reports whether a workload is known by a name: as its principal,
// by the labels that carry a SPIFFE ID or an IAM role, or by Kubernetes' name of
// its service account.
func hasPrincipal(w *inventory.Workload, name string) bool {
	if name == "" {
		return false
	}
	if w.Principal == name || w.Labels["spiffe/id"] == name || w.Labels["aws/role"] == name {
		return true
	}
	namespace, account := w.Labels["k8s/namespace"], w.Labels["k8s/serviceaccount"]
	if namespace == "" {
		namespace = w.Namespace
	}
	return namespace != "" && account != "" && name == "system:serviceaccount:"+namespace+":"+account
}

// zone returns the zone that a workload is in: the one it was assigned, the
// one that selects it, or unassigned, which observes if nothing declares it.
func (e *Evaluator) zone(w *inventory.Workload) lang.Zone {
	unassigned := lang.Zone{Meta: lang.Meta{Name: lang.Unassigned}, Default: lang.Deny, Stage: lang.Observe}
	for _, z := range e.dir.Zones {
		if z.Name == lang.Unassigned {
			unassigned = *z
		}
		if z.Name == w.Zone || w.Zone == "" && z.Select != nil && z.Select.Selector.Matches(w.Labels) {
			return *z
		}
	}
	return unassigned
}

// traffic is what a clause speaks of at a destination.
func (e *Evaluator) traffic(k clause, to Party) netset.Traffic {
	if k.ports == nil {
		return netset.All()
	}
	sum := netset.None()
	for _, p := range k.ports {
		if p.Name == "" {
			sum = sum.Union(p.Traffic)
		} else if len(to.Owners) > 0 {
			sum = sum.Union(e.named(p.Name, k.to, to.Owners[0]))
		}
	}
	return sum
}

// named is what a port name means at a workload. If the end names a service
// that declares it, the service says it. Otherwise everyone does who knows the
// workload: itself and the services it belongs to. An address that no workload
// owns has no named ports.
func (e *Evaluator) named(name string, to ends, w *inventory.Workload) netset.Traffic {
	everyone, asked := netset.None(), netset.None()
	for _, p := range w.Ports {
		if p.Name == name {
			everyone = everyone.Union(netset.Of(p.Protocol, p.Number, p.Number))
		}
	}
	for _, s := range e.dir.Services {
		for _, p := range s.Ports {
			if p.Name != name || !s.Select.Selector.Matches(w.Labels) {
				continue
			}
			t := netset.Of(p.Protocol, p.Number, p.Number)
			everyone = everyone.Union(t)
			if to.asksFor(s) {
				asked = asked.Union(t)
			}
		}
	}
	if !asked.IsEmpty() {
		return asked
	}
	return everyone
}

// asksFor reports whether the end names the service, and it alone.
func (x ends) asksFor(s *lang.Service) bool {
	return !x.except && len(x.any) == 1 && x.any[0].Kind == lang.ByService && x.any[0].Name == s.Name
}
