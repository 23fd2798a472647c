package nacl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

func (l *lifter) layer() *layer.Layer {
	out := &layer.Layer{Target: "nacl", Modelled: true, Timeless: true, Nameless: true, Unknown: l.unknown}
	for _, k := range sortedKeys(l.acls) {
		if l.acls[k].ours {
			out.Ours++
		} else {
			out.Foreign++
		}
	}
	points := map[string]*layer.Point{}
	var order []string
	for _, name := range sortedKeys(l.subnets) {
		s := l.subnets[name]
		a, why := l.aclOf(s)
		if a == nil && why == "" {
			continue
		}
		members, partly := l.members(s)
		if len(members)+len(partly) == 0 {
			continue
		}
		vpc := cmp.Or(s.vpc, "unknown VPC")
		p := points[vpc]
		if p == nil {
			p = &layer.Point{Name: vpc}
			points[vpc] = p
			order = append(order, vpc)
		}
		if len(p.Governs) == 0 {
			p.Governs = layer.Match{{Workloads: nil}}
		}
		p.Governs[0].Workloads = slices.Concat(p.Governs[0].Workloads, members, partly)
		l.tables(out, s, a, why, members, partly)
	}
	slices.Sort(order)
	for _, vpc := range order {
		p := points[vpc]
		slices.Sort(p.Governs[0].Workloads)
		p.Governs[0].Workloads = slices.Compact(p.Governs[0].Workloads)
		out.Points = append(out.Points, *p)
	}
	for _, u := range l.unread {
		var all layer.Match
		for i := range out.Points {
			all = append(all, out.Points[i].Governs...)
		}
		if u.File {
			all = inSomeVPC()
		}
		out.Unknown = append(out.Unknown, layer.Unknown{Where: flow.Rule{Rule: u.Address, File: u.Pos.File, Line: u.Pos.Line}, Why: u.Address + " may have network ACLs and entries: " + u.Why, Concerns: all})
	}
	l.detached(out)
	return out
}

// inSomeVPC is whom a file that cannot be read may be about.
func inSomeVPC() layer.Match {
	s, _ := label.Parse("net/vpc")
	return layer.Selected(s)
}

// detached adds a point for each ACL of ours that no subnet is associated with.
func (l *lifter) detached(out *layer.Layer) {
	for _, k := range sortedKeys(l.acls) {
		used := false
		for _, s := range l.subnets {
			used = used || s.acl == k
		}
		if a := l.acls[k]; a.ours && !used {
			out.Points = append(out.Points, layer.Point{Name: "network ACL " + k, Missing: "no subnet is associated with the network ACL " + k})
		}
	}
}

// aclOf finds a subnet's ACL: the one that it is associated with, else the
// default one of its VPC. Without either, and without a reason, nothing is said
// of the subnet.
func (l *lifter) aclOf(s *liftedSubnet) (*liftedACL, string) {
	if s.doubt != "" {
		return nil, s.doubt
	}
	if a := l.acls[s.acl]; a != nil {
		return a, a.doubt
	}
	if s.acl == "" {
		for _, k := range sortedKeys(l.acls) {
			if a := l.acls[k]; a.isDefault && a.vpc == s.vpc {
				return a, a.doubt
			}
		}
	}
	if l.src.Alone || len(l.acls) == 0 {
		return nil, ""
	}
	return nil, "the network ACL of " + s.name + " is not known: it is the default one of its VPC, or was not asked for"
}

// tables adds what an ACL says of conversations that its subnet begins and of
// those that it answers, and in each case of the replies.
func (l *lifter) tables(out *layer.Layer, s *liftedSubnet, a *liftedACL, why string, members, partly []string) {
	here := layer.Match{{Workloads: append([]string{}, members...)}}
	if len(s.cidrs) > 0 {
		here = append(here, layer.Term{Address: true, Prefixes: s.cidrs})
	}
	governs := here
	if len(partly) > 0 {
		governs = append(slices.Clip(here), layer.Named(partly...)...)
	}
	far := l.unrouted(s.vpc)
	for _, x := range []struct {
		name    string
		dir     flow.Direction
		egress  bool // the entries that decide
		replies bool
	}{
		{"network ACL of " + s.name, flow.Egress, true, false},
		{"network ACL of " + s.name, flow.Ingress, false, false},
		{"replies through the network ACL of " + s.name, flow.Egress, false, true},
		{"replies through the network ACL of " + s.name, flow.Ingress, true, true},
	} {
		t := layer.Table{Name: x.name, Direction: x.dir, Governs: governs, Default: layer.Deny}
		everything := layer.Rule{Subject: layer.Everything(), Peer: here, Traffic: netset.All(), Effect: layer.Abstain, Ref: flow.Rule{Rule: "within " + s.name}}
		first := []layer.Rule{everything}
		if len(far) > 0 {
			everything.Peer, everything.Ref = layer.Named(far...), flow.Rule{Rule: "no packets are exchanged with its VPC"}
			first = append(first, everything)
		}
		t.Tiers = append(t.Tiers, first)
		if len(partly) > 0 {
			t.Tiers = append(t.Tiers, []layer.Rule{{Subject: layer.Named(partly...), Peer: layer.Everything(), Traffic: netset.All(), Effect: layer.Allow, Ref: flow.Rule{Rule: "network ACL of " + s.name},
				Unknown: "it has interfaces in other subnets than " + s.name + ", too: which of them a conversation takes is not known"}})
		}
		if why != "" {
			t.Tiers = append(t.Tiers, []layer.Rule{{Subject: layer.Everything(), Peer: layer.Everything(), Traffic: netset.All(), Effect: layer.Allow, Unknown: why, Ref: flow.Rule{Rule: "network ACL of " + s.name}}})
		}
		if a != nil {
			entries := keep(a.entries, x.egress)
			if x.replies {
				entries = replied(entries)
			}
			t.Tiers = append(t.Tiers, l.tiers(entries, x.replies)...)
			if x.replies {
				t.Tiers = append(t.Tiers, []layer.Rule{{Subject: layer.Everything(), Peer: layer.Everything(), Traffic: unanswered, Effect: layer.Allow, Unknown: oneWay, OneWay: true, Ref: flow.Rule{Rule: "network ACL of " + s.name}}})
			}
		}
		out.Tables = append(out.Tables, t)
	}
}

func keep(in []liftedEntry, egress bool) []liftedEntry {
	var out []liftedEntry
	for _, e := range in {
		if e.egress == egress {
			out = append(out, e)
		}
	}
	return out
}

// tiers puts entries in the order in which they are asked. Neighbours that say
// the same of what they speak of are asked together.
func (l *lifter) tiers(entries []liftedEntry, replies bool) [][]layer.Rule {
	out := [][]layer.Rule{l.several(entries, replies)}
	for i := range entries {
		e := &entries[i]
		r := layer.Rule{Ref: e.ref, Subject: layer.Everything(), Peer: layer.In(e.prefix), Traffic: e.traffic, Unknown: e.unknown, OneWay: e.unknown == oneWay, Effect: layer.Deny}
		if e.allow {
			r.Effect = layer.Allow
		}
		last := out[len(out)-1]
		if len(out) > 1 && last[0].Effect == r.Effect {
			out[len(out)-1] = append(last, r)
			continue
		}
		out = append(out, []layer.Rule{r})
	}
	if len(out[0]) == 0 {
		out = out[1:]
	}
	return out
}

// Replies go to the ports that clients choose
// (docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html).
const (
	firstEphemeral = 1024
	lastEphemeral  = 65535
)

// unanswered is traffic that needs no reply: a datagram is there when it arrives,
// whereas TCP and SCTP exchange nothing before both sides have spoken (RFC 9293
// section 3.5, RFC 9260 section 5.1).
var unanswered = netset.All().Subtract(netset.Of(netset.TCP, 0, 65535)).Subtract(netset.Of(netset.SCTP, 0, 65535))

const oneWay = "replies are stopped and datagrams that need none get through"

// replied says what entries mean for the replies of conversations: of TCP and UDP
// what they say of the clients' ports holds for conversations to every port.
func replied(entries []liftedEntry) []liftedEntry {
	var out []liftedEntry
	for i := range entries {
		e := entries[i]
		whole, part := netset.None(), netset.None()
		for p := range netset.NumProtocols {
			all := netset.Of(p, 0, 65535)
			switch said := e.traffic.Intersect(all); {
			case said.IsEmpty():
			case p != netset.TCP && p != netset.UDP:
				whole = whole.Union(said)
			case said.Equal(all) || clients(p).Subtract(said).IsEmpty() && (e.allow || !open(entries[i+1:], e.prefix, p)) || e.allow && clients(p).Subtract(before(entries, i, p)).IsEmpty():
				whole = whole.Union(all)
			case e.allow || !said.Intersect(clients(p)).IsEmpty():
				part = part.Union(all)
			}
		}
		if late := whole.Intersect(unanswered); !e.allow && !late.IsEmpty() {
			x := e
			x.traffic, x.unknown = late, cmp.Or(e.unknown, oneWay)
			out = append(out, x)
			whole = whole.Subtract(unanswered)
		}
		if !whole.IsEmpty() {
			x := e
			x.traffic = whole
			out = append(out, x)
		}
		if !part.IsEmpty() {
			x := e
			x.traffic = part
			x.unknown = cmp.Or(e.unknown, fmt.Sprintf("it speaks of replies to some ports only, and clients choose among all: %d-%d, or below if they may", firstEphemeral, lastEphemeral))
			out = append(out, x)
		}
	}
	return out
}

// open reports whether one of some entries allows a protocol to a port below those
// that clients usually choose, to addresses that overlap a prefix.
func open(entries []liftedEntry, prefix netip.Prefix, p netset.Protocol) bool {
	return slices.ContainsFunc(entries, func(e liftedEntry) bool {
		return (e.allow || e.unknown != "") && e.prefix.Overlaps(prefix) && !e.traffic.Intersect(netset.Of(p, 0, firstEphemeral-1)).IsEmpty()
	})
}

func clients(p netset.Protocol) netset.Traffic { return netset.Of(p, firstEphemeral, lastEphemeral) }

// before is what an entry and those asked before it allow of a protocol to all
// addresses of the entry, unless one of those denies any of that.
func before(entries []liftedEntry, i int, p netset.Protocol) netset.Traffic {
	e := &entries[i]
	out := e.traffic.Intersect(clients(p))
	for k := range i {
		x := &entries[k]
		t := x.traffic.Intersect(clients(p))
		switch {
		case t.IsEmpty() || !x.prefix.Overlaps(e.prefix):
		case !x.allow || x.unknown != "":
			return netset.None()
		case x.prefix.Bits() <= e.prefix.Bits():
			out = out.Union(t)
		}
	}
	return out
}
