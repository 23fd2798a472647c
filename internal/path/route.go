package path

import (
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

// NotLookedAt lists, for people, what decides whether packets get into a VPC and out
// of it and is not looked at beside what Inward returned, which may be nil.
func NotLookedAt(inward *layer.Layer) string {
	if inward != nil {
		return "routes and NAT gateways on the way out, IPv6 gateways"
	}
	return "route tables, gateways, public addresses, load balancers"
}

type route struct {
	kind     routeKind
	from, to string // networks
	sure     bool   // of noRoute: all that connects one of the networks is known
}

func (r route) step(inward *layer.Layer) Step {
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
		if (r.from == "") != (r.to == "") {
			s.Why = "ways into a VPC and out of it are not looked at (" + NotLookedAt(inward) + "): packets are taken to get there"
		}
	}
	return s
}

// nowhere is the step of a way on which no relay leads either.
func (r route) nowhere() Step {
	s := Step{Target: "route", Point: r.from + " to " + r.to, Effect: Deny, Why: "the VPCs are not connected, and no relay leads there"}
	if !r.sure {
		s.Effect, s.Why = Unknown, "nobody asked for all that connects the VPCs (describe-vpc-peering-connections, describe-transit-gateway-vpc-attachments, and of whom a transit gateway belongs to describe-transit-gateway-attachments), and no relay leads there"
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
