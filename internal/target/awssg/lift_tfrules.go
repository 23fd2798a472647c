package awssg

import (
	"cmp"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/live/terraform"
	"firebreak/internal/netset"
)

// inline reads the rules that stand in a group itself. Where a plan does not
// know them it is because nobody wrote any: they are then what other resources
// say.
func (t *tf) inline(r *terraform.Resource) {
	g := t.groups[r.Address]
	for i, field := range []string{"egress", "ingress"} {
		d := flow.Direction(i)
		v := t.set.Known(r.Attribute(field))
		// Plans and states list all rules there, whoever made them.
		g.inline[d] = r.From == terraform.Config && v.Kind != terraform.Null
		if v.Kind == terraform.Unresolved && r.From != terraform.Plan {
			g.doubtIn(field+" of "+r.Address+": "+v.Why, d)
		}
		for _, b := range v.Items() {
			if b.Kind != terraform.Object {
				g.doubtIn(field+" of "+r.Address+": "+cmp.Or(b.Why, "a rule is not known"), d)
				continue
			}
			rule := t.rule(refOf(r), d, b, inlineFields, "protocol")
			rule.ref.Rule, rule.ref.Line = r.Address+" "+field, cmp.Or(b.Pos.Line, rule.ref.Line)
			t.peers(&rule, b, g.key, "security_groups")
			g.add(rule)
		}
	}
}

func (t *tf) oldRule(r *terraform.Resource) {
	g := t.groupOf(r)
	if g == nil {
		return
	}
	var d flow.Direction
	switch s := t.text(r.Attribute("type")); s {
	case "ingress":
		d = flow.Ingress
	case "egress":
		d = flow.Egress
	default:
		g.doubtIn("the type of "+r.Address+" is not known", both...)
		return
	}
	g.apart[d] = true
	rule := t.rule(refOf(r), d, r.Body, oldFields, "protocol")
	t.peers(&rule, r.Body, g.key, "source_security_group_id")
	g.add(rule)
}

func (t *tf) newRule(r *terraform.Resource) {
	g := t.groupOf(r)
	if g == nil {
		return
	}
	d := flow.Egress
	if r.Type == "aws_vpc_security_group_ingress_rule" {
		d = flow.Ingress
	}
	g.apart[d] = true
	rule := t.rule(refOf(r), d, r.Body, newFields, "ip_protocol")
	t.peers(&rule, r.Body, g.key, "referenced_security_group_id")
	g.add(rule)
}

// dispute makes unknown what both a group itself and resources of their own say:
// Terraform takes away with the one what it made for the other
// (registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group,
// "NOTE on Security Groups and Security Group Rules").
func (g *liftedGroup) dispute() {
	for i := range g.rules {
		if r := &g.rules[i]; g.inline[r.dir] && g.apart[r.dir] {
			r.unknown = cmp.Or(r.unknown, "the group "+cmp.Or(g.name, g.key)+" has rules in line and resources for single rules, and Terraform undoes each for the other")
		}
	}
}

// groupOf finds the group of a rule resource. Where it cannot be found any group
// may have the rule.
func (t *tf) groupOf(r *terraform.Resource) *liftedGroup {
	key, why := t.keyOf(r.Attribute("security_group_id"))
	if g := t.groups[key]; g != nil {
		return g
	}
	if s := t.text(r.Attribute("security_group_id")); s != "" { // it exists elsewhere
		why = cmp.Or(why, "it is not among the files")
		g := &liftedGroup{key: s, id: s, pos: r.Pos, doubt: [2]string{why, why}}
		t.groups[s] = g
		return g
	}
	for _, k := range t.keys() {
		t.groups[k].doubtIn(r.Address+" may be a rule of it: "+cmp.Or(why, "its group is not known"), both...)
	}
	return nil
}

// rule reads protocol and ports.
func (t *tf) rule(ref flow.Rule, d flow.Direction, body terraform.Value, known []string, protocol string) liftedRule {
	r := liftedRule{dir: d, ref: ref}
	from, to := t.set.Known(body.Field("from_port")), t.set.Known(body.Field("to_port"))
	lo, okLo := from.Int()
	hi, okHi := to.Int()
	name, okName := t.set.Known(body.Field(protocol)).String()
	for _, v := range []terraform.Value{from, to, body.Field(protocol)} {
		if v.Kind == terraform.Unresolved || v.Kind == terraform.Template {
			r.unknown = cmp.Or(r.unknown, v.Why, "it is not known before it exists")
		}
	}
	switch {
	case !okName:
		r.traffic, r.unknown = netset.All(), cmp.Or(r.unknown, "its protocol is not known")
	case r.unknown != "" || okLo != okHi:
		r.traffic, r.family, _ = protocols(name, 0, 0, false)
		r.unknown = cmp.Or(r.unknown, "its ports are not known")
	default:
		r.traffic, r.family, r.unknown = protocols(name, lo, hi, okLo)
	}
	if odd := unread(body, known); odd != "" {
		r.unknown = cmp.Or(r.unknown, "it has the argument "+odd+", which is not understood")
	}
	return r
}

// peers reads who a rule is about. self is the group that it stands in.
func (t *tf) peers(r *liftedRule, body terraform.Value, self, groups string) {
	for _, field := range []string{"cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6"} {
		t.each(r, body.Field(field), func(v terraform.Value) {
			if p, ok := prefixOf(t.text(v)); ok {
				r.prefixes = append(r.prefixes, p)
			} else {
				r.anyone, r.unknown = true, cmp.Or(r.unknown, v.Why, "its "+strings.TrimSuffix(field, "s")+" is no CIDR")
			}
		})
	}
	for _, field := range []string{"prefix_list_ids", "prefix_list_id"} {
		t.each(r, body.Field(field), func(v terraform.Value) {
			p := t.listOf(v)
			if p == nil {
				p = &liftedList{doubt: cmp.Or(v.Why, "the prefix list that it names is not among the files")}
			}
			r.prefixes = append(r.prefixes, p.prefixes...)
			if p.doubt != "" {
				r.anyone, r.unknown = true, cmp.Or(r.unknown, p.doubt)
			}
		})
	}
	t.each(r, body.Field(groups), func(v terraform.Value) {
		key, why := t.keyOf(v)
		if key == "" && v.Kind == terraform.String && v.Text == "self" {
			key = self
		}
		if key == "" {
			r.anyone, r.unknown = true, cmp.Or(r.unknown, why)
			return
		}
		r.groups = append(r.groups, key)
	})
	own := body.Field("self")
	if is, known := t.set.Known(own).True(); is {
		r.groups = append(r.groups, self)
	} else if !known && own.Set() {
		r.groups, r.unknown = append(r.groups, self), cmp.Or(r.unknown, own.Why, "whether it means its own group is not known")
	}
}

// each visits a value or the elements of a list.
func (t *tf) each(r *liftedRule, v terraform.Value, visit func(terraform.Value)) {
	known := v
	if v.Kind == terraform.Reference {
		if k := t.set.Known(v); k.Kind == terraform.List || k.Kind == terraform.Unresolved {
			known = k
		}
	}
	switch known.Kind {
	case terraform.Null:
	case terraform.List:
		for _, x := range known.List {
			visit(x)
		}
	case terraform.Unresolved, terraform.Template:
		r.anyone, r.unknown = true, cmp.Or(r.unknown, known.Why, "it is not known before it exists")
	default:
		if known.Kind != terraform.String || known.Text != "" {
			visit(known)
		}
	}
}
