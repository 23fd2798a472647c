// Package prove compares what enforcement layers permit, as they were lifted
// from bytes, with what was meant: every pair of ends, all traffic, all
// circumstances. It sees neither the renderers nor the plan, so that a wrong
// renderer cannot certify itself.
//
// The workloads and addresses that neither the intent nor any layer tells apart
// are one end. For every pair of ends each layer has a set of what it surely
// lets pass (lower) and one of what it perhaps lets pass (upper); they are one
// where nothing is unknown.
//
// This file is the whole of what others use.
package prove

import (
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Word is what became of a proof, as people read it.
type Word string

// The words. Exact, ExactToday and Approximate are proofs, NotApplicable has
// nothing to prove; all others are none.
const (
	Exact         Word = "exact"
	ExactToday    Word = "exact-today"    // but some workload that could be labelled so would be treated otherwise
	Approximate   Word = "approximate"    // more passes than was meant; other layers catch all of it
	Unenforced    Word = "unenforced"     // nothing enforces the point, or a condition
	Wrong         Word = "wrong"          // see the witness
	Unknown       Word = "unknown"        // see the reason
	NotApplicable Word = "not-applicable" // the point governs nobody
)

// Proven reports whether the word is one with which a proof passes.
func (w Word) Proven() bool {
	return w == Exact || w == ExactToday || w == Approximate || w == NotApplicable
}

// Intent is what was meant.
type Intent struct {
	Policy *policy.Policy // resolved against today's inventory
	ToCome bool           // compare with the policy to come, not with the one in force
	// Resolve resolves the same text against another inventory. Nil: workloads
	// that could be there are not tried, and nothing is exact-today for them.
	Resolve func(*inventory.Snapshot) (*policy.Policy, error)
	// Selectors are those of the text, from which workloads that could be there
	// are made up beside those of the layers. They may be missing.
	Selectors []label.Selector
	// Accepted, if not nil, says why it is accepted that a rule's conditions are
	// enforced by nobody; empty if it is not.
	Accepted func(flow.Rule) string
}

// Options are what the answers depend on beside the intent and the layers.
type Options struct {
	At      time.Time     // the present: nothing is said of instants before it
	Horizon time.Duration // how far ahead weekly windows are looked at; 0: a year
	Live    bool          // the layers were lifted from a live estate; for Result.Scope
	Lines   int           // how many lines a list may have; 0: 50
	Targets []string      // the estate's own; a Drift rather points at them. May be nil

	byWay bool // ends in different VPCs are not one
}

// Report is what Prove found.
type Report struct {
	Results []Result // by layer, in the order given, then by point, in its order
	// Together is about all layers that are not optional, composed: Target is
	// empty, Point "all layers together". Nil without any such layer.
	Together *Result
}

// Result is what became of one enforcement point.
type Result struct {
	Target string `json:"target"`
	Point  string `json:"point"`
	Result Word   `json:"result"`
	Scope  string `json:"scope"` // "alone" or "live"
	// Over is what passes and was not meant to, Under what was meant to pass and
	// does not; surely so. What stays shut because the platform cannot tell the
	// time, or follow names, is Under too, with the Reason. The most workloads first. Never nil.
	Over  []Line `json:"over"`
	Under []Line `json:"under"`
	// MoreOver and MoreUnder count the lines that were left out.
	MoreOver  int `json:"moreOver,omitempty"`
	MoreUnder int `json:"moreUnder,omitempty"`
	// Witness is one conversation for which the layer and the intent differ, of
	// the kind that made the result; nil if there is none.
	Witness *Witness `json:"witness"`
	// Reason says for people why the result is not exact; empty if it is.
	Reason   string `json:"reason"`
	Modelled bool   `json:"modelled,omitempty"` // nobody but us has judged the reading
}

// Line says that some traffic passes, or does not, from some ends to others.
type Line struct {
	From     string `json:"from"`     // names for people, joined with ", "
	To       string `json:"to"`       // likewise
	Traffic  string `json:"traffic"`  // the set, with its conditions
	CaughtBy string `json:"caughtBy"` // targets, joined with ", "; empty if none catches it
	Target   string `json:"target,omitempty"`
	Point    string `json:"point,omitempty"`
	Reason   string `json:"reason,omitempty"`

	Rule  flow.Rule `json:"-"` // of a Drift: what makes it so, "default" where no rule speaks; zero: not known
	Set   space.Set `json:"-"`
	Pairs int       `json:"-"` // how many pairs of workloads, or addresses, it is about
}

// Witness is one conversation.
type Witness struct {
	From string            `json:"from"` // a workload, an address, "external NAME"
	To   string            `json:"to"`
	Port string            `json:"port"`           // "5432/TCP", "ICMP", "OTHER"
	HTTP string            `json:"http,omitempty"` // "POST /x"; empty for what is no HTTP
	Host string            `json:"host,omitempty"`
	Head map[string]string `json:"headers,omitempty"`
	MTLS bool              `json:"mtls,omitempty"`
	At   time.Time         `json:"at"`
	// Effect is what the layer does, Meant what was meant: "allow" or "deny".
	Effect string `json:"effect"`
	Meant  string `json:"meant"`
	Rule   string `json:"rule,omitempty"`      // of the layer, that decides; empty for a default
	Intent string `json:"meantRule,omitempty"` // of the intent, that decides
}

// Prove compares every layer with the intent, and all of them together. The
// only error is of conditions too many to tell apart (*space.TooManyError).
func Prove(in Intent, layers []*layer.Layer, o Options) (*Report, error) {
	return prove(in, layers, o)
}

// Difference is what layers permit or block beyond the intent.
type Difference struct {
	Beyond  []Line // passes, and was not meant to
	Missing []Line // was meant to pass, and does not
	// Unknown is perhaps one of these, with the reason: also the workloads that the
	// policy governs and no layer does.
	Unknown []Line
	More    int // lines that were left out, of all three
}

// Drift compares what live layers permit with the intent, semantically: order,
// descriptions and other spellings of the same are no drift. What passes all
// layers composed, or does not, is one Line, whichever layers have a part in it;
// it points at the most specific rule that makes it so, rather in one of
// Options.Targets. What a layer lets pass beyond the intent and others catch is
// Beyond too, with CaughtBy; what is accepted, and what stays shut because a
// platform cannot say it, is none.
func Drift(in Intent, layers []*layer.Layer, o Options) (*Difference, error) {
	return drift(in, layers, o)
}

// Reached is what layers permit between two groups of workloads or addresses.
type Reached struct {
	From, To int // indices into Reach.Ends
	Lower    space.Set
	Upper    space.Set // Lower where everything is known
	Reason   string    // why they are not the same
}

// End is a set of workloads, or of addresses, that no layer tells apart.
type End struct {
	Name      string
	Workloads []int // indices into the inventory, ascending; nil for addresses
	// Prefixes are of addresses that no workload has; what longer prefixes of
	// other ends hold is not theirs. External is set for what names lead to.
	Prefixes []string
	External string
}

// Reachability is what layers permit.
type Reachability struct {
	Ends  []End
	Edges []Reached // those whose Upper is not empty; by From, then To
}

// Reach computes what all layers that are not optional permit together, without
// any intent. What no layer governs passes. Pairs of addresses are left out, and
// so are those of one workload with itself.
func Reach(inv *inventory.Snapshot, p *policy.Policy, layers []*layer.Layer, o Options) (*Reachability, error) {
	return reach(inv, p, layers, o)
}

// Equivalence is how two sets of layers differ.
type Equivalence struct {
	Gained  []Line // what the second permits and the first does not
	Lost    []Line // the other way round
	Unknown []Line // perhaps one of these; with the reason
	More    int    // lines that were left out, of all three
}

// Same reports whether the two permit the same, and surely so.
func (e *Equivalence) Same() bool { return len(e.Gained)+len(e.Lost)+len(e.Unknown) == 0 }

// Compare says how what some layers permit together differs from what a policy
// does: the proof of an adopted estate. Gained is what the policy permits beyond
// the layers.
func Compare(layers []*layer.Layer, in Intent, o Options) (*Equivalence, error) {
	return compare(layers, in, o)
}
