package awssg

import (
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
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

// The addresses from which Lattice's conversations arrive, and to which they are
// sent (docs.aws.amazon.com/vpc-lattice/latest/ug/how-it-works.html).
var relays = [2]netip.Prefix{netip.MustParsePrefix("169.254.171.0/24"), netip.MustParsePrefix("fd00:ec2:80::/64")}

// byRelay lets pass what Lattice passes on for peers from which no packets come:
// TCP, to and from its own addresses. Who is behind them is for Lattice to decide.
func (v *network) byRelay(c *cell, d flow.Direction, what piece, peers []int, held []netip.Prefix) []rule {
	if !slices.Contains(v.r.w.Targets, "lattice") || what.all || what.proto != netset.TCP {
		return nil
	}
	var out []rule
	for i, p := range relays {
		if slices.ContainsFunc(held, func(x netip.Prefix) bool { return x.Overlaps(p) && x.Bits() <= p.Bits() }) || i == 1 && !v.hasIPv6(c) {
			continue
		}
		by := v.r.because(c, d, what, peers, nil)
		if v.region() == "" {
			out = append(out, byAddress(what, p, by))
			continue
		}
		v.relays[i] = true
		out = append(out, rule{who: listKeys[i], what: what, list: true, v6: i == 1, by: by}.named())
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
func (v *network) region() string {
	for _, n := range v.r.w.Policy.Inventory.Networks {
		if n.Name == v.vpc && n.Labels["cloud/region"] != "" {
			return n.Labels["cloud/region"]
		}
	}
	for _, c := range v.r.cells {
		if c.vpc == v.vpc {
			return v.r.w.Policy.Inventory.Workloads[c.workloads[0]].Labels["cloud/region"]
		}
	}
	return ""
}
