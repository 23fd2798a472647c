package istio

import (
	"maps"
	"slices"

	"firebreak/internal/layer"
)

// points makes a point of each namespace that has workloads in the mesh, or
// policies.
func (l *lifter) points() {
	inside, named := map[string]bool{}, map[string]bool{}
	for _, k := range l.kinds {
		if k.member() {
			inside[k.of.Labels["k8s/namespace"]] = true
		}
	}
	for _, a := range l.authz {
		if a.namespace != l.mesh.root {
			named[a.namespace] = true
		}
	}
	for _, p := range l.peers {
		if p.namespace != l.mesh.root {
			named[p.namespace] = true
		}
	}
	maps.Copy(named, inside)
	for _, ns := range slices.Sorted(maps.Keys(named)) {
		point := layer.Point{Name: ns, Governs: and(inNamespace(ns), l.mesh.all)}
		if !inside[ns] {
			point.Governs = inNamespace(ns)
			point.Missing = "no workload of the namespace is in the mesh: it has neither sidecars (istio-injection=enabled, istio.io/rev) nor istio.io/dataplane-mode=ambient"
		}
		l.out.Points = append(l.out.Points, point)
	}
	l.out.Proves = len(inside) > 0 && l.provesAll()
}
