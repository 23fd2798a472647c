package lang

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// reader is the state of one run of Parse, and of the reading of each document
// in it: what a document says depends on nothing but its text.
type reader struct {
	cache  *Cache
	dir    *Dir
	list   diag.List
	full   bool   // maxDiagnostics has been reached; nothing more is reported
	file   string // that is being read
	line   int    // lines of it before the chunk that is being read
	visits int    // nodes of the document that may still be visited

	made    map[string]bool // cidrs for which an External was made
	estates []*Estate
	unread  bool // a document could not be read or has no name
}

func (r *reader) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: r.file, Line: r.line + n.Line, Col: n.Column}
}

// errorAt adds an error, unless there are too many already. What it returns is
// never nil and may be given a help text.
func (r *reader) errorAt(pos diag.Pos, code, format string, args ...any) *diag.Diagnostic {
	if len(r.list) >= maxDiagnostics {
		r.full = true
		return &diag.Diagnostic{}
	}
	return r.list.Errorf(pos, code, format, args...)
}

func (r *reader) errorf(n *yaml.Node, code, format string, args ...any) *diag.Diagnostic {
	return r.errorAt(r.pos(n), code, format, args...)
}

func (r *reader) warnAt(pos diag.Pos, code, format string, args ...any) *diag.Diagnostic {
	d := r.errorAt(pos, code, format, args...)
	d.Severity = diag.Warning
	return d
}

// enter is called for each node that is looked at. It follows an alias, and
// returns nil when the document's visits are used up: a few lines of aliases
// can stand for any number of nodes.
func (r *reader) enter(n *yaml.Node) *yaml.Node {
	if r.visits == 0 {
		r.errorf(n, "too-large", "the document is too large, or repeats itself too often through aliases").
			WithHelp("divide it into several documents; write out what the aliases stand for")
	}
	r.visits--
	if r.visits < 0 {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// stop reports whether the rest of the document need not be looked at.
func (r *reader) stop() bool { return r.full || r.visits < 0 }

// count returns the number of nodes as they are written, aliases not followed.
func count(n *yaml.Node) int {
	total := 1
	for _, c := range n.Content {
		total += count(c)
	}
	return total
}

// field is a field that an object may have. Its read is called with the value
// in the order of the text, never with an empty (null) one.
type field struct {
	name     string
	required bool
	read     func(*yaml.Node)
	atKey    bool // read is given the key instead, whatever the value
}

func need(name string, read func(*yaml.Node)) field {
	return field{name: name, required: true, read: read}
}
func may(name string, read func(*yaml.Node)) field { return field{name: name, read: read} }

// refuse is a field that is known, but only to say more about it than that it
// is unknown.
func refuse(name string, say func(key *yaml.Node)) field {
	return field{name: name, read: say, atKey: true}
}

// object reads a mapping. what names it in messages, as in "a rule".
func (r *reader) object(n *yaml.Node, what string, fields ...field) bool {
	n = r.enter(n)
	if n == nil {
		return false
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "bad-value", "%s must be a mapping (name: value), not %s", what, describe(n))
		return false
	}
	var seen seenFields
	for i := 0; i+1 < len(n.Content) && !r.stop(); i += 2 {
		r.member(n.Content[i], n.Content[i+1], what, fields, &seen)
	}
	for i, f := range fields {
		if r.stop() {
			break
		}
		if f.required && (seen.known|seen.meant)&(1<<i) == 0 {
			r.errorf(n, "missing-field", "%s needs the field %q", what, f.name)
		}
	}
	return true
}

// seenFields are the fields that an object has had so far: those that are
// known by their place in the list, of which there are at most 64.
type seenFields struct {
	known   uint64
	meant   uint64 // by a field that is unknown: nobody need be told that they are missing
	unknown map[string]bool
}

// again reports whether the name was seen before, and remembers it. known is
// -1 for a field that is not known.
func (s *seenFields) again(name string, known int) bool {
	if known >= 0 {
		was := s.known&(1<<known) != 0
		s.known |= 1 << known
		return was
	}
	was := s.unknown[name]
	if s.unknown == nil {
		s.unknown = map[string]bool{}
	}
	if len(s.unknown) < maxDiagnostics {
		s.unknown[name] = true
	}
	return was
}

func (r *reader) member(key, value *yaml.Node, what string, fields []field, seen *seenFields) {
	key = r.enter(key)
	if key == nil {
		return
	}
	if key.Kind != yaml.ScalarNode {
		r.errorf(key, "bad-value", "the name of a field must be a word, not %s", describe(key))
		return
	}
	name := key.Value
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if seen.again(name, i) {
		r.errorf(key, "duplicate-key", "%s has the field %q twice", what, shorten(name)).
			WithHelp("YAML would keep only one of them; keep the one that is meant")
		return
	}
	if i < 0 {
		if meant := r.unknownField(key, what, fields); meant >= 0 {
			seen.meant |= 1 << meant
		}
		return
	}
	if fields[i].atKey {
		fields[i].read(key)
		return
	}
	if isNull(value) {
		r.errorf(key, "bad-value", "the field %q of %s has no value", name, what).
			WithHelp("write a value, or leave the field out")
		return
	}
	fields[i].read(value)
}

// unknownField returns the index of the field that was probably meant, or -1.
func (r *reader) unknownField(key *yaml.Node, what string, fields []field) int {
	var names, may []string
	for _, f := range fields {
		names = append(names, f.name)
		if !f.atKey {
			may = append(may, f.name)
		}
	}
	d := r.errorf(key, "unknown-field", "%s has no field %q", what, shorten(key.Value))
	if key.Value == "<<" {
		d.WithHelp("merge keys are not part of the language; write the fields out")
		return -1
	}
	near := meant(key.Value, names)
	if near == "" {
		d.WithHelp("one of: %s", strings.Join(may, ", "))
		return -1
	}
	d.WithHelp("did you mean %q?", near)
	return slices.Index(names, near)
}

// oneOf says what a word was probably meant to be, else what it may be.
func oneOf(word string, words []string) string {
	if near := meant(word, words); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "one of: " + strings.Join(words, ", ")
}

// synonyms are what other systems call what this language has a word for.
var synonyms = map[string]string{
	"permit": "allow", "accept": "allow", "block": "deny", "drop": "deny", "reject": "deny", "forbid": "deny", "refuse": "deny",
}

// meant returns which of words a word was probably meant to be; "" if none.
func meant(word string, words []string) string {
	lower := strings.ToLower(word)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, word) }); i >= 0 {
		return words[i]
	}
	if s := synonyms[lower]; slices.Contains(words, s) {
		return s
	}
	if near := diag.Meant(word, words); near != "" {
		return near
	}
	return diag.Meant(lower, words)
}

// each calls read for every entry of a list; an empty list is an error, since
// it is more often a template gone wrong than meant.
func (r *reader) each(n *yaml.Node, what string, read func(*yaml.Node)) {
	n = r.enter(n)
	if n == nil {
		return
	}
	switch {
	case n.Kind != yaml.SequenceNode:
		r.errorf(n, "bad-value", "%s must be a list, not %s", what, describe(n))
	case len(n.Content) == 0:
		r.errorf(n, "bad-value", "%s must not be empty", what).WithHelp("write an entry, or leave the field out")
	}
	if n.Kind != yaml.SequenceNode {
		return
	}
	for _, entry := range n.Content {
		if r.stop() {
			return
		}
		if isNull(entry) {
			r.errorf(entry, "bad-value", "%s must not have empty entries", what)
			continue
		}
		read(entry)
	}
}

// isNull is true for a field or entry with nothing behind it.
func isNull(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe names what was found where something else was expected.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", shorten(n.Value))
	}
}

// shorten keeps messages readable whatever the input was.
func shorten(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
