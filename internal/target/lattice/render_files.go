package lattice

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"firebreak/internal/inventory"
	"firebreak/internal/target"
)

const head = "# Made by firebreak render from the policy. Change the policy, not this file.\n\n"

// files writes everything, a folder for each Region: the network in one file, each
// service in its own.
func (r *renderer) files() []target.File {
	var out []target.File
	for _, p := range r.parts() {
		folder := p.called(r.folder()) + "/"
		out = append(out, target.File{Path: folder + "network.tf", Data: r.networkFile(&p)})
		for _, u := range p.units {
			out = append(out, target.File{Path: folder + "service-" + u.name + ".tf", Data: r.serviceFile(u, &p)})
		}
	}
	slices.SortFunc(out, func(a, b target.File) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func (r *renderer) folder() string {
	return strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c == 0 {
			return '-'
		}
		return c
	}, r.estate)
}

// block adds a resource or another block.
func block(body *hclwrite.Body, kind string, labels ...string) *hclwrite.Body {
	if len(body.Blocks()) > 0 {
		body.AppendNewline()
	}
	return body.AppendNewBlock(kind, labels).Body()
}

func text(b *hclwrite.Body, name, value string) { b.SetAttributeValue(name, cty.StringVal(value)) }

// refer sets an attribute to an expression such as aws_vpclattice_service.x.id.
func refer(b *hclwrite.Body, name string, path ...string) {
	t := hcl.Traversal{hcl.TraverseRoot{Name: path[0]}}
	for _, p := range path[1:] {
		t = append(t, hcl.TraverseAttr{Name: p})
	}
	b.SetAttributeTraversal(name, t)
}

func (r *renderer) tags(b *hclwrite.Body) {
	b.SetAttributeValue("tags", cty.ObjectVal(map[string]cty.Value{"firebreak:estate": cty.StringVal(r.estate)}))
}

// setPolicy sets a policy. jsonencode writes it without newlines, as Lattice
// demands.
func setPolicy(b *hclwrite.Body, d policyDocument, estate string) {
	b.SetAttributeRaw("policy", hclwrite.TokensForFunctionCall("jsonencode", hclwrite.TokensForValue(d.value(estate))))
}

// versions pins what the files were written for.
func versions(body *hclwrite.Body) {
	t := block(body, "terraform")
	text(t, "required_version", ">= 1.5")
	p := block(t, "required_providers")
	p.SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("hashicorp/aws"), "version": cty.StringVal(">= 5.0, < 7.0")}))
}

// networkRef is where the service network stands in Terraform.
func (r *renderer) networkRef(p *part, attr string) []string {
	if r.nets[p.region] != "" {
		return []string{"data", "aws_vpclattice_service_network", "this", attr}
	}
	return []string{"aws_vpclattice_service_network", "this", attr}
}

// networkPolicy lets in everybody of the estate's accounts who says who he is;
// what he may do, the services' policies say.
func networkPolicy(units []*unit) *policyDocument {
	var accounts []string
	for _, u := range units {
		for _, s := range u.policy.statements {
			for _, role := range s.by.roles {
				if parts := strings.SplitN(role, ":", 6); len(parts) == 6 && !s.deny {
					accounts = union(accounts, []string{parts[4]})
				}
			}
		}
	}
	return &policyDocument{[]statement{{by: speaker{accounts: accounts}}}}
}

func (r *renderer) networkFile(p *part) []byte {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	versions(body)
	if net := r.nets[p.region]; net != "" {
		text(block(body, "data", "aws_vpclattice_service_network", "this"), "service_network_identifier", net)
	} else {
		n := block(body, "resource", "aws_vpclattice_service_network", "this")
		text(n, "name", r.name(p.called("network"), 59))
		text(n, "auth_type", "AWS_IAM")
		r.tags(n)
		for _, vpc := range r.callers(p.units) {
			a := block(body, "resource", "aws_vpclattice_service_network_vpc_association", identifier(vpc))
			refer(a, "service_network_identifier", r.networkRef(p, "id")...)
			text(a, "vpc_identifier", vpc)
			r.tags(a)
		}
	}
	a := block(body, "resource", "aws_vpclattice_auth_policy", "network")
	refer(a, "resource_identifier", r.networkRef(p, "arn")...)
	setPolicy(a, *networkPolicy(p.units), r.estate)
	return append([]byte(head), f.Bytes()...)
}

// identifier makes a name that Terraform takes.
func identifier(s string) string {
	out := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, s)
	if out == "" || out[0] >= '0' && out[0] <= '9' || out[0] == '-' {
		return "x" + out
	}
	return out
}

func (r *renderer) serviceFile(u *unit, in *part) []byte {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	s := block(body, "resource", "aws_vpclattice_service", u.name)
	text(s, "name", u.name)
	text(s, "auth_type", "AWS_IAM")
	r.tags(s)
	a := block(body, "resource", "aws_vpclattice_service_network_service_association", u.name)
	refer(a, "service_identifier", "aws_vpclattice_service", u.name, "id")
	refer(a, "service_network_identifier", r.networkRef(in, "id")...)
	r.tags(a)
	p := block(body, "resource", "aws_vpclattice_auth_policy", u.name)
	refer(p, "resource_identifier", "aws_vpclattice_service", u.name, "arn")
	setPolicy(p, u.policy, r.estate)
	for _, port := range u.ports {
		r.listener(body, u, port)
	}
	return u.targetLists(append([]byte(head), f.Bytes()...))
}

// listener writes a port of a service and the workloads behind it.
func (r *renderer) listener(body *hclwrite.Body, u *unit, port inventory.Port) {
	name := fmt.Sprintf("%s-%d", u.name, port.Number)
	protocol, to, version := protocols(port.Name)
	l := block(body, "resource", "aws_vpclattice_listener", name)
	text(l, "name", fmt.Sprintf("port-%d", port.Number))
	refer(l, "service_identifier", "aws_vpclattice_service", u.name, "id")
	l.SetAttributeValue("port", cty.NumberIntVal(int64(port.Number)))
	text(l, "protocol", protocol)
	r.tags(l)
	forward := block(block(l, "default_action"), "forward")
	for i := range u.pools {
		p := &u.pools[i]
		own := name + p.name
		t := block(forward, "target_groups")
		refer(t, "target_group_identifier", "aws_vpclattice_target_group", own, "id")
		if len(u.pools) > 1 {
			t.SetAttributeValue("weight", cty.NumberIntVal(int64(u.weight(p))))
		}
		g := block(body, "resource", "aws_vpclattice_target_group", own)
		text(g, "name", own)
		text(g, "type", p.kind)
		r.tags(g)
		c := block(g, "config")
		c.SetAttributeValue("port", cty.NumberIntVal(int64(port.Number)))
		text(c, "protocol", to)
		text(c, "protocol_version", version)
		text(c, "vpc_identifier", u.vpc)
		attach(body, u.name+p.name, own, port.Number)
	}
}

// attach puts the targets of a pool into a target group.
func attach(body *hclwrite.Body, pool, group string, port uint16) {
	a := block(body, "resource", "aws_vpclattice_target_group_attachment", group)
	refer(a, "for_each", "local", pool)
	refer(a, "target_group_identifier", "aws_vpclattice_target_group", group, "id")
	t := block(a, "target")
	refer(t, "id", "each", "value")
	t.SetAttributeValue("port", cty.NumberIntVal(int64(port)))
}

// targetLists appends a local value with the targets of each pool, which are the
// same behind every port.
func (u *unit) targetLists(out []byte) []byte {
	out = append(out, "\nlocals {\n"...)
	for i := range u.pools {
		out = append(out, "  "+u.name+u.pools[i].name+" = toset([\n"...)
		for _, id := range u.pools[i].ids {
			out = append(out, "    "...)
			out = append(out, quoted(id)...)
			out = append(out, ",\n"...)
		}
		out = append(out, "  ])\n"...)
	}
	return append(out, "}\n"...)
}

// quoted writes a text as HCL does.
func quoted(text string) []byte {
	if _, err := netip.ParseAddr(text); err == nil {
		return []byte(`"` + text + `"`)
	}
	return hclwrite.TokensForValue(cty.StringVal(text)).Bytes()
}

// protocols says how a port of that name is called and reached. gRPC needs a
// listener with TLS.
// docs.aws.amazon.com/vpc-lattice/latest/ug/target-groups.html
func protocols(name string) (listener, to, version string) {
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "grpc":
		return "HTTPS", "HTTP", "GRPC"
	case "grpcs":
		return "HTTPS", "HTTPS", "GRPC"
	case "http2":
		return "HTTPS", "HTTP", "HTTP2"
	case "http":
		return "HTTP", "HTTP", "HTTP1"
	}
	return "HTTPS", "HTTPS", "HTTP1"
}
