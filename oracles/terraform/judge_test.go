package terraform

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	reader "firebreak/internal/live/terraform"
)

func read(t *testing.T, files map[string][]byte) *reader.Set {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	s, diags := reader.Read(fsys, slices.Sorted(maps.Keys(files)))
	for _, d := range diags {
		t.Errorf("%s", d)
	}
	return s
}

const estate = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
locals {
  azs = ["a", "b"]
}
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { "firebreak:estate" = "shop" }
}
resource "aws_subnet" "app" {
  for_each   = toset(local.azs)
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet("10.0.0.0/16", 8, index(local.azs, each.key))
}
resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id
}
resource "aws_security_group" "db" {
  name   = "db"
  vpc_id = aws_vpc.main.id
}
resource "aws_vpc_security_group_ingress_rule" "db" {
  security_group_id            = aws_security_group.db.id
  referenced_security_group_id = aws_security_group.web.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}
resource "aws_instance" "web" {
  count                  = 2
  ami                    = "ami-1"
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.app["a"].id
  vpc_security_group_ids = [aws_security_group.web.id, aws_security_group.db.id]
}
resource "aws_vpclattice_service" "pay" {
  name      = "pay"
  auth_type = "AWS_IAM"
}
resource "aws_vpclattice_auth_policy" "pay" {
  resource_identifier = aws_vpclattice_service.pay.arn
  policy              = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "vpc-lattice-svcs:Invoke", Resource = "${aws_vpclattice_service.pay.arn}/*" }] })
}
data "aws_iam_policy_document" "pay" {
  statement {
    sid       = "web"
    actions   = ["vpc-lattice-svcs:Invoke"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:role/web", aws_iam_role.orders.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "vpc-lattice-svcs:SourceVpc"
      values   = [aws_vpc.main.id]
    }
  }
  statement {
    effect    = "Deny"
    actions   = ["vpc-lattice-svcs:Invoke", "vpc-lattice-svcs:Connect"]
    resources = ["arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-1/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringNotLike"
      variable = "vpc-lattice-svcs:RequestPath"
      values   = ["/&{aws:username}/*", "/open"]
    }
  }
}
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}
resource "aws_iam_role" "orders" {
  name               = "orders"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}
resource "aws_vpclattice_service_network" "all" {
  name = "all"
}
resource "aws_vpclattice_auth_policy" "all" {
  resource_identifier = aws_vpclattice_service_network.all.arn
  policy              = data.aws_iam_policy_document.pay.json
}
data "aws_vpc" "other" {
  id = "vpc-0123456789abcdef0"
}
resource "aws_vpc_peering_connection" "other" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = data.aws_vpc.other.id
}
resource "aws_security_group" "old" {
  name   = "old"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port       = 22
    to_port         = 22
    protocol        = "tcp"
    cidr_blocks     = ["10.0.0.0/8"]
    security_groups = [aws_security_group.web.id]
  }
  dynamic "egress" {
    for_each = local.azs
    content {
      from_port   = 1000 + egress.key
      to_port     = 1000 + egress.key
      protocol    = "udp"
      cidr_blocks = ["192.0.2.${egress.key}/32"]
    }
  }
}
module "net" {
  source = "./net"
  vpc    = aws_vpc.main.id
}
`

const module = `
variable "vpc" { type = string }
resource "aws_network_acl" "a" {
  vpc_id = var.vpc
}
resource "aws_network_acl_rule" "in" {
  network_acl_id = aws_network_acl.a.id
  rule_number    = 100
  egress         = false
  protocol       = "tcp"
  rule_action    = "allow"
  cidr_block     = "10.0.0.0/16"
  from_port      = 443
  to_port        = 443
}
`

// TestReaderAgreesWithTerraform compares what this project reads of a
// configuration with what Terraform makes of it, planned and applied.
func TestReaderAgreesWithTerraform(t *testing.T) {
	n := judge(t, laid(t, map[string][]byte{"main.tf": []byte(estate), "net/main.tf": []byte(module)}))
	if n.Documents == 0 || n.Sources == 0 || n.Open > 0 {
		t.Errorf("not everything was compared: %s", n)
	}
	t.Log(n)
}

// TestStandInRefuses makes mistakes that the real provider's schema refuses.
func TestStandInRefuses(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"an unknown argument": {"ip_protocol                  = \"tcp\"", "protocol = \"tcp\"", "Unsupported argument"},
		"a wrong type":        {"from_port                    = 5432", "from_port = \"many\"", "a number is required"},
		"an unknown type":     {"aws_security_group\" \"web", "aws_security_gruop\" \"web", "Invalid resource type"},
		"a block too many":    {"  statement {\n    effect ", "  statement {\n    nothing {}\n    effect ", "Unsupported block type"},
		"a required one":      {"  security_group_id            = aws_security_group.db.id\n", "", "Missing required argument"},
	} {
		t.Run(name, func(t *testing.T) {
			err := accepted(t, laid(t, map[string][]byte{"main.tf": []byte(strings.Replace(estate, c.from, c.to, 1)), "net/main.tf": []byte(module)}))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
