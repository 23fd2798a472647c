package gen

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/inventory"
)

// zones are how many availability zones a region has. A network has a subnet in
// each of them for each class of data.
const (
	zones      = 3
	numSubnets = 4 * zones // by class, then by zone
)

// subnet is a part of a network. One without workloads does not exist.
type subnet struct {
	size int    // workloads in it
	base uint32 // as a place's
	bits int    // of its CIDR
}

// reserved are the first addresses of every subnet: its own, and the platform's
// (docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html). The last one is
// nobody's either.
const reserved = 4

// minSubnet is the least size of a subnet: room for some growth.
const minSubnet = 64

// networkWords are what providers' networks are called.
var networkWords = map[string]string{"aws": "vpc", "azure": "vnet", "gcp": "net", "onprem": "lan"}

// lay gives a place and its subnets the addresses from base on, and returns where
// the next place may begin. The largest subnets come first, so that there are no
// gaps.
func (p *place) lay(base uint32) uint32 {
	order := make([]int, 0, numSubnets)
	total := uint32(0)
	for i := range p.subnets {
		if s := &p.subnets[i]; s.size > 0 {
			room := max(minSubnet, powerOf2(s.size+reserved+1))
			s.bits = 32 - bits.TrailingZeros32(room)
			total += room
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.subnets[a].bits, p.subnets[b].bits) })
	room := powerOf2(int(total))
	p.bits = 32 - bits.TrailingZeros32(room)
	p.base = (base + room - 1) / room * room
	next := p.base
	for _, i := range order {
		p.subnets[i].base = next
		next += 1 << (32 - p.subnets[i].bits)
	}
	return p.base + room
}

// powerOf2 returns the least power of 2 that is not less than n.
func powerOf2(n int) uint32 { return 1 << bits.Len32(uint32(n-1)) }

// seat is where the i-th workload of a group is: the number of its subnet, and
// which of the subnet's workloads it is.
func (g *group) seat(class, i int) (subnet, n int) {
	return class*zones + i%zones, g.at[i%zones] + i/zones
}

func at10(offset uint32) netip.Addr {
	v := 10<<24 | offset
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// address is that of the n-th workload of a subnet.
func (p *place) address(subnet, n int) netip.Addr {
	return at10(p.subnets[subnet].base + reserved + uint32(n))
}

// address6 is the same in IPv6: fd00:0:PLACE:SUBNET::N.
func (p *place) address6(subnet, n int) netip.Addr {
	n += reserved
	a := [16]byte{0: 0xfd, 4: byte(p.number >> 8), 5: byte(p.number), 7: byte(subnet), 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
	return netip.AddrFrom16(a)
}

// subnetName names a subnet of a place.
func (e *estate) subnetName(p *place, subnet int) string {
	return "subnet-" + strconv.FormatUint(hash(e.Seed, 300_000+p.number)>>36, 16) + fmt.Sprintf("%x", subnet)
}

// routed reports whether two places exchange packets: those of one provider, in
// one region and one environment. AWS accounts of prod do not: a service network
// leads from one to the other.
func routed(a, b *place) bool {
	return a.number != b.number && a.provider == b.provider && a.region == b.region && a.env == b.env && (a.provider != "aws" || envs[a.env] != "prod")
}

// networkFile says which networks and subnets there are.
const networkFile = "inventory/networks.yaml"

func (w *writer) networks() {
	w.begin(networkFile, "networks, and their subnets")
	for _, n := range w.networkValues() {
		w.printf("---\nkind: Network\nmetadata: {name: %s", n.Name)
		if n.Within == "" {
			w.printf(", labels: {cloud/provider: %s, cloud/account: \"%s\", cloud/region: %s}", n.Labels["cloud/provider"], n.Labels["cloud/account"], n.Labels["cloud/region"])
		}
		w.printf("}\nspec:\n  cidrs: [")
		for i, c := range n.CIDRs {
			w.printf("%s%q", strings.Repeat(", ", min(i, 1)), c)
		}
		w.printf("]\n")
		if n.Within != "" {
			w.printf("  within: %s\n", n.Within)
		} else if len(n.Peers) > 0 {
			w.printf("  peers: [%s]\n", strings.Join(n.Peers, ", "))
		}
	}
}

// networkValues are the networks and subnets as an inventory reader makes them,
// in the order of places.
func (e *estate) networkValues() []inventory.Network {
	var out []inventory.Network
	for i := range e.places {
		p := &e.places[i]
		n := inventory.Network{
			Name: p.vpc, CIDRs: []netip.Prefix{netip.PrefixFrom(at10(p.base), p.bits)},
			Complete: true,
			Labels:   map[string]string{"cloud/provider": p.provider, "cloud/account": p.account, "cloud/region": p.region},
		}
		if p.dual {
			n.CIDRs = append(n.CIDRs, netip.PrefixFrom(p.address6(0, -reserved), 48))
		}
		for k := range e.places {
			if routed(p, &e.places[k]) {
				n.Peers = append(n.Peers, e.places[k].vpc)
			}
		}
		slices.Sort(n.Peers)
		out = append(out, n)
		for k, s := range p.subnets {
			if s.size == 0 {
				continue
			}
			sub := inventory.Network{Name: e.subnetName(p, k), Within: p.vpc, CIDRs: []netip.Prefix{netip.PrefixFrom(at10(s.base), s.bits)}}
			if p.dual {
				sub.CIDRs = append(sub.CIDRs, netip.PrefixFrom(p.address6(k, -reserved), 64))
			}
			out = append(out, sub)
		}
	}
	return out
}
