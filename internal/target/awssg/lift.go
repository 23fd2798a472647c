package awssg

import (
	"cmp"
	"net/netip"
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
	groups  map[string]*liftedGroup // by key: the address in Terraform or the ID
	lists   map[string]*liftedList  // prefix lists, likewise
	holders []holder
	peered  map[[2]string]bool         // VPCs, both ways
	gated   map[[2]string]bool         // VPCs on one transit gateway, both ways: whether groups may be named across it
	asked   bool                       // peerings are all known
	told    map[string]map[string]bool // by account: its groups, if it was asked for them and for interfaces
	silent  string                     // why nothing at all is known of groups, where AWS answered
	meant   map[string][]string
	unknown []layer.Unknown
	unread  []terraform.Unread // modules that may have rules and attachments
}

// liftedGroup is a security group as it was read.
type liftedGroup struct {
	key, name, id, vpc string
	ours               bool
	rules              []liftedRule
	inline, apart      [2]bool   // by direction: rules are configured in the group itself, and as resources of their own
	doubt              [2]string // by direction: why its rules are not all known
	pos                diag.Pos
}

// liftedRule is one statement of a group: what its peers may do.
type liftedRule struct {
	dir      flow.Direction
	prefixes []netip.Prefix
	groups   []string // keys
	anyone   bool     // the peers are not known
	traffic  netset.Traffic
	family   int // 4 or 6: it speaks of addresses of that family only; 0: of both
	unknown  string
	ref      flow.Rule
}

// liftedList is a prefix list.
type liftedList struct {
	prefixes []netip.Prefix
	doubt    string
}

// holder is something that is in groups: an interface, an instance, a function.
type holder struct {
	what   string   // for people
	names  []string // what a workload may be called that it stands for
	addrs  []netip.Addr
	vpc    string
	groups []string // keys
	doubt  string   // why its groups are not all known
	bare   bool     // it has no groups and never will: nothing filters it
	worn   bool     // it is an interface, and stands for its instance
	pos    diag.Pos
}

// Lift reads security groups and who is in them. Of a live estate's folder the
// answers of AWS count where there are any, and otherwise Terraform's files.
// Only what is attached is in force: what the output firebreak_security_groups
// says of a workload is taken for granted of rendered files alone.
//
// A workload whose groups are not known is governed, and everything about it is
// unknown. A workload outside of every VPC is not governed.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) {
	l := &lifter{src: s, groups: map[string]*liftedGroup{}, lists: map[string]*liftedList{}, peered: map[[2]string]bool{}, meant: map[string][]string{}}
	set, diags := s.Folder.Terraform()
	answers, more := s.Folder.AWS()
	diags = append(diags, more...)
	for _, n := range s.Inventory.Networks {
		for _, p := range n.Peers {
			l.peer(n.Name, p)
		}
	}
	l.terraformOutputs(set)
	if answers != nil && answers.Any() && !s.Alone {
		l.answers(answers)
		l.compareFiles(set)
	} else {
		l.terraform(set)
	}
	return l.layer(), diags
}

func (l *lifter) peer(a, b string) {
	l.peered[[2]string{a, b}], l.peered[[2]string{b, a}] = true, true
}

// keys lists the groups in order.
func (l *lifter) keys() []string { return sortedKeys(l.groups) }

// doubt notes something that is not even a rule.
func (l *lifter) doubtful(where, why string, pos diag.Pos, concerns layer.Match) {
	l.unknown = append(l.unknown, layer.Unknown{Where: flow.Rule{Rule: where, File: pos.File, Line: pos.Line}, Why: why, Concerns: concerns})
}

// protocols reads a protocol as Terraform and AWS write it, with the ports, or
// for ICMP the type and the code. A rule about nothing but errors, which are
// part of conversations and none themselves, permits none: traffic is empty.
func protocols(name string, from, to int, ported bool) (t netset.Traffic, family int, why string) {
	switch strings.ToLower(name) {
	case "-1", "all":
		return netset.All(), 0, ""
	case "tcp", "6":
		return portsOf(netset.TCP, from, to, ported)
	case "udp", "17":
		return portsOf(netset.UDP, from, to, ported)
	case "icmp", "1":
		return icmp(4, from, to, ported)
	case "icmpv6", "58":
		return icmp(6, from, to, ported)
	case "132", "sctp":
		return netset.Of(netset.SCTP, 0, 65535), 0, ""
	}
	return netset.Of(netset.Other, 0, 0), 0, "it speaks of the protocol " + name + " alone, which is told apart from others nowhere here"
}

func portsOf(p netset.Protocol, from, to int, given bool) (netset.Traffic, int, string) {
	if !given || from == -1 && to == -1 {
		return netset.Of(p, 0, 65535), 0, ""
	}
	if from < 0 || to > 65535 || from > to {
		return netset.Of(p, 0, 65535), 0, "its ports are no range"
	}
	return netset.Of(p, uint16(from), uint16(to)), 0, ""
}

// icmp reads types. 3, 4, 11 and 12 of ICMP and 1 to 4 of ICMPv6 are errors
// (www.iana.org/assignments/icmp-parameters, RFC 4443 section 2.1).
func icmp(family, kind, _ int, given bool) (netset.Traffic, int, string) {
	all := netset.Of(netset.ICMP, 0, 0)
	switch {
	case !given || kind == -1:
		return all, family, ""
	case family == 4 && (kind == 3 || kind == 4 || kind == 11 || kind == 12), family == 6 && kind >= 1 && kind <= 4:
		return netset.None(), family, ""
	}
	return all, family, "it speaks of some types of ICMP only"
}

// prefixOf reads a CIDR as AWS does, which ignores the bits behind the mask.
func prefixOf(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// add puts a rule into a group, unless it permits nothing.
func (g *liftedGroup) add(r liftedRule) {
	if !r.traffic.IsEmpty() {
		g.rules = append(g.rules, r)
	}
}

func (g *liftedGroup) doubtIn(why string, directions ...flow.Direction) {
	for _, d := range directions {
		g.doubt[d] = cmp.Or(g.doubt[d], why)
	}
}
