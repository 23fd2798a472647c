package awssg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
)

// answers reads what AWS says.
func (l *lifter) answers(a *aws.Answers) {
	for i := range a.PrefixLists {
		l.awsList(&a.PrefixLists[i])
	}
	l.asked = !a.Missing("describe-vpc-peering-connections")
	l.gateways(a)
	for i := range a.Peerings {
		if p := &a.Peerings[i]; p.Status.Code == "active" {
			l.peer(p.AccepterVpcInfo.VpcId, p.RequesterVpcInfo.VpcId)
		}
	}
	l.accounts(a)
	for i := range a.SecurityGroups {
		l.awsGroup(&a.SecurityGroups[i])
	}
	if a.Missing("describe-security-groups") {
		why := "describe-security-groups is not among the answers, or is cut off"
		l.doubtful("describe-security-groups", why, diag.Pos{}, nil)
		l.silent = why
		for _, g := range l.groups {
			g.doubtIn(why, both...)
		}
	}
	l.interfaces(a)
}

// accounts notes, by account, the groups of those that were asked for their groups
// and for their interfaces: a rule of another account's group may name them.
func (l *lifter) accounts(a *aws.Answers) {
	l.told = map[string]map[string]bool{}
	for i := range a.NetworkInterfaces {
		l.told[a.NetworkInterfaces[i].OwnerId] = map[string]bool{}
	}
	for i := range a.SecurityGroups {
		if of := l.told[a.SecurityGroups[i].OwnerId]; of != nil && a.SecurityGroups[i].OwnerId != "" {
			of[a.SecurityGroups[i].GroupId] = true
		}
	}
}

// gateways notes which VPCs are on one transit gateway, and no more peered than
// that. Groups can be named across it only if the gateway and both attachments
// are set to; by default the gateway is not
// (docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security).
func (l *lifter) gateways(a *aws.Answers) {
	l.gated = map[[2]string]bool{}
	for i := range a.Attachments {
		for k := range a.Attachments {
			x, y := &a.Attachments[i], &a.Attachments[k]
			if x.TransitGatewayId == y.TransitGatewayId && x.VpcId != y.VpcId {
				pair := [2]string{x.VpcId, y.VpcId}
				delete(l.peered, pair)
				l.gated[pair] = l.gated[pair] || x.Options.SecurityGroupReferencingSupport != "disable" && y.Options.SecurityGroupReferencingSupport != "disable"
			}
		}
	}
}

func (l *lifter) awsList(p *aws.PrefixList) {
	out := &liftedList{prefixes: ofAWS(p.PrefixListName)}
	for _, e := range p.Entries {
		if x, ok := prefixOf(e.Cidr); ok {
			out.prefixes = append(out.prefixes, x)
		} else {
			out.doubt = "an entry of " + p.PrefixListId + " is no CIDR"
		}
	}
	if !p.Complete && out.prefixes == nil {
		out.doubt = "get-managed-prefix-list-entries of " + p.PrefixListId + " is not among the answers"
	}
	l.lists[p.PrefixListId] = out
}

func (l *lifter) awsGroup(s *aws.SecurityGroup) {
	g := &liftedGroup{key: s.GroupId, name: s.GroupName, id: s.GroupId, vpc: s.VpcId, pos: s.Pos}
	g.ours = l.src.Estate != "" && aws.TagOf(s.Tags, "firebreak:estate") == l.src.Estate
	if len(s.Unread) > 0 {
		g.doubtIn("the group has the field "+s.Unread[0]+", which is not understood", both...)
	}
	for d, list := range [][]aws.IpPermission{flow.Egress: s.IpPermissionsEgress, flow.Ingress: s.IpPermissions} {
		for i := range list {
			l.awsRule(g, flow.Direction(d), &list[i], s.OwnerId)
		}
	}
	l.groups[g.key] = g
}

func (l *lifter) awsRule(g *liftedGroup, d flow.Direction, p *aws.IpPermission, owner string) {
	from, to, given := 0, 0, p.FromPort != nil && p.ToPort != nil
	if given {
		from, to = *p.FromPort, *p.ToPort
	}
	r := liftedRule{dir: d, ref: flow.Rule{Policy: g.name, Rule: cmp.Or(describedBy(p), g.id), File: p.Pos.File, Line: p.Pos.Line}}
	r.traffic, r.family, r.unknown = protocols(p.IpProtocol, from, to, given)
	if (p.FromPort == nil) != (p.ToPort == nil) {
		r.unknown = "its ports are not known"
	}
	if len(p.Unread) > 0 {
		r.unknown = "it has the field " + p.Unread[0] + ", which is not understood"
	}
	cidrs := make([]string, 0, len(p.IpRanges)+len(p.Ipv6Ranges))
	for _, x := range p.IpRanges {
		cidrs = append(cidrs, x.CidrIp)
	}
	for _, x := range p.Ipv6Ranges {
		cidrs = append(cidrs, x.CidrIpv6)
	}
	for _, c := range cidrs {
		if x, ok := prefixOf(c); ok {
			r.prefixes = append(r.prefixes, x)
		} else {
			r.anyone, r.unknown = true, cmp.Or(r.unknown, "its range "+c+" is no CIDR")
		}
	}
	for _, x := range p.PrefixListIds {
		list := l.lists[x.PrefixListId]
		if list == nil {
			list = &liftedList{doubt: "the prefix list " + x.PrefixListId + " is not among the answers"}
		}
		r.prefixes = append(r.prefixes, list.prefixes...)
		if list.doubt != "" {
			r.anyone, r.unknown = true, cmp.Or(r.unknown, list.doubt)
		}
	}
	g.add(r)
	for _, x := range p.UserIdGroupPairs {
		one := r
		one.prefixes, one.anyone, one.groups = nil, false, []string{x.GroupId}
		if x.Description != "" {
			one.ref.Rule = x.Description
		}
		if x.UserId != "" && owner != "" && x.UserId != owner && !l.told[x.UserId][x.GroupId] {
			one.groups, one.anyone = nil, true
			one.unknown = cmp.Or(one.unknown, "the group "+x.GroupId+" belongs to account "+x.UserId+", whose groups are not known here")
		}
		if len(x.Unread) > 0 {
			one.unknown = cmp.Or(one.unknown, "it has the field "+x.Unread[0]+", which is not understood")
		}
		g.add(one)
	}
}

func describedBy(p *aws.IpPermission) string {
	for _, x := range p.IpRanges {
		if x.Description != "" {
			return x.Description
		}
	}
	for _, x := range p.Ipv6Ranges {
		if x.Description != "" {
			return x.Description
		}
	}
	return ""
}

// interfaces reads who is in which groups: of every interface, and of instances
// where the interfaces were not asked for.
func (l *lifter) interfaces(a *aws.Answers) {
	instance := map[string]*aws.Instance{}
	for i := range a.Instances {
		instance[a.Instances[i].InstanceId] = &a.Instances[i]
	}
	if !a.Missing("describe-network-interfaces") {
		for i := range a.NetworkInterfaces {
			l.awsInterface(&a.NetworkInterfaces[i], instance)
		}
		return
	}
	for i := range a.Instances {
		for n := range a.Instances[i].NetworkInterfaces {
			x := a.Instances[i].NetworkInterfaces[n]
			if x.Attachment == nil {
				x.Attachment = &aws.Attachment{}
			}
			attached := *x.Attachment
			attached.InstanceId = a.Instances[i].InstanceId
			x.Attachment = &attached
			l.awsInterface(&x, instance)
		}
	}
	why := "describe-network-interfaces is not among the answers, or is cut off: who else is in it is not known"
	l.doubtful("describe-network-interfaces", why, diag.Pos{}, nil)
	for _, k := range l.keys() {
		l.holders = append(l.holders, holder{what: "interfaces that were not asked for", groups: []string{k}, doubt: why})
	}
}

func (l *lifter) awsInterface(n *aws.NetworkInterface, instances map[string]*aws.Instance) {
	h := holder{what: n.NetworkInterfaceId, names: []string{n.NetworkInterfaceId}, vpc: n.VpcId, pos: n.Pos}
	if n.Attachment != nil && n.Attachment.InstanceId != "" {
		h.names = append(h.names, n.Attachment.InstanceId)
		if i := instances[n.Attachment.InstanceId]; i != nil {
			if name := aws.TagOf(i.Tags, "Name"); name != "" {
				h.names = append(h.names, name)
			}
			if i.State.Name == "terminated" {
				return
			}
		}
	}
	for _, x := range append(n.PrivateIpAddresses, aws.PrivateIpAddress{PrivateIpAddress: n.PrivateIpAddress}) {
		h.addr(x.PrivateIpAddress)
	}
	for _, x := range n.Ipv6Addresses {
		h.addr(x.Ipv6Address)
	}
	for _, g := range n.Groups {
		h.groups = append(h.groups, g.GroupId)
		if l.groups[g.GroupId] == nil {
			why := "what the group " + g.GroupId + " permits is not among the answers"
			l.groups[g.GroupId] = &liftedGroup{key: g.GroupId, id: g.GroupId, name: g.GroupName, vpc: n.VpcId, pos: n.Pos, doubt: [2]string{why, why}}
		}
	}
	switch {
	case len(h.groups) > 0:
	case n.Groups == nil || n.Attachment != nil && n.Attachment.InstanceId != "": // an instance's always has one
		h.doubt = "the answer does not say which groups " + h.what + " has"
	default:
		h.bare = true
	}
	l.holders = append(l.holders, h)
}

func (h *holder) addr(text string) {
	if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(h.addrs, a) {
		h.addrs = append(h.addrs, a)
	}
}

// compareFiles looks, beside AWS's answers, for what Terraform's files mean to
// be there: their groups of this estate, under the keys of the answers.
func (l *lifter) compareFiles(set *terraform.Set) {
	files := &lifter{src: l.src, groups: map[string]*liftedGroup{}, lists: map[string]*liftedList{}, peered: map[[2]string]bool{}, meant: l.meant}
	files.terraform(set)
	for _, refs := range l.meant {
		for i, key := range refs {
			if g := files.groups[key]; g != nil {
				refs[i] = cmp.Or(l.counterpart(g), key)
			}
		}
	}
	for _, k := range files.keys() {
		if g := files.groups[k]; g.ours && l.counterpart(g) == "" {
			l.doubtful(k, "the files declare the group "+cmp.Or(g.name, k)+", and AWS does not have it: it was not applied, or was deleted", g.pos, layer.Match(nil))
		}
	}
}

// counterpart finds the group of the answers that a group of the files is.
func (l *lifter) counterpart(g *liftedGroup) string {
	for _, k := range l.keys() {
		x := l.groups[k]
		if g.id != "" && g.id == x.id || g.id == "" && g.name != "" && g.name == x.name && (g.vpc == x.vpc || !strings.HasPrefix(g.vpc, "vpc-")) {
			return k
		}
	}
	return ""
}
