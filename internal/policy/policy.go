// Package policy holds the resolved policy: every name looked up, every
// selector applied to an inventory, every rule with its tier, its stage and
// the place in the text that it came from. It is what evaluators and targets
// read; it decides nothing by itself.
package policy

import (
	"net/netip"
	"slices"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// Tier is the order in which rules decide; lower decides first.
type Tier uint8

// The tiers. Guardrails only deny, Exceptions only allow; both are final.
const (
	Guardrails Tier = iota
	Platform
	Exceptions
	Application
	Baseline
)

// String returns the word for people: "guardrail", "platform", "exception",
// "application" or "baseline".
func (t Tier) String() string {
	return [...]string{"guardrail", "platform", "exception", "application", "baseline"}[t]
}

// Effect is what a rule says.
type Effect uint8

// The effects. Pass leaves the platform tier and is valid only there.
const (
	Allow Effect = iota
	Deny
	Pass
)

// String returns the word used in policy files.
func (e Effect) String() string { return lang.Effect(e).String() }

// Stage says how far a rule or a zone's default has been promoted.
type Stage uint8

// The stages. Alert is Observe that also tells someone.
const (
	Observe Stage = iota
	Alert
	Enforce
)

// String returns the word used in policy files.
func (s Stage) String() string { return lang.Stage(s).String() }

// Zone is a resolved trust zone. The last zone of a Policy is always
// "unassigned", declared or not.
type Zone struct {
	Name         string
	Owner        string
	Sensitivity  string
	Scope        []string
	Stage        Stage
	DefaultAllow bool
	Declared     bool // false only for an unassigned that no document declares
	Pos          diag.Pos
}

// Service is a named set of workloads and what they serve.
type Service struct {
	Name      string
	Workloads []int // indices into Inventory.Workloads, ascending
	Ports     []inventory.Port
	Pos       diag.Pos
}

// External is a named peer outside the estate. What its FQDNs lead to is not
// known here: no address matches by them, and whoever enforces must follow
// the names.
type External struct {
	Name   string
	CIDRs  []netip.Prefix // masked, sorted
	FQDNs  []string       // sorted; see lang.External
	Owner  string
	Reason string
	Pos    diag.Pos
}

// Identity is a distinct set of policy-relevant facts that workloads share:
// the labels that some selector mentions, the zone, and the numbers of the
// named ports that some rule mentions. Two workloads with one identity are
// treated alike by every rule. Key is its canonical text; it depends on
// nothing else, so that a number can be kept for it across revisions.
type Identity struct {
	Key       string
	Zone      int   // index into Zones
	Workloads []int // indices into Inventory.Workloads, ascending, never empty
}

// Peers is one end of a rule, resolved. A rule's end matches an identity if
// its index is in Identities, an external address if one of the Externals
// (indices into Policy.Externals) contains it, and, if Any, everything but
// built-ins: every identity, every external address, every unknown one. When
// Any is set the other fields are empty. With Not it matches everything but
// built-ins that Identities and Externals do not name; Any and Not are never
// both set.
type Peers struct {
	Any        bool
	Not        bool
	Identities []int // ascending
	Externals  []int // ascending
}

// Identity reports whether the end matches the identity of that index.
func (p *Peers) Identity(id int) bool {
	if p.Any {
		return true
	}
	_, named := slices.BinarySearch(p.Identities, id)
	return named != p.Not
}

// Address reports whether the end matches what no workload owns and is not
// built in: an address in all of these Externals (indices, may be empty), be
// it unknown, external or of the rest of the world. For what is known by an
// FQDN only, externals is the one External that has the name.
func (p *Peers) Address(externals []int) bool {
	if p.Any {
		return true
	}
	named := slices.ContainsFunc(externals, func(x int) bool {
		_, found := slices.BinarySearch(p.Externals, x)
		return found
	})
	return named != p.Not
}

// HTTP, Header and Window are what the language says about requests and time.
type (
	HTTP   = lang.HTTP
	Header = lang.Header
	Window = lang.Window
)

// Condition is what a rule demands beside ends and ports, all of it at once.
type Condition struct {
	HTTP    []HTTP    // any of these; nil: whatever is said
	MTLS    bool      // the peer must have proven its principal
	When    *Window   // nil: always
	Expires time.Time // from this instant on the rule is absent; zero: never

	// Ambiguous says whether a request with an ambiguous path is meant by HTTP, if
	// the rest of it is met. The language leaves it to the rule's effect; a
	// condition that was read from another platform says what that platform does.
	// In such a one, a path pattern that begins with '~' is that platform's: what
	// follows is matched as it stands, each '*' any run of characters, slashes
	// included, each '?' any one.
	Ambiguous Ambiguous
}

// Ambiguous says whether a condition means ambiguous paths.
type Ambiguous uint8

// ByEffect is the language's own way: they are meant by a deny, and by nothing
// else.
const (
	ByEffect Ambiguous = iota
	Meant
	NotMeant
)

// Guardrail is a property to prove. Rule is the index into Policy.Rules of the
// deny that a never or only stands for, -1 for a must, which demands Have of
// every allow rule (of the platform, application and baseline tiers) that
// speaks of something from From to To.
type Guardrail struct {
	Name     string
	Owner    string
	Kind     string // "never", "only" or "must"
	Stage    Stage
	Controls []string
	Rule     int
	From, To Peers    // of a must
	Have     []string // of a must: "owner", "reason", "mtls", "ports", "http", "when"
	Pos      diag.Pos
	Text     string // for people: "never from select env!=prod to zone data"
}

// Grant is the traffic of a rule towards some destinations: named ports
// resolve at the destination, so one rule may speak of different numbers for
// different identities. Traffic is never empty. The grants of a rule may
// overlap; the rule speaks about what is in any of them.
type Grant struct {
	To      Peers
	Traffic netset.Traffic
}

// Rule is a resolved rule, also one that stands for a guardrail (Ref is its
// name and "never" or "only") or an exception (its name and "exception"). The
// union of the Grants' To is the rule's To, less
// the destinations that have no port of any of the names that the rule gives.
// FromText, ToText and PortsText say what was written, for people.
type Rule struct {
	Ref      flow.Rule
	Tier     Tier
	Priority int // platform tier only; lower decides first
	Effect   Effect
	Stage    Stage
	From, To Peers
	Grants   []Grant
	Cond     *Condition // nil: none; rules with equal conditions may share one
	Reason   string
	Owner    string
	Pos      diag.Pos

	FromText  string // "service orders", "zone web", "select env!=prod", "any"
	ToText    string
	PortsText string // "postgres", "TCP 8080; UDP 53", "all"
}

// Policy is a policy resolved against one inventory. It is immutable and safe
// for concurrent reading.
type Policy struct {
	Estate     string
	Networks   []netip.Prefix // the estate's own; masked, sorted
	Inventory  *inventory.Snapshot
	Zones      []Zone
	Services   []Service
	Externals  []External
	Identities []Identity
	Guardrails []Guardrail // in the order of the text
	Rules      []Rule      // by tier, priority, then place in the text
	IdentityOf []int       // by index into Inventory.Workloads
	ZoneOf     []int       // by index into Inventory.Workloads
	ServicesOf [][]int     // by index into Inventory.Workloads; ascending
}
