package ask

import (
	"fmt"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Hidden is a port of a frontend of which nobody can say who gets through: the
// frontend hides who began, and a workload behind it lets in some who may enter
// it, and not others.
type Hidden struct {
	Frontend string
	Traffic  netset.Traffic // as the frontend calls it
	// Workload is the one behind it; Some is let in, Other is not.
	Workload, Some, Other string
}

// String says why nothing is known.
func (h Hidden) String() string {
	return fmt.Sprintf("the frontend hides who began: %s lets in some who may enter it, like %s, but not %s", h.Workload, h.Some, h.Other)
}

// HiddenBy finds such ports, at most one reason for each, in what is no HTTP at
// the engine's present. Of what stands behind frontends only workloads (indices)
// that are wanted count.
func HiddenBy(e *verify.Engine, inForce bool, wanted func(workload int) bool) []Hidden {
	p := e.Policy()
	var out []Hidden
	at := e.Locate(flow.Circumstances{At: e.At(), MTLS: true})
	behind := p.Behind()
	for i := range p.Inventory.Frontends {
		f := &p.Inventory.Frontends[i]
		if f.Rewrites == "destination" {
			continue
		}
		members := behind.Workloads(f)
		for _, port := range f.Ports {
			h := Hidden{Frontend: f.Name, Traffic: netset.Of(port.Protocol, port.Number, port.Number)}
			if h.find(e, f, port, behind, members, inForce, at, wanted) {
				out = append(out, h)
			}
		}
	}
	return out
}

func (h *Hidden) find(e *verify.Engine, f *inventory.Frontend, port inventory.FrontendPort, behind *policy.Behind, members []int, inForce bool, at space.Point, wanted func(int) bool) bool {
	p := e.Policy()
	type asked struct {
		x    verify.Peer
		port uint16
	}
	seen := map[asked]bool{}
	for _, w := range members {
		if !wanted(w) {
			continue
		}
		for _, n := range behind.Targets(f, port, w) {
			a := asked{e.OfWorkload(w), n}
			if seen[a] {
				continue
			}
			seen[a] = true
			some, other := entrants(e, a.x, port.Protocol, n, inForce, at)
			if some != verify.None && other != verify.None {
				h.Workload, h.Some, h.Other = p.Inventory.Workloads[w].Name, e.Name(some), e.Name(other)
				return true
			}
		}
	}
	return false
}

// entrants finds somebody who may enter a frontend and is let in behind it, and
// somebody who may enter and is not; None where there is nobody.
func entrants(e *verify.Engine, to verify.Peer, proto netset.Protocol, port uint16, inForce bool, at space.Point) (some, other verify.Peer) {
	some, other = verify.None, verify.None
	for x := verify.Peer(0); int(x) < e.Peers(); x++ {
		if !e.Exists(x) {
			continue
		}
		d := e.Decide(x, to, proto, port, at)
		verdict, by := d.ToCome, d.ToComeBy
		if inForce {
			verdict, by = d.InForce, d.InForceBy
		}
		switch {
		case verdict == flow.Unjudged:
		case verdict != flow.Dropped:
			some = x
		case mayEnter(e, x, by, inForce):
			other = x
		}
		if some != verify.None && other != verify.None {
			break
		}
	}
	return some, other
}

// mayEnter reports whether it is not its own side that refuses: a rule refuses
// at both ends, a default only at the end whose zone it is of. Nobody asks
// strangers at their own end.
func mayEnter(e *verify.Engine, x verify.Peer, by verify.By, inForce bool) bool {
	z := e.Zone(x)
	if z < 0 {
		return true
	}
	if by.Rule() >= 0 {
		return false
	}
	zone := &e.Policy().Zones[z]
	return zone.DefaultAllow || inForce && zone.Stage != policy.Enforce
}
