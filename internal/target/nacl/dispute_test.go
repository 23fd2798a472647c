package nacl_test

import (
	"net/netip"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/nacl"
)

// TestEntriesInLineAndApart: Terraform's files may give an ACL entries in line and
// resources for single entries. Each apply undoes some of them.
func TestEntriesInLineAndApart(t *testing.T) {
	const (
		inline = "  ingress {\n    rule_no = 100\n    action = \"allow\"\n    protocol = \"-1\"\n    from_port = 0\n    to_port = 0\n    cidr_block = \"0.0.0.0/0\"\n  }\n" +
			"  egress {\n    rule_no = 100\n    action = \"allow\"\n    protocol = \"-1\"\n    from_port = 0\n    to_port = 0\n    cidr_block = \"0.0.0.0/0\"\n  }\n"
		single = "resource \"aws_network_acl_rule\" \"r\" {\n  network_acl_id = aws_network_acl.a.id\n  rule_number = 90\n  rule_action = \"deny\"\n  protocol = \"6\"\n  from_port = 22\n  to_port = 22\n  cidr_block = \"203.0.113.0/24\"\n}\n"
	)
	for _, row := range []struct {
		about, in, apart string
		port             uint16
		want             layer.Effect
		unknown          bool
	}{
		{"in line alone", inline, "", 22, layer.Allow, false},
		{"apart alone", "", single, 80, layer.Deny, false},
		{"both, what is denied apart", inline, single, 22, layer.Deny, true},
		{"both, what is allowed in line", inline, single, 80, layer.Deny, true},
	} {
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w", Labels: map[string]string{"net/subnet": "subnet-1", "net/vpc": "vpc-1"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}}}
		files := fstest.MapFS{"main.tf": {Data: []byte("resource \"aws_network_acl\" \"a\" {\n  vpc_id = \"vpc-1\"\n  subnet_ids = [\"subnet-1\"]\n" + row.in + "}\n" + row.apart)}}
		l, diags := nacl.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr("203.0.113.1")}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: row.port}, nil)
		if v.Lower != row.want || (v.Lower != v.Upper) != row.unknown {
			t.Errorf("%s: %+v", row.about, v)
		}
	}
}
