package awssg_test

import (
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

// TestFamilies asks about ends that have not the same families of addresses: of
// those with both only the addresses count that the other end can talk to
// (docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html: "IPv4 and
// IPv6 communication are separate").
func TestFamilies(t *testing.T) {
	addrs := map[string]string{"four": "10.1.0.1", "six": "2001:db8:1::2", "both": "10.1.0.3 2001:db8:1::3", "peer": "10.1.0.4 2001:db8:1::4", "two": "10.1.0.5 10.1.9.5 2001:db8:1::5", "none": ""}
	inv := &inventory.Snapshot{}
	var interfaces []any
	for _, name := range []string{"both", "four", "none", "peer", "six", "two"} {
		w := inventory.Workload{Name: name, Labels: map[string]string{"net/vpc": "vpc-1"}}
		group := "sg-2"
		if name != "peer" {
			group = "sg-1"
		}
		face := object{"NetworkInterfaceId": name, "VpcId": "vpc-1", "Status": "in-use", "Groups": []any{object{"GroupId": group, "GroupName": group}}}
		var v4, v6 []any
		for _, a := range strings.Fields(addrs[name]) {
			w.Addresses = append(w.Addresses, netip.MustParseAddr(a))
			if strings.Contains(a, ":") {
				v6 = append(v6, object{"Ipv6Address": a})
			} else {
				v4 = append(v4, object{"PrivateIpAddress": a})
			}
		}
		face["PrivateIpAddresses"], face["Ipv6Addresses"] = v4, v6
		inv.Workloads, interfaces = append(inv.Workloads, w), append(interfaces, face)
	}
	party := func(name string) layer.Party {
		for i := range inv.Workloads {
			if inv.Workloads[i].Name == name {
				return layer.Party{Workload: &inv.Workloads[i]}
			}
		}
		return layer.Party{Addr: netip.MustParseAddr(name)}
	}
	const tcp, icmp, all = "tcp", "icmp", "-1"
	for _, r := range []struct {
		about, proto, peer string // of the only rule of sg-1, for what goes out and comes in
		from, to           string
		want               string
	}{
		{"IPv4 towards both", all, "0.0.0.0/0", "four", "peer", "allow"},
		{"and no IPv6", all, "::/0", "four", "peer", "deny"},
		{"in, from both", all, "0.0.0.0/0", "peer", "four", "allow"},
		{"in, and no IPv6", all, "::/0", "peer", "four", "deny"},
		{"IPv6 towards both", all, "::/0", "six", "peer", "allow"},
		{"and no IPv4", all, "0.0.0.0/0", "six", "peer", "deny"},
		{"both towards both, IPv4 alone", all, "0.0.0.0/0", "both", "peer", "?"},
		{"both towards both, IPv6 alone", all, "::/0", "both", "peer", "?"},
		{"unknown families towards both", all, "0.0.0.0/0", "none", "peer", "?"},
		{"two of IPv4, one of them", all, "10.1.0.0/24", "four", "two", "?"},
		{"two of IPv4, none of them", all, "10.7.0.0/24", "four", "two", "deny"},
		{"two of IPv4, both of them", all, "10.1.0.0/16", "four", "two", "allow"},
		{"one of IPv4, that one", tcp, "10.1.0.4/32", "four", "peer", "allow"},
		{"one of IPv4, another", tcp, "10.1.0.5/32", "four", "peer", "deny"},
		{"by group, IPv4", icmp, "sg-2", "four", "peer", "allow"},
		{"by group, of another family", icmp, "sg-2", "six", "peer", "deny"},
		{"by group, some of both", icmp, "sg-2", "both", "peer", "?"},
		{"by group, whatever the family", all, "sg-2", "both", "peer", "allow"},
		{"an address of the other family", all, "::/0", "four", "2001:db8::9", "allow"}, // no packets go there
	} {
		p := object{"IpProtocol": r.proto}
		switch {
		case strings.HasPrefix(r.peer, "sg"):
			p["UserIdGroupPairs"] = []any{object{"GroupId": r.peer, "UserId": "1"}}
		case strings.Contains(r.peer, ":"):
			p["Ipv6Ranges"] = []any{object{"CidrIpv6": r.peer}}
		default:
			p["IpRanges"] = []any{object{"CidrIp": r.peer}}
		}
		if r.proto == tcp {
			p["FromPort"], p["ToPort"] = 80, 80
		}
		if r.proto == icmp {
			p["FromPort"], p["ToPort"] = -1, -1
		}
		open := []any{object{"IpProtocol": "-1", "IpRanges": []any{object{"CidrIp": "0.0.0.0/0"}}, "Ipv6Ranges": []any{object{"CidrIpv6": "::/0"}}}}
		fsys := file("describe-security-groups.json", object{"SecurityGroups": []any{
			object{"GroupId": "sg-1", "GroupName": "one", "OwnerId": "1", "VpcId": "vpc-1", "IpPermissions": []any{p}, "IpPermissionsEgress": []any{p}},
			object{"GroupId": "sg-2", "GroupName": "two", "OwnerId": "1", "VpcId": "vpc-1", "IpPermissions": open, "IpPermissionsEgress": open},
		}})
		fsys["describe-network-interfaces.json"] = file("x", object{"NetworkInterfaces": interfaces})["x"]
		l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: inv})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		c := layer.Conversation{From: party(r.from), To: party(r.to), Protocol: netset.TCP, Port: 80}
		if r.proto == icmp {
			c.Protocol = netset.ICMP
		}
		// Only sg-1's end is asked: the other lets everything pass.
		v := l.Tables[0].Decide(c, nil)
		if r.from == "peer" {
			v = l.Tables[1].Decide(c, nil)
		}
		got := v.Lower.String()
		if v.Lower != v.Upper {
			got = "?"
		}
		if got != r.want {
			t.Errorf("%s: %s to %s, want %s", r.about, v.Lower, v.Upper, r.want)
		}
	}
}
