package istio

import (
	"maps"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// unsaid lists what no policy of the mesh could let in, by who is in the mesh, how,
// and behind which Services: none of it looks at what the policies say.
func (l *lifter) unsaid() {
	all := netset.Of(netset.TCP, 0, 65535)
	add := func(of layer.Part, subject, peer layer.Match, t netset.Traffic, why string) {
		l.out.Shut = append(l.out.Shut, layer.Shut{Subject: subject, Peer: peer, Traffic: t, Of: of, Why: why})
	}
	// A DENY that speaks of requests is one of TCP as well, and an ALLOW that does is
	// none: istio.io/latest/docs/reference/config/security/authorization-policy/.
	add(layer.NoRequest, l.mesh.all, layer.Everything(), all, "cannot let in what is no HTTP on ports where it judges requests")
	if names := l.unplaced(); names != nil {
		add(layer.Whatever, l.mesh.all, layer.Named(names...), all, "knows who is not in the mesh by addresses, and none is known")
	}
	for _, port := range slices.Sorted(maps.Keys(l.spoken["tcp"])) {
		add(layer.SomeRequests, layer.Named(l.spoken["tcp"][port]...), layer.Everything(), netset.Of(netset.TCP, port, port), "sees no requests on ports that a Service says speak no HTTP")
	}
	if !l.ambient() {
		return
	}
	// Who has a sidecar goes around waypoints, as who is not in the mesh does.
	add(layer.SomeRequests, l.mesh.ambient, layer.Match{{Not: l.mesh.ambient}}, all, "judges requests to workloads in ambient mode at waypoints, and who is not in ambient mode goes around them")
	const noService = "judges requests to workloads in ambient mode at waypoints, and no Service leads to the port"
	behind := l.behindServices()
	var some []string
	for _, g := range behind {
		some = append(some, g.names...)
		add(layer.SomeRequests, layer.Named(g.names...), layer.Everything(), all.Subtract(g.ports), noService)
	}
	none := l.mesh.ambient
	if slices.Sort(some); some != nil {
		none = without(none, layer.Named(some...))
	}
	add(layer.SomeRequests, none, layer.Everything(), all, noService)
}

// unplaced lists, sorted, the workloads outside of the mesh whose addresses are
// not known.
func (l *lifter) unplaced() []string {
	var out []string
	for _, k := range l.kinds {
		if k.member() {
			continue
		}
		l.each(k, func(w *inventory.Workload) {
			if len(w.Addresses) == 0 {
				out = append(out, w.Name)
			}
		})
	}
	slices.Sort(out)
	return out
}

// reached are workloads in ambient mode, and their ports that Services lead to.
type reached struct {
	names []string // sorted
	ports netset.Traffic
}

// behindServices puts together the workloads in ambient mode that Services lead to
// by the same ports. A headless Service leads to nobody.
func (l *lifter) behindServices() []reached {
	ports := map[string]netset.Traffic{}
	for i := range l.source.Inventory.Frontends {
		f := &l.source.Inventory.Frontends[i]
		name, ok := serviceName(f)
		if !ok || l.serviceOf(f, name).headless {
			continue
		}
		for _, m := range f.Workloads {
			if w, k := l.named(m); w != nil && k.ambient {
				ports[m] = ports[m].Union(targets(w, f))
			}
		}
	}
	var out []reached
	at := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		key := ports[name].String()
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, reached{ports: ports[name]})
		}
		out[i].names = append(out[i].names, name)
	}
	return out
}

// targets are the TCP ports of a workload that a Service leads to.
func targets(w *inventory.Workload, f *inventory.Frontend) netset.Traffic {
	var out netset.Traffic
	for _, p := range f.Ports {
		if to := targetOf(w, p.Target, p.TargetName); to != 0 && p.Protocol == netset.TCP {
			out = out.Union(netset.Of(netset.TCP, to, to))
		}
	}
	return out
}
