package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/internal/diag"
)

// condition gives the rule its condition: nil if it demands nothing, and one
// pointer for all that demand the same. Where it was written is left out: the
// rule says it.
func (r *resolver) condition(rec *record, c Condition) {
	if c.HTTP == nil && !c.MTLS && c.When == nil && c.Expires.IsZero() {
		return
	}
	c.HTTP = slices.Clone(c.HTTP)
	for i := range c.HTTP {
		c.HTTP[i].Pos = diag.Pos{}
	}
	if c.When != nil {
		w := *c.When
		w.Pos = diag.Pos{}
		c.When = &w
	}
	c.Expires = c.Expires.UTC()
	rec.condKey = c.key()
	if r.conditions[rec.condKey] == nil {
		r.conditions[rec.condKey] = &c
	}
	rec.out.Cond = r.conditions[rec.condKey]
}

// key is the same for conditions that demand the same.
func (c *Condition) key() string {
	s := fmt.Sprintf("%#v %v %s", c.HTTP, c.MTLS, c.Expires.Format(time.RFC3339Nano))
	if w := c.When; w != nil {
		s += fmt.Sprintf(" %d %d %d %q %q", w.Lo, w.Hi, w.Days, w.Location, w.Text)
	}
	return s
}

// httpText is one alternative for people: "POST,PUT /a/*,/b host shop.example
// x-source=web".
func httpText(h HTTP) string {
	var words []string
	add := func(what string, list []string) {
		if list != nil {
			words = append(words, what+strings.Join(list, ","))
		}
	}
	add("", h.Methods)
	add("", h.Paths)
	add("host ", h.Hosts)
	for _, x := range h.Headers {
		if x.Values == nil {
			words = append(words, x.Name)
		} else {
			add(x.Name+"=", x.Values)
		}
	}
	return strings.Join(words, " ")
}

// apart reports whether two conditions obviously never hold together. False
// says nothing.
func apart(a, b *Condition) bool {
	if a == nil || b == nil {
		return false
	}
	return requestsApart(a.HTTP, b.HTTP) || windowsApart(a.When, b.When)
}

func requestsApart(a, b []HTTP) bool {
	if a == nil || b == nil {
		return false
	}
	for _, x := range a {
		for _, y := range b {
			if !wordsApart(x.Methods, y.Methods) && !wordsApart(literal(x.Paths, "*{"), literal(y.Paths, "*{")) &&
				!wordsApart(literal(x.Hosts, "*"), literal(y.Hosts, "*")) && !headersApart(x.Headers, y.Headers) {
				return false
			}
		}
	}
	return true
}

// wordsApart reports whether both lists demand something and nothing common.
func wordsApart(a, b []string) bool {
	return a != nil && b != nil && !slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// literal returns nil, any, for a list in which some pattern has a wildcard.
func literal(list []string, wild string) []string {
	if slices.ContainsFunc(list, func(s string) bool { return strings.ContainsAny(s, wild) }) {
		return nil
	}
	return list
}

func headersApart(a, b []Header) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Name == y.Name && wordsApart(x.Values, y.Values) {
				return true
			}
		}
	}
	return false
}

// windowsApart only looks at windows of one time zone that do not cross
// midnight.
func windowsApart(a, b *Window) bool {
	if a == nil || b == nil || a.Lo > a.Hi || b.Lo > b.Hi || a.Location.String() != b.Location.String() {
		return false
	}
	return a.Days&b.Days == 0 || a.Hi <= b.Lo || b.Hi <= a.Lo
}
