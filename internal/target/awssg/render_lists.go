package awssg

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// list is rules that differ in nothing but whom they are about. The lists of a
// direction are a local value, of which one block makes a resource for each
// rule: what they share is written, reviewed and read back once.
type list struct {
	common
	argument string // of the resource, that names the peer
	rules    []*rule
}

// common is what the rules of a list share.
type common struct {
	ports string // as rule.ports
	why   string // the description
	part  int
}

// wrapped is from how many peers on each has a line of its own.
const wrapped = 4

// lists puts rules together, in an order that no other list changes.
func lists(rules []rule) []list {
	type key struct {
		common
		argument string
	}
	var out []list
	at := map[key]int{}
	for i := range rules {
		x := &rules[i]
		k := key{common{x.ports(), because(x.by), x.part}, x.argument()}
		n, known := at[k]
		if !known {
			n = len(out)
			at[k] = n
			out = append(out, list{k.common, k.argument, nil})
		}
		out[n].rules = append(out[n].rules, x)
	}
	slices.SortFunc(out, func(a, b list) int {
		return cmp.Or(strings.Compare(a.ports, b.ports), a.part-b.part, strings.Compare(a.why, b.why), strings.Compare(a.argument, b.argument))
	})
	return out
}

// argument is the one that names a rule's peer.
func (x *rule) argument() string {
	switch {
	case x.peer != nil:
		return "referenced_security_group_id"
	case x.list:
		return "prefix_list_id"
	case x.v6:
		return "cidr_ipv6"
	}
	return "cidr_ipv4"
}

// ports names protocol and ports in the key of a rule. What is ICMP in IPv4 is
// another protocol in IPv6.
func (x *rule) ports() string {
	if x.v6 && !x.what.all && x.what.proto == netset.ICMP {
		return "icmpv6"
	}
	return x.what.name()
}

// rules appends a direction's lists and the block that makes rules of them.
func (v *network) rules(b []byte, g *group, d flow.Direction) []byte {
	kind, name, says := "aws_vpc_security_group_egress_rule", g.name+"_to", "# Whom "+g.name+" may call"
	if d == flow.Ingress {
		kind, name, says = "aws_vpc_security_group_ingress_rule", g.name+"_from", "# Who may call "+g.name
	}
	all := lists(g.rules[d])
	b = append(append(append(b, says...), ", by protocol and ports, and why.\nlocals {\n  "...), name...)
	b = append(b, " = [\n"...)
	for i := range all {
		b = v.list(b, g, all, i)
	}
	b = append(append(append(append(append(b, "  ]\n}\n\nresource \""...), kind...), "\" \""...), g.name...), "\" {\n"...)
	b = append(append(append(b, "  for_each = merge(flatten([for x in local."...), name...), comprehension...)
	in := "aws_security_group." + local(g.cell, 0) + ".id"
	if g.parts > 1 {
		in = "each.value.of.group"
	}
	attrs := []attr{{"security_group_id", in}, {"description", "each.value.why"}}
	for _, x := range []string{"cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"} {
		if slices.ContainsFunc(all, func(l list) bool { return l.argument == x }) {
			attrs = append(attrs, attr{x, "try(each.value." + x + ", null)"})
		}
	}
	return append(aligned(b, "  ", append(attrs, attr{"ip_protocol", "each.value.of.protocol"}, attr{"from_port", "each.value.of.from"}, attr{"to_port", "each.value.of.to"},
		attr{"tags", `{ "firebreak:estate" = ` + quote(v.r.w.Policy.Estate) + " }"})), "}\n"...)
}

// comprehension makes one rule of each peer. Its key is known before any group
// exists. (try and lookup are not: of what has an ID that is not known yet they
// know nothing.)
const comprehension = ` : [for r in x.rules : [for argument, peers in r.peers : {
    for name, peer in peers : "${name} ${x.ports}" => { of = x, why = r.why, (argument) = peer }
  }]]])...)

`

// list appends one of the lists: what is said of a protocol and ports in a part,
// is an object, in which each reason has one of its own.
func (v *network) list(b []byte, g *group, all []list, i int) []byte {
	l := &all[i]
	opens := i == 0 || all[i-1].ports != l.ports || all[i-1].part != l.part
	closes := i+1 == len(all) || all[i+1].ports != l.ports || all[i+1].part != l.part
	if opens {
		protocol, from, to := written(l.rules[0])
		b = append(append(append(append(b, "    { ports = \""...), l.ports...), `", protocol = "`...), protocol...)
		b = append(append(append(append(b, `", from = `...), from...), ", to = "...), to...)
		if g.parts > 1 {
			b = append(append(append(b, ", group = aws_security_group."...), local(g.cell, l.part)...), ".id"...)
		}
		b = append(b, ", rules = [\n"...)
	}
	if opens || !l.joins(&all[i-1]) {
		b = append(append(append(b, "      { why = "...), quote(l.why)...), ", peers = { "...)
	} else {
		b = append(b, ", "...)
	}
	b = v.peers(b, l)
	if closes || !all[i+1].joins(l) {
		b = append(b, " } },\n"...)
	}
	if closes {
		b = append(b, "    ] },\n"...)
	}
	return b
}

// joins reports whether a list is written in the same object as another: long
// ones are not.
func (l *list) joins(before *list) bool {
	return l.common == before.common && len(l.rules) < wrapped && len(before.rules) < wrapped
}

// peers appends whom a list is about.
func (v *network) peers(b []byte, l *list) []byte {
	b = append(append(b, l.argument...), " = "...)
	if l.rules[0].cidr != "" {
		return append(v.ranges(append(b, "toset(["...), l), "])"...)
	}
	return append(v.named(append(b, '{'), l), '}')
}

// ranges appends the addresses of a list.
func (v *network) ranges(b []byte, l *list) []byte {
	for i, x := range l.rules {
		switch {
		case len(l.rules) >= wrapped:
			b = append(b, "\n        "...)
		case i > 0:
			b = append(b, ", "...)
		}
		b = append(append(append(b, '"'), x.cidr...), '"')
		if len(l.rules) >= wrapped {
			b = append(b, ',')
		}
	}
	if len(l.rules) >= wrapped {
		b = append(b, "\n      "...)
	}
	return b
}

// named appends the groups and prefix lists of a list.
func (v *network) named(b []byte, l *list) []byte {
	var peers []attr
	for _, x := range l.rules {
		peers = append(peers, attr{quote(x.who), v.idOf(x)})
	}
	if len(peers) >= wrapped {
		return append(aligned(append(b, '\n'), "        ", peers), "      "...)
	}
	for i, p := range peers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, ' '), p.name...), " = "...), p.value...)
	}
	return append(b, ' ')
}

// idOf refers to the group or the prefix list that a rule is about.
func (v *network) idOf(x *rule) string {
	switch {
	case x.list:
		return "data.aws_ec2_managed_prefix_list." + listName(x.v6) + ".id"
	case x.peer.vpc != v.vpc:
		return "data.aws_security_group." + identifier(x.peer.vpc+"_"+x.peer.name) + ".id"
	}
	return "aws_security_group." + local(x.peer, 0) + ".id"
}

// written is how a rule's protocol and ports are written. 132 is SCTP.
func written(x *rule) (protocol, from, to string) {
	protocol = strings.ToLower(x.what.proto.String())
	switch {
	case x.what.all:
		return "-1", "null", "null"
	case x.what.proto == netset.SCTP:
		return "132", "null", "null"
	case x.what.proto == netset.ICMP && x.v6:
		return "icmpv6", "-1", "-1"
	case x.what.proto == netset.ICMP:
		return "icmp", "-1", "-1"
	}
	return protocol, number(int(x.what.lo)), number(int(x.what.hi))
}
