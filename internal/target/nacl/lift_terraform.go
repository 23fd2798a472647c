package nacl

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/live/terraform"
)

// Arguments that say nothing about what an ACL permits; the pages of the
// resources below registry.terraform.io/providers/hashicorp/aws/latest/docs list
// them.
var (
	irrelevant   = []string{"tags", "tags_all", "arn", "id", "owner_id", "region", "lifecycle", "depends_on", "provider", "timeouts"}
	aclFields    = append([]string{"vpc_id", "subnet_ids", "ingress", "egress", "default_network_acl_id"}, irrelevant...)
	inlineFields = []string{"action", "rule_no", "protocol", "from_port", "to_port", "cidr_block", "ipv6_cidr_block", "icmp_type", "icmp_code"}
	ruleFields   = append([]string{"network_acl_id", "rule_number", "egress", "rule_action", "protocol", "from_port", "to_port", "cidr_block", "ipv6_cidr_block", "icmp_type", "icmp_code"}, irrelevant...)
)

type tf struct {
	*lifter
	set *terraform.Set
}

func (l *lifter) terraform(set *terraform.Set) {
	if set == nil {
		return
	}
	t := &tf{lifter: l, set: set}
	l.unread = set.Unread
	for _, r := range set.Of("aws_subnet", "aws_default_subnet") {
		t.readSubnet(r)
	}
	for _, r := range set.Of("aws_network_acl", "aws_default_network_acl") {
		t.readACL(r)
	}
	for _, r := range set.Of("aws_network_acl_rule") {
		t.readRule(r)
	}
	for _, r := range set.Of("aws_network_acl_association") {
		key, why := t.keyOf(r.Attribute("network_acl_id"))
		t.associate(r.Attribute("subnet_id"), key, why, r)
	}
	for i := range set.Resources {
		if r := &set.Resources[i]; !r.Data && strings.HasPrefix(r.Type, "aws_network_acl") && !slices.Contains([]string{"aws_network_acl", "aws_network_acl_rule", "aws_network_acl_association"}, r.Type) {
			t.doubtful(r.Address, "resources of type "+r.Type+" are not understood", r.Pos)
		}
	}
	for _, a := range t.acls {
		a.dispute()
		a.order()
	}
}

func (t *tf) text(v terraform.Value) string {
	s, _ := t.set.Known(v).String()
	return s
}

// name returns what a value names: an ID if it is known, else an address.
func (t *tf) name(v terraform.Value) string {
	if s := t.text(v); s != "" {
		return s
	}
	if v.Kind == terraform.Reference {
		if r, _, ok := t.set.Resolve(v.Ref); ok {
			return cmp.Or(r.ID, r.Address)
		}
		return v.Ref
	}
	return ""
}

func (t *tf) readSubnet(r *terraform.Resource) {
	name := cmp.Or(r.ID, t.text(r.Attribute("id")), r.Address)
	if t.subnets[r.Address] != nil {
		name = r.Address
	}
	s := t.subnet(name)
	s.vpc = cmp.Or(s.vpc, t.name(r.Attribute("vpc_id")))
	for _, field := range []string{"cidr_block", "ipv6_cidr_block"} {
		if p, err := netip.ParsePrefix(t.text(r.Attribute(field))); err == nil && !slices.Contains(s.cidrs, p.Masked()) {
			s.cidrs = append(s.cidrs, p.Masked())
		}
	}
}

func (t *tf) readACL(r *terraform.Resource) {
	a := &liftedACL{key: r.Address, id: cmp.Or(r.ID, t.text(r.Attribute("id"))), vpc: t.name(r.Attribute("vpc_id")), pos: r.Pos, isDefault: r.Type == "aws_default_network_acl"}
	a.ours = t.src.Estate != "" && t.text(t.set.Known(r.Attribute("tags")).Field("firebreak:estate")) == t.src.Estate
	if a.isDefault && a.vpc == "" {
		if v := r.Attribute("default_network_acl_id"); v.Kind == terraform.Reference {
			if of, _, ok := t.set.Resolve(v.Ref); ok && (of.Type == "aws_vpc" || of.Type == "aws_default_vpc") {
				a.vpc = cmp.Or(of.ID, of.Address)
			}
		}
	}
	a.doubt = unread(r.Body, aclFields)
	t.acls[a.key] = a
	for i, field := range []string{"ingress", "egress"} {
		v := t.set.Known(r.Attribute(field))
		// Plans and states list all entries there, whoever made them.
		a.inline = a.inline || r.From == terraform.Config && v.Kind != terraform.Null
		if v.Kind == terraform.Unresolved && r.From != terraform.Plan {
			a.doubt = cmp.Or(a.doubt, v.Why, "its entries are not known")
		}
		for _, b := range v.Items() {
			if b.Kind != terraform.Object {
				a.doubt = cmp.Or(a.doubt, b.Why, "an entry of it is not known")
				continue
			}
			ref := flow.Rule{Rule: r.Address + " " + field, File: r.Pos.File, Line: cmp.Or(b.Pos.Line, r.Pos.Line)}
			t.entry(a, ref, b, i == 1, "rule_no", "action", inlineFields)
		}
	}
	ids := t.set.Known(r.Attribute("subnet_ids"))
	if ids.Kind == terraform.Unresolved && r.From != terraform.Plan {
		t.doubtful(r.Address, "the subnets of the ACL are not known: "+ids.Why, r.Pos)
	}
	for _, v := range ids.Items() {
		t.associate(v, a.key, "", r)
	}
}

func unread(v terraform.Value, known []string) string {
	for _, name := range sortedKeys(v.Fields) {
		if v.Fields[name].Set() && !slices.Contains(known, name) {
			return "it has the argument " + name + ", which is not understood"
		}
	}
	return ""
}

func (t *tf) readRule(r *terraform.Resource) {
	key, why := t.keyOf(r.Attribute("network_acl_id"))
	a := t.acls[key]
	if a == nil {
		for _, k := range sortedKeys(t.acls) {
			t.acls[k].doubt = cmp.Or(t.acls[k].doubt, r.Address+" may be an entry of it: "+cmp.Or(why, "its ACL is not known"))
		}
		if len(t.acls) == 0 {
			t.doubtful(r.Address, cmp.Or(why, "its ACL is not known"), r.Pos)
		}
		return
	}
	a.apart = true
	v := t.set.Known(r.Attribute("egress"))
	egress, known := v.True()
	if !known && v.Set() {
		a.doubt = cmp.Or(a.doubt, "the direction of "+r.Address+" is not known")
		return
	}
	t.entry(a, flow.Rule{Rule: r.Address, File: r.Pos.File, Line: r.Pos.Line}, r.Body, egress, "rule_number", "rule_action", ruleFields)
}

// dispute makes unknown the entries of an ACL that has some in line and some as
// resources of their own: Terraform takes away with the one what it made for the
// other (registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/network_acl,
// "NOTE on Network ACLs and Network ACL Rules").
func (a *liftedACL) dispute() {
	for i := range a.entries {
		if e := &a.entries[i]; a.inline && a.apart {
			e.unknown = cmp.Or(e.unknown, "the ACL "+a.key+" has entries in line and resources for single entries, and Terraform undoes each for the other")
		}
	}
}

// keyOf finds the ACL that a value names.
func (t *tf) keyOf(v terraform.Value) (key, why string) {
	if v.Kind == terraform.Reference {
		r, attr, ok := t.set.Resolve(v.Ref)
		switch {
		case !ok:
			return "", v.Ref + " is not among the files"
		case t.acls[r.Address] != nil:
			return r.Address, ""
		case attr == "default_network_acl_id":
			for _, k := range sortedKeys(t.acls) {
				if t.acls[k].isDefault && t.acls[k].vpc == cmp.Or(r.ID, r.Address) {
					return k, ""
				}
			}
			return "", "the default ACL of " + r.Address + " is not among the files"
		}
	}
	id := t.text(v)
	for _, k := range sortedKeys(t.acls) {
		if id != "" && t.acls[k].id == id {
			return k, ""
		}
	}
	return "", cmp.Or(v.Why, "the ACL "+id+" is not among the files")
}

func (t *tf) associate(v terraform.Value, key, why string, r *terraform.Resource) {
	name := t.name(v)
	if v.Kind == terraform.Reference {
		if to, _, ok := t.set.Resolve(v.Ref); ok && t.subnets[to.Address] != nil {
			name = to.Address
		}
	}
	if name == "" {
		t.doubtful(r.Address, "the subnet that it is about is not known: "+v.Why, r.Pos)
		return
	}
	s := t.subnet(name)
	if key == "" {
		s.doubt = cmp.Or(s.doubt, why)
		return
	}
	if s.acl != "" && s.acl != key {
		s.doubt = "the files give it two ACLs"
	}
	s.acl = key
	s.vpc = cmp.Or(s.vpc, t.acls[key].vpc)
}

// entry reads one.
func (t *tf) entry(a *liftedACL, ref flow.Rule, body terraform.Value, egress bool, number, action string, known []string) {
	e := liftedEntry{egress: egress, ref: ref, unknown: unread(body, known)}
	field := func(name string) terraform.Value { return t.set.Known(body.Field(name)) }
	var ok bool
	if e.number, ok = field(number).Int(); !ok {
		a.doubt = cmp.Or(a.doubt, "the number of an entry is not known: "+ref.Rule)
		return
	}
	switch strings.ToLower(t.text(field(action))) {
	case "allow":
		e.allow = true
	case "deny":
	default:
		a.doubt = cmp.Or(a.doubt, "whether an entry allows or denies is not known: "+ref.Rule)
		return
	}
	for _, name := range []string{"protocol", "from_port", "to_port", "icmp_type", "icmp_code", "cidr_block", "ipv6_cidr_block"} {
		if v := field(name); v.Kind == terraform.Unresolved || v.Kind == terraform.Template || v.Kind == terraform.Reference {
			a.doubt = cmp.Or(a.doubt, ref.Rule+": "+name+": "+cmp.Or(v.Why, "it is not known before it exists"))
			return
		}
	}
	name := t.text(field("protocol"))
	from, ported := field("from_port").Int()
	to, _ := field("to_port").Int()
	kind, _ := field("icmp_type").Int() // 0 where it is not given, as the provider has it
	var why string
	e.traffic, why = protocol(name, from, to, ported, kind, true)
	e.unknown = cmp.Or(e.unknown, why)
	for _, c := range []string{"cidr_block", "ipv6_cidr_block"} {
		text := t.text(field(c))
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a.doubt = cmp.Or(a.doubt, ref.Rule+": "+text+" is no CIDR")
			continue
		}
		if one := e; ofFamily(name, p) && !one.traffic.IsEmpty() {
			one.prefix = p.Masked()
			a.entries = append(a.entries, one)
		}
	}
}
