package terraform

import (
	"fmt"
	"strings"

	"firebreak/internal/diag"
)

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
