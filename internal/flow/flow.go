// Package flow holds the words for what was observed: conversations, their
// verdicts and the rules that decided them. It is vocabulary: it imports the
// standard library only and does nothing.
package flow

import (
	"fmt"
	"net/netip"
	"time"
)

// Verdict is what happened to a conversation under the policy in force. The
// zero value is Unjudged: seen, but no policy decided it.
type Verdict uint8

// The verdicts. Audited means: it passed, but the policy to come drops it.
const (
	Unjudged Verdict = iota
	Forwarded
	Audited
	Dropped
)

var verdictWords = [...]string{"unjudged", "forwarded", "audited", "dropped"}

// String returns the word used in text, JSON and on the page.
func (v Verdict) String() string {
	if int(v) < len(verdictWords) {
		return verdictWords[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText and UnmarshalText use the words of String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText accepts the words of String and refuses anything else.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, w := range verdictWords {
		if w == string(b) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("unknown verdict %q", b)
}

// Stricter returns whichever of the two lets less through. Two ends judge the
// same conversation, and it passes only if both let it.
func Stricter(a, b Verdict) Verdict { return max(a, b) }

// Rule names the rule that decided, with its place in the policy text. A
// default is {Policy: "", Rule: "default-deny" or "default-allow", File and
// Line: the zone's}. A built-in is {Policy: "builtin", Rule: its name}.
type Rule struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// String renders policy/rule (file:line), leaving out what is empty.
func (r Rule) String() string {
	s := r.Rule
	switch {
	case r.Policy != "" && r.Rule != "":
		s = r.Policy + "/" + r.Rule
	case r.Policy != "":
		s = r.Policy
	}
	switch {
	case r.File != "" && s != "":
		s += fmt.Sprintf(" (%s:%d)", r.File, r.Line)
	case r.File != "":
		s = fmt.Sprintf("%s:%d", r.File, r.Line)
	}
	return s
}

// Direction is the side of a conversation on which a verdict was reached.
type Direction uint8

// Egress is the initiator's side, Ingress the responder's.
const (
	Egress Direction = iota
	Ingress
)

// String returns "egress" or "ingress".
func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Reason says why a packet that no rule spoke about was dropped. The zero
// value means that a rule or a default decided.
type Reason uint8

// The reasons.
const (
	ByPolicy     Reason = iota
	Spoofed             // the source address belongs to another workload
	Malformed           // headers could not be read to their end
	Fragment            // a fragment that was not reassembled
	NoRevision          // no policy has been loaded yet
	Ended               // its permission was withdrawn
	NotThroughIP        // sent by a packet socket, around the IP stack
	Expired             // the time for which the rule permits it is over, and nothing newer has been said
)

var reasonWords = [...]string{"policy", "spoofed-source", "malformed", "fragment", "no-policy-yet", "permission-withdrawn", "packet-socket", "expired"}

// String returns the word used in text, JSON and on the page.
func (r Reason) String() string {
	if int(r) < len(reasonWords) {
		return reasonWords[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// MarshalText uses the words of String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the words of String and refuses anything else.
func (r *Reason) UnmarshalText(b []byte) error {
	for i, w := range reasonWords {
		if w == string(b) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("unknown reason %q", b)
}

// Flow is one conversation, attributed. From is always the initiator,
// whichever end reported it. Names are what the inventory called the ends at
// the flow's time: FromService is empty where no service selects the workload;
// From and To are a workload's name, an External's name, "unknown" or
// "world"; zones are empty for what is outside the estate.
type Flow struct {
	Time        time.Time     `json:"time"`
	Host        string        `json:"host"` // the agent that reported it
	Direction   Direction     `json:"direction"`
	Src         netip.Addr    `json:"src"`
	Dst         netip.Addr    `json:"dst"`
	SrcPort     uint16        `json:"srcPort"` // 0 where the protocol has none or it was refused before it had one
	DstPort     uint16        `json:"dstPort"`
	Protocol    uint8         `json:"protocol"` // IANA number; ICMPv6 is 58
	From        string        `json:"from"`
	FromService string        `json:"fromService,omitempty"`
	FromZone    string        `json:"fromZone,omitempty"`
	To          string        `json:"to"`
	ToService   string        `json:"toService,omitempty"`
	ToZone      string        `json:"toZone,omitempty"`
	Verdict     Verdict       `json:"verdict"` // under the policy in force
	Rule        Rule          `json:"rule"`    // that decided Verdict
	ToCome      Verdict       `json:"toCome"`  // Forwarded or Dropped under the policy to come
	ToComeRule  Rule          `json:"toComeRule"`
	Reason      Reason        `json:"reason"`
	Revision    uint64        `json:"revision"` // of the policy that judged it
	Lag         time.Duration `json:"-"`        // kernel event to record, for measuring
}
