// Package plainyaml reads the plain part of YAML, several times faster than
// the library does: block mappings and lists of plain and quoted text, and
// flow ones within a line. That is what nearly every document that people and
// programs write consists of. What it is not sure of it does not read; the
// library then has to. What it reads, it reads as the library would.
package plainyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Reader reads documents. The zero value is ready. It is not safe for
// concurrent use.
type Reader struct {
	slabs [][]yaml.Node // nodes, used again for each document
	used  int

	text  string
	line  int // of the line at hand, from 1
	start int // where it begins
	at    int // where its content begins
	end   int // where it ends, without the line break
	done  bool
}

// The tags that nodes get, as the library writes them.
const (
	mapTag = "!!map"
	seqTag = "!!seq"
	strTag = "!!str"
	intTag = "!!int"
)

// slab is how many nodes are allocated at a time; maxDepth how deep documents
// may be nested, and maxKey how long a key may be.
const (
	slab     = 256
	maxDepth = 50
	maxKey   = 500
)

// Document reads one document, a mapping, before which a line "---" may stand.
// The first line of text is the line-th (from 1) of the file. The nodes have
// Kind, Tag, Value, Content, Line and Column, but no style and no comments;
// they are valid until the next call. It returns nil if the text is not plain:
// that says nothing about whether it is valid.
func (r *Reader) Document(text string, line int) *yaml.Node {
	r.used, r.text, r.line, r.done = 0, text, line-1, false
	r.start, r.at, r.end = 0, 0, -1
	if !r.next() || r.done || r.column() != 0 {
		return nil
	}
	if r.text[r.at:r.end] == "---" && (!r.next() || r.done || r.column() != 0) {
		return nil
	}
	root := r.mapping(0, 0)
	if root == nil || !r.done {
		return nil
	}
	return root
}

func (r *Reader) column() int { return r.at - r.start }

// node makes a node that stands at an offset of the line at hand.
func (r *Reader) node(kind yaml.Kind, tag string, at int) *yaml.Node {
	if r.used/slab == len(r.slabs) {
		r.slabs = append(r.slabs, make([]yaml.Node, slab))
	}
	n := &r.slabs[r.used/slab][r.used%slab]
	r.used++
	*n = yaml.Node{Kind: kind, Tag: tag, Content: n.Content[:0], Line: r.line, Column: at - r.start + 1}
	return n
}

// next goes to the next line that has content; done if there is none. It
// returns false where a character is met that is not plain.
func (r *Reader) next() bool {
	for {
		r.start = r.end + 1
		if r.start >= len(r.text) {
			r.done = true
			return true
		}
		r.line++
		r.end = len(r.text)
		if i := strings.IndexByte(r.text[r.start:], '\n'); i >= 0 {
			r.end = r.start + i
		}
		r.at = r.start
		for r.at < r.end && r.text[r.at] == ' ' {
			r.at++
		}
		for i := r.at; i < r.end; i++ {
			if c := r.text[i]; c < ' ' || c > '~' {
				return false
			}
		}
		if r.at < r.end && r.text[r.at] != '#' {
			return r.text[r.end-1] != ' '
		}
	}
}

// block reads what begins on the line at hand and is indented by its column.
func (r *Reader) block(depth int) *yaml.Node {
	if depth > maxDepth {
		return nil
	}
	if r.isItem() {
		return r.sequence(r.column(), depth)
	}
	return r.mapping(r.column(), depth)
}

// isItem reports whether the line at hand is an entry of a list.
func (r *Reader) isItem() bool { return strings.HasPrefix(r.text[r.at:r.end], "- ") }

// mapping reads the lines from this one on that are keys at the column.
func (r *Reader) mapping(column, depth int) *yaml.Node {
	n := r.node(yaml.MappingNode, mapTag, r.at)
	for {
		key := r.key()
		if key == nil {
			return nil
		}
		value := r.valueOf(column, depth)
		if value == nil {
			return nil
		}
		n.Content = append(n.Content, key, value)
		switch {
		case r.done || r.column() < column || r.column() == column && r.isItem():
			return n
		case r.column() > column:
			return nil
		}
	}
}

// key reads a key and leaves at behind its colon.
func (r *Reader) key() *yaml.Node {
	i := r.at
	for i < r.end && (isAlnum(r.text[i]) || strings.IndexByte("_./-", r.text[i]) >= 0) {
		i++
	}
	word := r.text[r.at:i]
	if i == r.end || r.text[i] != ':' || len(word) > maxKey || tagOf(word) != strTag {
		return nil
	}
	n := r.node(yaml.ScalarNode, strTag, r.at)
	n.Value = word
	r.at = i + 1
	return n
}

// valueOf reads what a key at a column has behind its colon or below it, and
// goes to the line after it.
func (r *Reader) valueOf(column, depth int) *yaml.Node {
	if r.at == r.end {
		if !r.next() || r.done || r.column() < column || r.column() == column && !r.isItem() {
			return nil
		}
		return r.block(depth + 1)
	}
	if r.text[r.at] != ' ' {
		return nil
	}
	r.at++
	return r.rest(column, depth)
}

// rest reads the rest of the line as one value, and goes to the next line,
// which must not continue it.
func (r *Reader) rest(column, depth int) *yaml.Node {
	n := r.value(depth, false)
	if n == nil || r.at != r.end || !r.next() || !r.done && r.column() > column {
		return nil
	}
	return n
}

// sequence reads the lines from this one on that are entries at the column.
func (r *Reader) sequence(column, depth int) *yaml.Node {
	n := r.node(yaml.SequenceNode, seqTag, r.at)
	for !r.done && r.column() == column && r.isItem() {
		r.at += 2
		var item *yaml.Node
		if r.isPair() {
			item = r.mapping(column+2, depth+1)
		} else {
			item = r.rest(column, depth)
		}
		if item == nil {
			return nil
		}
		n.Content = append(n.Content, item)
	}
	if !r.done && r.column() > column {
		return nil
	}
	return n
}

// isPair reports whether the rest of the line begins with a key.
func (r *Reader) isPair() bool {
	i := r.at
	for i < r.end && (isAlnum(r.text[i]) || strings.IndexByte("_./-", r.text[i]) >= 0) {
		i++
	}
	return i > r.at && i < r.end && r.text[i] == ':' && (i+1 == r.end || r.text[i+1] == ' ')
}
