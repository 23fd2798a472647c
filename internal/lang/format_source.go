package lang

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// source is a document as a person wrote it: its nodes together with the
// comments and blank lines between them, which the YAML reader keeps only in
// part.
type source struct {
	lines    []string
	root     *collection
	entries  []*entry // all, in the order of the text
	comments []comment
	opaque   map[int]bool // lines (from 1) that are inside of a scalar from their beginning
	quotes   []span       // what stands in quotes
	flows    []*collection
}

// spot is a line and a column, both from 1, the column in characters.
type spot struct{ line, col int }

func (a spot) before(b spot) bool { return a.line < b.line || a.line == b.line && a.col < b.col }

// span is what lies between two spots; the end is the last character of it.
type span struct{ begin, end spot }

func (s span) has(p spot) bool { return !p.before(s.begin) && !s.end.before(p) }

// comment is one comment up to the end of its line. Own is false where
// something stands before it on the line.
type comment struct {
	at   spot
	text string
	own  bool
	dash bool // the dash of an entry stands before it
}

// entry is a field of a mapping (with a key) or an entry of a list (without).
type entry struct {
	key, value *yaml.Node
	at         spot
	in         *collection
	inner      *collection // the value, if it is a mapping or list
	head       []string    // comments above; "" is a blank line
	beside     string      // comment at the end of the line
	blank      bool        // a blank line stands before it and its comments
}

// collection is a mapping or list.
type collection struct {
	node    *yaml.Node
	owner   *entry // nil for the root
	entries []*entry
	col     int      // where its entries begin, if it is no flow
	flow    bool     // written in braces or brackets
	span    span     // of a flow
	spread  bool     // a flow that must be written over several lines
	foot    []string // comments after the last entry
	footGap bool     // a blank line stands before them
}

// newSource is not ok if the places of nodes do not fit the text.
func newSource(text []byte, root *yaml.Node) (*source, bool) {
	s := &source{lines: strings.Split(string(text), "\n"), opaque: map[int]bool{}}
	if root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 && len(root.Content) == 0 {
		return nil, false
	}
	s.root = s.collect(root, nil)
	if !s.scalars(s.root) {
		return nil, false
	}
	s.findComments()
	for _, c := range s.flows {
		end, ok := s.closing(spot{c.node.Line, c.node.Column + s.anchorWidth(c.node)})
		if !ok {
			return nil, false
		}
		c.span = span{spot{c.node.Line, c.node.Column}, end}
	}
	for _, c := range s.comments {
		if !c.own {
			s.attachBeside(c)
		}
	}
	s.attachAbove()
	return s, true
}

// collect makes a collection of a node, with everything below it.
func (s *source) collect(n *yaml.Node, owner *entry) *collection {
	c := &collection{node: n, owner: owner, col: n.Column, flow: n.Style&yaml.FlowStyle != 0}
	if c.flow {
		s.flows = append(s.flows, c)
	}
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
		if len(n.Content) > 0 {
			c.col = n.Content[0].Column
		}
	}
	for i := 0; i+step <= len(n.Content); i += step {
		e := &entry{value: n.Content[i+step-1], in: c}
		first := e.value
		if step == 2 {
			e.key = n.Content[i]
			first = e.key
		}
		e.at = spot{first.Line, first.Column}
		s.entries = append(s.entries, e)
		c.entries = append(c.entries, e)
		if e.value.Kind == yaml.MappingNode || e.value.Kind == yaml.SequenceNode {
			e.inner = s.collect(e.value, e)
		}
	}
	return c
}

// scalars finds the quoted and the block scalars: a '#' in them is none.
func (s *source) scalars(c *collection) bool {
	for _, e := range c.entries {
		for _, n := range []*yaml.Node{e.key, e.value} {
			if n != nil && n.Kind == yaml.ScalarNode && !s.scalar(n, c) {
				return false
			}
		}
		if e.inner != nil && !s.scalars(e.inner) {
			return false
		}
	}
	return true
}

func (s *source) scalar(n *yaml.Node, in *collection) bool {
	at := spot{n.Line, n.Column + s.anchorWidth(n)}
	switch {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		quote := byte('"')
		if n.Style&yaml.SingleQuotedStyle != 0 {
			quote = '\''
		}
		end, ok := s.unquote(at, quote)
		if !ok {
			return false
		}
		s.quotes = append(s.quotes, span{at, end})
		for line := at.line + 1; line <= end.line; line++ {
			s.opaque[line] = true
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for line := n.Line + 1; line <= len(s.lines); line++ {
			if text := s.lines[line-1]; strings.TrimSpace(text) != "" && leading(text) < in.col {
				break
			}
			s.opaque[line] = true
		}
	}
	return true
}

// leading counts the spaces at the beginning of a line.
func leading(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// anchorWidth is what stands before a node's own text.
func (s *source) anchorWidth(n *yaml.Node) int {
	if n.Anchor == "" {
		return 0
	}
	rest := s.from(spot{n.Line, n.Column})
	after := strings.TrimPrefix(rest, "&"+n.Anchor)
	after = strings.TrimLeft(after, " \t")
	return utf8.RuneCountInString(rest) - utf8.RuneCountInString(after)
}

// from returns the rest of a line, "" if there is no such place.
func (s *source) from(at spot) string {
	if at.line < 1 || at.line > len(s.lines) {
		return ""
	}
	line := s.lines[at.line-1]
	for range at.col - 1 {
		if line == "" {
			return ""
		}
		_, n := utf8.DecodeRuneInString(line)
		line = line[n:]
	}
	return line
}

// unquote returns where the quoted text that begins at a place ends.
func (s *source) unquote(at spot, quote byte) (spot, bool) {
	if rest := s.from(at); rest == "" || rest[0] != quote {
		return spot{}, false
	}
	line, col := at.line, at.col+1
	for ; line <= len(s.lines); line, col = line+1, 1 {
		runes := []rune(s.from(spot{line, col}))
		for i := 0; i < len(runes); i++ {
			switch {
			case quote == '"' && runes[i] == '\\':
				i++
			case runes[i] != rune(quote):
			case quote == '\'' && i+1 < len(runes) && runes[i+1] == '\'':
				i++
			default:
				return spot{line, col + i}, true
			}
		}
	}
	return spot{}, false
}

// closing returns where the braces or brackets that begin at a place end.
func (s *source) closing(at spot) (spot, bool) {
	depth := 0
	for line, col := at.line, at.col; line <= len(s.lines); line, col = line+1, 1 {
		for i, c := range []rune(s.from(spot{line, col})) {
			here := spot{line, col + i}
			if !strings.ContainsRune("{}[]#", c) || s.quoted(here) {
				continue
			}
			switch {
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			case s.isComment(here):
				i = -1
			}
			if i < 0 {
				break
			}
			if depth == 0 && c != '#' {
				return here, true
			}
			if depth < 0 {
				return spot{}, false
			}
		}
	}
	return spot{}, false
}

func (s *source) quoted(at spot) bool {
	i := sort.Search(len(s.quotes), func(i int) bool { return at.before(s.quotes[i].begin) })
	return i > 0 && s.quotes[i-1].has(at)
}

func (s *source) isComment(at spot) bool {
	i := sort.Search(len(s.comments), func(i int) bool { return !s.comments[i].at.before(at) })
	return i < len(s.comments) && s.comments[i].at == at
}

// findComments lists the comments in the order of the text.
func (s *source) findComments() {
	for i, line := range s.lines {
		if !strings.Contains(line, "#") || s.block(i+1) {
			continue
		}
		before, col := rune(' '), 0
		for at, c := range line {
			col++
			here := spot{i + 1, col}
			if c == '#' && (before == ' ' || before == '\t') && !s.quoted(here) {
				lead := strings.TrimSpace(line[:at])
				s.comments = append(s.comments, comment{
					at: here, text: strings.TrimRight(line[at:], " \t"),
					own: strings.Trim(lead, "- ") == "", dash: lead != "" && lead != "---",
				})
				break
			}
			before = c
		}
	}
}

// block reports whether a line belongs to a block scalar: a line that begins
// in a quoted text may have a comment behind it.
func (s *source) block(line int) bool {
	return s.opaque[line] && !s.quoted(spot{line, 1})
}
