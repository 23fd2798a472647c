package space

import (
	"slices"
	"strings"
)

// What a state of the pattern tree does with a byte that leads nowhere else.
const (
	loopNone  = iota
	loopSlash // stays, unless it is a slash
	loopAny   // stays
)

// branch is a state of the tree of all patterns: what has been read of them.
// Patterns that begin alike share it.
type branch struct {
	loop  uint8
	lit   map[byte]int32
	some  int32 // behind a byte that is no slash
	stars [2]int32
	ends  bool // a pattern ends here
}

// tree is a nondeterministic automaton: 0 is its root.
type tree []branch

func (t *tree) grow(loop uint8) int32 {
	*t = append(*t, branch{loop: loop, lit: map[byte]int32{}})
	return int32(len(*t) - 1)
}

// literal returns the state behind a byte.
func (t *tree) literal(at int32, b byte) int32 {
	if next, ok := (*t)[at].lit[b]; ok {
		return next
	}
	next := t.grow(loopNone)
	(*t)[at].lit[b] = next
	return next
}

// star returns the state that stays for any run of bytes: of those without a
// slash, or of all.
func (t *tree) star(at int32, loop uint8) int32 {
	if next := (*t)[at].stars[loop-loopSlash]; next > 0 {
		return next
	}
	next := t.grow(loop)
	(*t)[at].stars[loop-loopSlash] = next
	return next
}

// segment returns the state behind a {name}.
func (t *tree) segment(at int32) int32 {
	if (*t)[at].some == 0 {
		next := t.grow(loopNone)
		(*t)[at].some = next
	}
	return t.star((*t)[at].some, loopSlash)
}

// add takes in a pattern and returns the state in which it is met.
func (t *tree) add(pattern string) int32 {
	at := int32(0)
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if i > 0 {
			at = t.literal(at, '/')
		}
		switch {
		case s == "*" && i == len(segments)-1:
			at = t.star(at, loopAny)
		case len(s) > 1 && s[0] == '{' && s[len(s)-1] == '}':
			at = t.segment(at)
		default:
			for _, b := range []byte(s) {
				if b == '*' {
					at = t.star(at, loopSlash)
				} else {
					at = t.literal(at, b)
				}
			}
		}
	}
	(*t)[at].ends = true
	return at
}

// enter adds a state and those that are reached by reading nothing.
func (t tree) enter(set []int32, at int32) []int32 {
	if slices.Contains(set, at) {
		return set
	}
	set = append(set, at)
	for _, next := range t[at].stars {
		if next > 0 {
			set = t.enter(set, next)
		}
	}
	return set
}

// step appends to out where a set of states is behind a byte, sorted.
func (t tree) step(out, set []int32, b byte) []int32 {
	for _, at := range set {
		s := &t[at]
		if s.loop == loopAny || s.loop == loopSlash && b != '/' {
			out = t.enter(out, at)
		}
		if next, ok := s.lit[b]; ok {
			out = t.enter(out, next)
		}
		if s.some > 0 && b != '/' {
			out = t.enter(out, s.some)
		}
	}
	slices.Sort(out)
	return out
}

// doubt is how far a path has come towards being ambiguous, which it is for
// good at doubted: a "%2F", a "//", or a segment "." or ".." (the dots perhaps
// as %2e) behind which a slash or the end comes.
type doubt uint8

const (
	segmentStart doubt = iota
	startPercent
	startTwo // "%2" so far
	oneDot
	oneDotPercent
	oneDotTwo
	twoDots
	inside
	insidePercent
	insideTwo
	doubted
)

// next returns the state behind a byte.
func (d doubt) next(b byte) doubt {
	hex := d == startTwo || d == oneDotTwo || d == insideTwo
	switch {
	case d == doubted, hex && (b == 'f' || b == 'F'):
		return doubted
	case b == '/':
		if d == segmentStart || d.dots() {
			return doubted
		}
		return segmentStart
	case b == '%':
		switch d {
		case segmentStart:
			return startPercent
		case oneDot:
			return oneDotPercent
		}
		return insidePercent
	case b == '2' && (d == startPercent || d == oneDotPercent || d == insidePercent):
		return d + 1
	case d == segmentStart && b == '.', d == startTwo && (b == 'e' || b == 'E'):
		return oneDot
	case d == oneDot && b == '.', d == oneDotTwo && (b == 'e' || b == 'E'):
		return twoDots
	}
	return inside
}

// dots reports whether the segment so far is "." or "..".
func (d doubt) dots() bool { return d == oneDot || d == twoDots }
