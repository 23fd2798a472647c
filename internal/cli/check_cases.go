package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"firebreak/internal/lang"
)

// expectations are the lines of all Cases, in the order of the text.
func expectations(dir *lang.Dir) []*lang.Expectation {
	var out []*lang.Expectation
	for _, c := range dir.Cases {
		out = append(out, c.Expect...)
	}
	return out
}

// message says what is wrong with a line that does not hold.
func (c caseLine) message() string {
	switch {
	case c.Got == "unknown":
		return fmt.Sprintf("wants %s, but nothing can be judged: %s", c.Want, c.Why)
	case c.Want == "allow":
		return fmt.Sprintf("wants allow, but %s → %s is denied %s", c.From, c.To, c.what())
	default:
		return fmt.Sprintf("wants deny, but %s → %s is allowed %s", c.From, c.To, c.what())
	}
}

// what is the traffic that decided, and what else was asked about it.
func (c caseLine) what() string {
	return strings.Join(append([]string{c.Traffic}, circumstances(c.asked)...), " ")
}

// title is the line as it is written, in few words.
func (c caseLine) title() string {
	x := c.asked
	parts := []string{c.Want, endText(x.From), "→", endText(x.To)}
	if x.Port != nil {
		parts = append(parts, cmp.Or(x.Port.Name, x.Port.Traffic.String()))
	}
	parts = append(parts, circumstances(x)...)
	if x.InForce {
		parts = append(parts, "(in force)")
	}
	return fmt.Sprintf("%d: %s", c.Index, strings.Join(parts, " "))
}

func endText(e lang.Endpoint) string {
	switch e.Kind {
	case lang.ByAny:
		return "any"
	case lang.BySelect:
		return e.Selector.String()
	case lang.ByIP:
		return e.IP.String()
	}
	return e.Kind.String() + ":" + e.Name
}

// circumstances are what a line asks for beside the ends and the port.
func circumstances(x *lang.Expectation) []string {
	var out []string
	if x.HTTP != nil {
		out = append(out, requestText(x.HTTP))
	}
	if x.NoMTLS {
		out = append(out, "without mTLS")
	}
	if !x.At.IsZero() {
		out = append(out, "at "+x.At.Format(time.RFC3339))
	}
	return out
}
