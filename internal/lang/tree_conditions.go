package lang

import (
	"time"

	"firebreak/internal/diag"
)

// HTTP is one alternative of what a rule says about requests: a request is
// meant if it meets every field. What is no HTTP, or cannot be seen to be, is
// meant by no HTTP.
//
// A path is ambiguous if it has "//", a backslash, a segment "." or "..", or a
// percent-encoded slash ("%2F"), backslash ("%5C") or unreserved character: a
// letter, a digit, '-', '.', '_' or '~' (RFC 3986, section 2.3; hexadecimal
// digits in either case). Servers disagree about where it leads: some decode
// "%61dmin" to "admin", some do not. Whatever the fields say about paths, a
// request with such a path is meant in a deny and not meant in an allow or a
// pass.
type HTTP struct {
	Methods []string // upper case, sorted; nil: any
	Paths   []string // patterns, see the contract of ValidPathPattern; nil: any
	Hosts   []string // lower case, without port; "*." in front stands for one label or more; nil: any
	Headers []Header // sorted by name; every one must be met; nil: any
	Pos     diag.Pos
}

// Header is met by a request that has the header with one of the values. With
// nil Values the header only has to be there.
type Header struct {
	Name   string   // lower case
	Values []string // sorted, case-sensitive
}

// Window is a weekly time of day. It is open at an instant whose local time in
// Location is on one of Days and at a minute of the day in [Lo, Hi). If
// Hi < Lo it crosses midnight and then belongs to the day on which it began.
// Lo is never Hi.
type Window struct {
	Lo, Hi   int   // minutes since midnight, 0 to 1440
	Days     uint8 // bit 1<<time.Weekday; never 0
	Location *time.Location
	Text     string // as written, for people: "06:00-22:00 mon,tue Europe/Berlin"
	Pos      diag.Pos
}

// GuardrailKind says what a Guardrail demands.
type GuardrailKind uint8

// The kinds of guardrail.
const (
	Never GuardrailKind = iota
	Only
	Must
)

// String returns the field's name in policy files.
func (k GuardrailKind) String() string { return word(guardrailKinds, k) }

// Guardrail is a property that must hold whatever the rules say. Never forbids
// what goes from its From to its To. Only guards one end: at the other end,
// only the listed peers may be, with the given ports and requests; of whatever
// else goes through the guarded end, nothing is said. Must demands something
// of every allow rule that speaks of some conversation from From to To.
type Guardrail struct {
	Meta
	Stage Stage // Observe where not given
	Kind  GuardrailKind
	// From and To have one element each, but that Only has a list (never empty)
	// at the end that it does not guard. In a Must an end that was not given is
	// ByAny.
	From, To   []Endpoint
	GuardsFrom bool // of Only: From is the guarded end; otherwise To is
	Ports      []Port
	HTTP       []HTTP
	Have       []Word // of Must: "owner", "reason", "mtls", "ports", "http", "when"; never empty
	Controls   []string
}

// Exception is an allow that was approved and ends. It is decided before the
// application tier, and is in force as soon as it is there.
type Exception struct {
	Meta
	From, To   Endpoint
	Ports      []Port // as a Rule's
	HTTP       []HTTP // as a Rule's
	Ticket     string
	Approver   string
	Reason     string
	Expires    time.Time // from this instant on it is absent
	ExpiresPos diag.Pos
}
