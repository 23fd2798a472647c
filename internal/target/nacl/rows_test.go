package nacl_test

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
	"firebreak/internal/target/nacl"
)

const (
	rulesPage = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html"
	aclPage   = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
	portsPage = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"

	linuxPage   = "https://docs.kernel.org/networking/ip-sysctl.html"
	windowsPage = "https://learn.microsoft.com/en-us/troubleshoot/windows-server/networking/default-dynamic-port-range-tcpip-chang"
)

// said is an entry of the ACL of subnet-1.
type said struct {
	number   int
	egress   bool
	action   string
	proto    string
	from, to int // ports, or type and code of ICMP
	cidr     string
}

// row is what AWS's documentation says about one conversation. w1 and w2 are in
// subnet-1, w3 is in subnet-2, whose ACL lets everything pass.
type row struct {
	about    string
	entries  []said
	from, to string // workloads or addresses
	proto    netset.Protocol
	port     uint16
	want     layer.Effect
	unknown  bool
	source   string
}

var (
	in       = said{100, false, "allow", "-1", 0, 0, "0.0.0.0/0"}
	out      = said{100, true, "allow", "-1", 0, 0, "0.0.0.0/0"}
	noneOf22 = said{90, false, "deny", "6", 22, 22, "10.2.0.0/16"}
)

var rows = []row{
	{"what no entry matches is denied", nil, "w3", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"everything in and out", []said{in, out}, "w3", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"a lower number decides", []said{noneOf22, in, out}, "w3", "w1", netset.TCP, 22, layer.Deny, false, rulesPage},
	{"of its ports", []said{noneOf22, in, out}, "w3", "w1", netset.TCP, 23, layer.Allow, false, rulesPage},
	{"of its protocol", []said{noneOf22, in, out}, "w3", "w1", netset.UDP, 22, layer.Allow, false, rulesPage},
	{"of its range", []said{noneOf22, in, out}, "198.51.100.1", "w1", netset.TCP, 22, layer.Allow, false, rulesPage},
	{"a higher number does not", []said{{110, false, "deny", "6", 22, 22, "10.2.0.0/16"}, in, out}, "w3", "w1", netset.TCP, 22, layer.Allow, false, rulesPage},
	{"the order of writing means nothing", []said{out, in, noneOf22}, "w3", "w1", netset.TCP, 22, layer.Deny, false, rulesPage},
	{"within the subnet nothing is asked", nil, "w2", "w1", netset.TCP, 80, layer.Abstain, false, aclPage},
	{"in is not out", []said{in}, "w1", "w3", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"replies of what comes in need to go out", []said{in}, "w3", "w1", netset.TCP, 80, layer.Deny, false, portsPage},
	{"to the clients' ports", []said{in, {100, true, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Allow, false, portsPage},
	{"to ports that only some clients may choose", []said{in, {100, true, "allow", "6", 80, 80, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Deny, true, portsPage},
	{"to all but the usual ones", []said{in, {90, true, "deny", "6", 1024, 65535, "0.0.0.0/0"}, out}, "w3", "w1", netset.TCP, 80, layer.Deny, true, portsPage},
	{"to none of the usual ones", []said{in, {90, true, "deny", "6", 1024, 65535, "0.0.0.0/0"}, {100, true, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Deny, false, portsPage},
	{"to some of the clients' ports", []said{in, {100, true, "allow", "6", 49152, 65535, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Deny, true, portsPage},
	{"to those that machines choose", []said{in, {100, true, "allow", "6", 32768, 65535, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Allow, false, portsPage},
	{"which are not those of whom NAT stands before", []said{in, {100, true, "allow", "6", 32768, 65535, "0.0.0.0/0"}}, "198.51.100.1", "w1", netset.TCP, 80, layer.Deny, true, portsPage},
	{"that Remote Desktop is denied stops no replies to machines", []said{out, {90, false, "deny", "6", 3389, 3389, "0.0.0.0/0"}, in}, "w1", "198.51.100.1", netset.TCP, 443, layer.Allow, false, linuxPage},
	{"nor that PostgreSQL is, to all from 1024 on", []said{out, {90, false, "deny", "6", 5432, 5432, "0.0.0.0/0"}, {100, false, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "w1", "w3", netset.TCP, 443, layer.Allow, false, windowsPage},
	{"and it is denied still", []said{out, {90, false, "deny", "6", 3389, 3389, "0.0.0.0/0"}, in}, "w3", "w1", netset.TCP, 3389, layer.Deny, false, rulesPage},
	{"the first port of Linux is denied", []said{out, {90, false, "deny", "6", 32768, 32768, "0.0.0.0/0"}, in}, "w1", "w3", netset.TCP, 443, layer.Deny, true, linuxPage},
	{"the last but it", []said{out, {90, false, "deny", "6", 32767, 32767, "0.0.0.0/0"}, in}, "w1", "w3", netset.TCP, 443, layer.Allow, false, linuxPage},
	{"the last of Windows is denied", []said{out, {90, false, "deny", "6", 65535, 65535, "0.0.0.0/0"}, in}, "w1", "w3", netset.TCP, 443, layer.Deny, true, windowsPage},
	{"out to Remote Desktop: who is behind NAT may have chosen it", []said{in, {90, true, "deny", "6", 3389, 3389, "0.0.0.0/0"}, out}, "198.51.100.1", "w1", netset.TCP, 443, layer.Deny, true, portsPage},
	{"a machine has not", []said{in, {90, true, "deny", "6", 3389, 3389, "0.0.0.0/0"}, out}, "w3", "w1", netset.TCP, 443, layer.Allow, false, linuxPage},
	{"all that anybody chooses is denied, in two", []said{out, {80, false, "deny", "6", 1024, 65535, "10.2.0.0/16"}, {90, false, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "w1", "w3", netset.TCP, 443, layer.Deny, false, portsPage},
	{"in two parts to all of them", []said{in, {100, true, "allow", "6", 1024, 32767, "0.0.0.0/0"}, {110, true, "allow", "6", 32768, 65535, "0.0.0.0/0"}}, "w3", "w1", netset.TCP, 80, layer.Allow, false, portsPage},
	{"replies of what goes out need to come in", []said{out}, "w1", "w3", netset.TCP, 80, layer.Deny, false, portsPage},
	{"from the clients' ports' side", []said{out, {100, false, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "w1", "w3", netset.TCP, 80, layer.Allow, false, portsPage},
	{"of the same protocol", []said{out, {100, false, "allow", "17", 1024, 65535, "0.0.0.0/0"}}, "w1", "w3", netset.TCP, 80, layer.Deny, false, portsPage},
	{"a datagram that comes in needs no reply", []said{in}, "w3", "w1", netset.UDP, 514, layer.Deny, true, portsPage},
	{"nor one that goes out", []said{out}, "w1", "w3", netset.UDP, 514, layer.Deny, true, portsPage},
	{"but it has to be let in", []said{out}, "w3", "w1", netset.UDP, 514, layer.Deny, false, rulesPage},
	{"that an entry denies replies stops none", []said{in, {90, true, "deny", "17", 0, 65535, "0.0.0.0/0"}, out}, "w3", "w1", netset.UDP, 514, layer.Deny, true, portsPage},
	{"nor that replies are denied to some of the clients' ports", []said{in, {90, true, "deny", "17", 60000, 60001, "0.0.0.0/0"}, out}, "w3", "w1", netset.UDP, 514, layer.Deny, true, portsPage},
	{"replies that pass are no matter", []said{in, {90, true, "deny", "6", 0, 65535, "0.0.0.0/0"}, out}, "w3", "w1", netset.UDP, 514, layer.Allow, false, portsPage},
	{"a ping arrives whether or not it is answered", []said{in}, "w3", "w1", netset.ICMP, 0, layer.Deny, true, portsPage},
	{"other protocols too", []said{in}, "w3", "w1", netset.Other, 0, layer.Deny, true, portsPage},
	{"SCTP exchanges something first", []said{in}, "w3", "w1", netset.SCTP, 0, layer.Deny, false, portsPage},
	{"IPv6 is asked apart", []said{in, out}, "2001:db8::1", "w1", netset.TCP, 80, layer.Deny, false, rulesPage},
	{"and has entries of its own", []said{{101, false, "allow", "-1", 0, 0, "::/0"}, {101, true, "allow", "-1", 0, 0, "::/0"}}, "2001:db8::1", "w1", netset.TCP, 80, layer.Allow, false, rulesPage},
	{"all of ICMP", []said{{100, false, "allow", "1", -1, -1, "0.0.0.0/0"}, out}, "w3", "w1", netset.ICMP, 0, layer.Allow, false, rulesPage},
	{"path MTU is no conversation", []said{{100, false, "allow", "1", 3, 4, "0.0.0.0/0"}, out}, "w3", "w1", netset.ICMP, 0, layer.Deny, false, rulesPage},
	{"some of ICMP", []said{{100, false, "allow", "1", 8, -1, "0.0.0.0/0"}, out}, "w3", "w1", netset.ICMP, 0, layer.Deny, true, rulesPage},
}

func isICMP(s said) bool { return s.proto == "1" || s.proto == "58" }

func (s said) values() map[string]any {
	v := map[string]any{"rule_number": s.number, "egress": s.egress, "rule_action": s.action, "protocol": s.proto}
	if strings.Contains(s.cidr, ":") {
		v["ipv6_cidr_block"] = s.cidr
	} else {
		v["cidr_block"] = s.cidr
	}
	switch {
	case isICMP(s):
		v["icmp_type"], v["icmp_code"] = s.from, s.to
	case s.proto != "-1":
		v["from_port"], v["to_port"] = s.from, s.to
	}
	return v
}

func asConfiguration(r row) fstest.MapFS {
	var b strings.Builder
	b.WriteString("resource \"aws_network_acl\" \"one\" {\n  vpc_id = \"vpc-1\"\n}\nresource \"aws_network_acl_association\" \"one\" {\n  network_acl_id = aws_network_acl.one.id\n  subnet_id = \"subnet-1\"\n}\n")
	for i, s := range r.entries {
		fmt.Fprintf(&b, "resource \"aws_network_acl_rule\" \"r%d\" {\n  network_acl_id = aws_network_acl.one.id\n", i)
		for k, v := range s.values() {
			text, _ := json.Marshal(v)
			fmt.Fprintf(&b, "  %s = %s\n", k, text)
		}
		b.WriteString("}\n")
	}
	return fstest.MapFS{"main.tf": {Data: []byte(b.String())}}
}

// asBlocks writes the entries in the ACL itself.
func asBlocks(r row) fstest.MapFS {
	var b strings.Builder
	b.WriteString("resource \"aws_network_acl\" \"one\" {\n  vpc_id = \"vpc-1\"\n  subnet_ids = [\"subnet-1\"]\n")
	for _, s := range r.entries {
		b.WriteString("  " + map[bool]string{true: "egress", false: "ingress"}[s.egress] + " {\n")
		v := s.values()
		delete(v, "egress")
		v["rule_no"], v["action"] = v["rule_number"], v["rule_action"]
		delete(v, "rule_number")
		delete(v, "rule_action")
		if v["from_port"] == nil {
			v["from_port"], v["to_port"] = 0, 0 // which the provider demands
		}
		for k, x := range v {
			text, _ := json.Marshal(x)
			fmt.Fprintf(&b, "    %s = %s\n", k, text)
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
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

func resourcesOf(r row, known bool) (resources, changes, config []any) {
	add := func(kind, name string, values object) {
		unknown, expressions := object{"id": true}, object{}
		switch {
		case kind == "aws_network_acl" && known:
			values["id"] = "acl-00000001"
		case kind != "aws_network_acl" && known:
			values["network_acl_id"] = "acl-00000001"
		case kind != "aws_network_acl":
			unknown["network_acl_id"] = true
			expressions["network_acl_id"] = object{"references": []string{"aws_network_acl.one.id", "aws_network_acl.one"}}
		}
		address := kind + "." + name
		resources = append(resources, object{"address": address, "mode": "managed", "type": kind, "name": name, "values": values})
		changes = append(changes, object{"address": address, "mode": "managed", "type": kind, "name": name, "change": object{"actions": []string{"create"}, "before": nil, "after": values, "after_unknown": unknown}})
		config = append(config, object{"address": address, "mode": "managed", "type": kind, "name": name, "expressions": expressions})
	}
	add("aws_network_acl", "one", object{"vpc_id": "vpc-1"})
	add("aws_network_acl_association", "one", object{"subnet_id": "subnet-1"})
	for i, s := range r.entries {
		add("aws_network_acl_rule", fmt.Sprintf("r%d", i), s.values())
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
	entries := []any{
		object{"RuleNumber": 32767, "Egress": true, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
		object{"RuleNumber": 32767, "Egress": false, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
	}
	for _, s := range r.entries {
		e := object{"RuleNumber": s.number, "Egress": s.egress, "Protocol": s.proto, "RuleAction": s.action}
		if strings.Contains(s.cidr, ":") {
			e["Ipv6CidrBlock"] = s.cidr
		} else {
			e["CidrBlock"] = s.cidr
		}
		switch {
		case isICMP(s):
			e["IcmpTypeCode"] = object{"Type": s.from, "Code": s.to}
		case s.proto != "-1":
			e["PortRange"] = object{"From": s.from, "To": s.to}
		}
		entries = append(entries, e)
	}
	open := []any{
		object{"RuleNumber": 100, "Egress": true, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
		object{"RuleNumber": 100, "Egress": false, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
	}
	return file("describe-network-acls.json", object{"NetworkAcls": []any{
		object{"NetworkAclId": "acl-00000001", "VpcId": "vpc-1", "OwnerId": "1", "IsDefault": false, "Entries": entries, "Tags": []any{}, "Associations": []any{object{"NetworkAclAssociationId": "a-1", "NetworkAclId": "acl-00000001", "SubnetId": "subnet-1"}}},
		object{"NetworkAclId": "acl-00000002", "VpcId": "vpc-1", "OwnerId": "1", "IsDefault": true, "Entries": open, "Tags": []any{}, "Associations": []any{object{"NetworkAclAssociationId": "a-2", "NetworkAclId": "acl-00000002", "SubnetId": "subnet-2"}}},
	}})
}

// TestRows holds the reader to AWS's documentation, in each of the forms in which
// network ACLs are written down.
func TestRows(t *testing.T) {
	forms := []struct {
		name  string
		write func(row) fstest.MapFS
	}{{"configuration", asConfiguration}, {"blocks", asBlocks}, {"plan", asPlan}, {"state", asState}, {"answers", asAnswers}}
	inv := &inventory.Snapshot{Networks: []inventory.Network{
		{Name: "subnet-1", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
		{Name: "subnet-2", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}},
		{Name: "vpc-1"},
	}}
	for _, w := range []struct{ name, subnet, addr string }{{"w1", "subnet-1", "10.1.0.1"}, {"w2", "subnet-1", "10.1.0.2"}, {"w3", "subnet-2", "10.2.0.3"}} {
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: w.name, Labels: map[string]string{"net/vpc": "vpc-1", "net/subnet": w.subnet}, Addresses: []netip.Addr{netip.MustParseAddr(w.addr)}})
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
			// Files that say nothing of subnet-2 would make it unknown live.
			l, diags := nacl.Target{}.Lift(&target.Source{Folder: live.Open(f.write(r)), Inventory: inv, Networks: estate, Estate: "e", Alone: f.name != "answers"})
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
	t.Logf("%d rows in 5 forms: %d judged", len(rows), judged)
}
