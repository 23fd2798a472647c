package terraform

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"firebreak/internal/diag"
)

// disagree is how the reason of a value begins of which sources say different
// things, so that a third one does not settle it.
const disagree = "sources disagree: "

// mostPairs bounds how many elements of two lists are compared with each other.
const mostPairs = 1 << 20

// merger makes one of what configuration, plan and state say of a resource.
type merger struct {
	diags *diag.List
	known map[string]*Resource // of plans and states, the more real ones
	quiet bool                 // while it only tries
	wrong int                  // differences found
	depth int
}

// merge makes one list of the resources of the three sources, one per address.
func merge(config, plans, states []Resource, diags *diag.List) []Resource {
	m := &merger{diags: diags, known: map[string]*Resource{}}
	for _, list := range [][]Resource{plans, states} {
		for i := range list {
			m.known[list[i].Address] = &list[i]
		}
	}
	out := map[string]*Resource{}
	var order []string
	for _, list := range [][]Resource{config, plans, states} {
		for i := range list {
			r := list[i]
			have := out[r.Address]
			if have == nil {
				out[r.Address] = &r
				order = append(order, r.Address)
				continue
			}
			m.one(have, &r)
		}
	}
	m.presence(config, plans, states)
	expanded := expandedBases(plans, states)
	var all []Resource
	for _, a := range order {
		if r := out[a]; r.Body.Kind != Unresolved || !expanded[a] {
			all = append(all, *r)
		}
	}
	return all
}

// expandedBases are the addresses, without their keys, of which plans or states
// have instances.
func expandedBases(lists ...[]Resource) map[string]bool {
	out := map[string]bool{}
	for _, list := range lists {
		for i := range list {
			if a := list[i].Address; strings.HasSuffix(a, "]") {
				out[shorter(a)] = true
			}
		}
	}
	return out
}

// one takes what a more real source says of a resource into what is known of it.
func (m *merger) one(have, more *Resource) {
	from := have.From
	have.Body = m.value(have.Body, more.Body, "", func(what string, a, b Value) {
		m.diags.Errorf(b.Pos, "terraform-disagrees", "%s: %s is %s in the %s and %s in the %s", have.Address, what, show(a), from, show(b), more.From).
			WithHelp("apply the configuration, or make the plan and the state anew").WithSee(a.Pos)
	})
	have.From = more.From
	if more.ID != "" {
		have.ID = more.ID
	}
}

// presence reports managed resources that a source lacks which others have, as
// far as the sources speak of the same module.
func (m *merger) presence(config, plans, states []Resource) {
	in := func(list []Resource) (addresses, modules map[string]bool) {
		addresses, modules = map[string]bool{}, map[string]bool{}
		for i := range list {
			addresses[list[i].Address] = true
			if list[i].Body.Kind == Unresolved {
				modules["?"+list[i].Address] = true
			}
			modules[moduleOf(list[i].Address)] = true
		}
		return
	}
	lists := [][]Resource{config, plans, states}
	for i, list := range lists {
		for k, other := range lists {
			if i == k || len(other) == 0 {
				continue
			}
			addresses, modules := in(other)
			for _, r := range list {
				// Something else of the same module is there.
				if r.Data || r.Body.Kind == Unresolved || addresses[r.Address] || !modules[moduleOf(r.Address)] || modules["?"+shorterKey(r.Address)] {
					continue
				}
				m.diags.Errorf(r.Pos, "terraform-disagrees", "%s is in the %s, but not in the %s", r.Address, From(i), From(k)).
					WithHelp("apply the configuration, or make the plan and the state anew")
			}
		}
	}
}

func shorterKey(a string) string {
	if strings.HasSuffix(a, "]") {
		return shorter(a)
	}
	return a
}

// moduleOf is the part of an address that stands before the resource's own.
func moduleOf(address string) string {
	rest, done := address, 0
	if i := strings.Index(rest, "//"); i >= 0 {
		rest, done = rest[i+2:], i+2
	}
	for strings.HasPrefix(rest, "module.") {
		step, after := addressStep(rest[len("module."):])
		done += len("module.") + len(step) + 1
		rest = after
	}
	return address[:min(done, len(address))]
}

type report func(what string, a, b Value)

// value makes one of a, and of b from a more real source. What of the two can be
// read better stays: references rather than what they are.
func (m *merger) value(a, b Value, what string, say report) Value {
	m.depth++
	defer func() { m.depth-- }()
	if a.Kind == Object && b.Kind == List && len(b.List) <= 1 && nested(lastStep(what)) {
		a = Value{Kind: List, List: []Value{a}, Pos: a.Pos}
	}
	switch {
	case m.depth > maxNesting:
		return tooMuch(a.Pos)
	case a.Kind == Unresolved && strings.HasPrefix(a.Why, disagree):
		return a
	case a.Kind == Null, a.Kind == Unresolved && b.Kind != Null:
		return b
	case b.Kind == Unresolved, b.Kind == Null && b.Pos == (diag.Pos{}):
		return a
	case b.Kind == Null:
		if is, known := a.True(); a.Set() && !(known && !is) && a.Text != "0" {
			return m.differ(a, b, what, say)
		}
		return a
	case a.Kind == Object && b.Kind == Object:
		return m.object(a, b, what, say)
	case a.Kind == List && b.Kind == List:
		return m.list(a, b, what, say)
	case m.same(a, b):
		if a.Kind == Reference && b.Kind == String && strings.Contains(a.Ref, "data.") {
			return b
		}
		return a
	}
	return m.differ(a, b, what, say)
}

func lastStep(what string) string {
	_, after, ok := cutLast(what, ".")
	if !ok {
		return what
	}
	return after
}

func (m *merger) differ(a, b Value, what string, say report) Value {
	m.wrong++
	if !m.quiet {
		say(what, a, b)
	}
	return unresolved(b.Pos, fmt.Sprintf("%s%s is %s in one and %s in another", disagree, what, show(a), show(b)))
}

func (m *merger) object(a, b Value, what string, say report) Value {
	out := Value{Kind: Object, Fields: map[string]Value{}, Pos: a.Pos}
	exact := lastStep(what) == "tags"
	for _, name := range b.names() {
		if _, has := a.Fields[name]; !has && exact {
			out.Fields[name] = m.differ(Value{Pos: a.Pos}, b.Fields[name], join(what, name), say)
			continue
		} else if !has {
			out.Fields[name] = b.Fields[name]
		}
	}
	for _, name := range a.names() {
		y := b.Fields[name]
		if _, has := b.Fields[name]; !has && exact {
			y = Value{Pos: b.Pos}
		}
		out.Fields[name] = m.value(a.Fields[name], y, join(what, name), say)
	}
	return out
}

func join(what, name string) string {
	if what == "" {
		return name
	}
	return what + "." + name
}

// list compares lists as sets: a plan and a state sort what the configuration
// does not.
func (m *merger) list(a, b Value, what string, say report) Value {
	if len(a.List) != len(b.List) {
		return m.differ(a, b, what, say)
	}
	if len(a.List) == 1 {
		return Value{Kind: List, List: []Value{m.value(a.List[0], b.List[0], what, say)}, Pos: a.Pos}
	}
	out := Value{Kind: List, Pos: a.Pos}
	used := make([]bool, len(b.List))
	tries := 0
	for i := range a.List {
		found := -1
		for d := 0; d < len(b.List) && tries < mostPairs; d++ {
			k := (i + d) % len(b.List) // most stand where they stood
			if used[k] {
				continue
			}
			tries++
			if m.fits(a.List[i], b.List[k], what, say) {
				found = k
				break
			}
		}
		if found < 0 {
			return m.differ(a, b, what, say)
		}
		used[found] = true
		out.List = append(out.List, m.value(a.List[i], b.List[found], what, say))
	}
	return out
}

// fits tries whether two values agree.
func (m *merger) fits(a, b Value, what string, say report) bool {
	quiet, wrong := m.quiet, m.wrong
	m.quiet = true
	m.value(a, b, what, say)
	fits := m.wrong == wrong
	m.quiet, m.wrong = quiet, wrong
	return fits
}

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
