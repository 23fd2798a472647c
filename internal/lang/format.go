package lang

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/label"
)

// maxFlow is the longest line, in characters, that a mapping or list in braces
// may make. A longer one is written out over several lines.
const maxFlow = 160

// maxDepth is the deepest nesting that is written anew; what is deeper is left
// as it is, since each level would add to every line below it.
const maxDepth = 100

// Format returns the text of a policy or inventory file as it is written
// canonically: fields in the order of the reference, indented by two, what
// stood in braces left in braces if it is short, selectors in their canonical
// form. Comments stay with what they stand above or beside, and of several
// blank lines one is left. What the text means does not change, and formatting
// it again changes nothing.
//
// Documents of other systems are returned byte for byte, and so is a document
// of ours that cannot be written anew without a loss (with tags, directives or
// anchors that other documents of the file do not expect). If any document of
// ours is no YAML, the diagnostics say where, and the text is returned as it
// came; file names it in their places. Format never panics on what it is given.
func Format(file string, text []byte) ([]byte, diag.List) {
	r := &reader{dir: &Dir{}, file: file}
	mark := []byte("\xef\xbb\xbf")
	body, marked := bytes.CutPrefix(text, mark)
	if len(text) > maxFile {
		r.errorAt(diag.Pos{File: file}, "unreadable-file", "it is larger than %d MiB", maxFile>>20)
		return text, r.list
	}
	var out bytes.Buffer
	for i, c := range split(body) {
		piece := r.formatChunk(c, i == 0)
		if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		out.Write(piece)
	}
	if r.list.HasErrors() {
		return text, r.list
	}
	if marked && out.Len() > 0 {
		return append(mark, out.Bytes()...), nil
	}
	return out.Bytes(), nil
}

// formatChunk returns a chunk as it is written canonically, or as it is.
func (r *reader) formatChunk(c chunk, first bool) []byte {
	r.line = c.line
	if isEmpty(c.text) || foreign(c.text) && !holdsInventory(c.text) {
		return c.text
	}
	if len(c.text) > maxDocument || marks(c.text) > maxMarks {
		r.errorAt(diag.Pos{File: r.file, Line: c.line + 1, Col: 1}, "too-large", "the document is too large to be a policy document").
			WithHelp("divide it into several documents, each below %d MiB", maxDocument>>20)
		return c.text
	}
	text := bytes.ReplaceAll(c.text, []byte("\r\n"), []byte("\n"))
	root, err := only(text)
	if err != nil {
		r.syntaxError(err, c)
		return c.text
	}
	if root == nil || kindOf(root) == "" {
		return c.text
	}
	if out, ok := formatDocument(text, root, first); ok {
		return out
	}
	return c.text
}

// holdsInventory reports whether the first lines of a document say that it is
// inventory, which has another reader but is ours to format.
func holdsInventory(text []byte) bool {
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(string(line[:min(len(line), 200)]), ":")
		switch {
		case key == "kind":
			return isInventory(plain(value))
		case key == "apiVersion" && plain(value) != APIVersion:
			return false
		}
	}
	return false
}

// only returns the root of the one document of a text, nil if there are none
// or several.
func only(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := decode(decoder, &first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	err := decode(decoder, &second)
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) != 1 {
		return nil, nil
	}
	return first.Content[0], nil
}

// kindOf returns the kind of a document that is ours, else "".
func kindOf(root *yaml.Node) string {
	if root.Kind != yaml.MappingNode {
		return ""
	}
	apiVersion, kind := peek(root, "apiVersion"), peek(root, "kind")
	if apiVersion != nil && !isNull(apiVersion) && apiVersion.Value != APIVersion || kind == nil {
		return ""
	}
	if _, known := documents[kind.Value]; !known {
		return ""
	}
	return kind.Value
}

// formatDocument writes a document anew until that changes nothing more. It
// is not ok if the result would not say the same.
func formatDocument(text []byte, root *yaml.Node, first bool) (out []byte, ok bool) {
	was, wasRoot := text, root
	for range 4 {
		out, ok = writeDocument(text, root, first)
		if !ok {
			return nil, false
		}
		if bytes.Equal(out, text) {
			return out, root == wasRoot || saysTheSame(was, wasRoot, out, root)
		}
		text = out
		var err error
		if root, err = only(text); err != nil || root == nil {
			return nil, false
		}
	}
	return nil, false
}

// writeDocument writes a document anew once. It is not ok for what it does not
// understand.
func writeDocument(text []byte, root *yaml.Node, first bool) ([]byte, bool) {
	if !understood(text, root) {
		return nil, false
	}
	src, ok := newSource(text, root)
	if !ok {
		return nil, false
	}
	f := documents[kindOf(root)]
	if hasAlias(root) {
		f = nil // in another order an alias could stand before what it stands for
	}
	w := &writer{}
	w.document(src, f)
	out := w.text()
	if !first {
		out = append([]byte("---\n"), out...)
	}
	return out, true
}

// understood reports whether a document has only what the writer knows.
func understood(text []byte, root *yaml.Node) bool {
	if !utf8.Valid(text) || bytes.ContainsAny(text, "\r\u0085\u2028\u2029\ufeff") {
		return false // YAML counts lines otherwise than we do
	}
	for line := range bytes.Lines(text) {
		if line[0] == '%' || bytes.HasPrefix(line, []byte("...")) {
			return false
		}
		if isSeparator(line) && !isSeparatorOnly(bytes.TrimSpace(line)) && !bytes.HasPrefix(bytes.TrimSpace(line[3:]), []byte("#")) {
			return false // the document begins on the line of its separator
		}
	}
	return plainEnough(root, 0)
}

func plainEnough(n *yaml.Node, depth int) bool {
	if depth > maxDepth || n.Style&yaml.TaggedStyle != 0 {
		return false
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (c.Kind != yaml.ScalarNode || c.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.Contains(c.Value, "\n")) {
			return false
		}
		if !plainEnough(c, depth+1) {
			return false
		}
	}
	return true
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || slices.ContainsFunc(n.Content, hasAlias)
}

// saysTheSame compares two texts of one document: their values, whatever the
// order of fields, and their comments.
func saysTheSame(a []byte, left *yaml.Node, b []byte, right *yaml.Node) bool {
	if bytes.Count(a, []byte("#")) != bytes.Count(b, []byte("#")) {
		return false // the YAML reader knows comments that we do not
	}
	if !sameNode(left, right, documents[kindOf(left)]) {
		return false
	}
	return slices.Equal(commentsOf(a, left), commentsOf(b, right))
}

func commentsOf(text []byte, root *yaml.Node) []string {
	src, ok := newSource(text, root)
	if !ok {
		return nil
	}
	var out []string
	for _, c := range src.comments {
		out = append(out, c.text)
	}
	slices.Sort(out)
	return out
}

func sameNode(a, b *yaml.Node, f *form) bool {
	if a.Kind != b.Kind || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.ShortTag() == b.ShortTag() && (isNull(a) || canonical(a, f) == canonical(b, f))
	case yaml.MappingNode:
		as, bs := pairs(a), pairs(b)
		if !hasAlias(a) {
			order(as, f)
			order(bs, f)
		}
		for i := range as {
			if as[i].key.Value != bs[i].key.Value || !sameNode(as[i].value, bs[i].value, f.member(as[i].key.Value)) {
				return false
			}
		}
		return true
	case yaml.AliasNode:
		return a.Value == b.Value
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i], f.entry()) {
			return false
		}
	}
	return true
}

func pairs(n *yaml.Node) []*entry {
	var out []*entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, &entry{key: n.Content[i], value: n.Content[i+1]})
	}
	return out
}

// order sorts entries into the order of the form; what it does not know comes
// last, as it stood.
func order(entries []*entry, f *form) {
	if f = f.with(anObject); f == nil || f.asItWas || len(f.fields) == 0 {
		return
	}
	place := map[string]int{}
	for i, m := range f.fields {
		place[m.name] = i
	}
	at := func(e *entry) int {
		if i, known := place[e.key.Value]; known {
			return i
		}
		return len(place)
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return at(a) - at(b) })
}

// canonical returns the value of a scalar as it is written canonically.
func canonical(n *yaml.Node, f *form) string {
	if f == nil || !f.selector {
		return n.Value
	}
	s, err := label.Parse(n.Value)
	if err != nil || s.IsZero() {
		return n.Value
	}
	return s.String()
}
