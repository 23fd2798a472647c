package terraform

import (
	"strconv"

	"firebreak/internal/diag"
)

// Kind says what a Value is.
type Kind uint8

// The kinds of values. The zero Value is a Null: an argument that is not given.
const (
	Null Kind = iota
	Bool
	Number
	String
	List      // also sets, and nested blocks: a block type is a List of Objects
	Object    // also maps
	Reference // to an attribute of a resource, or to a whole one
	Template  // a text of several parts, of which at least one is not known yet
	JSON      // the text of a JSON document, in which something is not known yet
	Unresolved
)

// Value is a value of a configuration, a plan or a state. Values are read only:
// they share what is in them.
type Value struct {
	Kind   Kind
	Bool   bool
	set    bool             // a List that is a set: its elements are their own keys
	Text   string           // of a String; of a Number as it was written
	List   []Value          // of a List; of a Template its parts; of JSON the one document
	Fields map[string]Value // of an Object
	Ref    string           // of a Reference: "aws_security_group.orders.id", an address and the path of an attribute
	Why    string           // of an Unresolved: what keeps it from being known, for the user
	Pos    diag.Pos         // where it was read
}

// Field returns the field of an Object, or Null where there is none, and an
// Unresolved of an Unresolved. A nested block that is there once at most may be
// asked for like an object: of a List with one element the field is that one's.
func (v Value) Field(name string) Value {
	switch {
	case v.Kind == Unresolved:
		return v
	case v.Kind == List && len(v.List) == 1:
		return v.List[0].Field(name)
	}
	return v.Fields[name]
}

// String returns the text of a String, a Number or a Bool; known is false for
// everything else, Null too.
func (v Value) String() (s string, known bool) {
	switch v.Kind {
	case String, Number:
		return v.Text, true
	case Bool:
		return strconv.FormatBool(v.Bool), true
	}
	return "", false
}

// Int returns a Number, or a String that is one, as Terraform converts them;
// known is false for what is no whole number.
func (v Value) Int() (n int, known bool) {
	if v.Kind != Number && v.Kind != String {
		return 0, false
	}
	n, err := strconv.Atoi(v.Text)
	return n, err == nil
}

// True returns a Bool, or a String that is one; known is false for everything
// else.
func (v Value) True() (is, known bool) {
	if v.Kind == Bool {
		return v.Bool, true
	}
	return v.Kind == String && v.Text == "true", v.Kind == String && (v.Text == "true" || v.Text == "false")
}

// Items returns the elements of a List; of Null and everything else none. Ask
// Kind first where the difference matters.
func (v Value) Items() []Value {
	if v.Kind != List {
		return nil
	}
	return v.List
}

// Set reports whether an argument was given at all: it is no Null and no empty
// text, list or object. What is not known counts as given.
func (v Value) Set() bool {
	switch v.Kind {
	case Null:
		return false
	case String:
		return v.Text != ""
	case List:
		return len(v.List) > 0
	case Object:
		return len(v.Fields) > 0
	}
	return true
}

// Doubt returns why something in the value is not known, and where; the reason
// is empty if everything is. References are known.
func (v Value) Doubt() (why string, at diag.Pos) {
	if v.Kind == Unresolved {
		return v.Why, v.Pos
	}
	for _, e := range v.List {
		if why, at = e.Doubt(); why != "" {
			return why, at
		}
	}
	for _, name := range v.names() {
		if why, at = v.Fields[name].Doubt(); why != "" {
			return why, at
		}
	}
	return "", diag.Pos{}
}
