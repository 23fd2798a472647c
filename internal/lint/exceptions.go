package lint

import (
	"time"

	"firebreak/internal/lang"
)

// An exception that ends within soon should be renewed or let go now; one that
// lasts longer than long is a rule that nobody reviewed as one.
const (
	soon = 14 * 24 * time.Hour
	long = 366 * 24 * time.Hour
)

func (l *linter) exceptions() {
	for _, x := range l.dir.Exceptions {
		left := x.Expires.Sub(l.at)
		switch {
		case left <= 0:
			l.about(x.Accepts, "expired").Warnf(x.ExpiresPos, "expired", "exception %s has expired on %s and allows nothing any more", x.Name, x.Expires.Format(time.RFC3339)).
				WithHelp("remove it; if the access is still needed, it takes a new exception (this one was approved by %s, %s)", x.Approver, x.Ticket)
		case left < soon:
			l.about(x.Accepts, "expires-soon").Infof(x.ExpiresPos, "expires-soon", "exception %s ends in %d days", x.Name, int(left.Hours()/24)).
				WithHelp("see to it that nothing needs it then (%s)", x.Ticket)
		case left > long:
			l.about(x.Accepts, "long-exception").Warnf(x.ExpiresPos, "long-exception", "exception %s lasts until %s", x.Name, x.Expires.Format(time.DateOnly)).
				WithHelp("write a rule, which is reviewed as one, or a nearer end")
		}
	}
}

// owners finds documents that nobody answers for.
func (l *linter) owners() {
	unowned := func(kind string, m lang.Meta) {
		if m.Owner == "" {
			l.about(m.Accepts, "unowned").Warnf(m.Pos, "unowned", "%s %s has no owner", kind, m.Name).
				WithHelp("write metadata: {name: %s, owner: TEAM}", m.Name)
		}
	}
	for _, x := range l.dir.Zones {
		unowned("zone", x.Meta)
	}
	for _, x := range l.dir.Externals {
		unowned("external", x.Meta)
	}
	for _, x := range l.dir.Exceptions {
		unowned("exception", x.Meta)
	}
	for _, x := range l.dir.Guardrails {
		unowned("guardrail", x.Meta)
	}
	for _, p := range l.dir.Policies {
		owned := len(p.Rules) > 0
		for _, r := range p.Rules {
			owned = owned && r.Owner != ""
		}
		if !owned {
			unowned("policy", p.Meta)
		}
	}
}
