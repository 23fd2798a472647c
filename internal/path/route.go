package path

import (
	"fmt"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// routeKind says how packets get from one end to the other.
type routeKind uint8

const (
	assumed routeKind = iota // nothing is known that would keep them apart
	oneVPC
	peered
	noRoute
)

type route struct {
	kind     routeKind
	from, to string // networks
	sure     bool   // of noRoute: all that connects one of the networks is known
}

func (r route) step() Step {
	s := Step{Target: "route", Effect: Allow}
	switch r.kind {
	case oneVPC:
		s.Point, s.Why = r.from, "both ends are in one VPC"
	case peered:
		s.Point, s.Why = r.from+" to "+r.to, "the VPCs are connected"
	case noRoute:
		s.Point, s.Why = r.from+" to "+r.to, "the VPCs are not connected: packets get there only through a relay"
		s.Effect = NotAsked
	default:
		s.Point, s.Why = "network", "nothing is known that would keep the two apart"
	}
	return s
}

// nowhere is the step of a way on which no relay leads either.
func (r route) nowhere() Step {
	s := Step{Target: "route", Point: r.from + " to " + r.to, Effect: Deny, Why: "the VPCs are not connected, and no relay leads there"}
	if !r.sure {
		s.Effect, s.Why = Unknown, "nobody asked what connects the VPCs (describe-vpc-peering-connections, describe-transit-gateway-vpc-attachments), and no relay leads there"
	}
	return s
}

// route finds how two ends reach each other. Only what is known of both VPCs
// keeps them apart.
func (e *Estate) route(from, to layer.Party) route {
	r := route{from: vpc(from), to: vpc(to)}
	if r.from == "" || r.to == "" {
		return r
	}
	if r.from == r.to {
		r.kind = oneVPC
		return r
	}
	switch apart, sure := e.Inventory.Routes().Apart(r.from, r.to); {
	case apart:
		r.kind, r.sure = noRoute, sure
	case e.network(r.from) != nil && e.network(r.to) != nil:
		r.kind = peered
	}
	return r
}

func vpc(p layer.Party) string {
	if p.Workload == nil {
		return ""
	}
	return p.Workload.Labels["net/vpc"]
}

func (e *Estate) network(name string) *inventory.Network {
	for i := range e.Inventory.Networks {
		if e.Inventory.Networks[i].Name == name {
			return &e.Inventory.Networks[i]
		}
	}
	return nil
}

// relay returns the layer that leads conversations to the responder on behalf
// of others; nil if there is none.
func (e *Estate) relay(q Question) *layer.Layer {
	for _, l := range e.Layers {
		if l.Optional && e.governs(l, q.To) {
			return l
		}
	}
	return nil
}

// governs reports whether some point of a layer governs an end, or may.
func (e *Estate) governs(l *layer.Layer, p layer.Party) bool {
	return slices.ContainsFunc(l.Points, func(x layer.Point) bool { return x.Governs.Matches(p, e.Networks) != layer.No })
}

// through walks a conversation that a relay takes: from the initiator to the
// relay, what the relay says, and from the relay to the responder, whose own
// layers no longer see who began.
func (w *walk) through(q Question, relay *layer.Layer) []Step {
	others := func(l *layer.Layer) bool { return !l.Optional }
	if len(relay.Relays) == 0 {
		return w.layers(q, func(l *layer.Layer) bool { return others(l) || l == relay })
	}
	out, in := q, q
	out.To = layer.Party{Addr: relay.Relays[0].Addr().Next()}
	in.From = layer.Party{Addr: relay.Relays[0].Addr().Next()}
	out.Port = w.listener(q)
	var steps []Step
	for _, s := range w.layers(out, others) {
		s.Why = fmt.Sprintf("%s (to %s, port %d)", s.Why, relay.Target, out.Port)
		steps = append(steps, s)
	}
	steps = append(steps, w.layers(q, func(l *layer.Layer) bool { return l == relay })...)
	for _, s := range w.layers(in, others) {
		s.Why += " (it sees " + relay.Target + ", not who began)"
		steps = append(steps, s)
	}
	return steps
}

// listener is the port at which the relay is called: that of a frontend of the
// inventory that leads to the responder's port, else 443.
func (w *walk) listener(q Question) uint16 {
	if q.To.Workload != nil {
		for i := range w.Inventory.Frontends {
			f := &w.Inventory.Frontends[i]
			if !slices.Contains(f.Workloads, q.To.Workload.Name) || f.Rewrites != "both" {
				continue
			}
			for _, p := range f.Ports {
				if p.Target == q.Port && p.Protocol == q.Protocol {
					return p.Number
				}
			}
		}
	}
	return 443
}
