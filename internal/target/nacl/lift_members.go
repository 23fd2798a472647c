package nacl

import (
	"net/netip"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// crowd is what is asked again and again of the workloads.
type crowd struct {
	routes     inventory.Routes
	labelled   map[string][]*inventory.Workload // by the subnet that they say they are in
	unlabelled []*inventory.Workload
	byVPC      map[string][]*inventory.Workload // by the label net/vpc
	homes      []*inventory.Workload            // those with several addresses
	mixed      bool                             // some of them have IPv4 and IPv6
	named      map[string]*inventory.Workload
	any        map[string]bool // those whose ports as clients are any, by name
	said       []answer
}

// answer is what several said of some entries.
type answer struct {
	entries []liftedEntry
	ask     asking
	rules   []layer.Rule
}

// asking is what else several is asked: whether entries are about replies, with
// whom, and what families the end has whose peers they are.
type asking struct {
	replies bool
	peers   peers
	f       families
}

func crowdOf(s *inventory.Snapshot) crowd {
	c := crowd{routes: s.Routes(), labelled: map[string][]*inventory.Workload{}, byVPC: map[string][]*inventory.Workload{}, named: map[string]*inventory.Workload{}}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		if label := w.Labels["net/subnet"]; label != "" {
			c.labelled[label] = append(c.labelled[label], w)
		} else {
			c.unlabelled = append(c.unlabelled, w)
		}
		c.named[w.Name] = w
		vpc := w.Labels["net/vpc"]
		c.byVPC[vpc] = append(c.byVPC[vpc], w)
		if len(w.Addresses) > 1 {
			c.homes = append(c.homes, w)
			c.mixed = c.mixed || familiesOf(w) == anyFamily
		}
	}
	return c
}

// unrouted names the workloads in VPCs of which it is known that they exchange no
// packets with this one: there are no conversations to judge.
func (c *crowd) unrouted(vpc string) []string {
	var out []string
	for other, workloads := range c.byVPC {
		if apart, sure := c.routes.Apart(vpc, other); apart && sure {
			for _, w := range workloads {
				out = append(out, w.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// members are the workloads in a subnet, by name: those that say so, and of all
// others those whose addresses are in it. Those that are in others, too, are
// apart: which of their interfaces a conversation takes is not known.
func (l *lifter) members(s *liftedSubnet) (all, partly []string) {
	for _, w := range l.labelled[s.name] {
		all = append(all, w.Name)
	}
	for _, w := range l.unlabelled {
		switch n := l.inside(w, s); {
		case n == 0:
		case n == len(w.Addresses):
			all = append(all, w.Name)
		default:
			partly = append(partly, w.Name)
		}
	}
	return all, partly
}

// inside counts the addresses of a workload that are in a subnet.
func (l *lifter) inside(w *inventory.Workload, s *liftedSubnet) int {
	if vpc := w.Labels["net/vpc"]; vpc != "" && s.vpc != "" && vpc != s.vpc {
		return 0
	}
	n := 0
	for _, a := range w.Addresses {
		if holds(s.cidrs, a) {
			n++
		}
	}
	return n
}

func holds(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// several says what becomes of peers that have more than one address where the
// entries agree about all of them that count, though none speaks of all. Those of
// whom the same is said share a rule: one of its own for each would tell them
// apart. The rules have no subject yet.
func (l *lifter) several(entries []liftedEntry, ask asking) []layer.Rule {
	for _, x := range l.said {
		if x.ask == ask && same(x.entries, entries) {
			return slices.Clone(x.rules)
		}
	}
	var out []layer.Rule
	say := func(w *inventory.Workload, effect layer.Effect, t netset.Traffic) {
		if t.IsEmpty() {
			return
		}
		i := slices.IndexFunc(out, func(r layer.Rule) bool { return r.Effect == effect && r.Traffic.Equal(t) })
		if i < 0 {
			i = len(out)
			out = append(out, layer.Rule{Ref: flow.Rule{Rule: "entries for each of several addresses"}, Effect: effect, Peer: layer.Named(), Traffic: t})
		}
		out[i].Peer[0].Workloads = append(out[i].Peer[0].Workloads, w.Name)
	}
	for _, w := range l.homes {
		addrs := ask.f.of(w.Addresses)
		if len(addrs) == 0 || ask.peers != everybody && l.any[w.Name] != (ask.peers == others) || !split(entries, w.Addresses) {
			continue
		}
		all, some, doubt := netset.All(), netset.None(), netset.None()
		for _, a := range addrs {
			allowed, unsure := first(entries, a)
			all, some, doubt = all.Intersect(allowed), some.Union(allowed), doubt.Union(unsure)
		}
		if ask.replies {
			doubt = doubt.Union(unanswered.Subtract(some))
		}
		say(w, layer.Deny, netset.All().Subtract(some).Subtract(doubt))
		say(w, layer.Allow, all.Subtract(doubt))
	}
	for i := range out {
		slices.Sort(out[i].Peer[0].Workloads)
	}
	l.said = append(l.said, answer{entries, ask, out})
	return slices.Clone(out)
}

// same reports whether entries say the same, whatever their numbers.
func same(a, b []liftedEntry) bool {
	return slices.EqualFunc(a, b, func(a, b liftedEntry) bool {
		return a.prefix == b.prefix && a.allow == b.allow && a.unknown == b.unknown && a.traffic.Equal(b.traffic)
	})
}

// split reports whether some entry speaks of some of the addresses only.
func split(entries []liftedEntry, addrs []netip.Addr) bool {
	for i := range entries {
		p := entries[i].prefix
		here := p.Contains(addrs[0])
		for _, a := range addrs[1:] {
			if p.Contains(a) != here {
				return true
			}
		}
	}
	return false
}

// first is what entries let an address do, and what is not known of it.
func first(entries []liftedEntry, a netip.Addr) (allowed, unsure netset.Traffic) {
	left := netset.All()
	allowed, unsure = netset.None(), netset.None()
	for i := range entries {
		e := &entries[i]
		if !e.prefix.Contains(a) {
			continue
		}
		t := e.traffic.Intersect(left)
		switch {
		case e.unknown != "":
			unsure = unsure.Union(t)
			continue
		case e.allow:
			allowed = allowed.Union(t)
		}
		left = left.Subtract(t)
	}
	return allowed, unsure
}
