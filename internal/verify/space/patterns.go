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
	lit   map[byte]int32 // behind each byte
	some  int32          // behind a byte that is no slash
	any   int32          // behind any byte
	stars [2]int32
	ends  bool // a pattern ends here
}

// tree is a nondeterministic automaton: 0 is its root.
type tree struct {
	all  []branch
	seen []uint32 // by state: the last step that entered it
	now  uint32   // the number of the step
}

func (t *tree) grow(loop uint8) int32 {
	t.all = append(t.all, branch{loop: loop})
	t.seen = append(t.seen, 0)
	return int32(len(t.all) - 1)
}

// literal returns the state behind a byte.
func (t *tree) literal(at int32, b byte) int32 {
	if next, ok := t.all[at].lit[b]; ok {
		return next
	}
	next := t.grow(loopNone)
	if t.all[at].lit == nil {
		t.all[at].lit = map[byte]int32{}
	}
	t.all[at].lit[b] = next
	return next
}

// star returns the state that stays for any run of bytes: of those without a
// slash, or of all.
func (t *tree) star(at int32, loop uint8) int32 {
	if t.all[at].loop == loop {
		return at // a star behind a star says nothing new
	}
	if next := t.all[at].stars[loop-loopSlash]; next > 0 {
		return next
	}
	next := t.grow(loop)
	t.all[at].stars[loop-loopSlash] = next
	return next
}

// segment returns the state behind a {name}.
func (t *tree) segment(at int32) int32 {
	if t.all[at].some == 0 {
		next := t.grow(loopNone)
		t.all[at].some = next
	}
	return t.star(t.all[at].some, loopSlash)
}

// foreign takes in a pattern of a platform's own, without the '~': each '*' any
// run of bytes, each '?' any one.
func (t *tree) foreign(pattern string) int32 {
	at := int32(0)
	for _, b := range []byte(pattern) {
		switch b {
		case '*':
			at = t.star(at, loopAny)
		case '?':
			if t.all[at].any == 0 {
				next := t.grow(loopNone)
				t.all[at].any = next
			}
			at = t.all[at].any
		default:
			at = t.literal(at, b)
		}
	}
	t.all[at].ends = true
	return at
}

// add takes in a pattern and returns the state in which it is met.
func (t *tree) add(pattern string) int32 {
	if own, ok := strings.CutPrefix(pattern, "~"); ok {
		return t.foreign(own)
	}
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
	t.all[at].ends = true
	return at
}

// enter adds a state, unless this step has, and those that are reached from it
// by reading nothing.
func (t *tree) enter(set []int32, at int32) []int32 {
	if t.seen[at] == t.now {
		return set
	}
	t.seen[at] = t.now
	set = append(set, at)
	for _, next := range t.all[at].stars {
		if next > 0 {
			set = t.enter(set, next)
		}
	}
	return set
}

// start returns the states before the first byte.
func (t *tree) start() []int32 {
	t.now++
	return t.enter(nil, 0)
}

// step appends to out where a set of states is behind a byte, sorted.
func (t *tree) step(out, set []int32, b byte) []int32 {
	t.now++
	for _, at := range set {
		s := &t.all[at]
		if s.loop == loopAny || s.loop == loopSlash && b != '/' {
			out = t.enter(out, at)
		}
		if next, ok := s.lit[b]; ok {
			out = t.enter(out, next)
		}
		if s.some > 0 && b != '/' {
			out = t.enter(out, s.some)
		}
		if s.any > 0 {
			out = t.enter(out, s.any)
		}
	}
	slices.Sort(out)
	return out
}
