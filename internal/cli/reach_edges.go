package cli

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// permit is what may pass between the pairs of one class.
type permit struct {
	set  space.Set
	text string
	csv  string
}

// classAndZones tells apart what may be different about the rules of pairs:
// defaults have the names of their zones.
type classAndZones struct{ class, from, to int }

// basis is which rules let something pass.
type basis struct {
	rules []flow.Rule
	text  string
}

// permit is what may pass between two peers; nil if nothing may.
func (r *reach) permit(from, to verify.Peer) *permit {
	if r.e.Identity(from) < 0 && r.e.Identity(to) < 0 {
		return nil
	}
	class := r.e.Class(from, to)
	p, known := r.permits[class]
	if !known {
		set, _ := r.e.Permitted(from, to, r.q.inForce)
		if !r.q.at.IsZero() {
			set = set.At(r.q.at)
		}
		if !set.IsEmpty() {
			p = &permit{set: set, text: set.String(), csv: csvTraffic(set)}
		}
		r.permits[class] = p
	}
	return p
}

// basis is why something may pass.
func (r *reach) basis(from, to verify.Peer) *basis {
	key := classAndZones{r.e.Class(from, to), r.e.Zone(from), r.e.Zone(to)}
	c := r.edges[key]
	if c != nil {
		return c
	}
	c = &basis{}
	for _, part := range r.e.Parts(from, to, r.q.inForce) {
		set := part.Set
		if !r.q.at.IsZero() {
			set = set.At(r.q.at)
		}
		if ref := r.l.rule(r.e.Ref(part.By)); part.Permits && !set.IsEmpty() && !slices.Contains(c.rules, ref) {
			c.rules = append(c.rules, ref)
		}
	}
	c.text = r.l.ruleNames(c.rules)
	r.edges[key] = c
	return c
}

// csvTraffic is "all" where TCP, UDP and SCTP are all open: what other tools
// can say about traffic ends there.
func csvTraffic(s space.Set) string {
	ports := netset.None()
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		ports = ports.Union(netset.Of(p, 0, 65535))
	}
	if ports.Subtract(s.Whole()).IsEmpty() {
		return "all"
	}
	return s.String()
}

// end is one side of lines: what they call it, and the node or nodes.
type end struct {
	name string
	key  string // in the order of which lines are written
	peer verify.Peer
	at   int // index of a workload; -1 for everything that a peer stands for
	// only are the lines about a run of addresses, by the peer of the other
	// side; nil for what is no run.
	only map[verify.Peer]runEdge
}

// runEdge is what a run of addresses may do with a peer.
type runEdge struct {
	p     *permit
	basis *basis
}

// line is what may pass from one end to another.
type line struct {
	from, to *end
	p        *permit
	basis    *basis
}

// tooMany reports whether there would be too many lines.
func (r *reach) tooMany(byAddress bool) bool {
	from, to := weights(r.from, byAddress), weights(r.to, byAddress)
	lines := 0
	for a, n := range from {
		for b, m := range to {
			if r.permit(a, b) != nil {
				if lines += n * m; lines > maxReachLines {
					return true
				}
			}
		}
	}
	return false
}

func weights(nodes []node, byAddress bool) map[verify.Peer]int {
	out := map[verify.Peer]int{}
	for _, n := range nodes {
		if n.inside() || byAddress || out[n.peer] == 0 {
			out[n.peer]++
		}
	}
	return out
}

// inside are the workloads among nodes as ends; or, if workloads are merged,
// their identities.
func (r *reach) inside(nodes []node, key func(string) string) []*end {
	var out []*end
	seen := map[verify.Peer]bool{}
	for _, n := range nodes {
		switch {
		case !n.inside():
		case !r.merge:
			out = append(out, &end{name: n.name, key: key(n.name), peer: n.peer, at: n.at})
		case !seen[n.peer]:
			seen[n.peer] = true
			name := r.e.Name(n.peer)
			out = append(out, &end{name: name, key: key(name), peer: n.peer, at: -1})
		}
	}
	return out
}

// named are the ends for people: what is outside has a name.
func (r *reach) named(nodes []node, key func(string) string) []*end {
	out := r.inside(nodes, key)
	seen := map[verify.Peer]bool{}
	names := map[string]bool{}
	for _, n := range nodes {
		if n.inside() || seen[n.peer] {
			continue
		}
		seen[n.peer] = true
		name := n.name
		if names[name] { // an External's addresses come before its names
			name += " (by name)"
		}
		names[name] = true
		out = append(out, &end{name: name, key: key(name), peer: n.peer, at: -1})
	}
	return sortEnds(out)
}

func sortEnds(ends []*end) []*end {
	slices.SortFunc(ends, func(a, b *end) int { return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	return ends
}

// addressed are the ends for machines: what is outside is runs of addresses,
// as long as can be towards each peer of the other side. What has only names
// is left out unless byName.
func (r *reach) addressed(nodes, others []node, outgoing, byName bool, key func(string) string) []*end {
	out := r.inside(nodes, key)
	known := map[string]*end{}
	var runs []node
	for _, n := range nodes {
		if !n.inside() && n.place >= 0 {
			runs = append(runs, n)
		}
	}
	peers := map[verify.Peer]bool{}
	for i := range others {
		if x := others[i].peer; others[i].inside() && !peers[x] {
			peers[x] = true
			r.runs(runs, x, outgoing, func(name string, e runEdge) {
				at := known[name]
				if at == nil {
					at = &end{name: name, key: key(name), peer: verify.None, at: -1, only: map[verify.Peer]runEdge{}}
					known[name] = at
					out = append(out, at)
				}
				at.only[x] = e
			})
		}
	}
	for _, n := range nodes {
		if !n.inside() && n.place < 0 && byName {
			name := "external:" + n.name
			out = append(out, &end{name: name, key: key(name), peer: n.peer, at: -1})
		}
	}
	return sortEnds(out)
}

// runs visits the largest runs of addresses that may do the same with a peer,
// of nodes that are all places.
func (r *reach) runs(nodes []node, x verify.Peer, outgoing bool, visit func(string, runEdge)) {
	var at place
	var has runEdge
	flush := func() {
		if has.p != nil {
			visit(at.String(), has)
		}
		has = runEdge{}
	}
	for _, n := range nodes {
		from, to := n.peer, x
		if !outgoing {
			from, to = x, n.peer
		}
		p := r.permit(from, to)
		next := r.places[n.place]
		if p == nil {
			flush()
			continue
		}
		c := r.basis(from, to)
		if has.p != nil && next.run == at.run+1 && has.p.set.Equal(p.set) {
			at.hi, at.run = next.hi, next.run
			has.basis = r.both(has.basis, c)
			continue
		}
		flush()
		at, has = next, runEdge{p, c}
	}
	flush()
}

// both is what permits on either of two grounds.
func (r *reach) both(c, more *basis) *basis {
	if c == more {
		return c
	}
	out := &basis{rules: slices.Clone(c.rules)}
	for _, ref := range more.rules {
		if !slices.Contains(out.rules, ref) {
			out.rules = append(out.rules, ref)
		}
	}
	out.text = r.l.ruleNames(out.rules)
	return out
}

// lines visits everything that may pass, in the order of the ends, but for what
// is no question: from a workload to itself, and between two ends that are both
// outside. It stops at the first error.
func (r *reach) lines(from, to []*end, visit func(line) error) error {
	byPeer := map[verify.Peer][]int{} // of what is no run: indices into to
	var runs []int
	for i, e := range to {
		if e.only == nil {
			byPeer[e.peer] = append(byPeer[e.peer], i)
		} else {
			runs = append(runs, i)
		}
	}
	known := map[verify.Peer][]int{} // workloads of one peer reach the same
	for _, a := range from {
		found, isKnown := known[a.peer]
		if a.only != nil || !isKnown {
			found = r.reached(a, to, byPeer, runs)
		}
		if a.only == nil && !r.merge {
			known[a.peer] = found
		}
		for _, i := range found {
			b := to[i]
			l, ok := r.between(a, b)
			if !ok || a.at >= 0 && a.at == b.at || a.at < 0 && a.peer == b.peer && r.e.Weight(a.peer) < 2 {
				continue
			}
			if err := visit(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// reached lists which of the ends (indices, ascending) one end may reach.
func (r *reach) reached(a *end, to []*end, byPeer map[verify.Peer][]int, runs []int) []int {
	found := []int{}
	for _, list := range byPeer {
		if _, ok := r.between(a, to[list[0]]); ok {
			found = append(found, list...)
		}
	}
	for _, i := range runs {
		if _, ok := to[i].only[a.peer]; ok && a.only == nil {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	return found
}

// between is what may pass between two ends, which may be runs.
func (r *reach) between(a, b *end) (line, bool) {
	switch {
	case a.only != nil && b.only != nil:
		return line{}, false
	case a.only != nil:
		e, ok := a.only[b.peer]
		return line{a, b, e.p, e.basis}, ok
	case b.only != nil:
		e, ok := b.only[a.peer]
		return line{a, b, e.p, e.basis}, ok
	}
	p := r.permit(a.peer, b.peer)
	if p == nil {
		return line{}, false
	}
	return line{a, b, p, r.basis(a.peer, b.peer)}, true
}
