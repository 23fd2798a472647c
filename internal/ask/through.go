package ask

import (
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Frontends says what becomes of conversations with frontends. It remembers
// what it has found out, and is not safe for concurrent use.
type Frontends struct {
	e       *verify.Engine
	behind  *policy.Behind
	at      map[netip.Addr]*inventory.Frontend
	ways    map[*inventory.Frontend][]way
	letters map[way]letIn
}

// way is a port of a frontend and one that it leads to. Workloads of one
// identity are one.
type way struct {
	proto  netset.Protocol
	port   uint16
	to     verify.Peer
	target uint16
	// inForce is set where what is remembered is of the policy in force.
	inForce bool
}

func (w way) traffic() netset.Traffic { return netset.Of(w.proto, w.port, w.port) }

// letIn is what a backend says, as traffic of the frontend: yes and no may
// overlap, since it speaks of everyone who may enter.
type letIn struct{ yes, no space.Set }

// Through is what becomes of everything that goes to a frontend.
type Through struct {
	Served  netset.Traffic // what leads to some workload; the frontend is nothing to other ports
	Permits space.Set      // of Served
	Unknown space.Set      // of Served: nobody can say. The rest is refused
	Why     string         // for Unknown
}

// NewFrontends prepares to ask about the frontends of the engine's policy.
func NewFrontends(e *verify.Engine) *Frontends {
	f := &Frontends{e: e, behind: e.Policy().Behind(), at: map[netip.Addr]*inventory.Frontend{}, ways: map[*inventory.Frontend][]way{}, letters: map[way]letIn{}}
	list := e.Policy().Inventory.Frontends
	for i := range list {
		for _, a := range list[i].Addresses {
			if f.at[a] == nil {
				f.at[a] = &list[i]
			}
		}
	}
	return f
}

// At is the first frontend that has an address; nil if there is none.
func (f *Frontends) At(a netip.Addr) *inventory.Frontend { return f.at[a.Unmap()] }

// Backends are the peers behind a frontend, each once.
func (f *Frontends) Backends(x *inventory.Frontend) []verify.Peer {
	var out []verify.Peer
	for _, w := range f.waysOf(x) {
		if !slices.Contains(out, w.to) {
			out = append(out, w.to)
		}
	}
	return out
}

// Judge says of each backend that a port of a frontend leads to what becomes of
// a conversation with it, as the function Judge does, in an order that depends
// on the frontend alone; nil if the port leads nowhere.
func (f *Frontends) Judge(from verify.Peer, to *inventory.Frontend, proto netset.Protocol, port uint16, c flow.Circumstances, inForce bool) []Verdict {
	var out []Verdict
	for _, w := range f.waysOf(to) {
		if w.proto == proto && w.port == port {
			out = append(out, Judge(f.e, from, w.to, netset.Of(proto, w.target, w.target), c, inForce))
		}
	}
	return out
}

// waysOf lists where the ports of a frontend lead to, in the order of its ports;
// nil leads nowhere.
func (f *Frontends) waysOf(x *inventory.Frontend) []way {
	if x == nil {
		return nil
	}
	out, known := f.ways[x]
	if known {
		return out
	}
	members := f.behind.Workloads(x)
	seen := map[way]bool{}
	for _, port := range x.Ports {
		for _, w := range members {
			for _, target := range f.behind.Targets(x, port, w) {
				a := way{proto: port.Protocol, port: port.Number, to: f.e.OfWorkload(w), target: target}
				if !seen[a] {
					seen[a] = true
					out = append(out, a)
				}
			}
		}
	}
	f.ways[x] = out
	return out
}

// Through says what becomes of what goes from peers, which are one or all that
// own one address, to a frontend. A frontend that rewrites only the destination
// keeps who began: every backend must let it in. Of any other a backend sees
// that someone entered: it must let in everyone who may.
func (f *Frontends) Through(from []verify.Peer, to *inventory.Frontend, inForce bool) Through {
	t := Through{Served: netset.None()}
	keeps := to.Rewrites == "destination"
	var refused space.Set
	for _, w := range f.waysOf(to) {
		t.Served = t.Served.Union(w.traffic())
		whole := space.Plain(w.traffic())
		for _, x := range from {
			passes, _ := f.e.Leaving(x, w.to, inForce)
			if keeps {
				passes, _ = f.e.Permitted(x, w.to, inForce)
			}
			refused = refused.Union(whole.Subtract(passes.Moved(w.proto, w.target, w.traffic())))
		}
		if keeps {
			continue
		}
		at := f.letIn(w, inForce)
		refused = refused.Union(at.no.Subtract(at.yes))
		open := at.yes.Intersect(at.no).Union(whole.Subtract(at.yes.Union(at.no)))
		if !open.IsEmpty() && t.Why == "" {
			t.Why = fmt.Sprintf("the frontend hides who began: %s lets some in who may enter it, but not others", f.e.Name(w.to))
		}
		t.Unknown = t.Unknown.Union(open)
	}
	t.Unknown = t.Unknown.Subtract(refused)
	t.Permits = space.Plain(t.Served).Subtract(refused).Subtract(t.Unknown)
	return t
}

// letIn asks a backend about everyone whose own end lets them go to it.
func (f *Frontends) letIn(w way, inForce bool) letIn {
	w.inForce = inForce
	out, known := f.letters[w]
	if known {
		return out
	}
	type alike struct{ class, zone int }
	seen := map[alike]bool{}
	for x := verify.Peer(0); int(x) < f.e.Peers(); x++ {
		if !f.e.Exists(x) {
			continue
		}
		key := alike{f.e.Class(x, w.to), f.e.Zone(x)}
		if seen[key] {
			continue
		}
		seen[key] = true
		leaves, _ := f.e.Leaving(x, w.to, inForce)
		arrives, _ := f.e.Arriving(x, w.to, inForce)
		leaves, arrives = leaves.Moved(w.proto, w.target, w.traffic()), arrives.Moved(w.proto, w.target, w.traffic())
		out.yes = out.yes.Union(leaves.Intersect(arrives))
		out.no = out.no.Union(leaves.Subtract(arrives))
	}
	f.letters[w] = out
	return out
}
