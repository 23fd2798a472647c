package istio

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// span is a range of addresses and the peer that they are, but for those of
// longer ranges within it.
type span struct {
	prefix netip.Prefix
	peer   verify.Peer // None for what is built in
	parent int         // the longest range around it; -1 if there is none
	inner  []int       // all ranges in it
}

// ranges lists what addresses are, shorter prefixes first.
func (r *renderer) ranges() []span {
	var out []span
	for _, p := range r.w.Policy.Prefixes() {
		s := span{prefix: p.Prefix, peer: verify.None, parent: -1}
		if p.Builtin == "" {
			s.peer, _ = r.w.Engine.OfAddress(p.Prefix.Addr())
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b span) int { return a.prefix.Bits() - b.prefix.Bits() })
	for i := range out {
		for j := range i {
			if a, b := out[j].prefix, out[i].prefix; a.Bits() < b.Bits() && a.Contains(b.Addr()) {
				out[i].parent = j
				out[j].inner = append(out[j].inner, i)
			}
		}
	}
	return out
}

// among is who may do something: everybody, or principals and addresses.
type among struct {
	everybody bool
	mesh      []fromSpec // who can prove who they are
	outside   []fromSpec // who cannot
	ambient   []fromSpec // those of mesh who may come through a waypoint
	sidecars  string     // the name of one of mesh who does not; empty if there is none
}

// who finds out how to say a grant's peers.
func (r *renderer) who(s *plan.Subject, peers []verify.Peer) among {
	out := among{everybody: len(peers) == r.everybody}
	principals, ambient := make([]bool, len(r.names)), make([]bool, len(r.names))
	var single []netip.Prefix
	named := false
	for _, x := range peers {
		id := r.w.Engine.Identity(x)
		if id < 0 {
			named = named || r.w.Engine.ByName(x)
			continue
		}
		m := &r.members[id]
		for _, p := range m.principals {
			principals[p] = true
		}
		for _, p := range m.ambient {
			ambient[p] = true
		}
		out.sidecars = cmp.Or(out.sidecars, m.sidecar)
		single = append(single, m.outside...)
		for _, name := range m.lost {
			if !out.everybody {
				r.warn("put it into the mesh, or let another target enforce the rule", "%s may reach %s, but is not in the mesh and has no known address: it is not let in", name, s.Name)
			}
		}
	}
	if named && !out.everybody {
		r.warn("give the External addresses (cidrs)", "nobody can be let in to %s by a domain name", s.Name)
	}
	r.shared(s, peers, principals)
	out.mesh, out.ambient = r.principals(principals, out.everybody), r.principals(ambient, out.everybody)
	if len(single) > 0 {
		out.outside = append(out.outside, fromSpec{sourceSpec{IPBlocks: texts(single)}})
	}
	if !out.everybody {
		out.outside = append(out.outside, r.blocks(s, peers)...)
	}
	return out
}

// principals says who is marked, by index into the names; with everybody, anybody
// who can prove who it is.
func (r *renderer) principals(marked []bool, everybody bool) []fromSpec {
	var list []string
	for p, in := range marked {
		if in && !everybody {
			list = append(list, r.names[p])
		}
	}
	if everybody {
		list = []string{"*"}
	}
	if list == nil {
		return nil
	}
	return []fromSpec{{sourceSpec{Principals: list}}}
}

// shared warns of principals that others have, too.
func (r *renderer) shared(s *plan.Subject, peers []verify.Peer, principals []bool) {
	for p, marked := range principals {
		if !marked {
			continue
		}
		for _, id := range r.holders[p] {
			x := r.w.Engine.OfIdentity(id)
			if _, in := slices.BinarySearch(peers, x); !in {
				if text := fmt.Sprintf("%s has the service account of a peer of %s, and is let in with it (%s)", r.w.Engine.Name(x), s.Name, r.names[p]); r.first(text) {
					r.diags.Warnf(noPlace, "shared-principal", "%s", text).WithHelp("give each its own service account")
				}
				break
			}
		}
	}
}

// blocks says the addresses of peers that no workload has: each range that is
// theirs, without what in it is not. If they are let in, it is to the subject;
// it is nil if they are not.
func (r *renderer) blocks(subject *plan.Subject, peers []verify.Peer) []fromSpec {
	ours := func(x verify.Peer) bool {
		_, in := slices.BinarySearch(peers, x)
		return in && x != verify.None
	}
	var out []fromSpec
	for _, s := range r.addresses {
		if !ours(s.peer) || s.parent >= 0 && ours(r.addresses[s.parent].peer) {
			continue
		}
		from := sourceSpec{IPBlocks: texts([]netip.Prefix{s.prefix})}
		var cut []netip.Prefix
		unknown := s.peer != verify.None && r.w.Engine.Unknown(s.peer)
		for _, j := range s.inner {
			inner := &r.addresses[j]
			if !ours(inner.peer) {
				cut = append(cut, inner.prefix)
			} else {
				unknown = unknown || r.w.Engine.Unknown(inner.peer)
			}
		}
		if unknown && subject != nil { // workloads of the mesh live there, too
			from.NotPrincipals = []string{"*"}
			r.warn("name the workloads instead of letting in the estate's unknown addresses",
				"addresses of the estate that no workload is known to have may reach %s: so may workloads of the mesh that go around their own proxy", subject.Name)
		}
		for _, x := range r.outsidersIn(s.prefix) {
			if _, in := slices.BinarySearch(peers, r.w.Engine.OfWorkload(x.workload)); !in {
				cut = append(cut, netip.PrefixFrom(x.addr, x.addr.BitLen()))
			}
		}
		from.NotIPBlocks = texts(outermost(cut))
		out = append(out, fromSpec{from})
	}
	return out
}

// outermost leaves out what lies in another one. A range of ours within one
// that is cut out has an entry of its own.
func outermost(list []netip.Prefix) []netip.Prefix {
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	var out []netip.Prefix
	for _, p := range list {
		if !slices.ContainsFunc(out, func(o netip.Prefix) bool { return o.Contains(p.Addr()) }) {
			out = append(out, p)
		}
	}
	return out
}

func texts(list []netip.Prefix) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
