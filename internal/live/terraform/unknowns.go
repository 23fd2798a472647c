package terraform

import (
	"slices"
	"strings"

	"firebreak/internal/live/jsontree"
)

// unknowns knows what a plan says of values that are known only once the plan
// was carried out: which they are, and of what the configuration makes them.
type unknowns struct {
	after  map[string]*jsontree.Node // after_unknown, by address
	root   *jsontree.Node            // configuration.root_module
	prefix string
}

func newUnknowns(plan *jsontree.Node, prefix string) *unknowns {
	u := &unknowns{after: map[string]*jsontree.Node{}, root: plan.Field("configuration").Field("root_module"), prefix: prefix}
	for _, c := range plan.Field("resource_changes").Items() {
		u.after[prefix+c.Field("address").String()] = c.Field("change").Field("after_unknown")
	}
	return u
}

// fill puts references, or reasons, where a resource's values are not known.
func (u *unknowns) fill(r *Resource) {
	after := u.after[r.Address]
	if after == nil || after.Kind != jsontree.Object {
		return
	}
	inner, base, modules := strings.TrimPrefix(r.Address, u.prefix), "", []string(nil)
	for strings.HasPrefix(inner, "module.") {
		step, rest := addressStep(inner[len("module."):])
		modules = append(modules, step)
		inner = rest
	}
	for i := range modules {
		base += "module." + modules[i] + "."
	}
	m := u.module(modules)
	var exprs *jsontree.Node
	kind, _, _ := strings.Cut(inner, "[")
	for _, c := range m.Field("resources").Items() {
		if c.Field("address").String() == kind {
			exprs = c.Field("expressions")
		}
	}
	r.Body = u.value(r.Body, after, exprs, "", where{modules, base}, r, 0)
}

// addressStep splits `net["a.b"].aws_x.y` into `net["a.b"]` and the rest.
func addressStep(s string) (step, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// module is the configuration of a module, by the names of its calls.
func (u *unknowns) module(path []string) *jsontree.Node {
	m := u.root
	for _, step := range path {
		name, _, _ := strings.Cut(step, "[")
		m = m.Field("module_calls").Field(name).Field("module")
	}
	return m
}

// where is the module in which an expression stands.
type where struct {
	modules []string
	base    string
}

func (u *unknowns) value(v Value, after, expr *jsontree.Node, name string, at where, r *Resource, depth int) Value {
	switch {
	case after == nil || depth > maxNesting:
		return v
	case after.Kind == jsontree.Bool && after.Bool:
		x := u.unknown(expr, name, at, depth)
		return placed(x, r.Pos)
	case after.Kind == jsontree.Object && (v.Kind == Object || v.Kind == Null):
		if v.Kind == Null {
			v = Value{Kind: Object, Fields: map[string]Value{}, Pos: r.Pos}
		}
		for field, a := range after.Fields {
			e := expr.Field(field)
			if isExpression(expr) {
				e = expr // a whole object from one expression
			}
			if x := u.value(v.Fields[field], a, e, field, at, r, depth+1); x.Kind != Null {
				v.Fields[field] = x
			}
		}
	case after.Kind == jsontree.List && (v.Kind == List || v.Kind == Null):
		out := Value{Kind: List, List: slices.Clone(v.List), Pos: v.Pos}
		for i, a := range after.List {
			e := expr
			if expr != nil && expr.Kind == jsontree.List {
				e = nil
				if i < len(expr.List) && len(expr.List) == len(after.List) {
					e = expr.List[i]
				}
			} else if len(after.List) > 1 && a.Kind == jsontree.Bool && a.Bool && !known(v, i) {
				e = nth(expr, i, len(after.List))
			}
			if i >= len(out.List) {
				out.List = append(out.List, Value{Pos: r.Pos})
			}
			element := name
			if a.Kind == jsontree.Bool {
				element = strings.TrimSuffix(name, "s")
			}
			out.List[i] = u.value(out.List[i], a, e, element, at, r, depth+1)
		}
		if len(out.List) > 0 || v.Kind == List {
			return out
		}
	}
	return v
}

func known(v Value, i int) bool { return i < len(v.List) && v.List[i].Kind != Null }

func isExpression(n *jsontree.Node) bool {
	return n.Field("references") != nil || n.Field("constant_value") != nil
}

// nth is the reference of the i-th of n elements, where an expression names as
// many.
func nth(expr *jsontree.Node, i, n int) *jsontree.Node {
	refs := longest(expr)
	if len(refs) != n {
		return nil
	}
	one := &jsontree.Node{Kind: jsontree.List, List: []*jsontree.Node{{Kind: jsontree.String, Text: refs[i]}}}
	return &jsontree.Node{Kind: jsontree.Object, Fields: map[string]*jsontree.Node{"references": one}, Names: []string{"references"}}
}

// longest are the references of an expression, without those that are only the
// beginning of the one before: the plan lists "a.b.id", then "a.b".
func longest(expr *jsontree.Node) []string {
	var out []string
	last := ""
	for _, n := range expr.Field("references").Items() {
		s := n.String()
		if last != "" && strings.HasPrefix(last, s) {
			continue
		}
		out, last = append(out, s), s
	}
	return out
}

// unknown is what a value will be that is not known yet: a reference, where its
// expression is one, else the reason. A plan does not say whether an expression
// is a reference alone, or a text with one in it; so only arguments whose name
// says that they take an id, an ARN or a document are taken for references.
func (u *unknowns) unknown(expr *jsontree.Node, name string, at where, depth int) Value {
	refs := longest(expr)
	if expr == nil || len(refs) == 0 {
		return Value{Kind: Unresolved, Why: "it is known only after the plan was carried out"}
	}
	var out []Value
	for _, ref := range refs {
		if len(refs) == 1 || takesReference(name, ref) {
			out = append(out, u.reference(ref, name, at, depth))
		}
	}
	switch plural := strings.HasSuffix(name, "s"); {
	case len(out) != len(refs) || len(out) > 1 && !plural:
		return Value{Kind: Unresolved, Why: "the plan does not say what is made of " + strings.Join(refs, ", ")}
	case plural && strings.HasSuffix(name, "_ids") || strings.HasSuffix(name, "_arns") || name == "security_groups":
		if len(out) == 1 && out[0].Kind != Reference {
			return out[0] // an output that is a list itself
		}
		return Value{Kind: List, List: out}
	}
	return out[0]
}

func takesReference(name, ref string) bool {
	for _, end := range []string{"_id", "_ids", "_arn", "_arns", "_identifier"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return slices.Contains([]string{"id", "arn", "role", "roles", "iam_instance_profile", "security_group", "security_groups", "subnet", "subnets", "identifier"}, name) ||
		strings.HasSuffix(ref, ".json") || strings.HasSuffix(ref, ".minified_json")
}

// reference finds what a name in an expression of the plan stands for.
func (u *unknowns) reference(ref, name string, at where, depth int) Value {
	no := Value{Kind: Unresolved, Why: "the plan does not say what " + ref + " is"}
	if depth > maxNesting {
		return no
	}
	head, rest, _ := strings.Cut(ref, ".")
	switch head {
	case "var":
		if len(at.modules) == 0 {
			return no
		}
		up := where{at.modules[:len(at.modules)-1], at.base}
		last := at.modules[len(at.modules)-1]
		up.base = strings.TrimSuffix(at.base, "module."+last+".")
		call, _, _ := strings.Cut(last, "[")
		field, _, _ := strings.Cut(rest, ".")
		expr := u.module(up.modules).Field("module_calls").Field(call).Field("expressions").Field(field)
		return u.unknown(expr, name, up, depth+1)
	case "module":
		step, output := addressStep(rest)
		in := where{append(slices.Clone(at.modules), step), at.base + "module." + step + "."}
		return u.unknown(u.module(in.modules).Field("outputs").Field(output).Field("expression"), name, in, depth+1)
	case "local", "each", "count", "path", "terraform", "self":
		return no
	}
	if !takesReference(name, ref) || strings.Count(strings.TrimPrefix(ref, "data."), ".") < 2 {
		return no
	}
	return Value{Kind: Reference, Ref: u.prefix + at.base + ref}
}
