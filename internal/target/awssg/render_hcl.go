package awssg

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/target"
)

// files writes the folder of a VPC: a file for each group, and one that says who
// is in which.
func (v *network) files() []target.File {
	dir := v.folder()
	out := []target.File{
		{Path: dir + "/main.tf", Data: v.members()},
	}
	for _, g := range v.groups {
		out = append(out, target.File{Path: dir + "/group_" + g.name + ".tf", Data: v.file(g)})
	}
	if len(v.lookups) > 0 || v.relays[0] || v.relays[1] {
		out = append(out, target.File{Path: dir + "/lookups.tf", Data: v.lookupFile()})
	}
	return out
}

// folder names a VPC's folder.
func (v *network) folder() string {
	if name := identifier(v.vpc); name != v.vpc {
		return name + "-" + digest(v.vpc)
	}
	return v.vpc
}

// provider says of whom the resources are. Those for single rules came with
// version 4.56 of it and were whole in 5.0.
func provider(b *hclwrite.Body) {
	comment(b, "Written by firebreak render. What is changed here by hand is lost.")
	b.AppendNewBlock("terraform", nil).Body().AppendNewBlock("required_providers", nil).Body().SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{
		"source": cty.StringVal("hashicorp/aws"), "version": cty.StringVal(">= 5.0"),
	}))
	b.AppendNewline()
}

func comment(b *hclwrite.Body, text string) {
	b.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + text + "\n")}})
}

// local names a part of a group in Terraform.
func local(c *cell, part int) string {
	if part == 0 {
		return c.name
	}
	return fmt.Sprintf("%s_part-%d", c.name, part+1)
}

func (v *network) file(g *group) []byte {
	f := hclwrite.NewEmptyFile()
	b := f.Body()
	comment(b, "Workloads: "+v.workloadNames(g.cell))
	for part := range g.parts {
		v.group(b, g, part)
	}
	out := f.Bytes()
	for _, d := range []flow.Direction{flow.Ingress, flow.Egress} {
		if len(g.rules[d]) > 0 {
			out = v.rules(append(out, '\n'), g, d)
		}
	}
	return out
}

func (v *network) workloadNames(c *cell) string {
	var names []string
	for _, i := range c.workloads {
		if len(names) == 8 {
			names = append(names, fmt.Sprintf("and %d more", len(c.workloads)-8))
			break
		}
		names = append(names, printable(v.r.w.Policy.Inventory.Workloads[i].Name))
	}
	return strings.Join(names, ", ")
}

func (v *network) group(b *hclwrite.Body, g *group, part int) {
	if part > 0 {
		b.AppendNewline()
	}
	estate := v.r.w.Policy.Estate
	name := local(g.cell, part)
	s := b.AppendNewBlock("resource", []string{"aws_security_group", name}).Body()
	s.SetAttributeValue("name", cty.StringVal(v.groupName(g.cell, part)))
	s.SetAttributeValue("description", cty.StringVal(describe("Firebreak: "+g.subject.Name+" of "+estate)))
	s.SetAttributeValue("vpc_id", cty.StringVal(v.vpc))
	s.SetAttributeValue("tags", v.tags(name))
}

// groupName is what AWS calls a part of a group. It is unique in its VPC.
func (v *network) groupName(c *cell, part int) string {
	name := describe("firebreak-" + v.r.w.Policy.Estate + "-" + local(c, part))
	if len(name) > 200 {
		name = name[:200] + "-" + digest(name)
	}
	return name
}

func (v *network) tags(name string) cty.Value {
	return cty.MapVal(map[string]cty.Value{"Name": cty.StringVal(name), "firebreak:estate": cty.StringVal(v.r.w.Policy.Estate)})
}

func idOf(kind, name string) hcl.Traversal {
	return hcl.Traversal{hcl.TraverseRoot{Name: kind}, hcl.TraverseAttr{Name: name}, hcl.TraverseAttr{Name: "id"}}
}

// because is a rule's description: what of the policy it is there for.
func because(by []flow.Rule) string {
	var names []string
	for _, r := range by {
		name := r.Rule
		if r.Policy != "" {
			name = r.Policy + "/" + r.Rule
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return describe("Firebreak: " + strings.Join(names, ", "))
}

// describe makes a text one that AWS takes as a description: at most 255 of the
// characters a-z, A-Z, 0-9, space and ._-:/()#,@[]+=&;{}!$*
// (docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html).
func describe(text string) string {
	var b strings.Builder
	for _, c := range text {
		if c < 128 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", c)) {
			b.WriteRune(c)
		} else {
			b.WriteByte('-')
		}
	}
	if b.Len() > 255 {
		return b.String()[:252] + "..."
	}
	return b.String()
}

// printable keeps a name from ending a comment.
func printable(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, name)
}

// members writes who is in which groups: an attachment where the interface is
// known, and an output for all others.
func (v *network) members() []byte {
	f := hclwrite.NewEmptyFile()
	b := f.Body()
	provider(b)
	comment(b, "Interfaces that are not known by their ID: give each the groups listed for its workload,")
	comment(b, "and no other. One that is given none is in the VPC's default group.")
	var items []attr
	type attachment struct{ workload, eni, group string }
	var attached []attachment
	for _, g := range v.groups {
		for _, i := range g.workloads {
			w := &v.r.w.Policy.Inventory.Workloads[i]
			if eni := interfaceOf(w); eni != "" {
				for part := range g.parts {
					attached = append(attached, attachment{w.Name, eni, local(g.cell, part)})
				}
				continue
			}
			var ids []string
			for part := range g.parts {
				ids = append(ids, "aws_security_group."+local(g.cell, part)+".id")
			}
			items = append(items, attr{quote(w.Name), "[" + strings.Join(ids, ", ") + "]"})
		}
	}
	slices.SortFunc(items, func(a, b attr) int { return strings.Compare(a.name, b.name) })
	f.Body().AppendUnstructuredTokens(outputs(items))
	slices.SortFunc(attached, func(a, b attachment) int {
		return strings.Compare(a.eni+" "+a.group, b.eni+" "+b.group)
	})
	for _, a := range attached {
		b.AppendNewline()
		comment(b, "Workload: "+printable(a.workload))
		s := b.AppendNewBlock("resource", []string{"aws_network_interface_sg_attachment", identifier(a.eni + "_" + a.group)}).Body()
		s.SetAttributeTraversal("security_group_id", idOf("aws_security_group", a.group))
		s.SetAttributeValue("network_interface_id", cty.StringVal(a.eni))
	}
	return f.Bytes()
}

// outputs is the output that says who belongs into which groups.
func outputs(items []attr) hclwrite.Tokens {
	text := []byte("output \"firebreak_security_groups\" {\n  description = \"The security groups that each workload belongs into.\"\n  value = {")
	if len(items) > 0 {
		text = append(aligned(append(text, '\n'), "    ", items), "  "...)
	}
	return hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: append(text, "}\n}\n"...)}}
}

// interfaceOf returns the ID of a workload's network interface; empty if it is
// not known.
func interfaceOf(w *inventory.Workload) string {
	for _, name := range []string{w.Labels["net/interface"], w.Host, w.Name} {
		if strings.HasPrefix(name, "eni-") {
			return name
		}
	}
	return ""
}

func (v *network) lookupFile() []byte {
	f := hclwrite.NewEmptyFile()
	for i, name := range slices.Sorted(maps.Keys(v.lookups)) {
		if i > 0 {
			f.Body().AppendNewline()
		}
		peer := v.lookups[name]
		s := f.Body().AppendNewBlock("data", []string{"aws_security_group", name}).Body()
		s.SetAttributeValue("name", cty.StringVal((&network{r: v.r, vpc: peer.vpc}).groupName(peer, 0)))
		s.SetAttributeValue("vpc_id", cty.StringVal(peer.vpc))
	}
	for i, named := range v.relays {
		if named {
			s := f.Body().AppendNewBlock("data", []string{"aws_ec2_managed_prefix_list", listName(i == 1)}).Body()
			s.SetAttributeValue("name", cty.StringVal("com.amazonaws."+v.region()+map[bool]string{true: ".ipv6"}[i == 1]+".vpc-lattice"))
		}
	}
	return f.Bytes()
}
