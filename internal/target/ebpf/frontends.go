package ebpf

import (
	"net/netip"
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// frontend is a far end with workloads behind: a conversation that goes there
// must be permitted to each of those that it may go on to. What it does not
// serve is judged as its address alone would be.
type frontend struct {
	number    uint32
	externals []int
	ports     []served
}

// served is a port of a frontend and where it leads.
type served struct {
	protocol netset.Protocol
	number   uint16
	to       []backend
}

// backend is an identity behind a frontend, and its port.
type backend struct {
	ident int
	port  uint16
}

// findFrontends finds the frontends at addresses that no workload owns. Of
// several at one address the first stands for it.
func (r *renderer) findFrontends(owners map[netip.Addr][]int) map[netip.Addr]*inventory.Frontend {
	out := map[netip.Addr]*inventory.Frontend{}
	for i := range r.p.Inventory.Frontends {
		f := &r.p.Inventory.Frontends[i]
		for _, a := range f.Addresses {
			if a = a.Unmap().WithZone(""); owners[a] == nil && out[a] == nil {
				out[a] = f
			}
		}
	}
	return out
}

// frontend returns the number of a frontend at an address that would be that
// one without it.
func (r *renderer) frontend(at *inventory.Frontend, without layout.Address, known map[string]int) uint32 {
	f := frontend{}
	for i := range r.peers {
		if r.peers[i].number == without.Peer {
			f.externals = r.peers[i].externals
		}
	}
	key := frontendKey(at.Namespace, at.Name, r.externalNames(f.externals))
	if i, ok := known[key]; ok {
		return r.frontends[i].number
	}
	known[key] = len(r.frontends)
	f.number = r.n.peer(key)
	r.serve(&f, at)
	r.frontends = append(r.frontends, f)
	return f.number
}

// serve adds what one of the inventory's frontends serves, and sees to it that
// its ports can be told apart.
func (r *renderer) serve(f *frontend, from *inventory.Frontend) {
	if r.behind == nil {
		r.behind = r.p.Behind()
	}
	members := r.behind.Workloads(from)
	for _, port := range from.Ports {
		s := served{protocol: port.Protocol, number: port.Number}
		for _, w := range members {
			for _, target := range r.behind.Targets(from, port, w) {
				if b := (backend{r.p.IdentityOf[w], target}); !slices.Contains(s.to, b) {
					s.to = append(s.to, b)
				}
			}
		}
		if len(s.to) > 0 && port.Protocol.HasPorts() {
			r.classes.set(netset.Of(s.protocol, s.number, s.number))
			f.ports = append(f.ports, s)
		}
	}
}

// toFrontend returns what the end says about conversations that go on to what
// is behind a frontend.
func (r *renderer) toFrontend(s *side, f *frontend) *verdicts {
	plain := r.toExternals(s, f.externals)
	v := &verdicts{classes: slices.Clone(plain.classes)}
	for _, p := range f.ports {
		v.classes = append(v.classes, r.classes.at(p.protocol, p.number))
	}
	slices.Sort(v.classes)
	v.classes = slices.Compact(v.classes)
	v.decisions = make([]decision, len(v.classes))
	for i, class := range v.classes {
		v.decisions[i] = plain.at(class)
	}
	for _, p := range f.ports {
		var d decision
		for i, b := range p.to {
			says := r.toIdentity(s, b.ident).at(r.classes.at(p.protocol, b.port))
			if i == 0 {
				d = says
			} else {
				d = merge(d, says, true)
			}
		}
		i, _ := slices.BinarySearch(v.classes, r.classes.at(p.protocol, p.number))
		v.decisions[i] = d
	}
	return v
}
