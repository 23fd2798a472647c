package terraform

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"firebreak/internal/diag"
)

// evaluate makes resources of the configurations in the folders. Each folder
// that none of the others calls as a module is a configuration of its own.
func evaluate(fsys fs.FS, names []string, folders map[string]*folder, several bool, diags *diag.List) *Set {
	e := &evaluator{folders: folders, diags: diags, work: maxWork, modules: maxModules}
	for _, f := range folders {
		e.work += f.bytes
	}
	set := &Set{Outputs: map[string]Value{}, Locals: map[string]Value{}}
	for _, dir := range rootsOf(folders) {
		prefix := rootPrefix(dir, several)
		sc := newScope(folders[dir], prefix, nil)
		e.setVars(sc, e.given(fsys, names, folders[dir], diags))
		e.declare(sc)
		for _, b := range sc.folder.of("output") {
			if len(b.labels) == 1 {
				set.Outputs[prefix+b.labels[0]] = e.argument(b.args["value"].or(b.pos), sc, 0)
			}
		}
		for _, b := range sc.folder.of("locals") {
			for name, a := range b.args {
				set.Locals[prefix+name] = e.local(sc, name, nil, a.pos)
			}
		}
	}
	set.Resources, set.Unread = e.out, e.unread
	return set
}

// rootPrefix is what addresses of a configuration begin with.
func rootPrefix(dir string, several bool) string {
	if !several || dir == "." {
		return ""
	}
	return dir + "//"
}

// rootsOf lists the folders that no other calls, sorted.
func rootsOf(folders map[string]*folder) []string {
	called := map[string]bool{}
	for dir, f := range folders {
		for _, b := range f.of("module") {
			if source := literal(b.args["source"]); strings.HasPrefix(source, ".") {
				called[path.Join(dir, source)] = true
			}
		}
	}
	var out []string
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if !called[dir] {
			out = append(out, dir)
		}
	}
	if len(out) == 0 { // they call each other in a circle
		return slices.Sorted(maps.Keys(folders))
	}
	return out
}

func literal(a argument) string {
	if a.expr == nil && a.tree == nil {
		return ""
	}
	e := &evaluator{work: 100}
	s, _ := e.argument(a, newScope(&folder{}, "", nil), 0).String()
	return s
}

// given are the values in a folder's files of variables, in the order in which
// Terraform takes them.
// https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence
func (e *evaluator) given(fsys fs.FS, names []string, f *folder, diags *diag.List) map[string]Value {
	out := map[string]Value{}
	take := func(name string) {
		args := map[string]argument{}
		if strings.HasSuffix(name, ".json") {
			for _, b := range jsonVars(fsys, name, diags) {
				maps.Copy(args, b.args)
			}
		} else if body, ok := parseBody(fsys, name, diags); ok {
			for k, a := range body.Attributes {
				args[k] = argument{expr: a.Expr, pos: position(a.NameRange)}
			}
		}
		for k, a := range args {
			out[k] = e.argument(a, newScope(&folder{}, "", nil), 0)
		}
	}
	var auto []string
	for _, name := range names {
		if path.Dir(name) != f.dir {
			continue
		}
		if base := path.Base(name); strings.HasSuffix(base, ".auto.tfvars") || strings.HasSuffix(base, ".auto.tfvars.json") {
			auto = append(auto, name)
		}
	}
	for _, base := range []string{"terraform.tfvars", "terraform.tfvars.json"} {
		if name := path.Join(f.dir, base); slices.Contains(names, name) {
			take(name)
		}
	}
	slices.Sort(auto)
	for _, name := range auto {
		take(name)
	}
	return out
}

// declare makes the resources of a module, and of those that it calls.
func (e *evaluator) declare(sc *scope) {
	for _, b := range sc.folder.blocks {
		switch {
		case (b.kind == "resource" || b.kind == "data") && len(b.labels) == 2 && !b.over:
			e.declareResource(b, sc)
		case b.kind == "module" && len(b.labels) == 1 && !b.over:
			c := e.call(sc, b.labels[0])
			if c.why != "" {
				e.diags.Warnf(b.pos, "terraform-unread", "what module %s makes is not read: %s", b.labels[0], c.why).
					WithHelp("lay its files, or a plan or a state of the whole, into the folder")
				e.unread = append(e.unread, Unread{Address: sc.prefix + "module." + b.labels[0], Why: c.why, Pos: b.pos})
				continue
			}
			for _, key := range c.is.keys {
				if in := c.scopes[key]; in != nil {
					e.declare(in)
				}
			}
		}
	}
}

func (e *evaluator) declareResource(b *block, sc *scope) {
	address := b.labels[0] + "." + b.labels[1]
	if b.kind == "data" {
		address = "data." + address
	}
	is := e.instances(b, sc, address)
	r := Resource{Address: sc.prefix + address, Type: b.labels[0], Name: b.labels[1], Data: b.kind == "data", From: Config, Pos: b.pos}
	if is.why != "" {
		r.Body = unresolved(b.pos, "how many of "+r.Address+" there are is not known: "+is.why)
		e.out = append(e.out, r)
		return
	}
	same := e.alike(b, sc, len(is.keys))
	for _, key := range is.keys {
		one := r
		one.Address += is.index(key)
		in := is.scope(sc, key, b.pos)
		one.Body = e.body(b, in, same, 0)
		for _, over := range sc.folder.of(overrides) {
			if over.kind == b.kind && slices.Equal(over.labels, b.labels) {
				maps.Copy(one.Body.Fields, e.body(over, in, nil, 0).Fields)
			}
		}
		e.out = append(e.out, one)
	}
}

// meta are arguments and blocks that are Terraform's own, of every resource.
// https://developer.hashicorp.com/terraform/language/meta-arguments
func meta(name string) bool {
	switch name {
	case "count", "for_each", "depends_on", "provider", "lifecycle", "provisioner", "connection":
		return true
	}
	return false
}

// alike works out the arguments of a block that are the same in all of its
// instances: those that say neither each nor count. They share them.
func (e *evaluator) alike(b *block, sc *scope, instances int) map[string]Value {
	if instances < 2 {
		return nil
	}
	out := map[string]Value{}
	plain := sc.with(nil, nil)
	for name, a := range b.args {
		if a.expr != nil && !meta(name) && !slices.ContainsFunc(a.expr.Variables(), func(t hcl.Traversal) bool {
			return t.RootName() == "each" || t.RootName() == "count"
		}) {
			out[name] = e.argument(a, plain, 0)
		}
	}
	return out
}

// body makes an object of a block. same are arguments that are known already.
func (e *evaluator) body(b *block, sc *scope, same map[string]Value, depth int) Value {
	v := Value{Kind: Object, Fields: make(map[string]Value, min(len(b.args), 8)), Pos: b.pos}
	if depth > maxNesting {
		return tooMuch(b.pos)
	}
	for name, a := range b.args {
		if depth > 0 || !meta(name) {
			x, known := same[name]
			if !known {
				x = e.argument(a, sc, 0)
			}
			if depth == 0 && nested(name) && x.Kind == Object && a.tree != nil {
				x = Value{Kind: List, List: []Value{x}, Pos: x.Pos}
			}
			if x.Kind == Null && depth == 0 && !b.over {
				continue // as if it were not there; in an override it takes away
			}
			v.Fields[name] = x
		}
	}
	for _, inner := range b.blocks {
		name, values := inner.kind, []Value(nil)
		switch {
		case depth == 0 && meta(name):
			continue
		case name == "dynamic" && len(inner.labels) == 1:
			name = inner.labels[0]
			more, why := e.dynamic(inner, sc, depth)
			if why != "" {
				v.Fields[name] = unresolved(inner.pos, why)
				continue
			}
			values = more
		default:
			values = []Value{e.body(inner, sc, nil, depth+1)}
		}
		have := v.Fields[name]
		if have.Kind != Unresolved {
			v.Fields[name] = Value{Kind: List, List: append(have.List[:len(have.List):len(have.List)], values...), Pos: inner.pos}
		}
	}
	return v
}

// dynamic makes the blocks of a dynamic one.
func (e *evaluator) dynamic(b *block, sc *scope, depth int) ([]Value, string) {
	is := e.forEachOf(b, sc)
	if is.why != "" {
		return nil, is.why
	}
	iterator := b.labels[0]
	if a, ok := b.args["iterator"]; ok {
		iterator = keyword(a, iterator)
	}
	var out []Value
	for _, key := range is.keys {
		for _, content := range b.blocks {
			if content.kind == "content" {
				out = append(out, e.body(content, sc.iterating(iterator, is.each[key]), nil, depth+1))
			}
		}
	}
	return out, ""
}
