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

const (
	listsPage   = "docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html"
	latticePage = "docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html"
	defaultPage = "docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"
	attachPage  = "registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/network_interface_sg_attachment"
	secondPage  = "docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html"
	databases   = "docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.RDSSecurityGroups.html"
)

// memberRow is a configuration, and who may reach the workload w, at 10.1.0.1 of
// vpc-1, on TCP port 80: "yes", "no", or "?".
type memberRow struct {
	about, text, from, want, source string
}

const (
	groupG = `
resource "aws_security_group" "g" {
  name   = "g"
  vpc_id = "vpc-1"
}
`
	wideH = `
resource "aws_security_group" "h" {
  name   = "h"
  vpc_id = "vpc-1"
  ingress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}
`
	inG = `
resource "aws_network_interface" "w" {
  subnet_id       = "subnet-1"
  private_ips     = ["10.1.0.1"]
  security_groups = [aws_security_group.g.id]
}
`
	latticeList = `
data "aws_ec2_managed_prefix_list" "l" {
  name = "com.amazonaws.eu-central-1.vpc-lattice"
}
`
	latticeRule = `
resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id = aws_security_group.g.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  prefix_list_id    = data.aws_ec2_managed_prefix_list.l.id
}
`
	openDefault = `
resource "aws_default_security_group" "d" {
  vpc_id = aws_vpc.v.id
  ingress {
    protocol    = "tcp"
    from_port   = 80
    to_port     = 80
    cidr_blocks = ["10.0.0.0/8"]
  }
}
`
	network = `
resource "aws_vpc" "v" {
  cidr_block = "10.1.0.0/16"
}
resource "aws_subnet" "s" {
  vpc_id     = aws_vpc.v.id
  cidr_block = "10.1.0.0/24"
}
`
)

var memberRows = []memberRow{
	{"Lattice's list lets Lattice in", groupG + inG + latticeList + latticeRule, "169.254.171.9", "yes", latticePage},
	{"and nobody else", groupG + inG + latticeList + latticeRule, "169.254.170.9", "no", latticePage},
	{"not even in the VPC", groupG + inG + latticeList + latticeRule, "10.1.0.2", "no", latticePage},
	{"Lattice's list of IPv6", groupG + inG + strings.Replace(latticeList, "1.vpc", "1.ipv6.vpc", 1) + latticeRule, "fd00:ec2:80::7", "yes", latticePage},
	{"and no IPv4", groupG + inG + strings.Replace(latticeList, "1.vpc", "1.ipv6.vpc", 1) + latticeRule, "169.254.171.9", "no", latticePage},
	{"the list by its old name", groupG + inG + strings.ReplaceAll(latticeList+latticeRule, "aws_ec2_managed_prefix_list", "aws_prefix_list"), "169.254.171.9", "yes", listsPage},
	{"the list in a rule of the old kind", groupG + inG + latticeList + `
resource "aws_security_group_rule" "r" {
  type              = "ingress"
  security_group_id = aws_security_group.g.id
  protocol          = "tcp"
  from_port         = 80
  to_port           = 80
  prefix_list_ids   = [data.aws_ec2_managed_prefix_list.l.id]
}
`, "169.254.171.9", "yes", listsPage},
	{"the list in line", strings.Replace(groupG, "}", `  ingress {
    protocol        = "tcp"
    from_port       = 80
    to_port         = 80
    prefix_list_ids = [data.aws_ec2_managed_prefix_list.l.id]
  }
}`, 1) + inG + latticeList, "169.254.171.9", "yes", listsPage},
	{"a list that is looked up by a filter", groupG + inG + latticeRule + `
data "aws_ec2_managed_prefix_list" "l" {
  filter {
    name   = "prefix-list-name"
    values = ["com.amazonaws.eu-central-1.vpc-lattice"]
  }
}
`, "169.254.171.9", "?", listsPage},
	{"a list of AWS whose addresses change", groupG + inG + strings.Replace(latticeList, "vpc-lattice", "s3", 1) + latticeRule, "169.254.171.9", "?", listsPage},
	{"a list that is only named", groupG + inG + strings.Replace(latticeRule, "data.aws_ec2_managed_prefix_list.l.id", `"pl-0123"`, 1), "169.254.171.9", "?", listsPage},

	{"an interface in a group of no rules", groupG + inG, "10.1.0.2", "no", attachPage},
	{"a group is attached to it", groupG + wideH + inG + `
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.h.id
  network_interface_id = aws_network_interface.w.id
}
`, "10.1.0.2", "yes", attachPage},
	{"a group is attached to an instance's first interface", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.1"
  vpc_security_group_ids = [aws_security_group.g.id]
}
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.h.id
  network_interface_id = aws_instance.w.primary_network_interface_id
}
`, "10.1.0.2", "yes", attachPage},
	{"a group that is not here is attached", groupG + inG + `
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = "sg-0123"
  network_interface_id = aws_network_interface.w.id
}
`, "10.1.0.2", "?", attachPage},
	{"a group is attached to an interface that is not here", groupG + wideH + `
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.g.id
  network_interface_id = "eni-w"
}
`, "10.1.0.2", "?", "it may have more groups: " + attachPage},
	{"a second interface of another group", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.g.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface" "second" {
  subnet_id       = "subnet-2"
  private_ips     = ["10.1.2.1"]
  security_groups = [aws_security_group.h.id]
}
resource "aws_network_interface_attachment" "a" {
  instance_id          = aws_instance.w.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}
`, "10.1.0.2", "?", "groups are those of an interface: " + secondPage},

	{"a second interface of another group, by its own word", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.g.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface" "second" {
  subnet_id       = "subnet-2"
  private_ips     = ["10.1.2.1"]
  security_groups = [aws_security_group.h.id]
  attachment {
    instance     = aws_instance.w.id
    device_index = 1
  }
}
`, "10.1.0.2", "?", "groups are those of an interface: " + secondPage},
	{"a second interface of the same group", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.h.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface" "second" {
  subnet_id       = "subnet-2"
  private_ips     = ["10.1.2.1"]
  security_groups = [aws_security_group.h.id]
}
resource "aws_network_interface_attachment" "a" {
  instance_id          = aws_instance.w.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}
`, "10.1.0.2", "yes", secondPage},
	{"a second interface that is not here", wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.h.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface_attachment" "a" {
  instance_id          = aws_instance.w.id
  network_interface_id = "eni-0123"
  device_index         = 1
}
`, "10.1.0.2", "?", secondPage},
	{"a group is attached to a second interface", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.h.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface" "second" {
  subnet_id       = "subnet-2"
  private_ips     = ["10.1.2.1"]
  security_groups = [aws_security_group.g.id]
}
resource "aws_network_interface_attachment" "a" {
  instance_id          = aws_instance.w.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.h.id
  network_interface_id = aws_network_interface.second.id
}
`, "10.1.0.2", "yes", attachPage},
	{"a group is attached to the first of two", groupG + wideH + `
resource "aws_instance" "w" {
  private_ip             = "10.1.0.9"
  vpc_security_group_ids = [aws_security_group.g.id]
  tags = {
    Name = "w"
  }
}
resource "aws_network_interface" "second" {
  subnet_id       = "subnet-2"
  private_ips     = ["10.1.2.1"]
  security_groups = [aws_security_group.g.id]
}
resource "aws_network_interface_attachment" "a" {
  instance_id          = aws_instance.w.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.h.id
  network_interface_id = aws_instance.w.primary_network_interface_id
}
`, "10.1.0.2", "?", attachPage},
	{"a group is attached to an interface that an instance is made with", groupG + wideH + inG + `
resource "aws_instance" "w" {
  primary_network_interface {
    network_interface_id = aws_network_interface.w.id
  }
}
resource "aws_network_interface_sg_attachment" "a" {
  security_group_id    = aws_security_group.h.id
  network_interface_id = aws_network_interface.w.id
}
`, "10.1.0.2", "yes", attachPage},

	{"no group is given: the default one", network + openDefault + `
resource "aws_network_interface" "w" {
  subnet_id   = aws_subnet.s.id
  private_ips = ["10.1.0.1"]
}
`, "10.1.0.2", "yes", defaultPage},
	{"an instance likewise", network + openDefault + `
resource "aws_instance" "w" {
  private_ip = "10.1.0.1"
  subnet_id  = aws_subnet.s.id
}
`, "10.1.0.2", "yes", defaultPage},
	{"and its rules only", network + openDefault + `
resource "aws_instance" "w" {
  private_ip = "10.1.0.1"
  subnet_id  = aws_subnet.s.id
}
`, "192.0.2.1", "no", defaultPage},
	{"a default group that nobody mentions", groupG + network + `
resource "aws_instance" "w" {
  private_ip = "10.1.0.1"
  subnet_id  = aws_subnet.s.id
}
`, "10.1.0.2", "?", defaultPage},
	{"a default group without rules", network + `
resource "aws_default_security_group" "d" {
  vpc_id = aws_vpc.v.id
}
resource "aws_instance" "w" {
  private_ip = "10.1.0.1"
  subnet_id  = aws_subnet.s.id
}
`, "10.1.0.2", "no", "Terraform takes all rules away: registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/default_security_group"},
	{"the default group by its VPC", network + openDefault + `
resource "aws_network_interface" "w" {
  subnet_id       = aws_subnet.s.id
  private_ips     = ["10.1.0.1"]
  security_groups = [aws_vpc.v.default_security_group_id]
}
`, "10.1.0.2", "yes", defaultPage},

	{"a database in a group", groupG + `
resource "aws_db_instance" "w" {
  identifier             = "w"
  vpc_security_group_ids = [aws_security_group.g.id]
}
`, "10.1.0.2", "no", databases},
	{"a database without groups", groupG + network + openDefault + `
resource "aws_db_instance" "w" {
  identifier = "w"
}
`, "10.1.0.2", "?", "which VPC's default group it has, its subnet group says: " + databases},
}

// TestMembers holds the reader to what AWS and Terraform say of who is in which
// groups.
func TestMembers(t *testing.T) {
	for _, r := range memberRows {
		vpc := "vpc-1"
		if strings.Contains(r.text, `"aws_vpc" "v"`) && !strings.Contains(r.text, groupG) {
			vpc = "aws_vpc.v"
		}
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w", Host: "eni-w", Labels: map[string]string{"net/vpc": vpc}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}}}
		if strings.Contains(r.text, `"w"`) && !strings.Contains(r.text, `"10.1.0.1"`) { // known by name
			inv.Workloads[0].Addresses = nil
		}
		l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"main.tf": {Data: []byte(r.text)}}), Inventory: inv, Estate: "e"})
		if diags.HasErrors() {
			t.Fatalf("%s: %v", r.about, diags)
		}
		networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr(r.from)}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80}, networks)
		got := "?"
		switch {
		case v.Lower == layer.Allow && v.Upper == layer.Allow:
			got = "yes"
		case v.Lower == layer.Deny && v.Upper == layer.Deny:
			got = "no"
		case v.Lower == layer.Abstain && v.Upper == layer.Abstain:
			got = "not governed"
		}
		if got != r.want {
			t.Errorf("%s: from %s %s, want %s (%s): %v", r.about, r.from, got, r.want, r.source, l.Unknown)
		}
	}
}

// TestListsOfAWS reads answers about Lattice's list, of which AWS keeps the
// entries: they are known by its name even if nobody asked for them.
// docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html
func TestListsOfAWS(t *testing.T) {
	for name, want := range map[string]layer.Effect{"com.amazonaws.eu-central-1.vpc-lattice": layer.Allow, "com.amazonaws.eu-central-1.s3": layer.Deny, "": layer.Deny} {
		files := asAnswers(row{})
		groups := string(files["describe-security-groups.json"].Data)
		rule := `"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [], "Ipv6Ranges": [], "UserIdGroupPairs": [], "PrefixListIds": [{"PrefixListId": "pl-1"}]}]`
		files["describe-security-groups.json"] = &fstest.MapFile{Data: []byte(strings.Replace(groups, `"IpPermissions": []`, rule, 1))}
		if name != "" {
			files["describe-managed-prefix-lists.json"] = file("x", object{"PrefixLists": []any{object{"PrefixListId": "pl-1", "PrefixListName": name, "OwnerId": "AWS", "AddressFamily": "IPv4", "State": "create-complete"}}})["x"]
		}
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: "w1", Host: "eni-w1", Labels: map[string]string{"net/vpc": "vpc-1"}}}}
		l, diags := awssg.Target{}.Lift(&target.Source{Folder: live.Open(files), Inventory: inv, Estate: "e"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr("169.254.171.9")}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80}, nil)
		if v.Lower != want || v.Upper != layer.Allow {
			t.Errorf("%q: %s to %s", name, v.Lower, v.Upper)
		}
	}
}
