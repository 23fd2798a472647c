// Package lang reads the policy language: a directory of YAML documents
// becomes a tree in which every node keeps the place it was written at. It
// resolves no names and knows no inventory; it finds everything that is wrong
// with the text alone, and reports all of it at once.
package lang

import (
	"net/netip"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/netset"
)

// APIVersion is the one version of the language that is understood. Documents
// may leave it out.
const APIVersion = "firebreak.dev/v1alpha1"

// Unassigned is the name of the zone of all workloads that no zone selects. It
// may be declared, without a selector, to set its stage and default.
const Unassigned = "unassigned"

// Dir is everything that a policy directory says, in the order of its files
// (bytewise by path) and of the documents in them. Names are not resolved:
// an Endpoint may name a zone that does not exist.
//
// A tree that came with errors must not be enforced or judged by: it is good
// for finding what else is wrong. What could not be read is then taken for as
// little as possible: a selector that matches nothing, ports that are empty,
// an end that is ByNothing, an effect of Deny. Documents without a name are
// left out.
type Dir struct {
	Estate     *Estate // nil only where the directory has none, which is an error
	Zones      []*Zone
	Services   []*Service
	Externals  []*External // also those that a cidr in a rule stands for; see Endpoint.CIDR
	Policies   []*Policy
	Guardrails []*Guardrail
	Exceptions []*Exception
	Cases      []*Case
	// Incomplete is true if there were documents that could not be read, or
	// had no name: then a name that is not found may have stood in one of them.
	Incomplete bool
}

// Effect is what a rule says, and what a zone does with what no rule decides.
type Effect uint8

// The effects. Pass is valid in rules of the platform tier only.
const (
	Allow Effect = iota
	Deny
	Pass
)

// String returns the word used in policy files.
func (e Effect) String() string { return word(effects, e) }

// Tier is the order in which rules decide; lower decides first.
type Tier uint8

// The tiers.
const (
	Platform Tier = iota
	Application
	Baseline
)

// String returns the word used in policy files.
func (t Tier) String() string { return word(tiers, t) }

// Stage says how far a rule or a zone's default has been promoted.
type Stage uint8

// The stages. Observe is what holds where nothing is written.
const (
	Observe Stage = iota
	Alert
	Enforce
)

// String returns the word used in policy files.
func (s Stage) String() string { return word(stages, s) }

// AcceptKey is the annotation that accepts findings about a document: their
// codes, divided by commas, and behind a colon the reason.
const AcceptKey = "firebreak.dev/accept"

// Meta is what all documents have. Pos is where the document begins, NamePos
// where its name stands. Owner is empty if not given.
type Meta struct {
	Name    string
	Owner   string
	Accepts []string // codes of findings that the annotation AcceptKey accepts
	Because string   // the reason that it gives for that; empty if it gives none
	Pos     diag.Pos
	NamePos diag.Pos
}

// Estate says where workloads come from and what is ours.
type Estate struct {
	Meta
	Inventory []Source
	Networks  []CIDR // in the order written; may overlap
	Labels    []LabelMapping
	Targets   []Word
	Quotas    []Quota // no two of one target have one name
}

// Quota is a limit of a platform as it was granted to this estate. Which targets
// and quotas there are is not known here.
type Quota struct {
	Target Word
	Name   Word // the target's word for it: "rules-per-group"
	Limit  int  // 1 or more
	Pos    diag.Pos
}

// Source is one source of inventory. Kind is "file" or "kube"; Path is as
// written, relative to the policy directory.
type Source struct {
	Kind    string // file, kube, terraform or aws
	Path    string
	Cluster string // the Kubernetes cluster that it describes, or whose identities count; may be empty
	Pos     diag.Pos
}

// LabelMapping makes a label that policy speaks of out of a raw one: the value
// of From, translated by Map (a value that Map lacks stays as it is; Map may be
// nil), becomes the label To.
type LabelMapping struct {
	From      string
	To        string
	Map       map[string]string
	Authority string // "attested", "controller" or "tag"; tag where not given
	Pos       diag.Pos
}

// CIDR is a prefix, masked (no host bits).
type CIDR struct {
	Prefix netip.Prefix
	Pos    diag.Pos
}

// Word is a piece of text and its place.
type Word struct {
	Text string
	Pos  diag.Pos
}

// Select is a selector and its place. The selector has at least one requirement.
type Select struct {
	Selector label.Selector
	Unread   bool // it could not be read, which has been reported, and matches nothing
	Pos      diag.Pos
}

// Zone is a trust zone.
type Zone struct {
	Meta
	Select      *Select // nil only for the zone Unassigned
	Sensitivity string  // "public", "internal", "confidential", "restricted"; empty if not given
	Scope       []string
	Stage       Stage    // Observe where not given
	StagePos    diag.Pos // zero where no stage is given
	Default     Effect   // Allow or Deny; Deny where not given
}

// Service is a named set of workloads and the ports they serve.
type Service struct {
	Meta
	Flawed bool    // as a Zone's
	Select *Select // never nil
	Ports  []ServicePort
}

// ServicePort is a port that a service serves. Protocol is TCP (where not
// given), UDP or SCTP. Name is empty if not given, else unique in its service.
type ServicePort struct {
	Name     string
	Number   uint16 // never 0
	Protocol netset.Protocol
	Pos      diag.Pos
}

// External is a named peer outside the estate. It has CIDRs, FQDNs or both.
type External struct {
	Meta
	CIDRs  []CIDR
	FQDNs  []Word // lower case, without final dot; "*." in front stands for one label or more
	Reason string
}

// Policy is a set of rules with one tier. Priority is 0 outside the platform
// tier. Stage has already been given to the rules that have none of their own.
type Policy struct {
	Meta
	Tier     Tier // Application where not given
	Priority int
	Stage    Stage
	Rules    []*Rule
}

// Rule says what may talk to what. Owner is the policy's where the rule has
// none. Ports is nil where not given, which means all traffic, and otherwise
// not empty. Pos is where the rule begins.
type Rule struct {
	Name     string // unique in its policy
	Effect   Effect
	Stage    Stage // the rule's own, else its policy's, else Observe
	StagePos diag.Pos
	From     Endpoint
	To       Endpoint
	Ports    []Port
	HTTP     []HTTP  // the requests it speaks of, any of these; nil where not given: whatever is said
	MTLS     bool    // require: mtls; of an Allow only
	When     *Window // nil where not given: always
	Reason   string
	Owner    string
	Template string // the rule template that it was made from; empty if it was written out
	Pos      diag.Pos
	NamePos  diag.Pos
}

// EndpointKind says by what an Endpoint names its peers.
type EndpointKind uint8

// The kinds of endpoint. ByWorkload and ByIP occur in Cases only. ByNothing is
// the zero value and only occurs in a tree that came with errors.
const (
	ByNothing EndpointKind = iota
	ByService
	ByZone
	ByExternal
	BySelect
	ByPrincipal
	ByAny
	ByWorkload
	ByIP
)

// String returns the field's name in policy files.
func (k EndpointKind) String() string {
	if k == ByNothing {
		return "nothing"
	}
	return word(endpointFields, k-1)
}

// Endpoint is one end of a rule or of an expectation.
//
// A cidr where an endpoint belongs is warned of (cidr-in-rule) and read as
// ByExternal; Name is then that of an External made for it in Dir.Externals,
// which no user can write because it contains a colon, and CIDR is true.
// Whoever knows the zones of both ends must turn the warning into an error
// where one of them enforces.
type Endpoint struct {
	Kind     EndpointKind
	Name     string         // of ByService, ByZone, ByExternal, ByPrincipal, ByWorkload
	Selector label.Selector // of BySelect; at least one requirement
	IP       netip.Addr     // of ByIP; valid, unmapped, without zone
	CIDR     bool           // Kind is ByExternal and a cidr was written
	Pos      diag.Pos       // of the endpoint
	ValuePos diag.Pos       // of the name, selector or address in it
}

// Port is an entry of a rule's ports: either the Name of a port of the
// destination, or, if Name is empty, Traffic, which is then not empty.
type Port struct {
	Name    string
	Traffic netset.Traffic
	Pos     diag.Pos
}

// Case is a test that travels with the policy.
type Case struct {
	Meta
	Expect []*Expectation
}

// Expectation is one line of a Case: what the policy to come, or the one in
// force, must say. It holds if it holds for every workload of From, every one
// of To and all of the traffic. Port is nil where not given: all traffic. HTTP
// is nil where not given: every request, and what is no HTTP at all. At is
// zero where not given: whenever the question is asked.
type Expectation struct {
	From    Endpoint
	To      Endpoint
	Port    *Port
	HTTP    *flow.Request
	At      time.Time
	NoMTLS  bool   // mtls: false; the peer proves nothing. Otherwise it has proven its principal
	Effect  Effect // Allow or Deny
	InForce bool   // its own, else its Case's, else false
	Pos     diag.Pos
}
