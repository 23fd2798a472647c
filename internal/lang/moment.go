package lang

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The years of the instants that may be written: what a clock that counts
// nanoseconds in 64 bits holds, with room.
const (
	firstYear = 1970
	lastYear  = 2199
)

// moment reads an instant as RFC 3339 has it. It is zero, with a diagnostic,
// if it was none; one that was written is never zero.
func (r *reader) moment(n *yaml.Node, what string) time.Time {
	s, ok := r.text(n, what)
	if !ok {
		return time.Time{}
	}
	const help = "an instant is like 2027-01-31T18:00:00Z or 2027-01-31T18:00:00+01:00"
	t, err := time.Parse(time.RFC3339, s)
	switch {
	case err == nil && (t.UTC().Year() < firstYear || t.UTC().Year() > lastYear):
		r.errorf(n, "bad-time", "%s must be in the years %d to %d, not %s", what, firstYear, lastYear, shorten(s))
	case err == nil:
		return t.UTC()
	case hasNoZone(s):
		r.errorf(n, "bad-time", "%s has no time zone: %q is another instant in each", what, shorten(s)).
			WithHelp("put Z (UTC) or an offset like +01:00 behind it; " + help)
	default:
		r.errorf(n, "bad-time", "%s must be an instant, not %q", what, shorten(s)).WithHelp(help)
	}
	return time.Time{}
}

// hasNoZone reports whether s lacks nothing but its zone to be an instant.
func hasNoZone(s string) bool {
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if _, err := time.Parse(layout, strings.Replace(s, " ", "T", 1)); err == nil {
			return true
		}
	}
	return false
}
