package aws

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	answers "firebreak/internal/live/aws"
)

// networks adds VPCs with their peers, and subnets.
func (c *collector) networks() {
	for i := range c.a.Subnets {
		s := &c.a.Subnets[i]
		zone := region(s.AvailabilityZone)
		if zone == "" {
			zone = regionOfARN(s.SubnetArn)
		}
		c.regions[s.SubnetId] = zone
		if c.regions[s.VpcId] == "" {
			c.regions[s.VpcId] = zone
		}
	}
	peers := c.peers()
	asked := c.a.Any() && !c.a.Open()
	for i := range c.a.Vpcs {
		v := &c.a.Vpcs[i]
		var blocks []string
		for _, b := range v.CidrBlockAssociationSet {
			if state := b.CidrBlockState.State; state == "" || state == "associated" {
				blocks = append(blocks, b.CidrBlock)
			}
		}
		blocks = append(append(blocks, v.CidrBlock), ipv6(v.Ipv6CidrBlockAssociationSet)...)
		c.network(inventory.Network{Name: v.VpcId, Peers: peers[v.VpcId], Complete: asked, Source: v.Pos}, blocks, v.OwnerId, v.Tags)
	}
	for i := range c.a.Subnets {
		s := &c.a.Subnets[i]
		c.network(inventory.Network{Name: s.SubnetId, Within: s.VpcId, Source: s.Pos}, append(ipv6(s.Ipv6CidrBlockAssociationSet), s.CidrBlock), s.OwnerId, s.Tags)
	}
}

// network adds one, with what is the same for VPCs and subnets.
func (c *collector) network(n inventory.Network, blocks []string, account string, list []answers.Tag) {
	if n.Name == "" {
		return
	}
	n.Labels = tags(list)
	for _, b := range blocks {
		if p, err := netip.ParsePrefix(b); err == nil && !slices.Contains(n.CIDRs, p.Masked()) {
			n.CIDRs = append(n.CIDRs, p.Masked())
		}
	}
	slices.SortFunc(n.CIDRs, netip.Prefix.Compare)
	put(n.Labels, "cloud/account", account)
	put(n.Labels, "cloud/region", c.regions[n.Name])
	c.part.Networks = append(c.part.Networks, n)
}

func ipv6(list []answers.VpcIpv6Cidr) []string {
	var out []string
	for _, b := range list {
		if state := b.Ipv6CidrBlockState.State; state == "" || state == "associated" {
			out = append(out, b.Ipv6CidrBlock)
		}
	}
	return out
}

// peers are, for each VPC, those that it is peered with, and those that are
// attached to the same transit gateway. Whether routes lead there, a target that
// knows routes says.
func (c *collector) peers() map[string][]string {
	out := map[string][]string{}
	join := func(a, b string) {
		if a != "" && b != "" && a != b {
			out[a], out[b] = append(out[a], b), append(out[b], a)
		}
	}
	for i := range c.a.Peerings {
		if p := &c.a.Peerings[i]; p.Status.Code == "active" {
			join(p.AccepterVpcInfo.VpcId, p.RequesterVpcInfo.VpcId)
		}
	}
	gateways := map[string][]string{}
	for i := range c.a.Attachments {
		if t := &c.a.Attachments[i]; t.State == "available" || t.State == "modifying" {
			for _, other := range gateways[t.TransitGatewayId] {
				join(other, t.VpcId)
			}
			gateways[t.TransitGatewayId] = append(gateways[t.TransitGatewayId], t.VpcId)
		}
	}
	for k := range out {
		slices.Sort(out[k])
		out[k] = slices.Compact(out[k])
	}
	return out
}
