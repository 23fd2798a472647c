package nacl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"firebreak/internal/flow"
	"firebreak/internal/target"
)

func itoa(n int) string { return strconv.Itoa(n) }

// identifier makes a text one that Terraform takes as a name.
func identifier(text string) string {
	clean := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, text)
	if clean == "" || !(clean[0] >= 'a' && clean[0] <= 'z' || clean[0] >= 'A' && clean[0] <= 'Z') {
		clean = "x-" + clean
	}
	if clean != text {
		sum := sha256.Sum256([]byte(text))
		clean += "-" + hex.EncodeToString(sum[:4])
	}
	return clean
}

// files writes the folder of a VPC: a file for the ACL of each subnet.
func (r *renderer) files(acls []*acl) []target.File {
	folder := "unknown-vpc"
	if acls[0].vpc != "" {
		folder = identifier(acls[0].vpc)
	}
	f := hclwrite.NewEmptyFile()
	comment(f.Body(), "Written by firebreak render. What is changed here by hand is lost.")
	f.Body().AppendNewBlock("terraform", nil).Body().AppendNewBlock("required_providers", nil).Body().SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{
		"source": cty.StringVal("hashicorp/aws"), "version": cty.StringVal(">= 5.0"),
	}))
	out := []target.File{{Path: folder + "/terraform.tf", Data: f.Bytes()}}
	for _, a := range acls {
		out = append(out, target.File{Path: folder + "/acl_" + identifier(a.name) + ".tf", Data: r.file(a)})
	}
	return out
}

func comment(b *hclwrite.Body, text string) {
	b.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + text + "\n")}})
}

func (r *renderer) file(a *acl) []byte {
	f := hclwrite.NewEmptyFile()
	name := identifier(a.name)
	estate := r.w.Policy.Estate
	b := f.Body().AppendNewBlock("resource", []string{"aws_network_acl", name}).Body()
	b.SetAttributeValue("vpc_id", cty.StringVal(a.vpc))
	b.SetAttributeValue("tags", cty.MapVal(map[string]cty.Value{"Name": cty.StringVal("firebreak-" + estate + "-" + a.name), "firebreak:estate": cty.StringVal(estate)}))
	f.Body().AppendNewline()
	b = f.Body().AppendNewBlock("resource", []string{"aws_network_acl_association", name}).Body()
	b.SetAttributeTraversal("network_acl_id", idOf("aws_network_acl", name))
	b.SetAttributeValue("subnet_id", cty.StringVal(a.name))
	for i := range a.entries {
		f.Body().AppendNewline()
		comment(f.Body(), a.entries[i].why)
		write(f.Body(), name, &a.entries[i])
	}
	return f.Bytes()
}

func idOf(kind, name string) hcl.Traversal {
	return hcl.Traversal{hcl.TraverseRoot{Name: kind}, hcl.TraverseAttr{Name: name}, hcl.TraverseAttr{Name: "id"}}
}

func write(body *hclwrite.Body, acl string, e *entry) {
	key := strings.NewReplacer(".", "-", ":", "-", "/", "_").Replace(e.key())
	b := body.AppendNewBlock("resource", []string{"aws_network_acl_rule", fmt.Sprintf("%s_%s_%s", acl, direction(e.dir), key)}).Body()
	number := func(name string, n int) { b.SetAttributeValue(name, cty.NumberIntVal(int64(n))) }
	b.SetAttributeTraversal("network_acl_id", idOf("aws_network_acl", acl))
	number("rule_number", e.number)
	b.SetAttributeValue("egress", cty.BoolVal(e.dir == flow.Egress))
	action := "deny"
	if e.allow {
		action = "allow"
	}
	b.SetAttributeValue("rule_action", cty.StringVal(action))
	b.SetAttributeValue("protocol", cty.StringVal(e.proto))
	cidr := "cidr_block"
	if e.prefix.Addr().Is6() {
		cidr = "ipv6_cidr_block"
	}
	b.SetAttributeValue(cidr, cty.StringVal(e.prefix.String()))
	switch {
	case slices.Contains([]string{"6", "17"}, e.proto):
		number("from_port", e.lo)
		number("to_port", e.hi)
	case slices.Contains([]string{"1", "58"}, e.proto):
		number("icmp_type", e.kind)
		number("icmp_code", e.code)
	}
}
