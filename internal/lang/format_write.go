package lang

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxBeside is up to which column comments at the ends of adjoining lines are
// aligned.
const maxBeside = 80

// writer makes the lines of a document.
type writer struct {
	lines []line
	src   *source
}

// line is a line without its line break; beside is a comment at its end.
type line struct{ text, beside string }

func (w *writer) add(indent int, text, beside string) {
	if text != "" {
		text = strings.Repeat(" ", indent) + text
	}
	w.lines = append(w.lines, line{text, beside})
}

// document writes the root. The comments above its first field stay on top,
// whatever field comes first.
func (w *writer) document(s *source, f *form) {
	w.src = s
	s.root.spread = true
	if len(s.root.entries) > 0 {
		e := s.root.entries[0]
		w.comments(0, e.head)
		e.head, e.blank = nil, false
	}
	w.block(s.root, 0, f)
}

func (w *writer) comments(indent int, texts []string) {
	for _, t := range texts {
		w.add(indent, t, "")
	}
}

// block writes a collection over several lines.
func (w *writer) block(c *collection, indent int, f *form) {
	entries := slices.Clone(c.entries)
	if c.node.Kind == yaml.MappingNode {
		order(entries, f)
	}
	for i, e := range entries {
		if i > 0 && e.blank {
			w.add(0, "", "")
		}
		if e.key == nil {
			w.item(e, indent, f.entry())
			continue
		}
		w.comments(indent, e.head)
		w.value(e, indent, w.scalar(e.key, nil, false)+":", f.member(e.key.Value), e.beside)
	}
	if c.footGap && len(c.foot) > 0 {
		w.add(0, "", "")
	}
	w.comments(indent, c.foot)
}

// item writes an entry of a list, with its dash.
func (w *writer) item(e *entry, indent int, f *form) {
	head := e.head
	if e.inner != nil && !w.inline(e, indent+2, f) && e.value.Anchor == "" && len(e.inner.entries) > 0 {
		first := e.inner.first(f)
		head = append(slices.Clone(head), first.head...)
		first.head = nil
		if e.beside != "" {
			head = append(head, e.beside) // there is no line of its own to stand beside
		}
		w.comments(indent, head)
		at := len(w.lines)
		w.block(e.inner, indent+2, f)
		w.lines[at].text = w.lines[at].text[:indent] + "-" + w.lines[at].text[indent+1:]
		return
	}
	w.comments(indent, head)
	w.value(e, indent, "-", f, e.beside)
}

// first returns the entry that is written first.
func (c *collection) first(f *form) *entry {
	entries := slices.Clone(c.entries)
	if c.node.Kind == yaml.MappingNode {
		order(entries, f)
	}
	return entries[0]
}

// value writes what comes behind "key:" or "-".
func (w *writer) value(e *entry, indent int, lead string, f *form, beside string) {
	anchor := ""
	if e.value.Anchor != "" {
		anchor = " &" + e.value.Anchor
	}
	switch {
	case e.inner == nil && e.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		w.blockScalar(e, indent, lead+anchor, beside)
	case e.inner == nil && isNull(e.value) && e.value.Value == "" && e.value.Kind == yaml.ScalarNode:
		w.add(indent, lead+anchor, beside)
	case e.inner == nil:
		w.add(indent, lead+anchor+" "+w.scalar(e.value, f, false), beside)
	case w.inline(e, indent+utf8.RuneCountInString(lead+anchor)+1, f):
		w.add(indent, lead+anchor+" "+w.flow(e.inner, f), beside)
	default:
		w.add(indent, lead+anchor, beside)
		if e.value.Kind == yaml.MappingNode || e.key == nil {
			indent += 2
		}
		w.block(e.inner, indent, f)
	}
}

// inline reports whether a collection is written in braces, on one line.
func (w *writer) inline(e *entry, indent int, f *form) bool {
	c := e.inner
	if len(c.entries) == 0 {
		return len(c.foot) == 0
	}
	return c.flow && !c.spread && indent+utf8.RuneCountInString(w.flow(c, f)) <= maxFlow
}

// flow returns a collection in braces or brackets.
func (w *writer) flow(c *collection, f *form) string {
	var parts []string
	entries := slices.Clone(c.entries)
	if c.node.Kind == yaml.MappingNode {
		order(entries, f)
	}
	for _, e := range entries {
		inner, lead := f.entry(), ""
		if e.key != nil {
			inner, lead = f.member(e.key.Value), w.scalar(e.key, nil, true)+": "
		}
		if e.value.Anchor != "" {
			lead += "&" + e.value.Anchor + " "
		}
		switch {
		case e.inner != nil:
			lead += w.flow(e.inner, inner)
		case e.value.Kind == yaml.ScalarNode && isNull(e.value):
			lead += "null"
		default:
			lead += w.scalar(e.value, inner, true)
		}
		parts = append(parts, lead)
	}
	if c.node.Kind == yaml.MappingNode {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// blockScalar copies a literal or folded text with its own line breaks, so
// that what was folded stays readable.
func (w *writer) blockScalar(e *entry, indent int, lead, beside string) {
	s, n := w.src, e.value
	header := s.from(spot{n.Line, n.Column + s.anchorWidth(n)})
	header, _, _ = strings.Cut(header, " ")
	w.add(indent, lead+" "+header, beside)
	var content []string
	for at := n.Line + 1; at <= len(s.lines) && s.opaque[at]; at++ {
		content = append(content, strings.TrimRight(s.lines[at-1], " "))
	}
	for len(content) > 0 && content[len(content)-1] == "" {
		content = content[:len(content)-1]
	}
	shift := 0
	for _, text := range content {
		if text != "" {
			shift = leading(text)
			break
		}
	}
	for _, text := range content {
		w.add(indent+2, text[min(shift, len(text)):], "")
	}
}

// bare is what may be written without quotes wherever selectors are written.
var bare = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/=!()@ ,:-]*[A-Za-z0-9._/=)])?$`)

// scalar returns a scalar in the style that it had. In a flow, braces and
// commas must not stand outside of quotes.
func (w *writer) scalar(n *yaml.Node, f *form, inFlow bool) string {
	if n.Kind == yaml.AliasNode {
		return "*" + n.Value
	}
	value := canonical(n, f)
	changed := value != n.Value
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsFunc(value, unquotable):
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return doubleQuoted(value)
	case strings.ContainsFunc(value, unquotable):
		return doubleQuoted(value)
	case changed && (!bare.MatchString(value) || strings.Contains(value, ": ") || inFlow && strings.Contains(value, ",")):
		return doubleQuoted(value)
	}
	return value
}

// unquotable is true for what can only be written with an escape.
func unquotable(c rune) bool { return c < ' ' || unshowable(c) }

func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case unquotable(c) && c > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, c)
		case unquotable(c):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// text joins the lines. Comments at the ends of adjoining lines are aligned.
func (w *writer) text() []byte {
	var b strings.Builder
	for i := 0; i < len(w.lines); {
		end, width := i, 0
		for end < len(w.lines) && w.lines[end].beside != "" {
			width = max(width, utf8.RuneCountInString(w.lines[end].text))
			end++
		}
		if end == i {
			b.WriteString(w.lines[i].text + "\n")
			i++
			continue
		}
		for _, l := range w.lines[i:end] {
			gap := 2
			if width <= maxBeside {
				gap += width - utf8.RuneCountInString(l.text)
			}
			b.WriteString(l.text + strings.Repeat(" ", gap) + l.beside + "\n")
		}
		i = end
	}
	return []byte(b.String())
}
