package nacl

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/live/aws"
)

// lastNumber is that of the entries written as '*'
// (docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html: up to 32766).
const lastNumber = 32766

func (l *lifter) answers(a *aws.Answers) {
	for i := range a.Subnets {
		x := &a.Subnets[i]
		s := l.subnet(x.SubnetId)
		s.vpc = cmp.Or(x.VpcId, s.vpc)
		cidrs := []string{x.CidrBlock}
		for _, y := range x.Ipv6CidrBlockAssociationSet {
			cidrs = append(cidrs, y.Ipv6CidrBlock)
		}
		for _, c := range cidrs {
			if p, err := netip.ParsePrefix(c); err == nil && !slices.Contains(s.cidrs, p.Masked()) {
				s.cidrs = append(s.cidrs, p.Masked())
			}
		}
	}
	if a.Missing("describe-network-acls") {
		l.doubtful("describe-network-acls", "describe-network-acls is not among the answers, or is cut off", diag.Pos{})
		for i := range l.src.Inventory.Workloads { // their subnets have ACLs, whoever asked
			if name := l.src.Inventory.Workloads[i].Labels["net/subnet"]; name != "" {
				s := l.subnet(name)
				s.vpc = cmp.Or(s.vpc, l.src.Inventory.Workloads[i].Labels["net/vpc"])
			}
		}
		for _, s := range l.subnets {
			s.doubt = "describe-network-acls is not among the answers, or is cut off"
		}
		if len(a.NetworkAcls) == 0 {
			return
		}
	}
	vpcs := map[string]bool{}
	for i := range a.NetworkAcls {
		l.awsACL(&a.NetworkAcls[i])
		vpcs[a.NetworkAcls[i].VpcId] = true
	}
	for i := range l.src.Inventory.Workloads { // of subnets that only workloads name
		labels := l.src.Inventory.Workloads[i].Labels
		if name := labels["net/subnet"]; name != "" && vpcs[labels["net/vpc"]] {
			s := l.subnet(name)
			s.vpc = cmp.Or(s.vpc, labels["net/vpc"])
		}
	}
}

func (l *lifter) awsACL(x *aws.NetworkAcl) {
	a := &liftedACL{key: x.NetworkAclId, id: x.NetworkAclId, vpc: x.VpcId, isDefault: x.IsDefault, pos: x.Pos}
	a.ours = l.src.Estate != "" && aws.TagOf(x.Tags, "firebreak:estate") == l.src.Estate
	if len(x.Unread) > 0 {
		a.doubt = "it has the field " + x.Unread[0] + ", which is not understood"
	}
	for i := range x.Entries {
		a.awsEntry(&x.Entries[i])
	}
	a.order()
	l.acls[a.key] = a
	for _, s := range x.Associations {
		l.subnet(s.SubnetId).acl = a.key
		l.subnet(s.SubnetId).vpc = x.VpcId
	}
}

func (a *liftedACL) awsEntry(x *aws.NetworkAclEntry) {
	if x.RuleNumber > lastNumber {
		return // denies what is left, which every ACL does
	}
	e := liftedEntry{egress: x.Egress, number: x.RuleNumber, ref: flow.Rule{Policy: a.key, Rule: strconv.Itoa(x.RuleNumber), File: x.Pos.File, Line: x.Pos.Line}}
	switch x.RuleAction {
	case "allow":
		e.allow = true
	case "deny":
	default:
		a.doubt = cmp.Or(a.doubt, "whether entry "+e.ref.Rule+" allows or denies is not known")
		return
	}
	if len(x.Unread) > 0 {
		e.unknown = "it has the field " + x.Unread[0] + ", which is not understood"
	}
	from, to, kind := 0, 0, 0
	if x.PortRange != nil {
		from, to = x.PortRange.From, x.PortRange.To
	}
	if x.IcmpTypeCode != nil {
		kind = x.IcmpTypeCode.Type
	}
	var why string
	e.traffic, why = protocol(x.Protocol, from, to, x.PortRange != nil, kind, x.IcmpTypeCode != nil)
	e.unknown = cmp.Or(e.unknown, why)
	for _, c := range []string{x.CidrBlock, x.Ipv6CidrBlock} {
		if c == "" {
			continue
		}
		p, err := netip.ParsePrefix(c)
		if err != nil {
			a.doubt = cmp.Or(a.doubt, "the range "+c+" is no CIDR")
			continue
		}
		if one := e; ofFamily(x.Protocol, p) && !one.traffic.IsEmpty() {
			one.prefix = p.Masked()
			a.entries = append(a.entries, one)
		}
	}
}
