package istio

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
)

// onlyHTTP reports whether Services say of all these ports of a subject's
// workloads, by name, that HTTP is spoken there: nothing else comes in then,
// whatever policies say.
func (r *renderer) onlyHTTP(s *plan.Subject, t netset.Traffic) bool {
	for _, id := range s.Identities {
		for _, i := range r.w.Policy.Identities[id].Workloads {
			if r.like[i].inside && !t.Subtract(r.sayHTTP(r.workload(i).Name)).IsEmpty() {
				return false
			}
		}
	}
	return true
}

// sayHTTP lists the ports of a workload that all its Services say speak HTTP.
func (r *renderer) sayHTTP(name string) netset.Traffic {
	var yes, no netset.Traffic
	for _, f := range r.servicesOf(name) {
		for _, p := range f.Ports {
			kind, _, _ := strings.Cut(strings.ToLower(cmp.Or(p.Application, p.Name)), "-")
			switch port := netset.Of(netset.TCP, p.Target, p.Target); {
			case p.Protocol != netset.TCP || p.Target == 0:
			case slices.Contains([]string{"http", "http2", "grpc", "kubernetes.io/h2c", "kubernetes.io/ws"}, kind):
				yes = yes.Union(port)
			default:
				no = no.Union(port)
			}
		}
	}
	return yes.Subtract(no)
}

// servicesOf lists the Services that lead to a workload.
func (r *renderer) servicesOf(name string) []*inventory.Frontend {
	if r.services == nil {
		r.services = map[string][]*inventory.Frontend{}
		for i := range r.w.Policy.Inventory.Frontends {
			f := &r.w.Policy.Inventory.Frontends[i]
			if !strings.HasSuffix(f.Name, "[Service]") {
				continue
			}
			for _, w := range f.Workloads {
				r.services[w] = append(r.services[w], f)
			}
		}
	}
	return r.services[name]
}
