package semantics

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// unmet says which of a clause's conditions does not hold; "" if all do.
func (k clause) unmet(q conversation) string {
	switch {
	case !k.expires.IsZero() && !q.At.Before(k.expires):
		return "expired " + k.expires.Format(time.RFC3339)
	case k.when != nil && !open(k.when, q.At):
		return "outside the window " + k.when.Text
	case k.mtls && !q.MTLS:
		return "demands mTLS"
	case k.http != nil && q.HTTP == nil:
		return "speaks of HTTP only: " + httpText(k.http)
	case k.http != nil && !k.hears(q.HTTP):
		return "speaks of other requests: " + httpText(k.http)
	}
	return ""
}

// conditions says what a clause demands beside ends and ports, for people.
func (k clause) conditions() []string {
	var out []string
	if k.http != nil {
		out = append(out, "only for "+httpText(k.http))
	}
	if k.mtls {
		out = append(out, "demands mTLS")
	}
	if k.when != nil {
		out = append(out, "only in "+k.when.Text)
	}
	if !k.expires.IsZero() {
		out = append(out, "until "+k.expires.Format(time.RFC3339))
	}
	return out
}

// Conditions says what the rule, guardrail or exception of that name demands
// beside ends and ports: "only for POST /a", "demands mTLS", "only in
// 06:00-22:00", "until 2027-01-31T18:00:00Z". Empty if it demands nothing, is a default, or
// is not known.
func (e *Evaluator) Conditions(r flow.Rule) []string {
	for _, k := range e.all {
		if k.ref.Policy == r.Policy && k.ref.Rule == r.Rule {
			return k.conditions()
		}
	}
	return nil
}

// open reports whether a window is open at an instant, by the clock on the
// wall in the window's time zone. What crosses midnight belongs to the day on
// which it began. A window without a time zone is one of UTC.
func open(w *lang.Window, at time.Time) bool {
	location := w.Location
	if location == nil {
		location = time.UTC
	}
	local := at.In(location)
	minute := local.Hour()*60 + local.Minute()
	today, yesterday := local.Weekday(), (local.Weekday()+6)%7
	on := func(day time.Weekday) bool { return w.Days&(1<<day) != 0 }
	if w.Lo < w.Hi {
		return on(today) && w.Lo <= minute && minute < w.Hi
	}
	return on(today) && w.Lo <= minute || on(yesterday) && minute < w.Hi
}

// hears reports whether a clause speaks of a request: whether any of its
// alternatives means it.
func (k clause) hears(r *flow.Request) bool {
	for _, h := range k.http {
		if means(h, r, k.effect == lang.Deny) {
			return true
		}
	}
	return false
}

// means reports whether a request meets every field of an alternative. An
// ambiguous path is meant in a deny, whatever the paths are, and otherwise not.
func means(h lang.HTTP, r *flow.Request, deny bool) bool {
	return oneOf(h.Methods, r.Method, equal) && pathMeant(h, r.Path, deny) &&
		oneOf(h.Hosts, r.Host, hostMatches) && hasHeaders(h.Headers, r.Headers)
}

func pathMeant(h lang.HTTP, path string, deny bool) bool {
	if ambiguous(path) {
		return deny
	}
	return oneOf(h.Paths, path, pathMatches)
}

// oneOf reports whether any of the words matches; no words match everything.
func oneOf(words []string, s string, matches func(word, s string) bool) bool {
	for _, w := range words {
		if matches(w, s) {
			return true
		}
	}
	return words == nil
}

func equal(a, b string) bool { return a == b }

func hostMatches(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return pattern == host
}

func hasHeaders(wanted []lang.Header, headers map[string]string) bool {
	for _, h := range wanted {
		value, there := headers[h.Name]
		if !there || !oneOf(h.Values, value, equal) {
			return false
		}
	}
	return true
}

// ambiguous reports whether servers disagree about where a path leads: whether
// it has a slash or backslash in disguise, an empty segment or one of dots, or
// percent-encodes a character that need not be (RFC 3986, section 2.3).
func ambiguous(path string) bool {
	if strings.Contains(path, "//") || strings.Contains(path, "\\") {
		return true
	}
	for i := 0; i+2 < len(path); i++ {
		if path[i] != '%' {
			continue
		}
		if c, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil && strings.IndexByte(disguised, byte(c)) >= 0 {
			return true
		}
	}
	for _, segment := range strings.Split(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// disguised are the bytes that make a path ambiguous where they are encoded.
const disguised = "/\\-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func pathMatches(pattern, path string) bool {
	return segmentsMatch(strings.Split(pattern, "/"), strings.Split(path, "/"))
}

// segmentsMatch compares segment by segment. A last segment "*" takes in all
// that is left, which is one segment at least.
func segmentsMatch(pattern, path []string) bool {
	if len(pattern) == 0 || len(path) == 0 {
		return len(pattern) == 0 && len(path) == 0
	}
	if len(pattern) == 1 && pattern[0] == "*" {
		return true
	}
	return segmentMatches(pattern[0], path[0]) && segmentsMatch(pattern[1:], path[1:])
}

// segmentMatches compares two segments: {x} is any that is not empty, and each
// * is any text, also none.
func segmentMatches(pattern, s string) bool {
	if strings.HasPrefix(pattern, "{") && strings.HasSuffix(pattern, "}") {
		return s != ""
	}
	return textMatches(pattern, s)
}

func textMatches(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return textMatches(pattern[1:], s) || s != "" && textMatches(pattern, s[1:])
	default:
		return s != "" && s[0] == pattern[0] && textMatches(pattern[1:], s[1:])
	}
}

// httpText is what a list of alternatives says, for people:
// "GET,POST /a/* with x-team=a,b; host api.example".
func httpText(list []lang.HTTP) string {
	var out []string
	for _, h := range list {
		var parts []string
		for _, words := range [][]string{h.Methods, h.Paths} {
			if words != nil {
				parts = append(parts, strings.Join(words, ","))
			}
		}
		if h.Hosts != nil {
			parts = append(parts, "host "+strings.Join(h.Hosts, ","))
		}
		for _, x := range h.Headers {
			text := "with " + x.Name
			if x.Values != nil {
				text = fmt.Sprintf("with %s=%s", x.Name, strings.Join(x.Values, ","))
			}
			parts = append(parts, text)
		}
		if parts == nil {
			parts = []string{"any request"}
		}
		out = append(out, strings.Join(parts, " "))
	}
	return strings.Join(out, "; ")
}
