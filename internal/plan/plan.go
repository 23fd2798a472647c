// Package plan says what enforcement points are to permit, in a form from which
// every target can render: workloads in groups that are treated alike, and for
// each group what may come in and go out, by peers and traffic. It is computed
// from the symbolic engine and knows no platform.
package plan

import (
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Wanted is what an estate's enforcement points are to permit. It is immutable
// and safe for concurrent use.
type Wanted struct {
	Policy  *policy.Policy
	Engine  *verify.Engine
	ToCome  bool      // wanted is the policy to come, not the one in force
	At      time.Time // the present
	Targets []string  // the estate's
	// Quotas are the limits that the Estate says were raised, by target and the
	// target's word; nil for none. Ask target.Limit, which knows what there is.
	Quotas   map[string]map[string]int
	Subjects []Subject // every identity is in exactly one; sorted by name

	selections []selection
	subjectOf  []int // by identity
	keys       []string
	relays     []*Relayed
}

// Options are what Make needs beside the policy.
type Options struct {
	ToCome  bool
	At      time.Time
	Targets []string
	// KeepsTime says of which workloads some target of the estate keeps time, so
	// that others may leave windows and expiries to it. Without it (or nil), what is
	// permitted at some times only is not open to those who cannot tell the time.
	KeepsTime func(*inventory.Workload) bool
	// Relays are those of the estate's targets. What they lead is wanted between
	// the ends and the relay: see Wanted.Through.
	Relays []Relay
}

// Subject is a group of workloads that are treated alike at their own end.
type Subject struct {
	// Name is that of the services that the workloads are in, joined with "+", else
	// "zone-" and the zone's; with "-2", "-3" … behind it if several share it.
	Name       string
	Identities []int // indices into Policy.Identities, ascending
	Zone       int   // index into Policy.Zones
	Services   []int // indices into Policy.Services, ascending
	// KeepsTime is set where Options.KeepsTime is true of all the workloads.
	KeepsTime bool
	// What may come in and go out. No two grants of a direction name the same
	// peer; what no grant names is closed.
	Ingress, Egress []Grant
}

// Grants returns those of a direction.
func (s *Subject) Grants(d flow.Direction) []Grant {
	if d == flow.Ingress {
		return s.Ingress
	}
	return s.Egress
}

// Grant is what some peers may do with a subject, or a subject with them.
type Grant struct {
	Peers []verify.Peer // ascending
	Set   space.Set     // exactly what may pass
	// Open is the traffic of Set for those who see no requests, certificates and
	// times: it holds what passes under some request or certificate, and at the end of
	// a subject whose zone observes also what passes at some times. See
	// Options.KeepsTime.
	Open netset.Traffic
	// Clauses say the same as Set where Exact: denies beat allows, and what none
	// allows is denied. Otherwise they let more pass. Nil if Set has no condition.
	Clauses []Clause
	Exact   bool
}

// Clause is one statement about traffic between a subject and some peers.
type Clause struct {
	Deny    bool
	Traffic netset.Traffic
	Cond    *policy.Condition // nil: always
	Rule    flow.Rule
}

// Make computes what is wanted. tree is the text that p was resolved from, e
// the engine of p.
func Make(tree *lang.Dir, p *policy.Policy, e *verify.Engine, o Options) *Wanted {
	w := &Wanted{Policy: p, Engine: e, ToCome: o.ToCome, At: o.At, Targets: o.Targets, Quotas: Quotas(tree.Estate), relays: RelayedBy(p, o.Relays)}
	w.collect(tree)
	b := builder{w: w, o: o, sets: map[setKey]int{}}
	b.subjects()
	return w
}

// Quotas are the limits that an Estate says were raised, by target and the
// target's word; nil of none, and of a nil Estate.
func Quotas(e *lang.Estate) map[string]map[string]int {
	if e == nil || len(e.Quotas) == 0 {
		return nil
	}
	out := map[string]map[string]int{}
	for _, q := range e.Quotas {
		if out[q.Target.Text] == nil {
			out[q.Target.Text] = map[string]int{}
		}
		out[q.Target.Text][q.Name.Text] = q.Limit
	}
	return out
}

// SubjectOf returns the subject that an identity is in.
func (w *Wanted) SubjectOf(identity int) *Subject { return &w.Subjects[w.subjectOf[identity]] }

// Everything reports whether a subject's end lets everything pass in a
// direction, to and from every peer: it need not be governed at all.
func (w *Wanted) Everything(s *Subject, d flow.Direction) bool {
	n := 0
	for _, g := range s.Grants(d) {
		if !g.Set.Equal(space.Plain(netset.All())) {
			return false
		}
		n += len(g.Peers)
	}
	all := 0
	for x := range w.Engine.Peers() {
		if w.Engine.Exists(verify.Peer(x)) {
			all++
		}
	}
	return n == all
}

// Observes reports whether a subject's zone is not in force: at its end everything
// is to pass but what rules in force deny, and nothing else may be cut off. It is
// false where the policy to come is wanted.
func (w *Wanted) Observes(s *Subject) bool {
	return w.observes(s.Zone)
}

func (w *Wanted) observes(zone int) bool {
	return !w.ToCome && zone >= 0 && w.Policy.Zones[zone].Stage != policy.Enforce
}

// Hidden returns a workload without a known address of which more passes at a
// subject's end than of the estate's unknown addresses (or, without networks, of
// the world): who goes by addresses cannot let it pass. Nil if there is none.
// Those for whom found, if it is not nil, is true do not count: they are known by
// something else.
func (w *Wanted) Hidden(s *Subject, d flow.Direction, found func(*inventory.Workload) bool) *inventory.Workload {
	e, p := w.Engine, w.Policy
	passes := map[verify.Peer]netset.Traffic{}
	strangers := netset.All()
	for i := range s.Grants(d) {
		for _, x := range s.Grants(d)[i].Peers {
			passes[x] = s.Grants(d)[i].Open
		}
	}
	for x := range verify.Peer(e.Peers()) {
		if e.Exists(x) && e.Identity(x) < 0 && (e.Unknown(x) || len(p.Networks) == 0 && !e.ByName(x)) {
			strangers = strangers.Intersect(passes[x])
		}
	}
	for i := range p.Inventory.Workloads {
		x := &p.Inventory.Workloads[i]
		if len(x.Addresses) == 0 && !passes[e.OfWorkload(i)].Subtract(strangers).IsEmpty() && (found == nil || !found(x)) {
			return x
		}
	}
	return nil
}
