package nacl

import (
	"cmp"
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
			ends := l.ends(append(slices.Clip(members), partly...))
			entries := keep(a.entries, x.egress)
			switch usual := replied(entries, usualClients); {
			case !x.replies:
				t.Tiers = append(t.Tiers, l.tiers(entries, ends, asking{})...)
			case same(usual, replied(entries, anyClients)):
				t.Tiers = append(t.Tiers, l.tiers(usual, ends, asking{replies: true})...)
			case x.dir == flow.Egress: // the ends here are the clients
				t.Tiers = append(t.Tiers, l.tiers(usual, ends.only(l.any, false), asking{replies: true})...)
				t.Tiers = append(t.Tiers, l.tiers(replied(entries, anyClients), ends.only(l.any, true), asking{replies: true})...)
			default:
				t.Tiers = append(t.Tiers, l.tiers(usual, ends, asking{replies: true, peers: machines})...)
				t.Tiers = append(t.Tiers, l.tiers(replied(entries, anyClients), ends, asking{replies: true, peers: others})...)
			}
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
func (l *lifter) tiers(entries []liftedEntry, e ends, ask asking) [][]layer.Rule {
	out := [][]layer.Rule{nil}
	for f, subject := range e.byFamily {
		if subject == nil {
			continue
		}
		ask.f = families(f)
		for _, r := range l.several(entries, ask) {
			r.Subject = subject
			out[0] = append(out[0], r)
		}
	}
	if e.all == nil { // nobody
		return nil
	}
	for i := range entries {
		x := &entries[i]
		r := layer.Rule{Ref: x.ref, Subject: e.all, Peer: l.meant(ask.peers, x.prefix), Traffic: x.traffic, Unknown: x.unknown, OneWay: x.unknown == oneWay, Effect: layer.Deny}
		if x.allow {
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
