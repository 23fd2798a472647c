package path_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
	"firebreak/internal/netset"
	"firebreak/internal/path"
)

// TestInward asks who reaches w, 10.1.0.1 of vpc-1, which is peered with vpc-2, by
// TCP 443: pages below docs.aws.amazon.com say what becomes of it.
func TestInward(t *testing.T) {
	const (
		gateways = "vpc/latest/userguide/VPC_Internet_Gateway.html"
		routes   = "vpc/latest/userguide/VPC_Route_Tables.html"
		balancer = "elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation"
		global   = "global-accelerator/latest/dg/preserve-client-ip-address.html"
		shared   = "vpc/latest/userguide/vpc-sharing-permissions.html"

		toInternet = `{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}`
		toNAT      = `{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}`
		world      = "198.51.100.7"
	)
	type row struct {
		about        string
		instance     string // fields of the instance
		interfaces   string // beside its own
		own          string // fields of its own interface
		route        string
		owner        string // of vpc-1
		incomplete   bool
		noPeer       bool   // no interface of vpc-2 is among the answers
		missing      string // a call that nobody made
		from         string
		proto        netset.Protocol
		want, source string // "allow", "deny", "?", or "" for not asked
	}
	for _, r := range []row{
		{about: "no public address", route: toInternet, want: "deny", source: gateways},
		{about: "behind NAT", route: toNAT, want: "deny", source: gateways},
		{about: "a public address", instance: `"PublicIpAddress": "203.0.113.9",`, route: toInternet, source: gateways},
		{about: "an elastic one", own: `"Association": {"PublicIp": "203.0.113.9"},`, route: toInternet, source: gateways},
		{about: "one of its second address", own: `"PrivateIpAddresses": [{"PrivateIpAddress": "10.1.0.9", "Association": {"PublicIp": "203.0.113.9"}}],`, route: toInternet, source: gateways},
		{about: "from the VPC's own addresses", route: toInternet, from: "10.1.0.77", want: "", source: routes},
		{about: "from elsewhere inside", route: toInternet, from: "172.16.3.4", want: "", source: routes},
		{about: "over IPv6, which it has not", route: toInternet, from: "2001:db8::1", want: "", source: gateways},
		{about: "routes to a transit gateway", route: `{"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1", "State": "active"}`, want: "?", source: routes},
		{about: "to an appliance", route: `{"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "eni-9", "State": "active"}`, want: "?", source: routes},
		{about: "that is gone", route: `{"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "eni-9", "State": "blackhole"}`, want: "deny", source: routes},
		{about: "of a kind that nobody knows", route: `{"DestinationCidrBlock": "198.51.100.0/24", "NewGatewayId": "x-9", "State": "active"}`, want: "?", source: routes},
		{about: "to a VPN that has public addresses", route: toInternet + `, {"DestinationCidrBlock": "198.51.100.0/24", "GatewayId": "vgw-1", "State": "active"}`, want: "", source: routes},
		{about: "and not from others", route: toInternet + `, {"DestinationCidrBlock": "198.51.100.0/24", "GatewayId": "vgw-1", "State": "active"}`, from: "203.0.113.1", want: "deny", source: routes},
		{about: "but for datagrams", route: toInternet + `, {"DestinationCidrBlock": "198.51.100.0/24", "GatewayId": "vgw-1", "State": "active"}`, from: "203.0.113.1", proto: netset.UDP, want: "?", source: routes},
		{about: "datagrams where there is no such way", route: toInternet, proto: netset.UDP, want: "deny", source: routes},
		{about: "a network load balancer", interfaces: `{"NetworkInterfaceId": "eni-lb", "VpcId": "vpc-1", "InterfaceType": "network_load_balancer", "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "?", source: balancer},
		{about: "in a peer", interfaces: `{"NetworkInterfaceId": "eni-lb", "VpcId": "vpc-2", "InterfaceType": "network_load_balancer", "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "?", source: balancer},
		{about: "elsewhere", interfaces: `{"NetworkInterfaceId": "eni-lb", "VpcId": "vpc-3", "InterfaceType": "network_load_balancer", "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "deny", source: balancer},
		{about: "an internal one", interfaces: `{"NetworkInterfaceId": "eni-lb", "VpcId": "vpc-1", "InterfaceType": "network_load_balancer"}`, route: toNAT, want: "deny", source: balancer},
		{about: "an application's", interfaces: `{"NetworkInterfaceId": "eni-lb", "VpcId": "vpc-1", "InterfaceType": "interface", "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "deny", source: balancer},
		{about: "an accelerator", interfaces: `{"NetworkInterfaceId": "eni-ga", "VpcId": "vpc-1", "InterfaceType": "global_accelerator_managed"}`, route: toNAT, want: "?", source: global},
		{about: "an instance that forwards", interfaces: `{"NetworkInterfaceId": "eni-f", "VpcId": "vpc-1", "InterfaceType": "interface", "SourceDestCheck": false, "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "?", source: gateways},
		{about: "a NAT gateway", interfaces: `{"NetworkInterfaceId": "eni-n", "VpcId": "vpc-1", "InterfaceType": "nat_gateway", "SourceDestCheck": false, "Association": {"PublicIp": "203.0.113.8"}}`, route: toNAT, want: "deny", source: gateways},
		{about: "a VPC of somebody else", owner: "8", route: toNAT, want: "?", source: shared},
		{about: "peers that are not all known", incomplete: true, route: toNAT, want: "?", source: balancer},
		{about: "a peer in a Region that was not asked", noPeer: true, route: toNAT, want: "?", source: balancer},
		{about: "nobody asked for routes", missing: "describe-route-tables", route: toNAT, want: "none"},
		{about: "nobody asked for interfaces", missing: "describe-network-interfaces", route: toNAT, want: "none"},
	} {
		owner, others := r.owner, r.interfaces
		if owner == "" {
			owner = "1"
		}
		if others != "" {
			others = "," + others
		}
		if !r.noPeer {
			others += `, {"NetworkInterfaceId": "eni-p", "VpcId": "vpc-2", "InterfaceType": "interface"}`
		}
		files := fstest.MapFS{}
		for name, text := range map[string]string{
			"describe-instances":          `{"Reservations": [{"OwnerId": "1", "Instances": [{` + r.instance + `"InstanceId": "w", "VpcId": "vpc-1"}]}]}`,
			"describe-network-interfaces": `{"NetworkInterfaces": [{` + r.own + `"NetworkInterfaceId": "eni-w", "VpcId": "vpc-1", "InterfaceType": "interface", "Attachment": {"InstanceId": "w"}}` + others + `]}`,
			"describe-route-tables":       `{"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "PropagatingVgws": [], "Routes": [{"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local"}, {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}, ` + r.route + `]}]}`,
			"describe-vpcs":               fmt.Sprintf(`{"Vpcs": [{"VpcId": "vpc-1", "OwnerId": %q}, {"VpcId": "vpc-2", "OwnerId": "1"}]}`, owner),
		} {
			if name != r.missing {
				files[name+".json"] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		var names []string
		for name := range files {
			names = append(names, name)
		}
		answers, diags := aws.Read(files, names)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		w := inventory.Workload{Name: "w", Labels: map[string]string{"net/vpc": "vpc-1"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{w}, Networks: []inventory.Network{
			{Name: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Peers: []string{"vpc-2"}, Complete: !r.incomplete}, {Name: "vpc-2"}, {Name: "vpc-3"}}}
		l := path.Inward(inv, answers)
		if l == nil {
			if r.want != "none" {
				t.Errorf("%s: nothing is said", r.about)
			}
			continue
		}
		from := r.from
		if from == "" {
			from = world
		}
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr(from)}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: max(r.proto, netset.TCP), Port: 443}, nil)
		got := strings.Replace(v.Lower.String(), "abstain", "", 1)
		if v.Lower != v.Upper {
			got = "?"
		}
		if got != r.want {
			t.Errorf("%s: %q (%s to %s), want %q (docs.aws.amazon.com/%s)", r.about, got, v.Lower, v.Upper, r.want, r.source)
		}
	}
}
