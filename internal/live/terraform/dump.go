package terraform

import (
	"strconv"
	"strings"

	"firebreak/internal/live/jsontree"
)

// resources are those of a plan or a state.
// https://developer.hashicorp.com/terraform/internals/json-format
func (d *dump) resources(prefix string) []Resource {
	var out []Resource
	if d.state {
		if values := d.node.Field("values"); values != nil {
			return ofModule(values.Field("root_module"), prefix, State, 0, nil)
		}
		return d.stored(prefix)
	}
	u := newUnknowns(d.node, prefix)
	out = ofModule(d.node.Field("planned_values").Field("root_module"), prefix, Plan, 0, nil)
	planned := map[string]bool{}
	for i := range out {
		planned[out[i].Address] = true
		u.fill(&out[i])
	}
	// Data sources that could be read already are in the state before the plan.
	for _, r := range ofModule(d.node.Field("prior_state").Field("values").Field("root_module"), prefix, Plan, 0, nil) {
		if r.Data && !planned[r.Address] {
			planned[r.Address] = true
			out = append(out, r)
		}
	}
	// Those that are read later have no planned values in old formats.
	for _, c := range d.node.Field("resource_changes").Items() {
		a := prefix + c.Field("address").String()
		if c.Field("mode").String() != "data" || planned[a] {
			continue
		}
		r := Resource{Address: a, Type: c.Field("type").String(), Name: c.Field("name").String(), Data: true, From: Plan, Pos: c.Pos}
		r.Body = fromTree(c.Field("change").Field("after"), 0)
		if r.Body.Kind != Object {
			r.Body = Value{Kind: Object, Fields: map[string]Value{}, Pos: c.Pos}
		}
		u.fill(&r)
		out = append(out, r)
	}
	return out
}

func ofModule(m *jsontree.Node, prefix string, from From, depth int, out []Resource) []Resource {
	if m == nil || depth > maxNesting {
		return out
	}
	for _, n := range m.Field("resources").Items() {
		r := Resource{Address: prefix + n.Field("address").String(), Type: n.Field("type").String(), Name: n.Field("name").String(),
			Data: n.Field("mode").String() == "data", From: from, Pos: n.Pos}
		r.Body = fromTree(n.Field("values"), 0)
		if r.Body.Kind != Object {
			r.Body = Value{Kind: Object, Fields: map[string]Value{}, Pos: n.Pos}
		}
		r.ID, _ = r.Body.Field("id").String()
		if n.Field("address") != nil && r.Type != "" {
			out = append(out, r)
		}
	}
	for _, c := range m.Field("child_modules").Items() {
		out = ofModule(c, prefix, from, depth+1, out)
	}
	return out
}

// stored are the resources of a state's own file, version 4.
func (d *dump) stored(prefix string) []Resource {
	var out []Resource
	for _, n := range d.node.Field("resources").Items() {
		base := n.Field("type").String() + "." + n.Field("name").String()
		data := n.Field("mode").String() == "data"
		if data {
			base = "data." + base
		}
		if m := n.Field("module").String(); m != "" {
			base = m + "." + base
		}
		for _, i := range n.Field("instances").Items() {
			if i.Field("deposed").String() != "" {
				continue // about to be destroyed, and another is in its place
			}
			r := Resource{Address: prefix + base, Type: n.Field("type").String(), Name: n.Field("name").String(), Data: data, From: State, Pos: i.Pos}
			if k := i.Field("index_key"); k != nil && k.Kind == jsontree.Number {
				r.Address += "[" + k.Text + "]"
			} else if k != nil && k.Kind == jsontree.String {
				r.Address += "[" + strconv.Quote(k.Text) + "]"
			}
			r.Body = fromTree(i.Field("attributes"), 0)
			if r.Body.Kind != Object {
				r.Body = unresolved(i.Pos, "the state has no attributes of it")
			}
			r.ID, _ = r.Body.Field("id").String()
			out = append(out, r)
		}
	}
	return out
}

// fromTree takes over a value of JSON.
func fromTree(n *jsontree.Node, depth int) Value {
	if n == nil {
		return Value{}
	}
	v := Value{Pos: n.Pos}
	if depth > maxNesting {
		return tooMuch(n.Pos)
	}
	switch n.Kind {
	case jsontree.Bool:
		v.Kind, v.Bool = Bool, n.Bool
	case jsontree.Number:
		v.Kind, v.Text = Number, n.Text
	case jsontree.String:
		v.Kind, v.Text = String, n.Text
	case jsontree.List:
		v.Kind = List
		for _, x := range n.List {
			v.List = append(v.List, fromTree(x, depth+1))
		}
	case jsontree.Object:
		v.Kind, v.Fields = Object, map[string]Value{}
		for name, x := range n.Fields {
			v.Fields[name] = fromTree(x, depth+1)
		}
	}
	return v
}

// ids are the resources by their cloud ids and ARNs; "" of those that several
// have.
type ids map[string]string

func idsOf(lists ...[]Resource) ids {
	out := ids{}
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if r.Data {
				continue
			}
			for _, attr := range []string{"id", "arn"} {
				text, ok := r.Attribute(attr).String()
				if !ok || !looksUnique(text) || attr == "arn" && text == r.ID {
					continue
				}
				ref := r.Address + "." + attr
				if old, twice := out[text]; twice && old != ref {
					ref = ""
				}
				out[text] = ref
			}
		}
	}
	return out
}

// looksUnique reports whether a text can only be an id or an ARN: names that
// people give may be found anywhere.
func looksUnique(s string) bool {
	if strings.HasPrefix(s, "arn:") {
		return true
	}
	_, tail, ok := cutLast(s, "-")
	if !ok || len(tail) < 8 || strings.ContainsAny(s, "./: ") {
		return false
	}
	digits := 0
	for _, c := range tail {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c < 'a' || c > 'f':
			return false
		}
	}
	return digits > 0
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// refer puts references in the place of ids of other resources.
func (i ids) refer(v Value, self string, top bool) Value {
	switch v.Kind {
	case String:
		if ref := i[v.Text]; ref != "" && !strings.HasPrefix(ref, self+".") {
			return Value{Kind: Reference, Ref: ref, Pos: v.Pos}
		}
	case List:
		for k := range v.List {
			v.List[k] = i.refer(v.List[k], self, false)
		}
	case Object:
		for name, x := range v.Fields {
			if !top || name != "id" && name != "arn" {
				v.Fields[name] = i.refer(x, self, false)
			}
		}
	}
	return v
}
