package awssg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/live/terraform"
)

// Arguments that say nothing about what a group permits; the pages of the
// resources below registry.terraform.io/providers/hashicorp/aws/latest/docs list
// them.
var (
	irrelevant   = []string{"description", "tags", "tags_all", "timeouts", "arn", "id", "owner_id", "region", "lifecycle", "depends_on", "provider", "security_group_rule_id"}
	groupFields  = append([]string{"name", "name_prefix", "vpc_id", "ingress", "egress", "revoke_rules_on_delete"}, irrelevant...)
	inlineFields = append([]string{"cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups", "self", "protocol", "from_port", "to_port"}, irrelevant...)
	oldFields    = append([]string{"type", "security_group_id", "cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "source_security_group_id", "self", "protocol", "from_port", "to_port"}, irrelevant...)
	newFields    = append([]string{"security_group_id", "cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id", "ip_protocol", "from_port", "to_port"}, irrelevant...)
)

var both = []flow.Direction{flow.Egress, flow.Ingress}

// terraform reads files of Terraform.
func (l *lifter) terraform(set *terraform.Set) {
	if set == nil {
		return
	}
	t := &tf{lifter: l, set: set}
	l.unread = set.Unread
	for _, r := range set.Of("aws_security_group", "aws_default_security_group") {
		t.group(r)
	}
	for _, r := range set.Sources("aws_security_group") {
		t.lookedUp(r)
	}
	for _, r := range set.Of("aws_ec2_managed_prefix_list") {
		t.list(r)
	}
	for _, r := range set.Of("aws_ec2_managed_prefix_list_entry") {
		t.listEntry(r)
	}
	for _, r := range set.Sources("aws_ec2_managed_prefix_list", "aws_prefix_list") {
		t.list(r)
	}
	for _, r := range set.Of("aws_vpc_peering_connection", "aws_vpc_peering_connection_accepter") {
		if a, b := t.vpcOf(r.Attribute("vpc_id")), t.vpcOf(r.Attribute("peer_vpc_id")); a != "" && b != "" {
			l.peer(a, b)
		}
	}
	for _, r := range set.Of("aws_security_group", "aws_default_security_group") {
		t.inline(r)
	}
	for _, r := range set.Of("aws_security_group_rule") {
		t.oldRule(r)
	}
	for _, r := range set.Of("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule") {
		t.newRule(r)
	}
	for _, g := range t.groups {
		g.dispute()
	}
	t.members()
	if !l.src.Alone {
		t.resolveMeant()
	}
}

// tf reads a set of Terraform's.
type tf struct {
	*lifter
	set *terraform.Set
}

func refOf(r *terraform.Resource) flow.Rule {
	return flow.Rule{Rule: r.Address, File: r.Pos.File, Line: r.Pos.Line}
}

// text returns a value that is known to be a text.
func (t *tf) text(v terraform.Value) string {
	s, _ := t.set.Known(v).String()
	return s
}

// vpcOf names a VPC: by its ID if that is known, else by its address.
func (t *tf) vpcOf(v terraform.Value) string {
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

func (t *tf) group(r *terraform.Resource) {
	g := &liftedGroup{key: r.Address, name: t.text(r.Attribute("name")), id: cmp.Or(r.ID, t.text(r.Attribute("id"))), vpc: t.vpcOf(r.Attribute("vpc_id")), pos: r.Pos}
	tags := t.set.Known(r.Attribute("tags"))
	g.ours = t.text(tags.Field("firebreak:estate")) == t.src.Estate && t.src.Estate != ""
	if odd := unread(r.Body, groupFields); odd != "" {
		g.doubtIn(r.Address+" has the argument "+odd+", which is not understood", both...)
	}
	if g.name == "" && r.Type == "aws_default_security_group" {
		g.name = "default"
	}
	t.groups[g.key] = g
}

// unread returns an argument that is given and not on the list.
func unread(v terraform.Value, known []string) string {
	var odd []string
	for name, x := range v.Fields {
		if x.Set() && !slices.Contains(known, name) {
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	if len(odd) == 0 {
		return ""
	}
	return odd[0]
}

// lookedUp is a group that exists elsewhere, and that the files only name.
func (t *tf) lookedUp(r *terraform.Resource) {
	if t.sameAs(r) == "" {
		why := "the group that " + r.Address + " looks up is not among the files"
		t.groups[r.Address] = &liftedGroup{key: r.Address, name: t.text(r.Attribute("name")), id: t.text(r.Attribute("id")), vpc: t.vpcOf(r.Attribute("vpc_id")), pos: r.Pos, doubt: [2]string{why, why}}
	}
}

// sameAs finds the group that a look-up means among those of the files.
func (t *tf) sameAs(r *terraform.Resource) string {
	id, name, vpc := t.text(r.Attribute("id")), t.text(r.Attribute("name")), t.vpcOf(r.Attribute("vpc_id"))
	for _, key := range t.keys() {
		g := t.groups[key]
		if id != "" && g.id == id || name != "" && g.name == name && vpc != "" && g.vpc == vpc && !r.Attribute("filter").Set() {
			return key
		}
	}
	return ""
}

// keyOf finds the group that a value names; why is set where it cannot be found.
func (t *tf) keyOf(v terraform.Value) (key, why string) {
	switch v.Kind {
	case terraform.Reference:
		r, attr, ok := t.set.Resolve(v.Ref)
		switch {
		case !ok:
			return "", v.Ref + " is not among the files"
		case r.Type == "aws_vpc" && attr == "default_security_group_id":
			return t.defaultOf(cmp.Or(r.ID, r.Address))
		case r.Type == "aws_security_group" && r.Data:
			return cmp.Or(t.sameAs(r), r.Address), ""
		case t.groups[r.Address] != nil:
			return r.Address, ""
		}
		if s := t.text(v); s != "" {
			return t.keyOfID(s)
		}
		return "", v.Ref + " is no security group that is known here"
	case terraform.Unresolved, terraform.Template:
		return "", cmp.Or(v.Why, "it is not known before it exists")
	}
	s := t.text(v)
	if s == "" {
		return "", "it is not given"
	}
	return t.keyOfID(s)
}

func (t *tf) keyOfID(id string) (key, why string) {
	if id == "" { // groups that do not exist yet have none
		return "", "it is not given"
	}
	for _, k := range t.keys() {
		if t.groups[k].id == id {
			return k, ""
		}
	}
	if account, _, other := strings.Cut(id, "/"); other {
		return "", "the group " + id + " belongs to account " + account + ", whose groups are not known here"
	}
	return "", "the group " + id + " is not among the files"
}

// defaultOf finds the default group of a VPC.
func (t *tf) defaultOf(vpc string) (key, why string) {
	for _, k := range t.keys() {
		if g := t.groups[k]; g.name == "default" && g.vpc == vpc {
			return k, ""
		}
	}
	return "", "what the default group of " + vpc + " permits is not among the files"
}

func (t *tf) list(r *terraform.Resource) {
	p := &liftedList{}
	if name := t.text(r.Attribute("name")); r.Data {
		if p.prefixes = ofAWS(name); p.prefixes == nil && !r.Attribute("entries").Set() && !r.Attribute("cidr_blocks").Set() {
			p.doubt = "what is in the prefix list " + cmp.Or(name, r.Address) + " is not among the files"
		}
	}
	for _, field := range []string{"entry", "entries", "cidr_blocks"} {
		v := t.set.Known(r.Attribute(field))
		if v.Kind == terraform.Unresolved {
			p.doubt = cmp.Or(v.Why, "its entries are not known")
		}
		for _, e := range v.Items() {
			if e.Kind == terraform.Object {
				e = e.Field("cidr")
			}
			t.listPrefix(p, e)
		}
	}
	t.lists[r.Address] = p
	if id := cmp.Or(r.ID, t.text(r.Attribute("id"))); id != "" {
		t.lists[id] = p
	}
}

func (t *tf) listPrefix(p *liftedList, v terraform.Value) {
	if x, ok := prefixOf(t.text(v)); ok {
		p.prefixes = append(p.prefixes, x)
		return
	}
	p.doubt = cmp.Or(v.Why, "an entry of it is no CIDR")
}

func (t *tf) listEntry(r *terraform.Resource) {
	v := r.Attribute("prefix_list_id")
	if p := t.listOf(v); p != nil {
		t.listPrefix(p, r.Attribute("cidr"))
		return
	}
	t.doubtful(r.Address, "the prefix list that it belongs to is not known", r.Pos, nil)
}

func (t *tf) listOf(v terraform.Value) *liftedList {
	if v.Kind == terraform.Reference {
		if r, _, ok := t.set.Resolve(v.Ref); ok && t.lists[r.Address] != nil {
			return t.lists[r.Address]
		}
	}
	if s := t.text(v); s != "" {
		return t.lists[s]
	}
	return nil
}

// ofAWS returns what is in the lists that AWS keeps itself and documents. That of
// Lattice is its link-local ranges
// (docs.aws.amazon.com/vpc-lattice/latest/ug/security-groups.html).
func ofAWS(name string) []netip.Prefix {
	v6 := strings.HasSuffix(name, ".ipv6.vpc-lattice")
	switch {
	case !strings.HasPrefix(name, "com.amazonaws.") || !strings.HasSuffix(name, ".vpc-lattice"):
		return nil
	case v6:
		return []netip.Prefix{netip.MustParsePrefix("fd00:ec2:80::/64")}
	}
	return []netip.Prefix{netip.MustParsePrefix("169.254.171.0/24")}
}
