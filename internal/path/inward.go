package path

import (
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
	"firebreak/internal/netset"
)

// noInternet are addresses that somebody may have and nobody on the Internet
// (www.iana.org/assignments/iana-ipv4-special-registry).
var noInternet = []string{"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "240.0.0.0/4"}

// quiet are the kinds of interfaces that let nobody in who keeps an address of the
// Internet: behind the load balancers among them conversations begin anew. An
// interface of another kind may.
// docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
var quiet = []string{"", "interface", "nat_gateway", "vpc_endpoint", "lambda", "efa", "efa-only", "branch", "trunk", "transit_gateway", "ec2_instance_connect_endpoint"}

// Inward returns, as a layer, what routes and addresses say of conversations that
// begin on the Internet: an instance or interface without a public IPv4 address is
// not reached from there
// (docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html), unless a
// load balancer or the like that keeps the client's address stands before it, or
// routes lead elsewhere. Of everything else it says nothing: of IPv6, of workloads
// that are no instance or interface of AWS, of what goes out. It is nil if nobody
// asked for route tables or for interfaces.
func Inward(inv *inventory.Snapshot, a *aws.Answers) *layer.Layer {
	if a == nil || a.Missing("describe-route-tables") || a.Missing("describe-network-interfaces") || a.Missing("describe-instances") {
		return nil
	}
	in := inward{inv: inv, a: a, asked: a.Accounts()}
	in.public = in.addressed()
	private := map[string][]string{}
	for i := range inv.Workloads {
		if w := &inv.Workloads[i]; in.private(w) {
			private[w.Labels["net/vpc"]] = append(private[w.Labels["net/vpc"]], w.Name)
		}
	}
	out := &layer.Layer{Target: inwardName, Modelled: true, Names: true, Timeless: true, Nameless: true}
	for i := range inv.Networks {
		n := &inv.Networks[i]
		if names := private[n.Name]; len(names) > 0 && n.Within == "" {
			slices.Sort(names)
			out.Points = append(out.Points, layer.Point{Name: n.Name, Governs: layer.Named(names...)})
			out.Tables = append(out.Tables, in.table(n, layer.Named(names...)))
		}
	}
	return out
}

const inwardName = "routes"

// inward is that layer among the estate's; nil if it is not there.
func (e *Estate) inward() *layer.Layer {
	for _, l := range e.Layers {
		if l.Target == inwardName {
			return l
		}
	}
	return nil
}

type inward struct {
	inv   *inventory.Snapshot
	a     *aws.Answers
	asked map[string]bool // accounts

	public map[string]bool // by instance and interface
}

// addressed says of the instances and interfaces that are known, by name, whether
// they have a public address.
func (in *inward) addressed() map[string]bool {
	out := map[string]bool{}
	public := func(n *aws.NetworkInterface) bool {
		return n.Association != nil || slices.ContainsFunc(n.PrivateIpAddresses, func(p aws.PrivateIpAddress) bool { return p.Association != nil })
	}
	for i := range in.a.Instances {
		x := &in.a.Instances[i]
		out[x.InstanceId] = out[x.InstanceId] || x.PublicIpAddress != ""
		for k := range x.NetworkInterfaces {
			out[x.InstanceId] = out[x.InstanceId] || public(&x.NetworkInterfaces[k])
		}
	}
	for i := range in.a.NetworkInterfaces {
		n := &in.a.NetworkInterfaces[i]
		out[n.NetworkInterfaceId] = out[n.NetworkInterfaceId] || public(n)
		if n.Attachment != nil && n.Attachment.InstanceId != "" {
			out[n.Attachment.InstanceId] = out[n.Attachment.InstanceId] || public(n)
		}
	}
	return out
}

// private reports whether a workload surely has IPv4 addresses alone, and no public
// one.
func (in *inward) private(w *inventory.Workload) bool {
	public, known := in.public[w.Name]
	return known && !public && len(w.Addresses) > 0 && !slices.ContainsFunc(w.Addresses, func(x netip.Addr) bool { return !x.Is4() })
}

// table says what becomes of conversations from the Internet to the private
// workloads of a VPC.
func (in *inward) table(vpc *inventory.Network, governs layer.Match) layer.Table {
	t := layer.Table{Name: "ways into " + vpc.Name, Direction: flow.Ingress, Governs: governs, Default: layer.Deny}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("::/0")}
	for _, p := range noInternet {
		elsewhere = append(elsewhere, netip.MustParsePrefix(p))
	}
	for i := range in.inv.Networks {
		elsewhere = append(elsewhere, in.inv.Networks[i].CIDRs...)
	}
	routed, why := in.routed(vpc.Name)
	everybody := layer.Rule{Subject: layer.Everything(), Peer: layer.Match{{Address: true}}, Traffic: netset.All()}
	abstain := everybody
	abstain.Effect, abstain.Ref.Rule = layer.Abstain, "not of the Internet"
	abstain.Peer = layer.Match{{Workload: true}, {Address: true, Prefixes: append(elsewhere, routed...)}}
	t.Tiers = append(t.Tiers, []layer.Rule{abstain})
	if why == "" {
		why = in.door(vpc)
	}
	if why != "" {
		doubt := everybody
		doubt.Effect, doubt.Ref.Rule, doubt.Unknown = layer.Allow, "ways into "+vpc.Name, "it has no public address, but "+why
		t.Tiers = append(t.Tiers, []layer.Rule{doubt})
		return t
	}
	if len(routed) > 0 { // what comes from there and needs no answer needs no way back
		late := everybody
		late.Effect, late.Ref.Rule = layer.Allow, "ways into "+vpc.Name
		late.Unknown = "it has no public address, but packets that need no answer may come by a way that leads elsewhere"
		late.Traffic = netset.All().Subtract(netset.Of(netset.TCP, 0, 65535)).Subtract(netset.Of(netset.SCTP, 0, 65535))
		t.Tiers = append(t.Tiers, []layer.Rule{late})
	}
	everybody.Ref.Rule = "no public address"
	t.Tiers = append(t.Tiers, []layer.Rule{everybody})
	return t
}

// routed lists where routes of a VPC lead but to itself, to the Internet and to
// AWS's own services; why is set where that may be the Internet's addresses, too.
func (in *inward) routed(vpc string) (to []netip.Prefix, why string) {
	known := false
	for i := range in.a.RouteTables {
		table := &in.a.RouteTables[i]
		if table.VpcId != vpc {
			continue
		}
		known = true
		for k := range table.Routes {
			r := &table.Routes[k]
			own := r.GatewayId == "local" || strings.HasPrefix(r.GatewayId, "igw-") || r.NatGatewayId != "" || r.EgressOnlyInternetGatewayId != "" ||
				strings.HasPrefix(r.GatewayId, "vpce-") && r.DestinationPrefixListId != ""
			if own && len(r.Unread) == 0 || r.DestinationIpv6CidrBlock != "" || r.State == "blackhole" {
				continue
			}
			p, err := netip.ParsePrefix(r.DestinationCidrBlock)
			if err != nil || p.Bits() == 0 || len(r.Unread) > 0 {
				return nil, "a route of " + table.RouteTableId + " leads elsewhere than to an internet or NAT gateway, from where it may be reached"
			}
			to = append(to, p.Masked())
		}
	}
	if !known {
		return nil, "no route table of " + vpc + " is among the answers"
	}
	return to, ""
}

// door says what may let conversations from the Internet into a VPC in which they
// keep their address.
func (in *inward) door(vpc *inventory.Network) string {
	if !vpc.Complete {
		return "what is connected to " + vpc.Name + " is not all known, and a load balancer there may lead to it"
	}
	for _, name := range append([]string{vpc.Name}, vpc.Peers...) {
		i := slices.IndexFunc(in.a.Vpcs, func(v aws.Vpc) bool { return v.VpcId == name })
		if i < 0 || !in.asked[in.a.Vpcs[i].OwnerId] {
			return "the owner of " + name + " was not asked for load balancers there"
		}
		if !slices.ContainsFunc(in.a.NetworkInterfaces, func(x aws.NetworkInterface) bool { return x.VpcId == name }) { // of another Region, perhaps
			return "no interface of " + name + " is among the answers to describe-network-interfaces, and there may be load balancers"
		}
	}
	for i := range in.a.NetworkInterfaces {
		n := &in.a.NetworkInterfaces[i]
		if n.VpcId != vpc.Name && !slices.Contains(vpc.Peers, n.VpcId) {
			continue
		}
		switch forwards := n.SourceDestCheck != nil && !*n.SourceDestCheck; {
		case n.Association != nil && forwards && n.InterfaceType != "nat_gateway":
			return n.NetworkInterfaceId + " has one and forwards packets, perhaps to it"
		case n.InterfaceType == "network_load_balancer" && n.Association == nil:
		case !slices.Contains(quiet, n.InterfaceType):
			return n.NetworkInterfaceId + " (" + n.InterfaceType + ") lets the Internet in, perhaps to it"
		}
	}
	return ""
}
