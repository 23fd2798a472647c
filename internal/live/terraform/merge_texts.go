package terraform

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// same compares values that are no lists and no objects.
func (m *merger) same(a, b Value) bool {
	x, okX := m.literal(a)
	y, okY := m.literal(b)
	switch {
	case a.Kind == Reference && b.Kind == Reference && a.Ref == b.Ref:
		return true
	case okX && okY:
		return x == y || sameJSON(x, y)
	case a.Kind == Reference && b.Kind == Reference:
		return !okX && !okY && strings.HasPrefix(a.Ref, "data.") // what it is cannot be seen
	case a.Kind == Reference && okY:
		// What does not exist yet, or a data source, of which the dump says nothing.
		r, _, ok := m.at(a.Ref)
		return !ok || r.From == Plan || r.Data
	case b.Kind == Reference || a.Kind == Template || a.Kind == JSON || b.Kind == Template || b.Kind == JSON:
		return true // it cannot be compared
	}
	return false
}

func (m *merger) at(ref string) (*Resource, string, bool) {
	for at := ref; at != ""; at = shorter(at) {
		if r := m.known[at]; r != nil {
			return r, strings.TrimPrefix(ref[len(at):], "."), true
		}
	}
	return nil, "", false
}

// literal is the text that a value is, with references followed into plan and
// state.
func (m *merger) literal(v Value) (string, bool) {
	switch v.Kind {
	case String, Number, Bool:
		return v.String()
	case Reference:
		r, attr, ok := m.at(v.Ref)
		if !ok || attr == "" {
			return "", false
		}
		to := r.Body.At(attr)
		if to.Kind == Reference {
			return "", false
		}
		return to.String()
	case Template:
		var b strings.Builder
		for _, p := range v.List {
			s, ok := m.literal(p)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
		return b.String(), true
	case JSON:
		return encode(m.filled(v.List[0], 0), v.Pos).String()
	}
	return "", false
}

// filled has texts where references are known.
func (m *merger) filled(v Value, depth int) Value {
	if s, ok := m.literal(v); ok && (v.Kind == Reference || v.Kind == Template) && depth < maxNesting {
		return Value{Kind: String, Text: s, Pos: v.Pos}
	}
	out := v
	if v.List != nil {
		out.List = nil
		for _, x := range v.List {
			out.List = append(out.List, m.filled(x, depth+1))
		}
	}
	if v.Fields != nil {
		out.Fields = map[string]Value{}
		for k, x := range v.Fields {
			out.Fields[k] = m.filled(x, depth+1)
		}
	}
	return out
}

func sameJSON(x, y string) bool {
	if len(x) == 0 || len(y) == 0 || x[0] != '{' && x[0] != '[' || y[0] != x[0] {
		return false
	}
	var a, b any
	return json.Unmarshal([]byte(x), &a) == nil && json.Unmarshal([]byte(y), &b) == nil && reflect.DeepEqual(a, b)
}

// show is a value in a message.
func show(v Value) string {
	switch v.Kind {
	case Null:
		return "not given"
	case Reference:
		return v.Ref
	case List:
		return fmt.Sprintf("a list of %d", len(v.List))
	case Object:
		return "an object"
	case Template, JSON:
		return "a text with references"
	}
	if s, ok := v.String(); ok {
		if len(s) > 60 {
			s = s[:60] + "…"
		}
		return fmt.Sprintf("%q", s)
	}
	return "not known"
}
