package terraform

import (
	"io/fs"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// labelsOf says how many names stand between a kind of block and its body.
// https://developer.hashicorp.com/terraform/language/syntax/json
func labelsOf(kind string) int {
	switch kind {
	case "resource", "data":
		return 2
	case "module", "variable", "output", "provider":
		return 1
	}
	return 0
}

func readJSONConfig(fsys fs.FS, name string, diags *diag.List) []*block {
	root, at, err := jsontree.Read(fsys, name)
	if err != nil {
		diags.Errorf(at, "json-syntax", "this is not JSON: %v", err)
		return nil
	}
	var out []*block
	for _, kind := range root.Names {
		out = jsonBlocks(kind, nil, labelsOf(kind), root.Fields[kind], out)
	}
	return out
}

// jsonBlocks takes apart what stands below a kind: names, then bodies, each of
// which may be a list of several.
func jsonBlocks(kind string, labels []string, more int, n *jsontree.Node, out []*block) []*block {
	if n.Kind == jsontree.List {
		for _, e := range n.List {
			out = jsonBlocks(kind, labels, more, e, out)
		}
		return out
	}
	if n.Kind != jsontree.Object {
		return out
	}
	if more > 0 {
		for _, name := range n.Names {
			out = jsonBlocks(kind, append(labels[:len(labels):len(labels)], name), more-1, n.Fields[name], out)
		}
		return out
	}
	b := &block{kind: kind, labels: labels, args: map[string]argument{}, pos: n.Pos}
	for _, name := range n.Names {
		if name != "//" { // a comment
			b.args[name] = argument{tree: n.Fields[name], pos: n.Fields[name].Pos}
		}
	}
	return append(out, b)
}

// nested are block types whose body JSON may give as one object where there is
// one block only. JSON does not tell them from arguments that are maps, and this
// room knows no provider's schema: these are those that its readers ask for.
func nested(name string) bool {
	switch name {
	case "ingress", "egress", "statement", "principals", "not_principals", "condition", "filter", "entry", "route",
		"network_interface", "attachment", "vpc_config", "listener", "forward", "target", "default_action", "dns_options":
		return true
	}
	return false
}

// tree evaluates a value of a JSON configuration: texts are templates.
func (e *evaluator) tree(n *jsontree.Node, sc *scope, depth int) Value {
	if depth > maxNesting || !e.spend(1) {
		return tooMuch(n.Pos)
	}
	v := Value{Pos: n.Pos}
	switch n.Kind {
	case jsontree.Bool:
		v.Kind, v.Bool = Bool, n.Bool
	case jsontree.Number:
		v.Kind, v.Text = Number, n.Text
	case jsontree.String:
		return e.templateText(n, sc)
	case jsontree.List:
		v.Kind = List
		for _, x := range n.List {
			v.List = append(v.List, e.tree(x, sc, depth+1))
		}
	case jsontree.Object:
		v.Kind, v.Fields = Object, map[string]Value{}
		for name, x := range n.Fields {
			v.Fields[name] = e.tree(x, sc, depth+1)
			if nested(name) && v.Fields[name].Kind == Object {
				v.Fields[name] = Value{Kind: List, List: []Value{v.Fields[name]}, Pos: x.Pos}
			}
		}
	}
	return v
}

func (e *evaluator) templateText(n *jsontree.Node, sc *scope) Value {
	text := []byte(n.Text)
	if err := tooDeep(text); err != nil {
		return unresolved(n.Pos, err.Error())
	}
	x, found := hclsyntax.ParseTemplate(text, n.Pos.File, hcl.Pos{Line: n.Pos.Line, Column: n.Pos.Col, Byte: 0})
	if found.HasErrors() {
		return unresolved(n.Pos, "the text is no template that can be read")
	}
	v := e.eval(x, sc, 0)
	v.Pos = n.Pos
	return v
}

// jsonVars reads a .tfvars.json as one block.
func jsonVars(fsys fs.FS, name string, diags *diag.List) []*block {
	root, at, err := jsontree.Read(fsys, name)
	if err != nil {
		diags.Errorf(at, "json-syntax", "this is not JSON: %v", err)
		return nil
	}
	return jsonBlocks("", nil, 0, root, nil)
}
