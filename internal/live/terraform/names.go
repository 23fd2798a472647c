package terraform

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"firebreak/internal/diag"
)

// traversal works out what begins with a name: a variable, a local value, a
// resource.
func (e *evaluator) traversal(t hcl.Traversal, sc *scope, at diag.Pos) Value {
	root, rest := t.RootName(), t[1:]
	if b := sc.dynamic.find(root); b != nil {
		return e.bound(b, rest, at)
	}
	name := ""
	if len(rest) > 0 {
		if a, ok := rest[0].(hcl.TraverseAttr); ok {
			name = a.Name
		}
	}
	if name == "" {
		return unresolved(at, "the name "+root+" means nothing here")
	}
	switch root {
	case "var":
		v, ok := sc.vars[name]
		if !ok {
			return unresolved(at, "there is no variable "+name)
		}
		return e.use(v, rest[1:], at)
	case "local":
		return e.local(sc, name, rest[1:], at)
	case "each":
		var v Value
		switch {
		case sc.each != nil && name == "key":
			v = sc.each.key
		case sc.each != nil && name == "value":
			v = sc.each.value
		default:
			return unresolved(at, "there is no each."+name+" here")
		}
		if v = e.steps(v, rest[1:], at); !e.spend(size(v)) {
			return tooMuch(at)
		}
		return v
	case "count":
		if sc.count == nil || name != "index" {
			return unresolved(at, "there is no count."+name+" here")
		}
		return *sc.count
	case "module":
		return e.module(sc, name, rest[1:], at)
	case "data":
		return e.resource(sc, "data", "data."+name, rest[1:], at)
	case "path", "terraform", "self":
		return unresolved(at, root+"."+name+" is known only where Terraform runs")
	}
	return e.resource(sc, "resource", root, rest, at)
}

// resource is what a name of a resource stands for: a reference; one of each
// instance where there are several.
func (e *evaluator) resource(sc *scope, kind, of string, rest hcl.Traversal, at diag.Pos) Value {
	if len(rest) == 0 {
		return unresolved(at, "a type of resources is no value")
	}
	a, ok := rest[0].(hcl.TraverseAttr)
	if !ok {
		return unresolved(at, "a type of resources has no keys")
	}
	address := of + "." + a.Name
	b := sc.folder.declared(kind, strings.TrimPrefix(of, "data."), a.Name)
	if b == nil {
		return unresolved(at, "there is no "+address+" in the configuration")
	}
	is := e.instances(b, sc, address)
	ref := func(key string) Value {
		return Value{Kind: Reference, Ref: sc.prefix + address + is.index(key), Pos: at}
	}
	var v Value
	switch {
	case is.why != "":
		v = unresolved(at, is.why)
		if len(rest) > 1 { // one instance, named outright
			if i, ok := rest[1].(hcl.TraverseIndex); ok {
				v = Value{Kind: Reference, Ref: sc.prefix + address, Pos: at}
				return e.steps(e.index(v, fromCty(i.Key, at), at), rest[2:], at)
			}
		}
	case is.kind == "":
		v = ref("")
	case is.kind == "count":
		v = Value{Kind: List, Pos: at}
		for _, k := range is.keys {
			v.List = append(v.List, ref(k))
		}
	default:
		v = Value{Kind: Object, Fields: map[string]Value{}, Pos: at}
		for _, k := range is.keys {
			v.Fields[k] = ref(k)
		}
	}
	if !e.spend(size(v)) {
		return tooMuch(at)
	}
	return e.steps(v, rest[1:], at)
}

// module is what module.NAME stands for: an object of its outputs, or one for
// each of its instances.
func (e *evaluator) module(sc *scope, name string, rest hcl.Traversal, at diag.Pos) Value {
	c := e.call(sc, name)
	if c.why != "" || c.busy {
		return unresolved(at, c.why)
	}
	key := ""
	if c.is.kind != "" {
		if len(rest) == 0 {
			return unresolved(at, "all instances of a module together are not worked out")
		}
		i, ok := rest[0].(hcl.TraverseIndex)
		if !ok {
			return unresolved(at, "all instances of a module together are not worked out")
		}
		key, _ = fromCty(i.Key, at).String()
		rest = rest[1:]
	}
	in := c.scopes[key]
	if in == nil || len(rest) == 0 {
		return unresolved(at, "there is no such instance of module "+name)
	}
	a, ok := rest[0].(hcl.TraverseAttr)
	if !ok {
		return unresolved(at, "a module has no keys")
	}
	for _, b := range in.folder.of("output") {
		if len(b.labels) == 1 && b.labels[0] == a.Name {
			c.busy = true
			v := e.argument(b.args["value"].or(b.pos), in, 0)
			c.busy = false
			return e.steps(v, rest[1:], at)
		}
	}
	return unresolved(at, "module "+name+" has no output "+a.Name)
}

// follow replaces a reference to an argument that the configuration gives by
// what it gives: whoever works with a value needs it. id and arn are given by
// nobody, and stay.
func (e *evaluator) follow(v Value, sc *scope) Value {
	for range 8 {
		if v.Kind != Reference || !strings.HasPrefix(v.Ref, sc.prefix) {
			return v
		}
		parts := strings.SplitN(strings.TrimPrefix(v.Ref, sc.prefix), ".", 4)
		kind := "resource"
		if parts[0] == "data" {
			kind, parts = "data", parts[1:]
		}
		if len(parts) != 3 || !plainName(parts[1]) || !plainName(parts[2]) {
			return v
		}
		b := sc.folder.declared(kind, parts[0], parts[1])
		if b == nil || kind == "data" {
			return v
		}
		a, ok := b.args[parts[2]]
		if !ok || !e.spend(1) {
			return v
		}
		m := sc.locals["\x00"+v.Ref]
		if m == nil {
			m = &memo{}
			sc.locals["\x00"+v.Ref] = m
		}
		if m.busy {
			return v
		}
		m.busy = true
		next := e.argument(a, sc.with(nil, nil), 0)
		m.busy = false
		if next.Kind == Unresolved || next.Kind == Null {
			return v
		}
		v = next
	}
	return v
}

func plainName(s string) bool { return !strings.ContainsAny(s, `["`) }

// or is the argument, or one that is not there.
func (a argument) or(at diag.Pos) argument {
	if a.expr == nil && a.tree == nil {
		return argument{tree: nullAt(at), pos: at}
	}
	return a
}
