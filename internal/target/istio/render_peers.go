package istio

import (
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
}

// ranges lists what addresses are, shorter prefixes first.
func (r *renderer) ranges() []span {
	var out []span
	for _, p := range r.w.Policy.Prefixes() {
		s := span{p.Prefix, verify.None}
		if p.Builtin == "" {
			s.peer, _ = r.w.Engine.OfAddress(p.Prefix.Addr())
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b span) int { return a.prefix.Bits() - b.prefix.Bits() })
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
	var out among
	all := 0
	for x := range r.w.Engine.Peers() {
		if r.w.Engine.Exists(verify.Peer(x)) {
			all++
		}
	}
	out.everybody = len(peers) == all
	var principals, ambient []string
	var single []netip.Prefix
	named := false
	for _, x := range peers {
		id := r.w.Engine.Identity(x)
		if id < 0 {
			named = named || r.w.Engine.ByName(x)
			continue
		}
		for _, i := range r.w.Policy.Identities[id].Workloads {
			w := r.workload(i)
			switch {
			case r.inside[i]:
				principals = append(principals, principalOf(w.Labels))
				if isAmbient(w.Labels) {
					ambient = append(ambient, principalOf(w.Labels))
				} else if out.sidecars == "" {
					out.sidecars = w.Name
				}
			case len(w.Addresses) == 0 && !out.everybody:
				r.warn("put it into the mesh, or let another target enforce the rule", "%s may reach %s, but is not in the mesh and has no known address: it is not let in", w.Name, s.Name)
			}
			if !r.inside[i] {
				for _, a := range w.Addresses {
					single = append(single, netip.PrefixFrom(a, a.BitLen()))
				}
			}
		}
	}
	if named && !out.everybody {
		r.warn("give the External addresses (cidrs)", "nobody can be let in to %s by a domain name", s.Name)
	}
	slices.Sort(principals)
	principals = slices.Compact(principals)
	r.shared(s, peers, principals)
	slices.Sort(ambient)
	ambient = slices.Compact(ambient)
	if out.everybody {
		principals, ambient = []string{"*"}, []string{"*"}
	}
	if len(principals) > 0 {
		out.mesh = append(out.mesh, fromSpec{sourceSpec{Principals: principals}})
	}
	if len(ambient) > 0 {
		out.ambient = append(out.ambient, fromSpec{sourceSpec{Principals: ambient}})
	}
	if len(single) > 0 {
		out.outside = append(out.outside, fromSpec{sourceSpec{IPBlocks: texts(single)}})
	}
	if !out.everybody {
		out.outside = append(out.outside, r.blocks(s, peers)...)
	}
	return out
}

// shared warns of principals that others have, too.
func (r *renderer) shared(s *plan.Subject, peers []verify.Peer, principals []string) {
	for _, p := range principals {
		for _, id := range r.principals[p] {
			x := r.w.Engine.OfIdentity(id)
			if _, in := slices.BinarySearch(peers, x); !in {
				if text := fmt.Sprintf("%s has the service account of a peer of %s, and is let in with it (%s)", r.w.Engine.Name(x), s.Name, p); r.first(text) {
					r.diags.Warnf(noPlace, "shared-principal", "%s", text).WithHelp("give each its own service account")
				}
				break
			}
		}
	}
}

// blocks says the addresses of peers that no workload has: each range that is
// theirs, without what in it is not.
func (r *renderer) blocks(subject *plan.Subject, peers []verify.Peer) []fromSpec {
	ours := func(x verify.Peer) bool {
		_, in := slices.BinarySearch(peers, x)
		return in && x != verify.None
	}
	var out []fromSpec
	for i, s := range r.addresses {
		if parent := r.parent(i); !ours(s.peer) || parent >= 0 && ours(r.addresses[parent].peer) {
			continue
		}
		from := sourceSpec{IPBlocks: texts([]netip.Prefix{s.prefix})}
		var cut []netip.Prefix
		unknown := s.peer != verify.None && r.w.Engine.Unknown(s.peer)
		for j, inner := range r.addresses {
			if j == i || inner.prefix.Bits() <= s.prefix.Bits() || !s.prefix.Contains(inner.prefix.Addr()) {
				continue
			}
			if !ours(inner.peer) {
				cut = append(cut, inner.prefix)
			} else {
				unknown = unknown || r.w.Engine.Unknown(inner.peer)
			}
		}
		if unknown { // workloads of the mesh live there, too
			from.NotPrincipals = []string{"*"}
			r.warn("name the workloads instead of letting in the estate's unknown addresses",
				"addresses of the estate that no workload is known to have may reach %s: so may workloads of the mesh that go around their own proxy", subject.Name)
		}
		for n := range r.w.Policy.Inventory.Workloads {
			if _, in := slices.BinarySearch(peers, r.w.Engine.OfWorkload(n)); in || r.inside[n] {
				continue
			}
			for _, a := range r.workload(n).Addresses {
				if s.prefix.Contains(a) {
					cut = append(cut, netip.PrefixFrom(a, a.BitLen()))
				}
			}
		}
		from.NotIPBlocks = texts(outermost(cut))
		out = append(out, fromSpec{from})
	}
	return out
}

// parent is the longest range around another one; -1 if there is none.
func (r *renderer) parent(i int) int {
	best := -1
	for j := range i {
		if a, b := r.addresses[j].prefix, r.addresses[i].prefix; a.Bits() < b.Bits() && a.Contains(b.Addr()) {
			best = j
		}
	}
	return best
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
