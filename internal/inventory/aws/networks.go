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
	alone := c.complete()
	for i := range c.a.Vpcs {
		v := &c.a.Vpcs[i]
		var blocks []string
		for _, b := range v.CidrBlockAssociationSet {
			if state := b.CidrBlockState.State; state == "" || state == "associated" {
				blocks = append(blocks, b.CidrBlock)
			}
		}
		blocks = append(append(blocks, v.CidrBlock), ipv6(v.Ipv6CidrBlockAssociationSet)...)
		c.network(inventory.Network{Name: v.VpcId, Peers: peers[v.VpcId], Complete: alone(v), Source: v.Pos}, blocks, v.OwnerId, v.Tags)
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

// complete returns what says of a VPC whether its peers are all known. Those that
// ask about a VPC of another account's (a subnet of it is shared with them) are
// shown no attachment of it, and those that are attached to another account's
// transit gateway are shown nobody else there
// (docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing-permissions.html,
// docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-share.html).
func (c *collector) complete() func(*answers.Vpc) bool {
	asked := c.a.Accounts()
	shut := map[string]bool{} // gateways of which all VPCs are known
	for i := range c.a.GatewayAttachments {
		t := &c.a.GatewayAttachments[i]
		_, seen := shut[t.TransitGatewayId]
		ends := slices.Contains([]string{"vpc", "vpn", "direct-connect-gateway", "connect"}, t.ResourceType) // and leads to no other gateway
		shut[t.TransitGatewayId] = (!seen || shut[t.TransitGatewayId]) && ends && asked[t.TransitGatewayOwnerId]
	}
	if c.a.Missing("describe-transit-gateway-attachments") {
		shut = nil
	}
	open := map[string]bool{}
	for i := range c.a.Attachments {
		if t := &c.a.Attachments[i]; !shut[t.TransitGatewayId] {
			open[t.VpcId] = true
		}
	}
	return func(v *answers.Vpc) bool {
		foreign := v.OwnerId != "" && len(asked) > 0 && !asked[v.OwnerId]
		return c.a.Any() && !c.a.Open() && !foreign && !open[v.VpcId]
	}
}
