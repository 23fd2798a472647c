package istio

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// watch renders a subject whose zone observes: DENY policies only. Without an ALLOW
// everything else stays open, to whoever it is
// (istio.io/latest/docs/concepts/security/#implicit-enablement), and without a
// PeerAuthentication of ours plaintext is taken as before.
func (r *renderer) watch(s *plan.Subject, in map[string][]int) {
	for _, ns := range slices.Sorted(maps.Keys(in)) {
		ambient := r.ambientOf(in[ns]) >= 0
		deny := r.denied(s, nil, !ambient)
		file := ns + "/" + objectName(s.Name) + ".yaml"
		if len(deny) > 0 {
			said := len(r.diags)
			selectors := r.selectors(s, ns, in[ns])
			if len(r.diags) > said {
				r.diags = r.diags[:said]
				r.left(s, "pods that labels cannot tell from its own are to be open")
				continue
			}
			for n, labels := range selectors {
				name := objectName(s.Name)
				if n > 0 {
					name = fmt.Sprintf("%s-%d", name, n+1)
				}
				r.add(file, r.policy(name+"-deny", ns, labels, "DENY", deny))
			}
		}
		name := r.workload(in[ns][0]).Labels["k8s/namespace.istio.io.use-waypoint"]
		if !ambient || name == "" || name == "none" {
			continue
		}
		for _, e := range r.entries(ns, in[ns]) {
			said := r.denied(s, &e, true)
			switch {
			case len(said) == 0:
			case !e.alone:
				r.left(s, "the Service "+ns+"/"+e.name+" leads to others, too, and its waypoint cannot tell them apart")
			default:
				r.add(file, r.targeting(objectName(s.Name)+"-at-"+e.name+"-deny", ns, toService(e.name), "DENY", said))
			}
		}
	}
}

// fail says why what is denied to a subject cannot be said without shutting out
// others: it is open then.
func (r *renderer) fail(s *plan.Subject, why string) {
	r.failed = true
	r.left(s, why)
}

// left says what is denied in force and not enforced.
func (r *renderer) left(s *plan.Subject, why string) {
	text := fmt.Sprintf("istio: of what is denied to %s not all is enforced here: its zone %s observes, and %s", s.Name, r.w.Policy.Zones[s.Zone].Name, why)
	if r.first(text) {
		r.diags.Warnf(noPlace, "unenforced", "%s", text).WithHelp("let another target enforce it, or promote the zone to enforce")
	}
}

// denied says what must not come in to a subject, and nothing beyond it: at its
// workloads, or at the waypoint of an entry. requests is set where the proxy
// there sees them.
func (r *renderer) denied(s *plan.Subject, at *entry, requests bool) []ruleSpec {
	type group struct {
		traffic netset.Traffic
		peers   []verify.Peer
	}
	var groups []group
	r.failed = false
	seen := map[verify.Peer]bool{}
	add := func(t netset.Traffic, peers []verify.Peer) {
		i := slices.IndexFunc(groups, func(g group) bool { return g.traffic.Equal(t) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{traffic: t})
		}
		groups[i].peers = append(groups[i].peers, peers...)
	}
	var out []ruleSpec
	for i := range s.Ingress {
		g := &s.Ingress[i]
		for _, x := range g.Peers {
			seen[x] = true
		}
		if t := tcp.Subtract(g.Set.Ports()); !t.IsEmpty() {
			add(t, g.Peers)
		}
		out = append(out, r.deniedRequests(s, at, g, requests)...)
	}
	var none []verify.Peer
	for x := range verify.Peer(r.w.Engine.Peers()) {
		if r.w.Engine.Exists(x) && !seen[x] {
			none = append(none, x)
		}
	}
	if none != nil {
		add(tcp, none)
	}
	for _, g := range groups {
		slices.Sort(g.peers)
		out = append(out, r.deniedTo(s, at, g.traffic, g.peers)...)
	}
	if r.failed {
		return nil
	}
	return out
}

// deniedTo says that some peers may not use some traffic.
func (r *renderer) deniedTo(s *plan.Subject, at *entry, t netset.Traffic, peers []verify.Peer) []ruleSpec {
	who := r.barred(s, t, peers, at != nil)
	if at != nil {
		if !t.Equal(tcp) {
			t = at.ports(t)
		}
	}
	if t.IsEmpty() || len(who) == 0 && len(peers) < r.everybody {
		return nil
	}
	if _, err := portList(t); err != nil {
		if _, err = portList(tcp.Subtract(t)); err != nil {
			r.fail(s, fmt.Sprintf("the ports %s would be a list of more than %d", t, maxListed))
			return nil
		}
	}
	if len(peers) == r.everybody {
		who = nil
	}
	return r.rules(s, who, t, nil, true)
}

// barred says who some peers are, so that nobody else is meant. Whoever cannot be
// named so is left out, with a word.
func (r *renderer) barred(s *plan.Subject, t netset.Traffic, peers []verify.Peer, ambient bool) []fromSpec {
	principals := make([]bool, len(r.names))
	var single []netip.Prefix
	for _, x := range peers {
		id := r.w.Engine.Identity(x)
		if id < 0 {
			continue
		}
		m := &r.members[id]
		list := m.principals
		if ambient {
			list = m.ambient
		}
		for _, p := range list {
			principals[p] = true
		}
		for _, name := range m.lost {
			if len(peers) < r.everybody {
				r.fail(s, name+", which is not in the mesh, has no known address")
			}
		}
		single = append(single, m.outside...)
	}
	for p, marked := range principals {
		for _, id := range r.holders[p] {
			x := r.w.Engine.OfIdentity(id)
			if _, in := slices.BinarySearch(peers, x); marked && !in && !r.kept(s, x, t) {
				r.fail(s, fmt.Sprintf("%s, which may do it, has the service account of one who may not (%s)", r.w.Engine.Name(x), r.names[p]))
				principals[p] = false
				break
			}
		}
	}
	out := r.principals(principals, false)
	if ambient {
		return out
	}
	single = slices.DeleteFunc(single, func(p netip.Prefix) bool {
		for _, o := range r.outsidersIn(p) {
			x := r.w.Engine.OfWorkload(o.workload)
			if _, in := slices.BinarySearch(peers, x); !in && !r.kept(s, x, t) {
				r.fail(s, fmt.Sprintf("%s, which may do it, has the address of one who may not (%s)", r.w.Engine.Name(x), p.Addr()))
				return true
			}
		}
		return false
	})
	if len(single) > 0 {
		out = append(out, fromSpec{sourceSpec{IPBlocks: texts(single), NotPrincipals: []string{"*"}}})
	}
	if name := r.hidden(s, t, peers); name != "" && (slices.ContainsFunc(peers, r.anybody) || slices.ContainsFunc(single, r.ours)) {
		r.fail(s, name+", which may do it, is not in the mesh and has no known address: it may have one of those that may not")
	}
	return append(out, r.barredBlocks(peers)...)
}

// anybody reports whether a peer is addresses that a workload may have of which none
// is known.
func (r *renderer) anybody(x verify.Peer) bool {
	e := r.w.Engine
	return e.Unknown(x) || len(r.w.Policy.Networks) == 0 && e.Identity(x) < 0 && !e.ByName(x)
}

// ours reports whether an address may be any workload's of which none is known.
func (r *renderer) ours(p netip.Prefix) bool {
	list := r.w.Policy.Networks
	return len(list) == 0 || slices.ContainsFunc(list, func(n netip.Prefix) bool { return n.Contains(p.Addr()) })
}

// hidden names a workload outside of the mesh whose address is not known and that
// is not among peers who may not use some traffic; empty if there is none.
func (r *renderer) hidden(s *plan.Subject, t netset.Traffic, peers []verify.Peer) string {
	if len(peers) == r.everybody {
		return ""
	}
	for id := range r.members {
		x := r.w.Engine.OfIdentity(id)
		if _, in := slices.BinarySearch(peers, x); !in && len(r.members[id].lost) > 0 && !r.kept(s, x, t) {
			return r.members[id].lost[0]
		}
	}
	return ""
}

// kept reports whether a peer may not use any of that traffic either.
func (r *renderer) kept(s *plan.Subject, x verify.Peer, t netset.Traffic) bool {
	for i := range s.Ingress {
		if _, in := slices.BinarySearch(s.Ingress[i].Peers, x); in {
			return t.Intersect(s.Ingress[i].Set.Ports()).IsEmpty()
		}
	}
	return true
}

// barredBlocks names addresses that no workload has. Who has a certificate of the
// mesh is meant by it and not by an address.
func (r *renderer) barredBlocks(peers []verify.Peer) []fromSpec {
	out := r.blocks(nil, peers)
	for i := range out {
		out[i].Source.NotPrincipals = []string{"*"}
	}
	return out
}

// deniedRequests says which requests a grant leaves out. What holds at some times
// only, or would deny what is no request, is left out.
func (r *renderer) deniedRequests(s *plan.Subject, at *entry, g *plan.Grant, requests bool) []ruleSpec {
	if g.Clauses == nil {
		return nil
	}
	var out []ruleSpec
	for _, c := range g.Clauses {
		t := c.Traffic.Intersect(tcp)
		switch {
		case t.IsEmpty():
			continue
		case !c.Deny:
			if c.Cond != nil {
				r.left(s, fmt.Sprintf("what %s does not permit cannot be denied without what it does", c.Rule))
			}
			continue
		case c.Cond == nil || c.Cond.HTTP == nil || c.Cond.When != nil || !c.Cond.Expires.IsZero() || c.Cond.MTLS || !g.Exact:
			r.left(s, fmt.Sprintf("%s cannot be said as narrowly as it is meant", c.Rule))
			continue
		case !requests:
			r.left(s, fmt.Sprintf("%s is about requests, which nobody sees there", c.Rule))
			continue
		case at == nil && !r.onlyHTTP(s, t):
			r.left(s, fmt.Sprintf("%s is about requests, and what is no HTTP would be denied, too", c.Rule))
			continue
		case slices.ContainsFunc(c.Cond.HTTP, inexact):
			r.left(s, fmt.Sprintf("%s has a path that would be widened", c.Rule))
			continue
		}
		who := r.barred(s, t, g.Peers, at != nil)
		if at != nil {
			t = at.ports(t)
		}
		if !t.IsEmpty() && len(who) > 0 {
			out = append(out, r.rules(s, who, t, c.Cond, true)...)
		}
	}
	return out
}

// inexact reports whether the paths of a request could only be said wider.
func inexact(h policy.HTTP) bool {
	return slices.ContainsFunc(h.Paths, func(p string) bool { _, exact := pathText(p); return !exact })
}
