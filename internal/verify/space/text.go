package space

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// Longer descriptions are cut short, and say so.
const (
	maxParts = 12
	maxText  = 600
)

// term is something that conditions say of circumstances, and how.
type term struct {
	when *node
	text string
}

// String renders the set: traffic as netset does, then what is only in under
// conditions, each behind its traffic: "TCP 80; TCP 8080 POST /api/*". It uses
// the words of the conditions where they fit, "other than" where they do not,
// and "ambiguous" for ambiguous paths; a path without that word is never
// ambiguous. A text that would be long says "some requests of" and something
// that is wider than the set; every other text is exact. The empty set is
// "none".
func (a Set) String() string {
	if len(a.segs) == 0 {
		return a.plain.String()
	}
	var parts []string
	if !a.plain.IsEmpty() {
		parts = append(parts, a.plain.String())
	}
	s := a.space()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range a.segs {
		same := func(y seg) bool { return y.when == x.when }
		if slices.ContainsFunc(a.segs[:i], same) {
			continue
		}
		t := traffic(slices.DeleteFunc(slices.Clone(a.segs), func(y seg) bool { return !same(y) }))
		for _, where := range classes(t) {
			for _, c := range s.describe(x.when) {
				parts = append(parts, where+" "+c)
			}
		}
	}
	return strings.Join(parts, "; ")
}

// classes renders traffic class by class, so that something can be put behind
// each.
func classes(t netset.Traffic) []string {
	if t.IsAll() {
		return []string{t.String()}
	}
	return strings.Split(t.String(), "; ")
}

// describe returns alternatives that together are the node's set.
func (s *Space) describe(n *node) []string {
	if text, known := s.texts[n]; known {
		return text
	}
	if s.terms == nil {
		s.learnTerms()
	}
	text := s.words(n)
	s.texts[n] = text
	return text
}

func (s *Space) words(n *node) []string {
	if out, ok := s.cover(n); ok && short(out) {
		return out
	}
	boxes, exact := s.boxed(n)
	if exact && len(boxes) == 1 {
		return boxes
	}
	d := &s.diagrams
	others := d.apply(opLess, d.yes, n)
	if out, ok := s.cover(others); ok && len(out) <= 4 && short(out) {
		return otherThanAll(out)
	}
	out, ok := s.boxed(others)
	ok = ok && len(out) <= 4
	switch {
	case exact && (!ok || burden(boxes) <= 1+burden(out)):
		return boxes
	case ok:
		return otherThanAll(out)
	}
	text, _ := s.box(s.around(n))
	if text == "" || len(text) > maxText {
		text = "any kind"
	}
	return []string{"some requests of " + text}
}

// burden is how hard a text is to read.
func burden(parts []string) int {
	return len(parts) + strings.Count(strings.Join(parts, ""), "other than")
}

func otherThanAll(parts []string) []string {
	return []string{"other than " + strings.Join(parts, " or ")}
}

// boxed says the set box by box, if that is short.
func (s *Space) boxed(n *node) (out []string, exact bool) {
	boxes, ok := s.boxes(n, nil)
	if !ok {
		return nil, false
	}
	for _, b := range boxes {
		text, exact := s.box(b)
		if !exact {
			return nil, false
		}
		out = append(out, text)
	}
	return out, short(out)
}

func short(parts []string) bool {
	return len(parts) <= maxParts && len(strings.Join(parts, "; ")) <= maxText
}

// cover says the set in the terms of the conditions, if it is their union.
func (s *Space) cover(n *node) ([]string, bool) {
	if i := slices.IndexFunc(s.terms, func(t term) bool { return t.when == n }); i >= 0 {
		return []string{s.terms[i].text}, true
	}
	d := &s.diagrams
	rest := n
	var taken []term
	for _, t := range s.terms {
		if d.apply(opAnd, t.when, rest) != d.no && d.apply(opLess, t.when, n) == d.no {
			rest = d.apply(opLess, rest, t.when)
			taken = append(taken, t)
		}
		if rest == d.no || len(taken) > 4*maxParts {
			break
		}
	}
	if rest != d.no {
		return nil, false
	}
	for i := 0; i < len(taken); {
		others := d.no
		for j, t := range taken {
			if j != i {
				others = d.apply(opOr, others, t.when)
			}
		}
		if others == n {
			taken = slices.Delete(taken, i, i+1)
		} else {
			i++
		}
	}
	out := make([]string, len(taken))
	for i, t := range taken {
		out[i] = t.text
	}
	return out, true
}

// learnTerms finds what the conditions say, alternative by alternative.
func (s *Space) learnTerms() {
	s.terms = []term{}
	seen := map[*node]bool{s.diagrams.yes: true, s.diagrams.no: true}
	for _, c := range s.given {
		requests := []*policy.HTTP{nil}
		if len(c.HTTP) > 0 {
			requests = requests[:0]
			for i := range c.HTTP {
				requests = append(requests, &c.HTTP[i])
			}
		}
		for _, r := range requests {
			for _, deny := range []bool{false, true} {
				one := policy.Condition{MTLS: c.MTLS, When: c.When, Expires: c.Expires, Ambiguous: c.Ambiguous}
				if r != nil {
					one.HTTP = []policy.HTTP{*r}
				}
				if n := s.condition(&one, deny); !seen[n] {
					seen[n] = true
					s.terms = append(s.terms, term{n, s.termText(&one, deny)})
				}
			}
		}
	}
	// Wide ones first, so that a set is said in few of them.
	share := map[*node]float64{s.diagrams.yes: 1, s.diagrams.no: 0}
	slices.SortStableFunc(s.terms, func(a, b term) int { return cmp.Compare(b.when.share(share), a.when.share(share)) })
}

// share returns how much of all atoms are in the set; known holds answers.
func (n *node) share(known map[*node]float64) float64 {
	if x, ok := known[n]; ok {
		return x
	}
	sum := 0.0
	for _, k := range n.kids {
		sum += k.share(known)
	}
	known[n] = sum / float64(len(n.kids))
	return known[n]
}

// termText renders a condition with at most one alternative.
func (s *Space) termText(c *policy.Condition, deny bool) string {
	var parts []string
	for _, h := range c.HTTP {
		parts = append(parts, requestText(&h, ambiguous(c, deny))...)
	}
	if c.MTLS {
		parts = append(parts, "mtls")
	}
	if in := s.moments.of(c.When, time.Time{}); in != nil && !in.all() {
		parts = append(parts, windowText(c.When))
	}
	if in := s.moments.of(nil, c.Expires); in != nil && !in.all() {
		parts = append(parts, untilText(c.Expires))
	}
	return strings.Join(parts, " ")
}

func requestText(h *policy.HTTP, deny bool) []string {
	var parts []string
	if len(h.Methods) > 0 {
		parts = append(parts, list(h.Methods))
	}
	switch {
	case len(h.Paths) > 0 && deny:
		parts = append(parts, list(h.Paths)+",ambiguous")
	case len(h.Paths) > 0:
		parts = append(parts, list(h.Paths))
	}
	if len(h.Hosts) > 0 {
		parts = append(parts, "host "+list(h.Hosts))
	}
	for _, x := range h.Headers {
		text := "header " + quoted(x.Name)
		if len(x.Values) > 0 {
			text += "=" + list(x.Values)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		parts = append(parts, "HTTP")
	}
	if len(h.Paths) == 0 && deny {
		parts = append(parts, "even ambiguous")
	}
	return parts
}

func windowText(w *policy.Window) string {
	if w.Text != "" {
		return w.Text
	}
	clock := func(m int) string {
		return strconv.Itoa(m/600) + strconv.Itoa(m/60%10) + ":" + strconv.Itoa(m%60/10) + strconv.Itoa(m%10)
	}
	var days []string
	for _, d := range []time.Weekday{1, 2, 3, 4, 5, 6, 0} {
		if w.Days>>d&1 == 1 {
			days = append(days, strings.ToLower(d.String()[:3]))
		}
	}
	return clock(w.Lo) + "-" + clock(w.Hi) + " " + strings.Join(days, ",") + " " + location(w).String()
}

func untilText(t time.Time) string { return "until " + t.UTC().Format(time.RFC3339Nano) }

// list joins words with commas.
func list(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoted(w)
	}
	return strings.Join(out, ",")
}

// quoted puts a word in quotes if it could be taken for more than one.
func quoted(w string) string {
	if w == "" || strings.ContainsAny(w, " ,;()\"=") || strings.ContainsFunc(w, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(w)
	}
	return w
}
