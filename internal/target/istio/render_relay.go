package istio

import (
	"fmt"
	"slices"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// relayed adds what is led to a subject through relays. It comes from the relay's
// addresses, without a certificate of the mesh: STRICT would refuse it, so its
// ports take plaintext, and what demands a certificate stays closed. Who is behind
// the relay, and which of their requests, is for the relay's own layer to decide.
func (r *renderer) relayed(s *plan.Subject, out *statements) {
	for _, t := range r.w.ThroughOf(s, flow.Ingress) {
		open := r.unproven(s, t.Peers).Intersect(t.Traffic)
		if proven := t.Traffic.Subtract(open); !proven.IsEmpty() {
			r.warn("let those who come through it reach it within the mesh, or do not demand mTLS of them",
				"%s comes through %s without a certificate of the mesh, and %s demands one on %s: it is not let in", r.fewOf(t.Peers), t.Relay, s.Name, proven)
		}
		if open.IsEmpty() {
			continue
		}
		r.warn("policies let in "+t.Relay+"'s addresses only; to keep STRICT there, connect the VPCs so that callers come within the mesh, or let none come through "+t.Relay,
			"%s comes to %s through %s, which has no certificate of the mesh: %s takes plaintext (PeerAuthentication STRICT would refuse it)", r.fewOf(t.Peers), s.Name, t.Relay, open)
		out.plaintext = out.plaintext.Union(open)
		out.allow = append(out.allow, r.rules(s, []fromSpec{{sourceSpec{IPBlocks: texts(t.Prefixes)}}}, open, nil, false)...)
	}
}

// unproven is the TCP that some of these peers may use without a certificate, as
// far as who sees no requests can tell.
func (r *renderer) unproven(s *plan.Subject, peers []verify.Peer) netset.Traffic {
	var open netset.Traffic
	for i := range s.Ingress {
		g := &s.Ingress[i]
		if !slices.ContainsFunc(g.Peers, func(x verify.Peer) bool { _, in := slices.BinarySearch(peers, x); return in }) {
			continue
		}
		if g.Clauses == nil {
			open = open.Union(g.Open)
		}
		for _, c := range g.Clauses {
			timed := c.Cond != nil && (c.Cond.When != nil || !c.Cond.Expires.IsZero())
			if !c.Deny && (c.Cond == nil || !c.Cond.MTLS) && (!timed || s.KeepsTime) {
				open = open.Union(c.Traffic)
			}
		}
	}
	return open.Intersect(tcp)
}

// fewOf names the first of some peers.
func (r *renderer) fewOf(peers []verify.Peer) string {
	first := r.w.Engine.Name(peers[0])
	if n := len(peers) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more)", first, n)
	}
	return first
}
