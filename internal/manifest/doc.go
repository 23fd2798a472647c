// Package manifest reads streams of YAML documents: it
// splits them, keeps the place of every value, and turns the library's errors
// into diagnostics. It knows no format.
package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// MaxBytes is the largest file that is read; a larger one is an error. It
// bounds the memory that an input may ask for.
const MaxBytes = 256 << 20

// Document is one YAML document with content. Root is never nil and never an
// alias.
type Document struct {
	File string
	Root *yaml.Node
	// known is what documents of the file have been asked for; nil where
	// nothing need be copied, nor may be shared.
	known *known
}

// known are strings and labels of a file, each once.
type known struct {
	strings map[string]string
	labels  map[string]map[string]string // by what they are written like
	buf     []byte
}

// keep returns a copy of s that does not hold on to the file's text, the same
// for all that are equal.
func (d Document) keep(s string) string {
	if d.known == nil || s == "" {
		return s
	}
	k, ok := d.known.strings[s]
	if !ok {
		k = strings.Clone(s)
		d.known.strings[k] = k
	}
	return k
}

// Pos is the place of a node in the document's file.
func (d Document) Pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.File, Line: n.Line, Col: n.Column}
}

// Each calls take with each document of the named file, in order; empty ones
// are left out. Nodes are valid only until take returns. A syntax error ends
// its document, not the file.
func Each(fsys fs.FS, name string, take func(Document)) diag.List {
	var diags diag.List
	data, err := load(fsys, name)
	if err != nil {
		diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", bare(err))
		return diags
	}
	known := &known{strings: map[string]string{}, labels: map[string]map[string]string{}}
	for r := range inOrder(name, string(data)) {
		for _, d := range r.docs {
			d.known = known
			take(d)
		}
		diags = append(diags, r.diags...)
	}
	return diags
}

// Read splits the named file into its documents, in order; empty ones are left
// out. A syntax error ends the file: what stood before it is returned with the
// diagnostic.
func Read(fsys fs.FS, name string) ([]Document, diag.List) {
	var diags diag.List
	data, err := load(fsys, name)
	if err != nil {
		diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", bare(err))
		return nil, diags
	}
	return decode(name, string(data), 0)
}

// decode reads a stream whose first line has so many before it.
func decode(name, text string, before int) ([]Document, diag.List) {
	var diags diag.List
	var docs []Document
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, diags
		}
		if err != nil {
			line, col, msg := diag.YAMLPlace(err, []byte(text))
			diags.Errorf(diag.Pos{File: name, Line: before + line, Col: col}, "yaml-syntax", "this is not YAML: %s", msg).
				WithHelp("the mistake is on this line or a little above: look for indentation, an unclosed bracket or quote, a tab")
			return docs, diags
		}
		if root := content(&n); root != nil {
			if before > 0 {
				move(root, before)
			}
			docs = append(docs, Document{File: name, Root: root})
		}
	}
}

// move puts a node so many lines further down. What an alias stands for is
// somewhere else in the tree.
func move(n *yaml.Node, lines int) {
	n.Line += lines
	for _, c := range n.Content {
		move(c, lines)
	}
}

func load(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(data) > MaxBytes {
		err = fmt.Errorf("larger than %d MiB", MaxBytes>>20)
	}
	return data, err
}

// content unwraps a document node; nil for an empty document.
func content(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil
		}
		n = n.Content[0]
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	return n
}

// bare drops the operation and path that fs errors carry: the diagnostic
// already names the file.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
