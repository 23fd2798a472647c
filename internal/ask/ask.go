// Package ask puts questions in the words of the language to the symbolic
// engine: what an endpoint means, and whether the Cases of a policy hold. The
// reference evaluator answers the same questions slowly, and judges this room.
package ask

import (
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// Party is one side of conversations that all have the same answers: workloads
// that no rule can tell apart, or addresses.
type Party struct {
	Name  string // of the first of them
	Count int    // how many workloads; 0 for addresses
	// Peers has one element, but for an address that several workloads own:
	// what all of them are permitted is.
	Peers []verify.Peer
	Asked netset.Traffic // the traffic that was asked about, as it is called there

	// Frontend is set for the address of one, which no workload owns. Peers then
	// says what the address is to ports that the frontend does not serve.
	Frontend *inventory.Frontend

	workload int // the first, or the first owner of the address (index); -1 for addresses that nobody owns
}

// Parties lists what an endpoint means, and at each of them the traffic that a
// port means: all if there is no port, none where nothing is so called. What is
// built in means nobody, and nobody decides about it.
func Parties(e *verify.Engine, end lang.Endpoint, port *lang.Port) []Party {
	if end.Kind == lang.ByIP {
		return ofAddress(e, end, port)
	}
	p := e.Policy()
	type alike struct {
		identity int
		asked    string // only a name is something else elsewhere
	}
	at := map[alike]int{}
	var out []Party
	for _, w := range workloads(p, end) {
		asked := askedAt(p, port, end, w)
		key := alike{identity: p.IdentityOf[w]}
		if port != nil && port.Name != "" {
			key.asked = asked.String()
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, Party{Name: p.Inventory.Workloads[w].Name, Peers: []verify.Peer{e.OfWorkload(w)}, Asked: asked, workload: w})
		}
		out[i].Count++
	}
	for _, x := range places(e, end) {
		asked := netset.All()
		if port != nil {
			asked = port.Traffic
		}
		out = append(out, Party{Name: e.Name(x), Peers: []verify.Peer{x}, Asked: asked, workload: -1})
	}
	return out
}

// workloads lists (indices) those that an endpoint means.
func workloads(p *policy.Policy, end lang.Endpoint) []int {
	switch end.Kind {
	case lang.ByService:
		for i := range p.Services {
			if p.Services[i].Name == end.Name {
				return p.Services[i].Workloads
			}
		}
		return nil
	case lang.ByWorkload:
		if i, ok := find(p.Inventory, end.Name); ok {
			return []int{i}
		}
		return nil
	}
	var out []int
	for i := range p.Inventory.Workloads {
		if means(p, end, i) {
			out = append(out, i)
		}
	}
	return out
}

func find(inv *inventory.Snapshot, name string) (int, bool) {
	return slices.BinarySearchFunc(inv.Workloads, name, func(w inventory.Workload, name string) int { return strings.Compare(w.Name, name) })
}

func means(p *policy.Policy, end lang.Endpoint, i int) bool {
	switch end.Kind {
	case lang.ByAny:
		return true
	case lang.ByZone:
		return p.Zones[p.ZoneOf[i]].Name == end.Name
	case lang.BySelect:
		return end.Selector.Matches(p.Inventory.Workloads[i].Labels)
	case lang.ByPrincipal:
		return slices.Contains(p.Inventory.Workloads[i].Principals(), end.Name)
	}
	return false
}

// places lists the addresses and names outside the inventory that an endpoint
// means.
func places(e *verify.Engine, end lang.Endpoint) []verify.Peer {
	p := e.Policy()
	var out []verify.Peer
	switch end.Kind {
	case lang.ByExternal:
		for i := range p.Externals {
			if p.Externals[i].Name == end.Name {
				out = e.OfExternal(i)
			}
		}
	case lang.ByAny:
		for x := range e.Peers() {
			if e.Exists(verify.Peer(x)) && e.Identity(verify.Peer(x)) < 0 {
				out = append(out, verify.Peer(x))
			}
		}
	}
	return out
}

func ofAddress(e *verify.Engine, end lang.Endpoint, port *lang.Port) []Party {
	p := e.Policy()
	out := Party{Name: end.IP.String(), Asked: netset.All(), workload: -1}
	if port != nil {
		out.Asked = port.Traffic
	}
	for i := range p.Inventory.Workloads {
		if slices.Contains(p.Inventory.Workloads[i].Addresses, end.IP) {
			if out.Peers == nil {
				out.workload = i
			}
			out.Peers = append(out.Peers, e.OfWorkload(i))
			out.Asked = out.Asked.Union(askedAt(p, port, end, i))
			out.Count = 1
		}
	}
	if out.Peers == nil {
		x, builtin := e.OfAddress(end.IP)
		if builtin != "" {
			return nil
		}
		out.Peers = []verify.Peer{x}
		out.takeFrontend(p.Inventory, end.IP, port)
	}
	return []Party{out}
}

// takeFrontend finds whose address it is. A frontend says itself what its ports
// are called.
func (x *Party) takeFrontend(inv *inventory.Snapshot, a netip.Addr, port *lang.Port) {
	for i := range inv.Frontends {
		f := &inv.Frontends[i]
		if !slices.Contains(f.Addresses, a) {
			continue
		}
		x.Frontend = f
		for _, p := range f.Ports {
			if port != nil && port.Name != "" && p.Name == port.Name {
				x.Asked = x.Asked.Union(netset.Of(p.Protocol, p.Number, p.Number))
			}
		}
		return
	}
}

// askedAt is what a port means at a workload: if the endpoint is a service that
// declares the name, the service says it; otherwise the workload and all its
// services do.
func askedAt(p *policy.Policy, port *lang.Port, end lang.Endpoint, w int) netset.Traffic {
	switch {
	case port == nil:
		return netset.All()
	case port.Name == "":
		return port.Traffic
	}
	asked := netset.None()
	everyone := named(p.Inventory.Workloads[w].Ports, port.Name)
	for _, s := range p.ServicesOf[w] {
		t := named(p.Services[s].Ports, port.Name)
		everyone = everyone.Union(t)
		if end.Kind == lang.ByService && p.Services[s].Name == end.Name {
			asked = t
		}
	}
	if !asked.IsEmpty() {
		return asked
	}
	return everyone
}

func named(ports []inventory.Port, name string) netset.Traffic {
	t := netset.None()
	for _, p := range ports {
		if p.Name == name {
			t = t.Union(netset.Of(p.Protocol, p.Number, p.Number))
		}
	}
	return t
}
