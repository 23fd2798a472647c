package nacl_test

import (
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/nacl"
)

// endsRow asks what the ACL of subnet-1 and its replies say of TCP port 443.
type endsRow struct {
	about    string
	entries  []said
	from, to string
	want     string // "allow", "deny" or "?"
}

func judgeEnds(t *testing.T, rows []endsRow, faces []any, inv *inventory.Snapshot) {
	t.Helper()
	party := func(name string) layer.Party {
		for i := range inv.Workloads {
			if inv.Workloads[i].Name == name {
				return layer.Party{Workload: &inv.Workloads[i]}
			}
		}
		return layer.Party{Addr: netip.MustParseAddr(name)}
	}
	for _, r := range rows {
		fsys := asAnswers(row{entries: r.entries})
		fsys["describe-network-interfaces.json"] = file("x", object{"NetworkInterfaces": faces})["x"]
		l, diags := nacl.Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: inv})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got, why := layer.Allow.String(), ""
		for i := range l.Tables {
			x := &l.Tables[i]
			if !strings.HasSuffix(x.Name, "subnet-1") {
				continue
			}
			switch v := x.Decide(layer.Conversation{From: party(r.from), To: party(r.to), Protocol: netset.TCP, Port: 443}, nil); {
			case v.Lower == v.Upper && v.Lower == layer.Deny:
				got = "deny"
			case v.Lower != v.Upper && got != "deny":
				got = "?"
				if v.Rule != nil {
					why = v.Rule.Unknown
				}
			}
		}
		if got != r.want {
			t.Errorf("%s: %s, want %s %s", r.about, got, r.want, why)
		}
	}
}

// TestFamilies asks about ends that have not the same families of addresses: of
// those with both only the addresses count that the other end can talk to
// (docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html).
func TestFamilies(t *testing.T) {
	inv := &inventory.Snapshot{Networks: []inventory.Network{
		{Name: "subnet-1", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8:1::/64")}},
		{Name: "subnet-2", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("2001:db8:2::/64")}},
		{Name: "vpc-1"},
	}}
	for _, w := range []struct{ name, subnet, addrs string }{
		{"both", "subnet-1", "10.1.0.3 2001:db8:1::3"}, {"four", "subnet-1", "10.1.0.1"}, {"none", "subnet-1", ""}, {"peer", "subnet-2", "10.2.0.4 2001:db8:2::4"},
		{"six", "subnet-1", "2001:db8:1::2"}, {"two", "subnet-2", "10.2.0.5 10.2.9.5 2001:db8:2::5"},
	} {
		one := inventory.Workload{Name: w.name, Labels: map[string]string{"net/vpc": "vpc-1", "net/subnet": w.subnet}}
		for _, a := range strings.Fields(w.addrs) {
			one.Addresses = append(one.Addresses, netip.MustParseAddr(a))
		}
		inv.Workloads = append(inv.Workloads, one)
	}
	v4 := []said{in, out}
	v6 := []said{{100, false, "allow", "-1", 0, 0, "::/0"}, {100, true, "allow", "-1", 0, 0, "::/0"}}
	some := []said{in, {100, true, "allow", "6", 0, 65535, "10.2.0.0/24"}}
	judgeEnds(t, []endsRow{
		{"IPv4 towards both", v4, "four", "peer", "allow"},
		{"and no IPv6", v6, "four", "peer", "deny"},
		{"from both", v4, "peer", "four", "allow"},
		{"and no IPv6", v6, "peer", "four", "deny"},
		{"IPv6 towards both", v6, "six", "peer", "allow"},
		{"and no IPv4", v4, "six", "peer", "deny"},
		{"both towards both, IPv4 alone", v4, "both", "peer", "?"},
		{"both towards both", append(v4, said{110, false, "allow", "-1", 0, 0, "::/0"}, said{110, true, "allow", "-1", 0, 0, "::/0"}), "both", "peer", "allow"},
		{"unknown families towards both", v4, "none", "peer", "?"},
		{"one of two of IPv4", some, "four", "two", "?"},
		{"two of IPv4", v4, "four", "two", "allow"},
		{"nobody's address", v4, "peer", "10.1.0.99", "allow"},
		{"nobody's address of IPv6", v4, "peer", "2001:db8:1::99", "deny"},
		{"replies to both", []said{out, {90, false, "deny", "6", 3389, 3389, "0.0.0.0/0"}, {100, false, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "four", "peer", "allow"},
		{"replies to both, not of machines' ports alone", []said{out, {90, false, "deny", "6", 40000, 40000, "10.2.0.0/16"}, {100, false, "allow", "6", 1024, 65535, "0.0.0.0/0"}}, "four", "peer", "?"},
	}, nil, inv)
}

// TestClients asks whose replies an ACL stops that denies what comes in to 3389: of
// those who may choose that port
// (docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html).
func TestClients(t *testing.T) {
	inv := &inventory.Snapshot{Networks: []inventory.Network{
		{Name: "subnet-1", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
		{Name: "subnet-2", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}},
		{Name: "vpc-1"},
	}}
	add := func(name, subnet, addr, namespace string) {
		w := inventory.Workload{Name: name, Labels: map[string]string{"net/vpc": "vpc-1", "net/subnet": subnet}, Addresses: []netip.Addr{netip.MustParseAddr(addr)}}
		if namespace != "" {
			w.Labels["k8s/namespace"] = namespace
		}
		inv.Workloads = append(inv.Workloads, w)
	}
	add("eni-nat", "subnet-1", "10.1.0.2", "")
	add("i-1", "subnet-1", "10.1.0.1", "")
	add("i-2", "subnet-2", "10.2.0.1", "")
	add("i-forwards", "subnet-1", "10.1.0.4", "")
	add("pod", "subnet-1", "10.1.0.3", "shop")
	faces := []any{
		object{"NetworkInterfaceId": "eni-nat", "InterfaceType": "nat_gateway", "PrivateIpAddress": "10.1.0.2", "Attachment": object{"AttachmentId": "a", "InstanceOwnerId": "amazon-aws"}},
		object{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.1.0.1", "SourceDestCheck": true, "Attachment": object{"InstanceId": "i-1"}},
		object{"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.2.0.1", "Attachment": object{"InstanceId": "i-2"}},
		object{"NetworkInterfaceId": "eni-4", "PrivateIpAddress": "10.1.0.4", "SourceDestCheck": false, "Attachment": object{"InstanceId": "i-forwards"}},
	}
	noRDP := []said{out, {90, false, "deny", "6", 3389, 3389, "0.0.0.0/0"}, in}
	outRDP := []said{out, {90, true, "deny", "6", 3389, 3389, "0.0.0.0/0"}, in}
	judgeEnds(t, []endsRow{
		{"an instance", noRDP, "i-1", "198.51.100.1", "allow"},
		{"a NAT gateway", noRDP, "eni-nat", "198.51.100.1", "?"},
		{"an instance that forwards", noRDP, "i-forwards", "198.51.100.1", "?"},
		{"a pod", noRDP, "pod", "198.51.100.1", "?"},
		{"nobody's address", noRDP, "10.1.0.99", "198.51.100.1", "?"},
		{"towards an instance", outRDP, "i-2", "i-1", "allow"},
		{"from outside", outRDP, "198.51.100.1", "i-1", "?"},
	}, faces, inv)
}

// TestASubnetThatOnlyAWorkloadNames has an ACL all the same: nobody asked for subnets.
func TestASubnetThatOnlyAWorkloadNames(t *testing.T) {
	inv := &inventory.Snapshot{}
	for _, name := range []string{"subnet-1", "subnet-9"} {
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: "in " + name, Labels: map[string]string{"net/vpc": "vpc-1", "net/subnet": name}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0." + name[7:])}})
	}
	closed := asAnswers(row{})
	closed["describe-network-acls.json"].Data = []byte(strings.Replace(string(closed["describe-network-acls.json"].Data), `"RuleAction": "allow"`, `"RuleAction": "deny"`, -1))
	l, _ := nacl.Target{}.Lift(&target.Source{Folder: live.Open(closed), Inventory: inv})
	for i := range inv.Workloads {
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr("198.51.100.7")}, To: layer.Party{Workload: &inv.Workloads[i]}, Protocol: netset.TCP, Port: 443}, nil)
		if v.Lower != layer.Deny || v.Upper != layer.Deny {
			t.Errorf("%s: %s to %s", inv.Workloads[i].Name, v.Lower, v.Upper)
		}
	}
}
