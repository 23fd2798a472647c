package awssg

import (
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
)

// routes says of each cell whether packets can go between it and a VPC. Of a VPC
// that the inventory's networks do not have it is not known, and so they can.
func (r *renderer) routes(vpc string) []bool {
	routes := r.w.Policy.Inventory.Routes()
	out := make([]bool, len(r.cells))
	for i := range r.cells {
		apart, sure := routes.Apart(vpc, r.cells[i].network)
		out[i] = !apart || !sure
	}
	return out
}

// unrouted takes out of the wishes what is in VPCs from and to which no packets
// go, and returns what of it was wanted.
func (v *network) unrouted(wishes []wish) []int {
	var out []int
	for n := range v.r.cells {
		if v.routes[n] {
			continue
		}
		if wishes[n] == wanted {
			out = append(out, n)
		}
		wishes[n] = indifferent
	}
	return out
}

// led lets pass what a relay leads between a cell and those from whom no packets
// come: to and from the relay's own addresses. Who is behind them is for the relay
// to decide. What rules let pass already is left out.
func (v *network) led(c *cell, d flow.Direction, rules []rule) []rule {
	var out []rule
	for _, t := range v.r.w.Through(c.workloads, d) {
		for _, p := range t.Prefixes {
			for _, what := range cut(t.Traffic) {
				if !covered(rules, p, what) {
					out = append(out, v.byList(what, p, v.becauseOf(c, d, what, t.Peers))...)
				}
			}
		}
	}
	return out
}

// covered reports whether rules let a piece pass to and from all of a prefix.
func covered(rules []rule, p netip.Prefix, what piece) bool {
	return slices.ContainsFunc(rules, func(x rule) bool {
		around, err := netip.ParsePrefix(x.cidr)
		return err == nil && around.Bits() <= p.Bits() && around.Contains(p.Addr()) && what.set().Subtract(x.what.set()).IsEmpty()
	})
}

// becauseOf names the rules by which peers behind a relay are permitted something:
// at that port, or, where a listener has another, at any of TCP.
func (v *network) becauseOf(c *cell, d flow.Direction, what piece, peers []verify.Peer) []flow.Rule {
	var elements []int
	for n := range v.r.cells {
		if _, behind := slices.BinarySearch(peers, v.r.peer(n)); behind {
			elements = append(elements, n)
		}
	}
	if by := v.r.because(c, d, what, elements, nil); by != nil {
		return by
	}
	return v.r.because(c, d, piece{proto: netset.TCP, hi: 65535}, elements, nil)
}

// byList names a relay's addresses: in a region that is known, by the list that
// AWS keeps of Lattice's.
func (v *network) byList(what piece, p netip.Prefix, by []flow.Rule) []rule {
	if v.region() == "" {
		return []rule{byAddress(what, p, by)}
	}
	family := 0
	if p.Addr().Is6() {
		family = 1
	}
	v.relays[family] = true
	return []rule{rule{who: listKeys[family], what: what, list: true, v6: family == 1, by: by}.named()}
}

// toResources lets out what goes to resource configurations of Lattice: TCP of
// any kind, to addresses that the list holds besides those of services. It comes
// in from a resource gateway, whose own group says so
// (docs.aws.amazon.com/vpc-lattice/latest/ug/resource-gateway.html).
func (v *network) toResources(c *cell, d flow.Direction, what piece, peers []int) []rule {
	if d != flow.Egress || len(v.r.w.Relays()) == 0 || what.all || what.proto != netset.TCP || v.region() == "" {
		return nil
	}
	peers = slices.DeleteFunc(slices.Clone(peers), func(n int) bool { // Lattice joins VPCs of one Region
		there := v.r.regionOf(v.r.cells[n].network)
		return there != "" && there != v.region()
	})
	if len(peers) == 0 {
		return nil
	}
	by := v.r.because(c, d, what, peers, nil)
	out := v.byList(what, netip.PrefixFrom(netip.IPv4Unspecified(), 0), by)
	if v.hasIPv6(c) {
		out = append(out, v.byList(what, netip.PrefixFrom(netip.IPv6Unspecified(), 0), by)...)
	}
	return out
}

// listKeys name Lattice's prefix lists in the keys of rules; no group's name and
// no CIDR is like them.
var listKeys = [2]string{"lattice.ipv4", "lattice.ipv6"}

func listName(v6 bool) string {
	if v6 {
		return "lattice-ipv6"
	}
	return "lattice"
}

// hasIPv6 reports whether a workload of a cell has an address of IPv6.
func (v *network) hasIPv6(c *cell) bool {
	return slices.ContainsFunc(c.workloads, func(i int) bool {
		return slices.ContainsFunc(v.r.w.Policy.Inventory.Workloads[i].Addresses, netip.Addr.Is6)
	})
}

// region is that of the VPC; empty if it is not known.
func (v *network) region() string { return v.r.regionOf(v.vpc) }

// regionOf is the Region of a VPC, or of another cloud's network; empty if it is
// not known.
func (r *renderer) regionOf(vpc string) string {
	if known, ok := r.regions[vpc]; ok {
		return known
	}
	region := ""
	for _, n := range r.w.Policy.Inventory.Networks {
		if n.Name == vpc && n.Labels["cloud/region"] != "" {
			region = n.Labels["cloud/region"]
			break
		}
	}
	for _, c := range r.cells {
		if region == "" && vpc != "" && c.network == vpc {
			region = r.w.Policy.Inventory.Workloads[c.workloads[0]].Labels["cloud/region"]
		}
	}
	r.regions[vpc] = region
	return region
}
