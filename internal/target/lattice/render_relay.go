package lattice

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
)

var _ target.Relayer = Target{}

// Relay returns what Lattice leads between VPCs: to ports that speak HTTP, for
// callers that have a role to sign requests with, where both VPCs are known, of one
// Region, and exchange no packets.
func (Target) Relay(p *policy.Policy, toCome bool) plan.Relay { return newRelay(p, toCome) }

type relay struct {
	p       *policy.Policy
	routes  inventory.Routes
	regions *regions
	nets    map[string]string // by Region: the service network that is there already; none: one is made
	joined  map[string]bool   // the VPCs that are associated with theirs
	behind  *policy.Behind
	at      map[string][]plan.RelayPort // by VPC and services
	keys    []string                    // by workload: see key
}

func newRelay(p *policy.Policy, toCome bool) *relay {
	r := &relay{p: p, routes: p.Inventory.Routes(), regions: regionsOf(p.Inventory), nets: map[string]string{}, joined: map[string]bool{}, behind: p.Behind(), at: map[string][]plan.RelayPort{}}
	for _, n := range p.Inventory.Networks {
		region, ok := r.regions.at(n.Name)
		if id := n.Labels["net/service-network"]; id != "" && n.Within == "" && ok {
			r.nets[region] = id
			r.joined[n.Name] = true
		}
	}
	asked := askedOf(p, toCome)
	r.keys = make([]string, len(p.Inventory.Workloads))
	for i := range p.Inventory.Workloads {
		r.keys[i] = r.key(i)
		if key := r.keys[i]; key != "" {
			r.at[key] = r.add(r.at[key], i, asked)
		}
	}
	for key, ports := range r.at {
		slices.SortFunc(ports, func(a, b plan.RelayPort) int { return cmp.Compare(a.Number, b.Number) })
		r.at[key] = ports
	}
	r.frontends()
	return r
}

// key is what workloads share that get one service: their VPC and the services
// of the policy that they are in; empty for one that gets none.
func (r *relay) key(i int) string {
	w := &r.p.Inventory.Workloads[i]
	if vpc := w.Labels["net/vpc"]; vpc != "" && len(r.p.ServicesOf[i]) > 0 {
		return vpc + fmt.Sprint(r.p.ServicesOf[i])
	}
	return ""
}

// askedOf lists, by identity, the ports to which rules allow some requests only.
func askedOf(p *policy.Policy, toCome bool) map[int][]uint16 {
	out := map[int][]uint16{}
	for i := range p.Rules {
		x := &p.Rules[i]
		if x.Cond == nil || x.Cond.HTTP == nil || x.Effect != policy.Allow || !toCome && x.Stage != policy.Enforce {
			continue
		}
		for g := range x.Grants {
			ports := x.Grants[g].Traffic.Ranges(netset.TCP)
			if len(ports) != 1 || ports[0].Lo != ports[0].Hi {
				continue
			}
			for id := range p.Identities {
				if x.Grants[g].To.Identity(id) {
					out[id] = append(out[id], ports[0].Lo)
				}
			}
		}
	}
	return out
}

// add adds the ports of a workload, and of its services, that speak HTTP.
func (r *relay) add(list []plan.RelayPort, i int, asked map[int][]uint16) []plan.RelayPort {
	add := func(p inventory.Port) {
		if p.Protocol == netset.TCP && (webName(p.Name) || slices.Contains(asked[r.p.IdentityOf[i]], p.Number)) &&
			!slices.ContainsFunc(list, func(x plan.RelayPort) bool { return x.Number == p.Number }) {
			list = append(list, plan.RelayPort{Number: p.Number, Calls: []uint16{p.Number}})
		}
	}
	for _, p := range r.p.Inventory.Workloads[i].Ports {
		add(p)
	}
	for _, n := range r.p.ServicesOf[i] {
		for _, p := range r.p.Services[n].Ports {
			add(p)
		}
	}
	return list
}

// frontends adds the ports of listeners that the inventory knows: frontends
// that rewrite both ends and have no address, or one of Lattice's. Listeners that
// are rendered have the number of the port behind them.
func (r *relay) frontends() {
	for n := range r.p.Inventory.Frontends {
		f := &r.p.Inventory.Frontends[n]
		ours := len(f.Addresses) == 0 || slices.ContainsFunc(f.Addresses, func(a netip.Addr) bool {
			return slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
		})
		if f.Rewrites != "both" || !ours {
			continue
		}
		for _, i := range r.behind.Workloads(f) {
			for _, p := range f.Ports {
				if p.Protocol == netset.TCP {
					r.call(r.at[r.keys[i]], p.Number, r.behind.Targets(f, p, i))
				}
			}
		}
	}
}

// call notes a listener of some ports.
func (r *relay) call(ports []plan.RelayPort, listener uint16, targets []uint16) {
	for k := range ports {
		if p := &ports[k]; slices.Contains(targets, p.Number) && !slices.Contains(p.Calls, listener) {
			p.Calls = append(slices.Clone(p.Calls), listener)
			slices.Sort(p.Calls)
		}
	}
}

// addresses are those of Lattice's data plane: of services, not of resource
// configurations, which have others.
// docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html
var addresses = []netip.Prefix{netip.MustParsePrefix("169.254.171.0/24"), netip.MustParsePrefix("fd00:ec2:80::/64")}

// Name implements plan.Relay.
func (*relay) Name() string { return "lattice" }

// Prefixes implements plan.Relay.
func (*relay) Prefixes() []netip.Prefix { return addresses }

// From implements plan.Relay: the VPC of who can sign requests.
func (r *relay) From(w *inventory.Workload) string {
	vpc := w.Labels["net/vpc"]
	region, ok := r.regions.at(vpc)
	if roleOf(w) == "" || !ok || r.nets[region] != "" && !r.joined[vpc] {
		return ""
	}
	return vpc
}

// To implements plan.Relay: the VPC of who can be a target.
func (r *relay) To(i int) (string, []plan.RelayPort) {
	w := &r.p.Inventory.Workloads[i]
	if _, _, ok := targetID(w); !ok {
		return "", nil
	}
	return w.Labels["net/vpc"], r.at[r.keys[i]]
}

// Leads implements plan.Relay.
func (r *relay) Leads(from, to string) bool {
	apart, _ := r.routes.Apart(from, to)
	return apart && r.regions.one(from, to)
}
