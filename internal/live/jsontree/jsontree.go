// Package jsontree reads JSON into a tree that knows where everything stood, so
// that what is wrong in it can be shown. It knows no format.
package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"firebreak/internal/diag"
)

// MaxBytes is the largest file that is read, and maxDepth how deep values may
// lie in each other. They bound the memory that an input may ask for.
const (
	MaxBytes = 256 << 20
	maxDepth = 200
)

// Kind is what JSON calls a value.
type Kind uint8

// The kinds of JSON. The zero Node is a null.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

// Node is a value. Of a field that is there twice the last counts, as most
// readers have it.
type Node struct {
	Kind   Kind
	Bool   bool
	Text   string // of a String; of a Number as it was written
	List   []*Node
	Fields map[string]*Node
	Names  []string // of an Object's fields, in order
	Pos    diag.Pos
}

// Field returns a field of an object; nil where there is none, and of a nil
// Node.
func (n *Node) Field(name string) *Node {
	if n == nil {
		return nil
	}
	return n.Fields[name]
}

// String returns the text of a String; empty for everything else, nil too.
func (n *Node) String() string {
	if n == nil || n.Kind != String {
		return ""
	}
	return n.Text
}

// Items returns the elements of a List; none of everything else, nil too.
func (n *Node) Items() []*Node {
	if n == nil {
		return nil
	}
	return n.List
}

// Read reads a file that holds one JSON value. The error is fit for people and
// names no place; at is the place of what is wrong.
func Read(fsys fs.FS, name string) (n *Node, at diag.Pos, err error) {
	at = diag.Pos{File: name}
	f, err := fsys.Open(name)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, at, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(data) > MaxBytes {
		err = fmt.Errorf("it is larger than %d MiB", MaxBytes>>20)
	}
	if err != nil {
		return nil, at, err
	}
	return Parse(name, data)
}

// Parse is Read for what was read already.
func Parse(name string, data []byte) (n *Node, at diag.Pos, err error) {
	p := &parser{dec: json.NewDecoder(bytes.NewReader(data)), file: name, data: data, line: 1}
	p.dec.UseNumber()
	n, err = p.value(0)
	if err == nil {
		if _, more := p.dec.Token(); more != io.EOF {
			err = errors.New("there is something behind the end of the value")
		}
	}
	if err != nil {
		at = p.place(min(int(p.dec.InputOffset()), len(data)))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends in the middle of a value: it was cut off")
		}
		return nil, at, err
	}
	return n, n.Pos, nil
}

type parser struct {
	dec  *json.Decoder
	file string
	data []byte
	// The line that offset seen is on, and where it begins.
	seen, line, begin int
}

// place is the place of an offset. Offsets must not go down, but for errors.
func (p *parser) place(offset int) diag.Pos {
	for ; p.seen < offset; p.seen++ {
		if p.data[p.seen] == '\n' {
			p.line, p.begin = p.line+1, p.seen+1
		}
	}
	return diag.Pos{File: p.file, Line: p.line, Col: max(offset-p.begin, 0) + 1}
}

// next is the place of the next token.
func (p *parser) next() diag.Pos {
	i := int(p.dec.InputOffset())
	for i < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:"), p.data[i]) >= 0 {
		i++
	}
	return p.place(i)
}

func (p *parser) value(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("values lie more than %d deep in each other", maxDepth)
	}
	n := &Node{Pos: p.next()}
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case bool:
		n.Kind, n.Bool = Bool, t
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = String, t
	case json.Delim:
		if t == '[' {
			n.Kind = List
			err = p.list(n, depth)
		} else {
			n.Kind = Object
			err = p.object(n, depth)
		}
	}
	return n, err
}

func (p *parser) list(n *Node, depth int) error {
	for p.dec.More() {
		e, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.List = append(n.List, e)
	}
	_, err := p.dec.Token()
	return err
}

func (p *parser) object(n *Node, depth int) error {
	n.Fields = map[string]*Node{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return errors.New("a field without a name")
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		if _, twice := n.Fields[name]; !twice {
			n.Names = append(n.Names, name)
		}
		n.Fields[name] = v
	}
	n.Names = slices.Clip(n.Names)
	_, err := p.dec.Token()
	return err
}
