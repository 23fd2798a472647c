package awssg_test

import (
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

// TestRulesInLineAndApart: Terraform's files may give a group rules in line and
// resources for single rules. Each apply undoes some of them.
func TestRulesInLineAndApart(t *testing.T) {
	const inline = "  ingress {\n    protocol = \"tcp\"\n    from_port = 80\n    to_port = 80\n    cidr_blocks = [\"198.51.100.0/24\"]\n  }\n"
	const single = `resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id = aws_security_group.g.id
  cidr_ipv4 = "203.0.113.0/24"
  ip_protocol = "tcp"
  from_port = 80
  to_port = 80
}
`
	old := strings.NewReplacer("aws_vpc_security_group_ingress_rule", "aws_security_group_rule", "cidr_ipv4 = \"203.0.113.0/24\"", "cidr_blocks = [\"203.0.113.0/24\"]\n  type = \"ingress\"",
		"ip_protocol", "protocol").Replace(single)
	for _, row := range []struct {
		about, in, apart string
		from             string
		want             layer.Effect
		unknown          bool
	}{
		{"in line alone", inline, "", "198.51.100.1", layer.Allow, false},
		{"apart alone", "", single, "203.0.113.1", layer.Allow, false},
		{"both, the one in line", inline, single, "198.51.100.1", layer.Deny, true},
		{"both, the one apart", inline, single, "203.0.113.1", layer.Deny, true},
		{"both, the older resource", inline, old, "203.0.113.1", layer.Deny, true},
		{"both, nobody's", inline, single, "192.0.2.1", layer.Deny, false},
		{"none in line, and it says so", "  ingress = []\n", single, "203.0.113.1", layer.Deny, true},
		{"another direction in line", strings.Replace(inline, "ingress", "egress", 1), single, "203.0.113.1", layer.Allow, false},
	} {
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w", Host: "eni-1", Labels: map[string]string{"net/vpc": "vpc-1"}}}}
		files := fstest.MapFS{"main.tf": {Data: []byte("resource \"aws_security_group\" \"g\" {\n  name = \"g\"\n  vpc_id = \"vpc-1\"\n" + row.in + "}\n" + row.apart +
			"resource \"aws_network_interface\" \"i\" {\n  security_groups = [aws_security_group.g.id]\n  tags = { Name = \"eni-1\" }\n}\n")}}
		l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr(row.from)}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80}, nil)
		if v.Lower != row.want || (v.Lower != v.Upper) != row.unknown {
			t.Errorf("%s: %+v", row.about, v)
		}
	}
}
