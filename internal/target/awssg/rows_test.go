package awssg_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

const (
	rulesPage   = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"
	peeringPage = "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html"
	permission  = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"
)

// said is a rule of the group g1; peer is a CIDR or a group.
type said struct {
	egress   bool
	proto    string
	from, to int
	peer     string
}

// row is what AWS's documentation says about one conversation. w1 is in g1 of
// vpc-1, w2 in g2 of vpc-1, w3 in g3 of vpc-2, which is peered with vpc-1, w4 in g4
// of vpc-3, which is not. All groups but g1 let everything pass.
type row struct {
	about    string
	rules    []said
	from, to string // workloads or addresses
	proto    netset.Protocol
	port     uint16
	want     layer.Effect
	unknown  bool
	source   string
}

var rows = []row{
	{"no rule allows nothing in", nil, "w2", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"no rule allows nothing out", nil, "w1", "w2", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"a range allows what is in it", []said{{proto: "tcp", from: 80, to: 80, peer: "10.1.0.0/24"}}, "w2", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"and no other port", []said{{proto: "tcp", from: 80, to: 80, peer: "10.1.0.0/24"}}, "w2", "w1", netset.TCP, 81, layer.Deny, false, rulesPage},
	{"and no other protocol", []said{{proto: "tcp", from: 80, to: 80, peer: "10.1.0.0/24"}}, "w2", "w1", netset.UDP, 80, layer.Deny, false, rulesPage},
	{"and nobody else", []said{{proto: "tcp", from: 80, to: 80, peer: "10.1.0.0/24"}}, "w3", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"ports of a range, the last", []said{{proto: "tcp", from: 80, to: 90, peer: "0.0.0.0/0"}}, "198.51.100.1", "w1", netset.TCP, 90, layer.Allow, false, permission},
	{"ports of a range, behind it", []said{{proto: "tcp", from: 80, to: 90, peer: "0.0.0.0/0"}}, "198.51.100.1", "w1", netset.TCP, 91, layer.Deny, false, permission},
	{"-1 is all traffic", []said{{proto: "-1", peer: "0.0.0.0/0"}}, "198.51.100.1", "w1", netset.Other, 0, layer.Allow, false, permission},
	{"0.0.0.0/0 holds no IPv6", []said{{proto: "-1", peer: "0.0.0.0/0"}}, "2001:db8::1", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"::/0 holds IPv6", []said{{proto: "-1", peer: "::/0"}}, "2001:db8::1", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"::/0 holds no IPv4", []said{{proto: "-1", peer: "::/0"}}, "198.51.100.1", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"ICMP, all types", []said{{proto: "icmp", from: -1, to: -1, peer: "0.0.0.0/0"}}, "w2", "w1", netset.ICMP, 0, layer.Allow, false, permission},
	{"ICMP is no TCP", []said{{proto: "icmp", from: -1, to: -1, peer: "0.0.0.0/0"}}, "w2", "w1", netset.TCP, 80, layer.Deny, false, permission},
	{"some types of ICMP", []said{{proto: "icmp", from: 8, to: -1, peer: "0.0.0.0/0"}}, "w2", "w1", netset.ICMP, 0, layer.Deny, true, permission},
	{"errors of ICMP are no conversation", []said{{proto: "icmp", from: 3, to: 4, peer: "0.0.0.0/0"}}, "w2", "w1", netset.ICMP, 0, layer.Deny, false, permission},
	{"a group means its members", []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}, "w2", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"and nobody else", []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}, "w3", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"not even its own members", []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}, "10.1.0.77", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"a group of a peered VPC", []said{{proto: "tcp", from: 80, to: 80, peer: "g3"}}, "w3", "w1", netset.TCP, 80, layer.Allow, false, peeringPage},
	{"a group of a VPC that is not peered", []said{{proto: "tcp", from: 80, to: 80, peer: "g4"}}, "w4", "w1", netset.TCP, 80, layer.Deny, false, peeringPage},
	{"an address of a VPC that is not peered", []said{{proto: "tcp", from: 80, to: 80, peer: "10.3.0.4/32"}}, "w4", "w1", netset.TCP, 80, layer.Allow, false, peeringPage},
	{"a rule for what comes in lets nothing out", []said{{proto: "-1", peer: "0.0.0.0/0"}}, "w1", "w2", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"a rule for what goes out lets nothing in", []said{{egress: true, proto: "-1", peer: "0.0.0.0/0"}}, "w2", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"a rule for what goes out", []said{{egress: true, proto: "udp", from: 53, to: 53, peer: "g2"}}, "w1", "w2", netset.UDP, 53, layer.Allow, false, rulesPage},
	{"rules add up", []said{{proto: "tcp", from: 22, to: 22, peer: "g3"}, {proto: "tcp", from: 80, to: 80, peer: "g2"}}, "w2", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"SCTP has no ports here", []said{{proto: "132", peer: "0.0.0.0/0"}}, "w2", "w1", netset.SCTP, 7, layer.Allow, false, permission},
	{"one protocol of those without ports", []said{{proto: "47", peer: "0.0.0.0/0"}}, "w2", "w1", netset.Other, 0, layer.Deny, true, permission},
}

var rowGroups = []struct{ group, vpc, workload, addr string }{{"g1", "vpc-1", "w1", "10.1.0.1"}, {"g2", "vpc-1", "w2", "10.1.0.2"}, {"g3", "vpc-2", "w3", "10.2.0.3"}, {"g4", "vpc-3", "w4", "10.3.0.4"}}

// everyRule lets everything pass for the groups that a row is not about.
func everyRule(r row) map[string][]said {
	out := map[string][]said{"g1": r.rules}
	for _, g := range []string{"g2", "g3", "g4"} {
		for _, egress := range []bool{false, true} {
			out[g] = append(out[g], said{egress: egress, proto: "-1", peer: "0.0.0.0/0"}, said{egress: egress, proto: "-1", peer: "::/0"})
		}
	}
	return out
}

func id(group string) string { return "sg-0000000" + group[1:] }

func (s said) kind() string {
	if s.egress {
		return "aws_vpc_security_group_egress_rule"
	}
	return "aws_vpc_security_group_ingress_rule"
}

func (s said) values() map[string]any {
	v := map[string]any{"ip_protocol": s.proto}
	if s.proto != "-1" && s.proto != "132" && s.proto != "47" {
		v["from_port"], v["to_port"] = s.from, s.to
	}
	switch {
	case strings.Contains(s.peer, ":"):
		v["cidr_ipv6"] = s.peer
	case strings.Contains(s.peer, "/"):
		v["cidr_ipv4"] = s.peer
	}
	return v
}

func asConfiguration(r row) fstest.MapFS {
	var b strings.Builder
	b.WriteString("resource \"aws_vpc_peering_connection\" \"p\" {\n  vpc_id = \"vpc-1\"\n  peer_vpc_id = \"vpc-2\"\n}\n")
	rules := everyRule(r)
	for _, g := range rowGroups {
		fmt.Fprintf(&b, "resource \"aws_security_group\" %q {\n  name = %q\n  vpc_id = %q\n}\n", g.group, g.group, g.vpc)
		fmt.Fprintf(&b, "resource \"aws_network_interface\" %q {\n  subnet_id = \"subnet-1\"\n  private_ips = [%q]\n  security_groups = [aws_security_group.%s.id]\n  tags = { Name = %q }\n}\n", g.workload, g.addr, g.group, g.workload)
		for i, s := range rules[g.group] {
			fmt.Fprintf(&b, "resource %q \"%s-%d\" {\n  security_group_id = aws_security_group.%s.id\n", s.kind(), g.group, i, g.group)
			for k, v := range s.values() {
				text, _ := json.Marshal(v)
				fmt.Fprintf(&b, "  %s = %s\n", k, text)
			}
			if strings.HasPrefix(s.peer, "g") {
				fmt.Fprintf(&b, "  referenced_security_group_id = aws_security_group.%s.id\n", s.peer)
			}
			b.WriteString("}\n")
		}
	}
	return fstest.MapFS{"main.tf": {Data: []byte(b.String())}}
}

type object = map[string]any

func file(name string, v any) fstest.MapFS {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return fstest.MapFS{name: {Data: data}}
}

// resourcesOf lists the resources of a row; ids are given where they are known.
func resourcesOf(r row, known bool) (resources, changes, config []any) {
	add := func(kind, name string, values object, refs map[string]string) {
		unknown := object{"id": true}
		expressions := object{}
		for field, group := range refs {
			expressions[field] = object{"references": []string{"aws_security_group." + group + ".id", "aws_security_group." + group}}
			value := any(id(group))
			if field == "security_groups" {
				value = []any{id(group)}
			}
			if known {
				values[field] = value
			} else {
				unknown[field] = true
			}
		}
		if known && kind == "aws_security_group" {
			values["id"] = id(name)
		}
		address := kind + "." + name
		resources = append(resources, object{"address": address, "mode": "managed", "type": kind, "name": name, "provider_name": "registry.terraform.io/hashicorp/aws", "values": values})
		changes = append(changes, object{"address": address, "mode": "managed", "type": kind, "name": name, "change": object{"actions": []string{"create"}, "before": nil, "after": values, "after_unknown": unknown}})
		config = append(config, object{"address": address, "mode": "managed", "type": kind, "name": name, "expressions": expressions})
	}
	rules := everyRule(r)
	add("aws_vpc_peering_connection", "p", object{"vpc_id": "vpc-1", "peer_vpc_id": "vpc-2"}, nil)
	for _, g := range rowGroups {
		add("aws_security_group", g.group, object{"name": g.group, "vpc_id": g.vpc}, nil)
		add("aws_network_interface", g.workload, object{"subnet_id": "subnet-1", "private_ips": []string{g.addr}, "tags": object{"Name": g.workload}}, map[string]string{"security_groups": g.group})
		for i, s := range rules[g.group] {
			refs := map[string]string{"security_group_id": g.group}
			if strings.HasPrefix(s.peer, "g") {
				refs["referenced_security_group_id"] = s.peer
			}
			add(s.kind(), fmt.Sprintf("%s-%d", g.group, i), s.values(), refs)
		}
	}
	return resources, changes, config
}

func asPlan(r row) fstest.MapFS {
	resources, changes, config := resourcesOf(r, false)
	return file("x.tfplan.json", object{
		"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": object{"root_module": object{"resources": resources}},
		"resource_changes": changes, "configuration": object{"root_module": object{"resources": config}},
	})
}

func asState(r row) fstest.MapFS {
	resources, _, _ := resourcesOf(r, true)
	return file("x.tfstate.json", object{"format_version": "1.0", "terraform_version": "1.11.4", "values": object{"root_module": object{"resources": resources}}})
}

func asAnswers(r row) fstest.MapFS {
	var groups, interfaces []any
	rules := everyRule(r)
	for _, g := range rowGroups {
		in, out := []any{}, []any{}
		for _, s := range rules[g.group] {
			p := object{"IpProtocol": s.proto, "IpRanges": []any{}, "Ipv6Ranges": []any{}, "PrefixListIds": []any{}, "UserIdGroupPairs": []any{}}
			if v := s.values(); v["from_port"] != nil {
				p["FromPort"], p["ToPort"] = s.from, s.to
			}
			switch {
			case strings.Contains(s.peer, ":"):
				p["Ipv6Ranges"] = []any{object{"CidrIpv6": s.peer}}
			case strings.Contains(s.peer, "/"):
				p["IpRanges"] = []any{object{"CidrIp": s.peer}}
			default:
				p["UserIdGroupPairs"] = []any{object{"GroupId": id(s.peer), "UserId": "111122223333"}}
			}
			if s.egress {
				out = append(out, p)
			} else {
				in = append(in, p)
			}
		}
		groups = append(groups, object{"GroupId": id(g.group), "GroupName": g.group, "Description": "x", "OwnerId": "111122223333", "VpcId": g.vpc, "IpPermissions": in, "IpPermissionsEgress": out})
		interfaces = append(interfaces, object{"NetworkInterfaceId": "eni-" + g.workload, "VpcId": g.vpc, "PrivateIpAddress": g.addr, "Status": "in-use",
			"PrivateIpAddresses": []any{object{"PrivateIpAddress": g.addr, "Primary": true}}, "Groups": []any{object{"GroupId": id(g.group), "GroupName": g.group}}})
	}
	out := file("describe-security-groups.json", object{"SecurityGroups": groups})
	out["describe-network-interfaces.json"] = file("x", object{"NetworkInterfaces": interfaces})["x"]
	out["describe-vpc-peering-connections.json"] = file("x", object{"VpcPeeringConnections": []any{object{"VpcPeeringConnectionId": "pcx-1", "Status": object{"Code": "active"},
		"AccepterVpcInfo": object{"VpcId": "vpc-1"}, "RequesterVpcInfo": object{"VpcId": "vpc-2"}}}})["x"]
	return out
}

// TestRows holds the reader to AWS's documentation, in each of the four forms in
// which groups are written down.
func TestRows(t *testing.T) {
	forms := []struct {
		name  string
		write func(row) fstest.MapFS
	}{{"configuration", asConfiguration}, {"plan", asPlan}, {"state", asState}, {"answers", asAnswers}}
	inv := &inventory.Snapshot{}
	for _, g := range rowGroups {
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: g.workload, Labels: map[string]string{"net/vpc": g.vpc}, Addresses: []netip.Addr{netip.MustParseAddr(g.addr)}})
	}
	party := func(name string) layer.Party {
		for i := range inv.Workloads {
			if inv.Workloads[i].Name == name {
				return layer.Party{Workload: &inv.Workloads[i]}
			}
		}
		return layer.Party{Addr: netip.MustParseAddr(name)}
	}
	estate := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	judged := 0
	for _, r := range rows {
		for _, f := range forms {
			if f.name != "answers" && strings.Contains(r.about, "VPC that is not peered") && strings.HasPrefix(r.rules[0].peer, "g") {
				continue // files do not say which peerings there are not
			}
			l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(f.write(r)), Inventory: inv, Networks: estate, Estate: "e"})
			if diags.HasErrors() || len(l.Points) == 0 {
				t.Fatalf("%s, %s: %v, %d points, %v", r.about, f.name, diags, len(l.Points), l.Unknown)
			}
			v := l.Decide(layer.Conversation{From: party(r.from), To: party(r.to), Protocol: r.proto, Port: r.port}, estate)
			if v.Lower != r.want || (v.Lower != v.Upper) != r.unknown {
				t.Errorf("%s, %s: %s to %s, want %s (%s)", r.about, f.name, v.Lower, v.Upper, r.want, r.source)
			}
			judged++
		}
	}
	t.Logf("%d rows in 4 forms: %d judged", len(rows), judged)
}
