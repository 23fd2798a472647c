package terraform

import (
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// Document returns the JSON document that a value is the text of, as a tree: of
// a String by reading it, of what jsonencode made as it was written, and of a
// reference to the json attribute of an aws_iam_policy_document as AWS would be
// given it (Version, Statement with Sid, Effect, Principal, Action, Resource,
// Condition and their Not… forms; what is one or several stands as a List).
// What cannot be known of it is Unresolved, and so is the whole where it is no
// JSON at all.
func (s *Set) Document(v Value) Value {
	if v.Kind == Reference {
		if r, attr, ok := s.Resolve(v.Ref); ok && r.Data && r.Type == "aws_iam_policy_document" && (attr == "json" || attr == "minified_json") {
			return policyDocument(r)
		}
	}
	switch v = s.Known(v); v.Kind {
	case JSON:
		return v.List[0]
	case String:
		return parseJSONText(v)
	case Reference:
		return unresolved(v.Pos, "the document is "+v.Ref+", which is not known before it exists")
	case Unresolved:
		return v
	}
	return unresolved(v.Pos, "it is no JSON document")
}

func unresolved(at diag.Pos, why string) Value { return Value{Kind: Unresolved, Why: why, Pos: at} }

func parseJSONText(v Value) Value {
	n, _, err := jsontree.Parse(v.Pos.File, []byte(v.Text))
	if err != nil {
		return unresolved(v.Pos, "it is no JSON document: "+err.Error())
	}
	return placed(fromTree(n, 0), v.Pos)
}

// placed gives a whole document the place where its text stands: within a text
// of another file there are no lines.
func placed(v Value, at diag.Pos) Value {
	v.Pos = at
	for i := range v.List {
		v.List[i] = placed(v.List[i], at)
	}
	for k, x := range v.Fields {
		v.Fields[k] = placed(x, at)
	}
	return v
}

// policyDocument is what the data source makes of its statements.
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
func policyDocument(r *Resource) Value {
	if text, ok := r.Attribute("json").String(); ok && !r.Attribute("statement").Set() {
		return parseJSONText(Value{Kind: String, Text: text, Pos: r.Pos})
	}
	if why := r.Body; why.Kind == Unresolved {
		return why
	}
	for _, name := range []string{"source_json", "override_json", "source_policy_documents", "override_policy_documents"} {
		if x := r.Attribute(name); x.Set() {
			return unresolved(x.Pos, r.Address+" is made of other documents ("+name+"), which is not read")
		}
	}
	out := Value{Kind: Object, Fields: map[string]Value{}, Pos: r.Pos}
	out.Fields["Version"] = textOr(r.Attribute("version"), "2012-10-17", r.Pos)
	if id := r.Attribute("policy_id"); id.Set() {
		out.Fields["Id"] = id
	}
	statements := r.Attribute("statement")
	if statements.Kind == Unresolved {
		return statements
	}
	list := Value{Kind: List, Pos: statements.Pos}
	for _, st := range statements.Items() {
		list.List = append(list.List, statement(st))
	}
	out.Fields["Statement"] = list
	return out
}

func textOr(v Value, otherwise string, at diag.Pos) Value {
	if v.Set() {
		return v
	}
	return Value{Kind: String, Text: otherwise, Pos: at}
}

func statement(st Value) Value {
	out := Value{Kind: Object, Fields: map[string]Value{}, Pos: st.Pos}
	for _, f := range [][2]string{{"sid", "Sid"}, {"actions", "Action"}, {"not_actions", "NotAction"}} {
		if v := st.Field(f[0]); v.Set() {
			out.Fields[f[1]] = v
		}
	}
	for _, f := range [][2]string{{"resources", "Resource"}, {"not_resources", "NotResource"}} {
		if v := st.Field(f[0]); v.Set() {
			out.Fields[f[1]] = variables(v)
		}
	}
	out.Fields["Effect"] = textOr(st.Field("effect"), "Allow", st.Pos)
	for _, f := range [][2]string{{"principals", "Principal"}, {"not_principals", "NotPrincipal"}} {
		if v := st.Field(f[0]); v.Set() {
			out.Fields[f[1]] = principals(v)
		}
	}
	if v := st.Field("condition"); v.Set() {
		out.Fields["Condition"] = conditions(v)
	}
	for name := range st.Fields {
		if !strings.Contains(" sid effect actions not_actions resources not_resources principals not_principals condition ", " "+name+" ") {
			out.Fields[name] = unresolved(st.Fields[name].Pos, "a statement of a policy document has no "+name)
		}
	}
	return out
}

// variables writes IAM's variables as IAM does: in blocks they are &{…}, since
// ${…} is Terraform's.
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document#context-variable-interpolation
func variables(v Value) Value {
	v.Text = strings.ReplaceAll(v.Text, "&{", "${")
	if v.Kind != List && v.Kind != Template {
		return v
	}
	v.List = slices.Clone(v.List)
	for i := range v.List {
		v.List[i] = variables(v.List[i])
	}
	return v
}

// principals are {"AWS": [...]}; one of type "*" for "*" is everybody.
func principals(v Value) Value {
	if v.Kind != List {
		return unresolved(v.Pos, because("the principals are not known", v))
	}
	out := Value{Kind: Object, Fields: map[string]Value{}, Pos: v.Pos}
	for _, p := range v.List {
		kind, ok := p.Field("type").String()
		ids := variables(p.Field("identifiers"))
		if !ok || ids.Kind != List {
			return unresolved(p.Pos, "the principals are not known")
		}
		if kind == "*" && len(v.List) == 1 && len(ids.List) == 1 && ids.List[0].Text == "*" {
			return Value{Kind: String, Text: "*", Pos: p.Pos}
		}
		have := out.Fields[kind]
		out.Fields[kind] = Value{Kind: List, List: append(have.List[:len(have.List):len(have.List)], ids.List...), Pos: p.Pos}
	}
	return out
}

// conditions are {"StringEquals": {"key": [...]}}.
func conditions(v Value) Value {
	if v.Kind != List {
		return unresolved(v.Pos, because("the conditions are not known", v))
	}
	out := Value{Kind: Object, Fields: map[string]Value{}, Pos: v.Pos}
	for _, c := range v.List {
		test, ok1 := c.Field("test").String()
		variable, ok2 := c.Field("variable").String()
		if !ok1 || !ok2 || c.Field("values").Kind != List {
			return unresolved(c.Pos, "a condition is not known")
		}
		of, ok := out.Fields[test]
		if !ok {
			of = Value{Kind: Object, Fields: map[string]Value{}, Pos: c.Pos}
		}
		have := of.Fields[variable]
		of.Fields[variable] = Value{Kind: List, List: append(have.List[:len(have.List):len(have.List)], variables(c.Field("values")).List...), Pos: c.Pos}
		out.Fields[test] = of
	}
	return out
}
