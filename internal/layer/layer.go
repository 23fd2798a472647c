// Package layer holds what an enforcement layer permits, as it was read from
// bytes: rendered artifacts, manifests, Terraform, a cloud's answers, a
// kernel's tables. It is one form for platforms that have little in common:
// numbered and stateless, additive, deny first, documents of an identity
// system. A layer says nothing about what was meant.
//
// A layer has tables. Each decides at one end of a conversation, the
// initiator's (egress) or the responder's (ingress), for the workloads that it
// governs. Its tiers are asked in order; the first in which a rule speaks
// decides. Within a tier, deny beats allow, and allow beats abstain. What no
// rule speaks of has the table's default. A conversation passes the layer if no
// table denies it.
package layer

import (
	"net/netip"

	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// Layer is one kind of enforcement in one estate.
type Layer struct {
	Target string // "awssg"
	Points []Point
	Tables []Table

	// Optional is set where a conversation may go around the layer: it governs
	// only those that are led through it (a service network, a proxy that nothing
	// forces upon them). It then catches nothing that another layer lets pass.
	Optional bool
	// Relays are the addresses from which conversations arrive that were led
	// through the layer, and to which they are sent: who stands behind sees them
	// and not who began. What another layer lets in from there is for this one to
	// decide.
	Relays []netip.Prefix
	// Leads says at which ports the relays are called for whom. Of a layer with
	// relays and without leads, they are called at the port that is meant.
	Leads []Lead
	// Proves is set where the layer makes peers prove their principals: between
	// two workloads that it governs every conversation is mutually
	// authenticated, because the initiator's side cannot do otherwise.
	Proves bool
	// Modelled is set where nobody but us has judged the reading: no code of the
	// platform's own could be had.
	Modelled bool
	// Names is set where membership is written down workload by workload or
	// address by address, so that a workload which comes to be is not covered
	// before the next render.
	Names bool

	// Timeless is set where the platform cannot tell the time, and Nameless where it
	// cannot follow domain names. What holds at some times only, or towards a name
	// only, is then either open or shut in it; that it is shut is no fault of what
	// was written there.
	Timeless, Nameless bool
	// Shut lists what else the platform cannot say. Nil: nothing.
	Shut []Shut

	// Renewed is set where whoever holds the layer works it out anew as time goes by
	// (an agent, not a file): it is compared as of the present only.
	Renewed bool

	// Unknown lists what could not be understood. A rule that it concerns says so
	// itself; these are about what is not even a rule.
	Unknown []Unknown
	// Ours and Foreign count the objects that were read: those that carry the
	// estate's mark, and all others.
	Ours, Foreign int
}

// Lead is a listener of a relay: who calls a relay there gets to a port of some
// workloads.
type Lead struct {
	To           Match
	Protocol     netset.Protocol
	Called, Port uint16 // of the relay, and of the workloads
}

// Point is an enforcement point: a thing that holds rules, such as a security
// group, a cluster, a host. Every workload that it governs is governed by the
// tables of the layer.
type Point struct {
	Name    string // unique in its layer
	Governs Match
	// Missing says why nothing enforces what the point holds (no agent, no CNI
	// that enforces, a group that is attached to nothing), or is empty.
	Missing string
	// Unknown says why it is not known what the point permits; empty if it is.
	Unknown string
}

// Unknown is something that was read and not understood.
type Unknown struct {
	Where    flow.Rule // the object; File and Line where it stands
	Why      string
	Concerns Match // the workloads of which it makes the verdict unknown; nil: none
}

// Effect is what a rule says.
type Effect uint8

// The effects. Abstain means that the table is not asked: the conversation does
// not go through what it stands for (it stays in its subnet, or is not led
// through the proxy). The zero value is Deny.
const (
	Deny Effect = iota
	Allow
	Abstain
)

// String returns "deny", "allow" or "abstain".
func (e Effect) String() string { return [...]string{"deny", "allow", "abstain"}[e] }

// Table decides at one end of conversations.
type Table struct {
	Name      string         // for people: "network ACL acl-0a1"
	Direction flow.Direction // Egress decides for initiators, Ingress for responders
	Governs   Match          // the ends that it decides for; it abstains about all others
	Tiers     [][]Rule
	Default   Effect
}

// Rule is one statement. It speaks of a conversation if Subject matches the end
// that the table decides for, Peer the other end, Traffic holds its protocol
// and destination port, and Cond, if there is one, holds.
type Rule struct {
	// Ref names the object (Policy), the statement in it (Rule) and its place.
	Ref           flow.Rule
	Effect        Effect
	Subject, Peer Match
	Traffic       netset.Traffic
	Cond          *policy.Condition
	// Unknown says why it is not known which part of all this the rule really
	// speaks of, or whether it does at all; empty if it is known.
	Unknown string
	// OneWay is set beside Unknown where all that is not known is what to call it:
	// the rule stops replies only. What needs none gets through, so that it is too
	// much where it was not meant; what waits for one gets nowhere, so that it is too
	// little where it was.
	OneWay bool
	// Around is set on a rule that abstains since a conversation can go around the
	// layer. It may come through all the same: as if the rule were not there.
	Around bool
}

// Match is a set of ends: those that any of the terms matches. Nil matches
// nothing.
type Match []Term

// Term matches an end that meets everything that is set. The zero Term matches
// everything: all workloads and all addresses.
type Term struct {
	// Workloads, if not nil, are names, sorted: one of these workloads.
	Workloads []string
	// Select, if not nil: a workload with such labels.
	Select *label.Selector
	// Principals, if not nil: a workload that has one of them among its
	// principals. A '*' stands for any run of characters.
	Principals []string
	// Prefixes, if not nil: an end all of whose addresses are in one of them and
	// in none of Except. Of a workload some of whose addresses are in and some are
	// not, and of one without known addresses unless the prefixes hold all of the
	// estate's networks or nothing of them, it is not known whether it matches.
	Prefixes, Except []netip.Prefix
	// Names, if not nil: what one of these Externals' domain names lead to. It
	// matches no workload and no address.
	Names []string
	// Workload and Address, if set, restrict the term to workloads, and to
	// addresses that no workload has.
	Workload, Address bool
	// Not: an end that matches one of these is not matched.
	Not Match
}

// Everything matches all ends.
func Everything() Match { return Match{{}} }

// AnyWorkload matches all workloads and no other address.
func AnyWorkload() Match { return Match{{Workload: true}} }

// Named matches the workloads of those names, which must be sorted.
func Named(names ...string) Match { return Match{{Workloads: names}} }

// In matches ends whose addresses are in one of the prefixes.
func In(prefixes ...netip.Prefix) Match { return Match{{Prefixes: prefixes}} }

// Selected matches the workloads that the selector matches.
func Selected(s label.Selector) Match { return Match{{Select: &s}} }
