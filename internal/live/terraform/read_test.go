package terraform_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/live/terraform"
)

func read(files map[string]string) (*terraform.Set, diag.List) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return terraform.Read(fsys, slices.Sorted(maps.Keys(files)))
}

// say writes a value like Terraform would, references in angle brackets.
func say(v terraform.Value) string {
	switch v.Kind {
	case terraform.Null:
		return "null"
	case terraform.Reference:
		return "<" + v.Ref + ">"
	case terraform.Unresolved:
		return "?"
	case terraform.Template:
		var b strings.Builder
		for _, p := range v.List {
			b.WriteString(say(p))
		}
		return b.String()
	case terraform.JSON:
		return "json " + say(v.List[0])
	case terraform.List:
		var out []string
		for _, x := range v.List {
			out = append(out, say(x))
		}
		return "[" + strings.Join(out, " ") + "]"
	case terraform.Object:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(v.Fields)) {
			out = append(out, k+":"+say(v.Fields[k]))
		}
		return "{" + strings.Join(out, " ") + "}"
	}
	s, _ := v.String()
	return s
}

const shop = `
variable "cidr" { default = "10.0.0.0/16" }
variable "unset" {}
variable "env" { default = "dev" }
locals {
  azs   = ["a", "b"]
  tags  = merge({ Project = "shop" }, { "firebreak:estate" = "shop" })
  ports = { http = 80, https = 443 }
  loop  = local.pool
  pool  = local.loop
}
resource "aws_vpc" "main" {
  cidr_block = var.cidr
  tags       = local.tags
  lifecycle { prevent_destroy = true }
}
resource "aws_subnet" "app" {
  for_each   = toset(local.azs)
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, index(local.azs, each.key))
  tags       = { Name = "app-${each.value}" }
}
resource "aws_security_group" "orders" {
  name   = format("%s-orders", var.env)
  vpc_id = aws_vpc.main.id
}
resource "aws_vpc_security_group_ingress_rule" "in" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.orders.id
  referenced_security_group_id = data.aws_security_group.web.id
  from_port                    = each.value
  to_port                      = each.value
  ip_protocol                  = "tcp"
}
data "aws_security_group" "web" { id = var.unset }
resource "aws_instance" "two" {
  count                  = 1 + 1
  subnet_id              = values(aws_subnet.app)[count.index].id
  vpc_security_group_ids = concat([aws_security_group.orders.id], var.env == "prod" ? [] : ["sg-0aaaaaaaaaaaaaaaa"])
}
resource "aws_network_acl" "n" {
  subnet_ids = [for s in aws_subnet.app : s.id]
  dynamic "ingress" {
    for_each = [10, 20]
    content {
      rule_no = ingress.value
      action  = "allow"
    }
  }
}
resource "aws_vpclattice_auth_policy" "p" {
  resource_identifier = aws_vpclattice_service.s.arn
  policy = jsonencode({ Statement = [{ Effect = "Allow", Resource = "${aws_vpclattice_service.s.arn}/*" }] })
}
resource "aws_vpclattice_auth_policy" "q" {
  resource_identifier = aws_vpclattice_service.s.arn
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_vpclattice_service" "s" { name = "s" }
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["vpc-lattice-svcs:Invoke"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.r.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "vpc-lattice-svcs:Port"
      values   = ["443"]
    }
  }
}
resource "aws_iam_role" "r" { name = local.loop }
resource "aws_eip" "many" { for_each = var.unset }
resource "aws_eip" "used" { instance = aws_eip.many["x"].id }
module "net" {
  source = "./net"
  vpc    = aws_vpc.main.id
}
module "far" { source = "terraform-aws-modules/vpc/aws" }
resource "aws_route" "r" {
  route_table_id = module.net.table
  gateway_id     = module.far.gateway
}
`

func TestReadConfiguration(t *testing.T) {
	set, diags := read(map[string]string{
		"main.tf":              shop,
		"net/main.tf":          `variable "vpc" {}` + "\nresource \"aws_route_table\" \"t\" {\n vpc_id = var.vpc\n}\noutput \"table\" {\n value = aws_route_table.t.id\n}\n",
		"x_override.tf":        "resource \"aws_vpclattice_service\" \"s\" {\n auth_type = \"AWS_IAM\"\n}\n",
		"terraform.tfvars":     "env = \"test\"\n",
		"more.tf.json":         `{"resource": {"aws_vpc": {"j": {"cidr_block": "${var.cidr}", "tags": {"a": "b"}}}}, "//": "x"}`,
		"other.json":           `[`,
		"more.auto.tfvars":     "",
		"net/terraform.tfvars": "vpc = \"ignored\"\n",
	})
	for _, d := range diags {
		if d.Code != "terraform-unread" {
			t.Errorf("diagnostic %s", d)
		}
	}
	for _, c := range [][3]string{
		{"aws_vpc.main", "", "{cidr_block:10.0.0.0/16 tags:{Project:shop firebreak:estate:shop}}"},
		{"aws_vpc.j", "", "{cidr_block:10.0.0.0/16 tags:{a:b}}"},
		{`aws_subnet.app["b"]`, "", "{cidr_block:10.0.1.0/24 tags:{Name:app-b} vpc_id:<aws_vpc.main.id>}"},
		{"aws_security_group.orders", "name", "test-orders"},
		{`aws_vpc_security_group_ingress_rule.in["https"]`, "", "{from_port:443 ip_protocol:tcp referenced_security_group_id:<data.aws_security_group.web.id> security_group_id:<aws_security_group.orders.id> to_port:443}"},
		{"data.aws_security_group.web", "id", "?"},
		{"aws_instance.two[1]", "subnet_id", `<aws_subnet.app["b"].id>`},
		{"aws_instance.two[1]", "vpc_security_group_ids", "[<aws_security_group.orders.id> sg-0aaaaaaaaaaaaaaaa]"},
		{"aws_network_acl.n", "", `{ingress:[{action:allow rule_no:10} {action:allow rule_no:20}] subnet_ids:[<aws_subnet.app["a"].id> <aws_subnet.app["b"].id>]}`},
		{"aws_vpclattice_auth_policy.p", "policy", "json {Statement:[{Effect:Allow Resource:<aws_vpclattice_service.s.arn>/*}]}"},
		{"aws_vpclattice_service.s", "", "{auth_type:AWS_IAM name:s}"},
		{"aws_iam_role.r", "name", "?"},
		{"aws_eip.many", "", "?"},
		{"aws_eip.used", "instance", `<aws_eip.many["x"].id>`},
		{"module.net.aws_route_table.t", "vpc_id", "<aws_vpc.main.id>"},
		{"aws_route.r", "route_table_id", "<module.net.aws_route_table.t.id>"},
		{"aws_route.r", "gateway_id", "?"},
	} {
		r := set.At(c[0])
		if r == nil {
			t.Errorf("there is no %s", c[0])
			continue
		}
		if got := say(r.Body.At(c[1])); got != c[2] {
			t.Errorf("%s %s is\n%s, want\n%s", c[0], c[1], got, c[2])
		}
		if r.Pos.Line == 0 || r.From != terraform.Config {
			t.Errorf("%s is from %s, %s", c[0], r.Pos, r.From)
		}
	}
	doc := set.Document(set.At("aws_vpclattice_auth_policy.q").Attribute("policy"))
	want := "{Statement:[{Action:[vpc-lattice-svcs:Invoke] Condition:{StringEquals:{vpc-lattice-svcs:Port:[443]}} Effect:Allow Principal:{AWS:[<aws_iam_role.r.arn>]} Resource:[*]}] Version:2012-10-17}"
	if say(doc) != want {
		t.Errorf("the document is\n%s, want\n%s", say(doc), want)
	}
	r, attr, ok := set.Resolve(`aws_subnet.app["b"].tags["Na.me"]`)
	if !ok || r.Address != `aws_subnet.app["b"]` || attr != `tags["Na.me"]` {
		t.Errorf("resolved to %v %q %v", r, attr, ok)
	}
	if why, at := set.At("aws_route.r").Body.Doubt(); !strings.Contains(why, "module far") || at.File != "main.tf" || at.Line == 0 {
		t.Errorf("the doubt is %q at %s", why, at)
	}
}

func TestSeveralConfigurations(t *testing.T) {
	set, diags := read(map[string]string{
		"a/main.tf": "resource \"aws_vpc\" \"v\" {\n cidr_block = \"10.1.0.0/16\"\n}\n",
		"b/main.tf": "resource \"aws_vpc\" \"v\" {\n cidr_block = \"10.2.0.0/16\"\n}\nresource \"aws_subnet\" \"s\" {\n vpc_id = aws_vpc.v.id\n}\n",
	})
	s := set.At("b//aws_subnet.s")
	if len(diags) > 0 || len(set.Resources) != 3 || s == nil {
		t.Fatalf("%v %v", set.Resources, diags)
	}
	v, _, _ := set.Resolve(s.Attribute("vpc_id").Ref)
	if v == nil || say(v.Attribute("cidr_block")) != "10.2.0.0/16" || say(set.Known(terraform.Value{Kind: terraform.Reference, Ref: "b//aws_vpc.v.cidr_block"})) != "10.2.0.0/16" {
		t.Errorf("it is in %v", v)
	}
}

func TestWhatIsNoTerraform(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		code  string
		line  int
	}{
		"syntax":        {map[string]string{"a.tf": "resource \"a\" \"b\" {\n  x = = 1\n}\n"}, "terraform-syntax", 2},
		"cut off":       {map[string]string{"a.tf": "resource \"a\" \"b\" {\n"}, "terraform-syntax", 1},
		"cut off JSON":  {map[string]string{"a.tfplan.json": "{\"planned_values\":\n {"}, "json-syntax", 2},
		"another JSON":  {map[string]string{"a.tfstate.json": "{}"}, "terraform-syntax", 1},
		"bad JSON":      {map[string]string{"a.tf.json": "{\n\"resource\": 1,,}"}, "json-syntax", 2},
		"too deep":      {map[string]string{"a.tf": "x = " + strings.Repeat("[", 10000)}, "unreadable-file", 0},
		"a module that": {map[string]string{"a.tf": "module \"m\" {\n source = \"./m\"\n}\n", "m/a.tf": "module \"m\" {\n source = \"../m\"\n}\n"}, "terraform-unread", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := read(c.files)
			if len(diags) == 0 || diags[0].Code != c.code || diags[0].Pos.Line != c.line {
				t.Errorf("%v", diags)
			}
		})
	}
}

func TestHostileConfigurationsCostLittle(t *testing.T) {
	doubling := "locals {\n a0 = [1]\n"
	for i := 1; i < 60; i++ {
		n, m := string(rune('A'+i%26))+strings.Repeat("x", i/26), string(rune('A'+(i-1)%26))+strings.Repeat("x", (i-1)/26)
		if i == 1 {
			m = "a0"
		}
		doubling += " " + n + " = [local." + m + ", local." + m + "]\n"
	}
	for name, text := range map[string]string{
		"doubling": doubling + "}\noutput \"o\" {\n value = local.H\n}\nresource \"a\" \"b\" {\n x = [local.Hxx, local.Hxx]\n}\n",
		"count":    "resource \"a\" \"b\" {\n count = 1000000000\n}\n",
		"number":   "resource \"a\" \"b\" {\n x = 1e999999999 * 9\n}\n",
		"format":   "resource \"a\" \"b\" {\n x = format(\"%1000000000d\", 1)\n}\n",
		"products": "resource \"a\" \"b\" {\n x = [for a in local.l : [for b in local.l : [for c in local.l : [for d in local.l : [for e in local.l : [for f in local.l : 1]]]]]]\n}\nlocals {\n l = [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]\n}\n",
		"circle":   "resource \"a\" \"b\" {\n count = length(a.c)\n}\nresource \"a\" \"c\" {\n count = length(a.b)\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			set, _ := read(map[string]string{"a.tf": text})
			if len(set.Resources) > 0 && set.Resources[0].Address == "a.b" {
				if why, _ := set.Resources[0].Body.Doubt(); why == "" {
					t.Error("nothing is in doubt")
				}
			}
		})
	}
}

// Variables of IAM are &{…} in the blocks of a policy document.
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document#context-variable-interpolation
func TestVariablesOfIAM(t *testing.T) {
	set, _ := read(map[string]string{"main.tf": `
resource "aws_vpclattice_auth_policy" "q" {
  policy = data.aws_iam_policy_document.d.json
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["a:&{x}"]
    resources = ["b/&{aws:username}/*"]
    principals {
      type        = "AWS"
      identifiers = ["&{c}"]
    }
    condition {
      test     = "StringLike"
      variable = "k"
      values   = ["/&{aws:username}", "/&{aws:userid}-${aws_eip.e.id}"]
    }
  }
}
resource "aws_eip" "e" {}
`})
	got := say(set.Document(set.At("aws_vpclattice_auth_policy.q").Attribute("policy")))
	for _, want := range []string{"Action:[a:&{x}]", "Resource:[b/${aws:username}/*]", "AWS:[${c}]", "/${aws:username}", "/${aws:userid}-"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
