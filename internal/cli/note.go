package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// mostNoted is how many guardrails that do not hold are named.
const mostNoted = 3

// noteObserving tells whoever compares something with the policy in force that
// no zone is enforced yet: everything is meant to pass then.
func (l *loaded) noteObserving(stderr io.Writer) {
	if !slices.ContainsFunc(l.p.Zones, func(z policy.Zone) bool { return z.Stage == policy.Enforce }) {
		fmt.Fprintf(stderr, "note: all zones of %s observe, so that nearly everything is meant to pass; --to-come compares with the whole policy\n", l.rev+l.dir)
	}
}

// noteGuardrails tells people who ask something else which guardrails of the
// policy do not hold: what they read is what it says, not what it should.
func (l *loaded) noteGuardrails(stderr io.Writer, format string, e *verify.Engine) {
	if format != "text" || e == nil {
		return
	}
	var names []string
	for _, p := range e.Guardrails() {
		if p.Result == verify.Violated {
			names = append(names, l.p.Guardrails[p.Guardrail].Name)
		}
	}
	switch n := len(names); {
	case n == 1:
		fmt.Fprintf(stderr, "note: guardrail %s does not hold; see firebreak check %s\n", names[0], l.rev+l.dir)
	case n > 1:
		all := strings.Join(few(names, mostNoted), ", ")
		if n > mostNoted {
			all += fmt.Sprintf(" and %d more", n-mostNoted)
		}
		fmt.Fprintf(stderr, "note: guardrails %s do not hold; see firebreak check %s\n", all, l.rev+l.dir)
	}
}
