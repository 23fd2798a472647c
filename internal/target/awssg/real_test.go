package awssg_test

import (
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
)

// real is an estate as AWS shows it: the groups of the rows, and beside them the
// interface of a NAT gateway, which has no group, and one that nobody knows.
func real(r row, more ...inventory.Network) (inv *inventory.Snapshot, ask func(files map[string]any, from, to int) layer.Verdict, lift func(files map[string]any) *layer.Layer) {
	inv = &inventory.Snapshot{Networks: more}
	for _, g := range rowGroups {
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: g.workload, Host: "eni-" + g.workload, Labels: map[string]string{"net/vpc": g.vpc}})
	}
	inv.Workloads = append(inv.Workloads,
		inventory.Workload{Name: "eni-nat", Labels: map[string]string{"net/vpc": "vpc-1"}},
		inventory.Workload{Name: "stranger", Labels: map[string]string{"net/vpc": "vpc-1"}})
	lift = func(files map[string]any) *layer.Layer {
		folder := asAnswers(r)
		for name, x := range files {
			folder[name] = file("x", x)["x"]
		}
		l, _ := awssg.Target{}.Lift(&target.Source{Folder: live.Open(folder), Inventory: inv, Estate: "e"})
		return l
	}
	ask = func(files map[string]any, from, to int) layer.Verdict {
		return lift(files).Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[from]}, To: layer.Party{Workload: &inv.Workloads[to]}, Protocol: netset.TCP, Port: 80}, nil)
	}
	return inv, ask, lift
}

// TestDoubtStaysWhereItIs reads a VPC with the interface of a NAT gateway and with
// a workload of which no interface is known: nothing else is less known by it.
func TestDoubtStaysWhereItIs(t *testing.T) {
	open := row{rules: []said{{proto: "-1", peer: "0.0.0.0/0"}, {egress: true, proto: "-1", peer: "0.0.0.0/0"}}}
	_, ask, lift := real(open)
	bare := map[string]any{"describe-network-interfaces.2.json": object{"NetworkInterfaces": []any{object{"NetworkInterfaceId": "eni-nat", "VpcId": "vpc-1", "InterfaceType": "nat_gateway", "PrivateIpAddress": "10.1.0.9", "Groups": []any{}}}}}
	for _, p := range lift(bare).Points {
		if p.Unknown != "" {
			t.Errorf("all of %s is unknown: %s", p.Name, p.Unknown)
		}
	}
	if v := ask(bare, 1, 0); v.Lower != layer.Allow || v.Upper != layer.Allow {
		t.Errorf("between known interfaces: %+v", v)
	}
	if v := ask(bare, 4, 0); v.Lower != layer.Allow {
		t.Errorf("from what has no group to what is open: %+v", v)
	}
	if v := ask(bare, 0, 5); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("to a workload of which no interface is known: %+v", v)
	}
	delete(bare["describe-network-interfaces.2.json"].(object)["NetworkInterfaces"].([]any)[0].(object), "Groups")
	if v := ask(bare, 1, 4); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("to an interface of which the answer does not say its groups: %+v", v)
	}
	bare["describe-network-interfaces.2.json"].(object)["NetworkInterfaces"].([]any)[0].(object)["Groups"] = []any{}
	shut := row{rules: []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}}
	_, ask, _ = real(shut)
	if v := ask(bare, 4, 0); v.Upper != layer.Deny {
		t.Errorf("what has no group is in none: %+v", v)
	}
}

// TestTransitGateway reads a rule that names a group across a transit gateway: it
// holds only if gateway and attachments are set so.
func TestTransitGateway(t *testing.T) {
	_, ask, _ := real(row{rules: []said{{proto: "tcp", from: 80, to: 80, peer: "g4"}}}, inventory.Network{Name: "vpc-1", Complete: true, Peers: []string{"vpc-2", "vpc-3"}}, inventory.Network{Name: "vpc-3", Complete: true})
	attached := func(option string) map[string]any {
		var list []any
		for _, vpc := range []string{"vpc-1", "vpc-3"} {
			list = append(list, object{"TransitGatewayId": "tgw-1", "VpcId": vpc, "State": "available", "Options": object{"SecurityGroupReferencingSupport": option}})
		}
		return map[string]any{"describe-transit-gateway-vpc-attachments.json": object{"TransitGatewayVpcAttachments": list}}
	}
	if v := ask(attached("enable"), 3, 0); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("attachments that would let rules name groups, of a gateway that nobody asked about: %+v", v)
	}
	if v := ask(attached("disable"), 3, 0); v.Upper != layer.Deny {
		t.Errorf("attachments that do not let rules name groups: %+v", v)
	}
}

// TestSeveralAccounts reads the answers of two accounts that share a VPC, or whose
// VPCs are peered: a rule of one names a group of the other.
func TestSeveralAccounts(t *testing.T) {
	const other = "999900001111"
	_, ask, _ := real(row{rules: []said{{proto: "tcp", from: 80, to: 80, peer: "g2"}}})
	named := func(groups ...any) any {
		return object{"SecurityGroups": append([]any{object{"GroupId": id("g1"), "GroupName": "g1", "OwnerId": "111122223333", "VpcId": "vpc-1", "IpPermissions": []any{
			object{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": []any{object{"GroupId": id("g2"), "UserId": other}}}}}}, groups...)}
	}
	theirs := object{"GroupId": id("g2"), "GroupName": "g2", "OwnerId": other, "VpcId": "vpc-1", "IpPermissionsEgress": []any{object{"IpProtocol": "-1", "IpRanges": []any{object{"CidrIp": "0.0.0.0/0"}}}}}
	face := func(w, addr, group, owner string) any {
		return object{"NetworkInterfaceId": "eni-" + w, "VpcId": "vpc-1", "OwnerId": owner, "PrivateIpAddress": addr, "Groups": []any{object{"GroupId": id(group), "GroupName": group}}}
	}
	w1, w2 := face("w1", "10.1.0.1", "g1", "111122223333"), face("w2", "10.1.0.2", "g2", other)
	both := map[string]any{"describe-security-groups.json": named(theirs), "describe-network-interfaces.json": object{"NetworkInterfaces": []any{w1, w2}}}
	if v := ask(both, 1, 0); v.Lower != layer.Allow {
		t.Errorf("a member of the other account's group: %+v", v)
	}
	if v := ask(both, 2, 0); v.Upper != layer.Deny {
		t.Errorf("somebody else: %+v", v)
	}
	both["describe-network-interfaces.json"] = object{"NetworkInterfaces": []any{w1}}
	if v := ask(both, 2, 0); v.Lower != layer.Deny || v.Upper != layer.Allow {
		t.Errorf("the other account's interfaces were not asked for: %+v", v)
	}
}
