// Package policy holds the resolved policy: every name looked up, every
// selector applied to an inventory, every rule with its tier, its stage and
// the place in the text that it came from. It is what evaluators and targets
// read; it decides nothing by itself.
package policy

import (
	"net/netip"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
)

// Tier is the order in which rules decide; lower decides first.
type Tier uint8

// The tiers.
const (
	Platform Tier = iota
	Application
	Baseline
)

// Effect is what a rule says.
type Effect uint8

// The effects. Pass leaves the platform tier and is valid only there.
const (
	Allow Effect = iota
	Deny
	Pass
)

// Stage says how far a rule or a zone's default has been promoted.
type Stage uint8

// The stages. Alert is Observe that also tells someone.
const (
	Observe Stage = iota
	Alert
	Enforce
)

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

// External is a named peer outside the estate.
type External struct {
	Name   string
	CIDRs  []netip.Prefix // masked, sorted
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
// Any is set the other fields are empty.
type Peers struct {
	Any        bool
	Identities []int // ascending
	Externals  []int // ascending
}

// Grant is the traffic of a rule towards some destinations: named ports
// resolve at the destination, so one rule may speak of different numbers for
// different identities. Traffic is never empty. The grants of a rule may
// overlap; the rule speaks about what is in any of them.
type Grant struct {
	To      Peers
	Traffic netset.Traffic
}

// Rule is a resolved rule. The union of the Grants' To is the rule's To, less
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
	Rules      []Rule  // by tier, priority, then place in the text
	IdentityOf []int   // by index into Inventory.Workloads
	ZoneOf     []int   // by index into Inventory.Workloads
	ServicesOf [][]int // by index into Inventory.Workloads; ascending
}
