package terraform

import (
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"firebreak/internal/diag"
)

func (e *evaluator) forExpr(x *hclsyntax.ForExpr, sc *scope, depth int, at diag.Pos) Value {
	coll := e.follow(e.eval(x.CollExpr, sc, depth), sc)
	if coll.Kind != List && coll.Kind != Object {
		return unresolved(at, because("what it goes over is not known", coll))
	}
	v := Value{Kind: List, Pos: at}
	if x.KeyExpr != nil {
		v = Value{Kind: Object, Fields: map[string]Value{}, Pos: at}
	}
	why := ""
	each(coll, func(k, item Value) bool {
		in := sc.iterating(x.ValVar, item)
		if x.KeyVar != "" {
			in.dynamic = &binding{name: x.KeyVar, v: k, up: in.dynamic}
		}
		if x.CondExpr != nil {
			c := e.follow(e.eval(x.CondExpr, in, depth), sc)
			is, known := c.True()
			if !known {
				why = because("whether an element counts is not known", c)
				return false
			}
			if !is {
				return true
			}
		}
		y := e.eval(x.ValExpr, in, depth)
		if x.KeyExpr == nil {
			v.List = append(v.List, y)
			return e.spend(1)
		}
		kv := e.follow(e.eval(x.KeyExpr, in, depth), sc)
		key, ok := kv.String()
		if !ok {
			why = because("a key is not known", kv)
			return false
		}
		if x.Group {
			g := v.Fields[key]
			y = Value{Kind: List, List: append(g.List[:len(g.List):len(g.List)], y), Pos: at}
		} else if _, twice := v.Fields[key]; twice {
			why = "two elements have the key " + key // which Terraform refuses
			return false
		}
		v.Fields[key] = y
		return e.spend(1)
	})
	switch {
	case why != "":
		return unresolved(at, why)
	case e.work < 0:
		return tooMuch(at)
	}
	return v
}

// each goes over a list, a set, whose elements are their own keys, or, in the
// order of the keys, an object.
func each(v Value, do func(k, item Value) bool) {
	for i, item := range v.List {
		k := Value{Kind: Number, Text: strconv.Itoa(i), Pos: item.Pos}
		if v.set {
			k = item
		}
		if !do(k, item) {
			return
		}
	}
	for _, name := range v.names() {
		if !do(Value{Kind: String, Text: name, Pos: v.Fields[name].Pos}, v.Fields[name]) {
			return
		}
	}
}

func (e *evaluator) splat(x *hclsyntax.SplatExpr, sc *scope, depth int, at diag.Pos) Value {
	src := e.eval(x.Source, sc, depth)
	switch src.Kind {
	case Unresolved:
		return unresolved(at, src.Why)
	case List:
	case Null:
		return Value{Kind: List, Pos: at}
	default:
		src = Value{Kind: List, List: []Value{src}}
	}
	v := Value{Kind: List, Pos: at}
	for _, item := range src.List {
		in := *sc
		in.anon = append(in.anon[:len(in.anon):len(in.anon)], item)
		v.List = append(v.List, e.eval(x.Each, &in, depth))
	}
	return v
}
