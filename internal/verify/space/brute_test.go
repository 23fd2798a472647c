package space

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// What follows decides membership by looking at strings and clocks, and shares
// nothing with what it judges.

// bruteDoubts are the pieces of which each makes a path ambiguous.
var bruteDoubts = regexp.MustCompile(`(?i)//|\\|/\.\.?(/|$)|%(2[def]|3[0-9]|[46][1-9a-f]|5[0-9acf]|7[0-9ae])`)

func bruteAmbiguous(path string) bool {
	return !strings.HasPrefix(path, "/") || bruteDoubts.MatchString(path)
}

// bruteForeign matches a platform's own pattern, byte by byte.
func bruteForeign(pattern, path string) bool {
	switch {
	case pattern == "":
		return path == ""
	case pattern[0] == '*':
		return bruteForeign(pattern[1:], path) || path != "" && bruteForeign(pattern, path[1:])
	}
	return path != "" && (pattern[0] == '?' || pattern[0] == path[0]) && bruteForeign(pattern[1:], path[1:])
}

func brutePath(pattern, path string) bool {
	if strings.HasPrefix(pattern, "~") {
		return bruteForeign(pattern[1:], path)
	}
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		if i == len(want)-1 && w == "*" {
			return len(got) >= len(want)
		}
		if i >= len(got) {
			return false
		}
		if strings.HasPrefix(w, "{") && strings.HasSuffix(w, "}") {
			if got[i] == "" {
				return false
			}
		} else if !bruteGlob(w, got[i]) {
			return false
		}
	}
	return len(want) == len(got)
}

func bruteGlob(w, s string) bool {
	before, behind, star := strings.Cut(w, "*")
	if !star {
		return w == s
	}
	if !strings.HasPrefix(s, before) {
		return false
	}
	for rest := s[len(before):]; ; rest = rest[1:] {
		if bruteGlob(behind, rest) {
			return true
		}
		if rest == "" {
			return false
		}
	}
}

func bruteHost(w, host string) bool {
	if strings.HasPrefix(w, "*.") {
		return strings.HasSuffix(host, w[1:]) && host != w[1:]
	}
	return w == host
}

func bruteHTTP(h *policy.HTTP, r *flow.Request, deny bool) bool {
	if h.Methods != nil && !slices.Contains(h.Methods, r.Method) {
		return false
	}
	if h.Hosts != nil && !slices.ContainsFunc(h.Hosts, func(w string) bool { return bruteHost(w, r.Host) }) {
		return false
	}
	for _, x := range h.Headers {
		v, there := r.Headers[x.Name]
		if !there || x.Values != nil && !slices.Contains(x.Values, v) {
			return false
		}
	}
	if bruteAmbiguous(r.Path) {
		return deny
	}
	return h.Paths == nil || slices.ContainsFunc(h.Paths, func(p string) bool { return brutePath(p, r.Path) })
}

func bruteWindow(w *policy.Window, t time.Time) bool {
	t = t.In(w.Location)
	at := t.Hour()*60 + t.Minute()
	today := w.Days&(1<<t.Weekday()) != 0
	yesterday := w.Days&(1<<((t.Weekday()+6)%7)) != 0
	if w.Hi < w.Lo {
		return today && at >= w.Lo || yesterday && at < w.Hi
	}
	return today && at >= w.Lo && at < w.Hi
}

func brute(c *policy.Condition, at flow.Circumstances, deny bool) bool {
	if c == nil {
		return true
	}
	if c.MTLS && !at.MTLS || c.When != nil && !bruteWindow(c.When, at.At) || !c.Expires.IsZero() && !at.At.Before(c.Expires) {
		return false
	}
	if c.HTTP == nil {
		return true
	}
	switch c.Ambiguous {
	case policy.Meant:
		deny = true
	case policy.NotMeant:
		deny = false
	}
	return at.HTTP != nil && slices.ContainsFunc(c.HTTP, func(h policy.HTTP) bool { return bruteHTTP(&h, at.HTTP, deny) })
}

// place is a point as people see it.
type place struct {
	p    netset.Protocol
	port uint16
	at   flow.Circumstances
}

// model is the slow obvious set.
type model func(place) bool
