package gen

import (
	"net/netip"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// frontend is a load balancer in front of an edge service.
type frontend struct {
	service int
	number  int
}

// maxFrontends is how many find room in 10.255.0.0/16.
const maxFrontends = 20_000

// frontendList gives every second production service at the edge one.
func (e *estate) frontendList() []frontend {
	var out []frontend
	for i, s := range e.services {
		if s.env == prod && e.apps[s.app].role.tier == "edge" && hash(e.Seed, 500_000+i)%2 == 0 && len(out) < maxFrontends {
			out = append(out, frontend{i, len(out)})
		}
	}
	return out
}

func (f frontend) address() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 255, byte(f.number / 245), byte(10 + f.number%245)})
}

func (w *writer) frontends() {
	list := w.frontendList()
	if len(list) == 0 {
		return
	}
	w.begin(frontendFile, "load balancers")
	for _, f := range list {
		s := w.services[f.service]
		w.printf("---\nkind: Frontend\nmetadata: {name: %s-lb}\nspec:\n  addresses: [%s]\n  ports: [{port: 443, targetPort: %d}]\n  to: {service: %s}\n  rewrites: destination\n",
			s.name, f.address(), w.apps[s.app].role.ports[0].number, s.name)
	}
}

const frontendFile = "inventory/load-balancers.yaml"

func (e *estate) frontendValues() []inventory.Frontend {
	var out []inventory.Frontend
	for _, f := range e.frontendList() {
		s := e.services[f.service]
		out = append(out, inventory.Frontend{
			Name: s.name + "-lb", Addresses: []netip.Addr{f.address()}, ToService: s.name, Rewrites: "destination",
			Ports: []inventory.FrontendPort{{Number: 443, Target: uint16(e.apps[s.app].role.ports[0].number), Protocol: netset.TCP}},
		})
	}
	return out
}
