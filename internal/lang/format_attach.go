package lang

import (
	"sort"
	"strings"
)

// attachBeside gives a comment at the end of a line to what stands there: the
// last entry that begins before it, or the braces that end in between.
func (s *source) attachBeside(c comment) {
	i := sort.Search(len(s.entries), func(i int) bool { return !s.entries[i].at.before(c.at) })
	if i == 0 {
		s.root.foot = append(s.root.foot, c.text)
		return
	}
	e := s.entries[i-1]
	for e.in.flow && e.in.span.end.before(c.at) && e.in.owner != nil {
		e = e.in.owner
	}
	if e.inner != nil && e.inner.flow && !e.inner.span.end.before(c.at) {
		e.inner.spreadOut()
	}
	e.in.spreadOut()
	if e.beside != "" { // there is place for one only
		e.head = append(e.head, c.text)
		return
	}
	e.beside = c.text
}

// spreadOut lets a flow, and those around it, be written over several lines.
func (c *collection) spreadOut() {
	for ; c != nil && c.flow; c = c.parent() {
		c.spread = true
	}
}

func (c *collection) parent() *collection {
	if c.owner == nil {
		return nil
	}
	return c.owner.in
}

// attachAbove gives the comments that have lines of their own, and the blank
// lines, to the entries below them, or to the end of the collection that they
// are indented like.
func (s *source) attachAbove() {
	byLine := map[int]comment{}
	for _, c := range s.comments {
		if c.own {
			byLine[c.at.line] = c
		}
	}
	next := 0
	for line := 1; line <= len(s.lines); line++ {
		c, is := byLine[line]
		if !is {
			continue
		}
		for next < len(s.entries) && s.entries[next].at.before(c.at) {
			next++
		}
		gap := s.blankAbove(line)
		var e *entry
		if next < len(s.entries) {
			e = s.entries[next]
		}
		if foot := s.footOf(c, next, e); foot != nil && (e == nil || !c.dash) {
			foot.addFoot(c.text, gap)
			continue
		}
		if gap && len(e.head) > 0 {
			e.head = append(e.head, "")
		} else if gap {
			e.blank = true
		}
		e.head = append(e.head, c.text)
		e.in.spreadOut()
	}
	seen := 0
	for _, e := range s.entries {
		if e.at.line == seen {
			continue // not the first of its line
		}
		seen = e.at.line
		if !s.blankAbove(e.at.line) {
			continue
		}
		if len(e.head) > 0 {
			e.head = append(e.head, "")
		} else {
			e.blank = true
		}
	}
}

// blankAbove reports whether the line above is blank, and no part of a text.
func (s *source) blankAbove(line int) bool {
	for ; line >= 2; line-- {
		text := strings.TrimSpace(s.lines[line-2])
		if text == "" {
			return true
		}
		if strings.Trim(text, "-") != "" || strings.HasPrefix(s.lines[line-2], "---") {
			return false
		}
	}
	return false
}

// footOf returns the collection at whose end a comment stands, nil if it
// stands above the entry e (which is nil at the end of the document).
func (s *source) footOf(c comment, next int, e *entry) *collection {
	for i := len(s.flows) - 1; i >= 0; i-- {
		if f := s.flows[i]; f.span.has(c.at) {
			if e != nil && f.span.has(e.at) {
				return nil
			}
			f.spreadOut()
			return f
		}
	}
	if e != nil && (c.at.col <= e.in.col || len(e.head) > 0) || next == 0 {
		if e == nil {
			return s.root
		}
		return nil
	}
	last := s.entries[next-1].in
	if inner := s.entries[next-1].inner; inner != nil && !inner.flow {
		last = inner
	}
	for ; last.owner != nil && (last.flow || last.col > c.at.col); last = last.parent() {
	}
	if e != nil && e.in.within(last) {
		return nil
	}
	return last
}

// within reports whether c is outer or lies in it.
func (c *collection) within(outer *collection) bool {
	for ; c != nil; c = c.parent() {
		if c == outer {
			return true
		}
	}
	return false
}

func (c *collection) addFoot(text string, gap bool) {
	switch {
	case gap && len(c.foot) > 0:
		c.foot = append(c.foot, "")
	case gap:
		c.footGap = true
	}
	c.foot = append(c.foot, text)
}
