package path

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// Bypass is a way between two workloads that goes around the layer meant to
// control it.
type Bypass struct {
	Around string // the target of the layer
	Point  string
	Way    string // "peering", "one VPC", "cluster DNS", "node port", "direct"
	Effect Effect // of the way: allow, or unknown
	Why    string // a sentence without a full stop
}

// bypasses lists the ways around optional layers, and around a mesh. direct is
// what all other layers say of the direct way.
func (w *walk) bypasses(q Question, r route, direct Effect) []Bypass {
	var out []Bypass
	for _, l := range w.Layers {
		switch {
		case l.Optional && w.governs(l, q.To):
			if direct != Deny {
				out = append(out, w.around(l, q, r, direct))
			}
		case l.Proves && w.governs(l, q.To):
			out = append(out, w.nodePorts(l, q)...)
		}
	}
	return out
}

// around describes the direct way beside a relay.
func (w *walk) around(l *layer.Layer, q Question, r route, direct Effect) Bypass {
	point, _, _ := w.point(l, q.To)
	b := Bypass{Around: l.Target, Point: point, Effect: direct}
	switch {
	case inOneCluster(q.From, q.To):
		b.Way, b.Why = "cluster DNS", "both run in one cluster, where the Service's own name leads straight to the workload"
	case r.kind == peered:
		b.Way, b.Why = "peering", "the VPCs are connected, so packets need not go through "+l.Target
	case r.kind == oneVPC:
		b.Way, b.Why = "one VPC", "both are in one VPC, so packets need not go through "+l.Target
	default:
		b.Way, b.Why = "direct", "nothing is known that would force packets through "+l.Target
	}
	return b
}

func inOneCluster(a, b layer.Party) bool {
	if a.Workload == nil || b.Workload == nil {
		return false
	}
	x, y := a.Workload.Labels, b.Workload.Labels
	return x["k8s/namespace"] != "" && y["k8s/namespace"] != "" && x["k8s/cluster"] == y["k8s/cluster"]
}

// nodePorts lists the frontends that hide who begins and lead to the responder
// around the mesh's gateways: those through which somebody without a
// certificate gets in.
func (w *walk) nodePorts(l *layer.Layer, q Question) []Bypass {
	var out []Bypass
	stranger := q
	stranger.From = layer.Party{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1})} // documentation's own range: somebody outside
	stranger.In.MTLS = false
	unproven := walk{w.Estate, holder(w.Layers, stranger)}
	effect := overall(unproven.layers(stranger, func(x *layer.Layer) bool { return !x.Optional }))
	if effect == Deny {
		return nil
	}
	for i := range w.Inventory.Frontends {
		f := &w.Inventory.Frontends[i]
		if f.Rewrites == "both" && leadsTo(f, q) {
			point, _, _ := w.point(l, q.To)
			out = append(out, Bypass{Around: l.Target, Point: point, Way: "node port", Effect: effect,
				Why: f.Name + " lets callers in that no gateway of the mesh has seen and that prove nothing"})
		}
	}
	return out
}

// leadsTo reports whether a frontend leads to the responder's port.
func leadsTo(f *inventory.Frontend, q Question) bool {
	if q.To.Workload == nil || !slices.Contains(f.Workloads, q.To.Workload.Name) {
		return false
	}
	return slices.ContainsFunc(f.Ports, func(p inventory.FrontendPort) bool {
		if p.TargetName != "" {
			return slices.ContainsFunc(q.To.Workload.Ports, func(x inventory.Port) bool { return x.Name == p.TargetName && x.Number == q.Port })
		}
		return p.Target == q.Port && p.Protocol == q.Protocol
	})
}
