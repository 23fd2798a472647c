package lang

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxText is the longest text that a field may hold, in bytes.
const maxText = 4096

// text reads a scalar as it is written; numbers and truth values are text too.
// ok is false, with a diagnostic, if it is no text, empty, too long or has
// characters that cannot be shown.
func (r *reader) text(n *yaml.Node, what string) (s string, ok bool) {
	n = r.enter(n)
	if n == nil {
		return "", false
	}
	switch tag := n.ShortTag(); {
	case n.Kind != yaml.ScalarNode:
		r.errorf(n, "bad-value", "%s must be a text, not %s", what, describe(n))
	case !isTextTag(tag):
		r.errorf(n, "bad-value", "%s must be a text; the tag %s has no meaning here", what, shorten(tag))
	case strings.TrimSpace(n.Value) == "":
		r.errorf(n, "bad-value", "%s must not be empty", what)
	case len(n.Value) > maxText:
		r.errorf(n, "bad-value", "%s is longer than %d bytes", what, maxText)
	case strings.ContainsFunc(n.Value, unshowable):
		r.errorf(n, "bad-value", "%s has characters that cannot be shown", what)
	default:
		return strings.TrimSpace(n.Value), true
	}
	return "", false
}

func isTextTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return true
	}
	return false
}

// unshowable is true for what could forge or hide a line of output.
func unshowable(c rune) bool {
	if c >= ' ' && c < 0x7f {
		return false
	}
	return c == utf8.RuneError || (!unicode.IsPrint(c) && c != '\n' && c != '\t')
}

func (r *reader) textTo(dst *string, what string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := r.text(n, what); ok {
			*dst = s
		}
	}
}

// choice reads one of words and returns its index; ok is false, with a
// diagnostic, if it is none of them.
func (r *reader) choice(n *yaml.Node, code, what string, words []string) (i int, ok bool) {
	if n != nil && (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) {
		r.errorf(n, "bad-value", "%s must be a text, not %s", what, describe(n)).WithHelp("%s", oneOf("", words))
		return 0, false
	}
	s, ok := r.text(n, what)
	if !ok {
		return 0, false
	}
	if i = slices.Index(words, s); i >= 0 {
		return i, true
	}
	r.errorf(n, code, "%q is no %s", shorten(s), what).WithHelp("%s", oneOf(s, words))
	return 0, false
}

func choiceTo[T ~uint8](r *reader, dst *T, code, what string, words []string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if i, ok := r.choice(n, code, what, words); ok {
			*dst = T(i)
		}
	}
}

// number reads a whole number between lo and hi, both included.
func (r *reader) number(n *yaml.Node, code, what string, lo, hi int) (i int, ok bool) {
	s, ok := r.text(n, what)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(s)
	if err != nil || i < lo || i > hi {
		r.errorf(n, code, "%q is no %s: a whole number from %d to %d", shorten(s), what, lo, hi)
		return 0, false
	}
	return i, true
}

func (r *reader) truth(n *yaml.Node, what string) (value, ok bool) {
	s, ok := r.text(n, what)
	if !ok {
		return false, false
	}
	if s != "true" && s != "false" {
		r.errorf(n, "bad-value", "%s must be true or false, not %q", what, shorten(s))
		return false, false
	}
	return s == "true", true
}
