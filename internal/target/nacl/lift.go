package nacl

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/live/terraform"
	"firebreak/internal/netset"
	"firebreak/internal/target"
)

// lifter gathers what sources say, in one form, before tables are made of it.
type lifter struct {
	src     *target.Source
	acls    map[string]*liftedACL // by key: the address in Terraform or the ID
	subnets map[string]*liftedSubnet
	unknown []layer.Unknown
	unread  []terraform.Unread // modules that may have ACLs, entries and associations
	crowd
}

// liftedACL is a network ACL as it was read.
type liftedACL struct {
	key, id, vpc string
	isDefault    bool
	ours         bool
	entries      []liftedEntry
	inline       bool   // the configuration has entries in the ACL itself
	apart        bool   // and as resources of their own
	doubt        string // why its entries are not all known
	pos          diag.Pos
}

// liftedEntry is a numbered rule.
type liftedEntry struct {
	egress, allow bool
	number        int
	prefix        netip.Prefix
	traffic       netset.Traffic
	unknown       string
	ref           flow.Rule
}

// liftedSubnet is a subnet, by the name that workloads have in net/subnet.
type liftedSubnet struct {
	name, vpc string
	cidrs     []netip.Prefix
	acl       string // key; empty: the default one of the VPC
	doubt     string
}

// Lift reads network ACLs and the subnets that they stand before. Of a live
// estate's folder the answers of AWS count where there are any, and otherwise
// Terraform's files.
//
// A conversation passes an ACL if the initiator's packets do and the replies do,
// which go to the ports that the client chooses from: a machine from 32768 to
// 65535, everybody else from 1024; an ACL that lets replies to some of them pass
// makes it unknown. What stays in a subnet is not judged.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) {
	l := &lifter{src: s, acls: map[string]*liftedACL{}, subnets: map[string]*liftedSubnet{}}
	set, diags := s.Folder.Terraform()
	answers, more := s.Folder.AWS()
	diags = append(diags, more...)
	for _, n := range s.Inventory.Networks {
		if n.Within != "" {
			l.subnets[n.Name] = &liftedSubnet{name: n.Name, vpc: n.Within, cidrs: n.CIDRs}
		}
	}
	if answers != nil && answers.Any() && !s.Alone {
		l.answers(answers)
	} else {
		l.terraform(set)
	}
	l.crowd = crowdOf(s.Inventory)
	l.any = l.unlikeMachines(answers, set)
	return l.layer(), diags
}

func (l *lifter) doubtful(where, why string, pos diag.Pos) {
	l.unknown = append(l.unknown, layer.Unknown{Where: flow.Rule{Rule: where, File: pos.File, Line: pos.Line}, Why: why})
}

func (l *lifter) subnet(name string) *liftedSubnet {
	if l.subnets[name] == nil {
		l.subnets[name] = &liftedSubnet{name: name}
	}
	return l.subnets[name]
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// protocol reads a protocol, a range of ports, and for ICMP a type. An entry
// about nothing but errors of ICMP is about parts of conversations and none of
// its own (www.iana.org/assignments/icmp-parameters, RFC 4443 section 2.1).
func protocol(name string, from, to int, ported bool, kind int, typed bool) (t netset.Traffic, why string) {
	ports := func(p netset.Protocol) (netset.Traffic, string) {
		switch {
		case !ported:
			return netset.Of(p, 0, 65535), ""
		case from < 0 || to > 65535 || from > to:
			return netset.Of(p, 0, 65535), "its ports are no range"
		}
		return netset.Of(p, uint16(from), uint16(to)), ""
	}
	switch strings.ToLower(name) {
	case "-1", "all":
		return netset.All(), ""
	case "tcp", "6":
		return ports(netset.TCP)
	case "udp", "17":
		return ports(netset.UDP)
	case "sctp", "132":
		return netset.Of(netset.SCTP, 0, 65535), ""
	case "icmp", "1":
		return icmp(typed && kind != -1, kind == 3 || kind == 4 || kind == 11 || kind == 12)
	case "icmpv6", "ipv6-icmp", "58":
		return icmp(typed && kind != -1, kind >= 1 && kind <= 4)
	}
	return netset.Of(netset.Other, 0, 0), "it speaks of the protocol " + name + " alone, which is told apart from others nowhere here"
}

func icmp(some, errors bool) (netset.Traffic, string) {
	switch {
	case some && errors:
		return netset.None(), ""
	case some:
		return netset.Of(netset.ICMP, 0, 0), "it speaks of some types of ICMP only"
	}
	return netset.Of(netset.ICMP, 0, 0), ""
}

// ofFamily leaves out of an entry what its addresses' family does not have: the
// protocol ICMP is IPv4's, ICMPv6 is IPv6's.
func ofFamily(name string, p netip.Prefix) bool {
	switch strings.ToLower(name) {
	case "icmp", "1":
		return p.Addr().Is4()
	case "icmpv6", "ipv6-icmp", "58":
		return p.Addr().Is6()
	}
	return true
}

// order sorts entries as they are asked. The same number twice in a direction
// cannot be.
func (a *liftedACL) order() {
	slices.SortStableFunc(a.entries, func(x, y liftedEntry) int { return cmp.Compare(x.number, y.number) })
	for i := 1; i < len(a.entries); i++ {
		x, y := &a.entries[i-1], &a.entries[i]
		if x.number == y.number && x.egress == y.egress && (x.allow != y.allow || x.prefix != y.prefix || !x.traffic.Equal(y.traffic)) {
			a.doubt = cmp.Or(a.doubt, "two entries have one number; which of them is there is not known")
		}
	}
}
