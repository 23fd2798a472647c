package terraform

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"firebreak/internal/diag"
)

// function calls a function. Those that put values together work on references
// too; the others need to know what they are given.
func (e *evaluator) function(x *hclsyntax.FunctionCallExpr, sc *scope, depth int, at diag.Pos) Value {
	if x.Name == "try" {
		return e.try(x, sc, depth, at)
	}
	var args []Value
	for _, a := range x.Args {
		args = append(args, e.eval(a, sc, depth))
	}
	if x.ExpandFinal && len(args) > 0 {
		last := args[len(args)-1]
		if last.Kind != List {
			return unresolved(at, because("the list of arguments is not known", last))
		}
		args = append(args[:len(args)-1:len(args)-1], last.List...)
	}
	if v, ok := e.structural(x.Name, args, at); ok {
		return v
	}
	f, ok := library(x.Name)
	if !ok {
		return unresolved(at, "the function "+x.Name+" is not worked out")
	}
	given := make([]cty.Value, len(args))
	n := 0
	for i, a := range args {
		c, why := toCty(e.follow(a, sc))
		if why != "" {
			return unresolved(at, why)
		}
		given[i] = c
		n += size(a) + len(a.Text)/64
	}
	if !e.spend(n) {
		return tooMuch(at)
	}
	return callCty(f, given, at)
}

func (e *evaluator) try(x *hclsyntax.FunctionCallExpr, sc *scope, depth int, at diag.Pos) Value {
	v := unresolved(at, "none of the values can be worked out")
	for _, a := range x.Args {
		if v = e.eval(a, sc, depth); v.Kind != Unresolved {
			break
		}
	}
	return v
}

// structural are the functions that put values together, whatever they are.
func (e *evaluator) structural(name string, args []Value, at diag.Pos) (Value, bool) {
	n := 0
	for _, a := range args {
		switch name {
		case "merge", "flatten", "concat", "lookup": // what is in the elements is shared
			n += 1 + len(a.List) + len(a.Fields)
		default:
			n += size(a)
		}
		if a.Kind == Unresolved && name != "jsonencode" {
			return unresolved(at, a.Why), true
		}
	}
	if !e.spend(n) {
		return tooMuch(at), true
	}
	switch {
	case name == "jsonencode" && len(args) == 1:
		return encode(args[0], at), true
	case name == "toset" && len(args) == 1 && args[0].Kind == List:
		return setOf(args[0]), true
	case name == "tolist" && len(args) == 1 && args[0].Kind == List:
		v := args[0]
		v.set = false
		return v, true
	case slices.Contains([]string{"tolist", "toset", "tomap", "sensitive", "nonsensitive", "tostring", "tonumber", "tobool"}, name) && len(args) == 1:
		return args[0], name == "tolist" || name == "toset" || name == "tomap" || args[0].Kind == Reference || args[0].Kind == Template || len(name) > 8
	case name == "merge":
		return merged(args, at), true
	case name == "setproduct":
		return e.product(args, at), true
	case name == "setunion":
		return setOf(gathered(name, args, at)), true
	case name == "concat" || name == "flatten":
		return gathered(name, args, at), true
	case name == "distinct" || name == "compact" || name == "sort":
		_, why := toCty(Value{Kind: List, List: args})
		return firstOr(args, at), why != "" && len(args) == 1
	case name == "values" && len(args) == 1 && args[0].Kind == Object:
		v := Value{Kind: List, Pos: at}
		each(args[0], func(_, x Value) bool { v.List = append(v.List, x); return true })
		return v, true
	case name == "keys" && len(args) == 1 && args[0].Kind == Object:
		v := Value{Kind: List, Pos: at}
		each(args[0], func(k, _ Value) bool { v.List = append(v.List, k); return true })
		return v, true
	case name == "index" && len(args) == 2 && args[0].Kind == List:
		want, known := args[1].String()
		for i, x := range args[0].List {
			if s, ok := x.String(); !ok || !known {
				break
			} else if s == want {
				return Value{Kind: Number, Text: strconv.Itoa(i), Pos: at}, true
			}
		}
		return unresolved(at, "the element's place in the list is not known"), true
	case name == "length" && len(args) == 1 && (args[0].Kind == List || args[0].Kind == Object):
		return Value{Kind: Number, Text: strconv.Itoa(len(args[0].List) + len(args[0].Fields)), Pos: at}, true
	case name == "one" && len(args) == 1 && args[0].Kind == List && len(args[0].List) == 1:
		return args[0].List[0], true
	case name == "coalesce":
		for _, a := range args {
			if a.Set() {
				return a, true
			}
		}
	case name == "lookup" && len(args) >= 2 && args[0].Kind == Object:
		key, ok := args[1].String()
		if f, has := args[0].Fields[key]; ok && has {
			return f, true
		}
		return firstOr(args[2:], at), ok && len(args) == 3
	case name == "element" && len(args) == 2 && args[0].Kind == List && len(args[0].List) > 0:
		i, ok := args[1].Int()
		if ok && i >= 0 {
			return args[0].List[i%len(args[0].List)], true
		}
	}
	return Value{}, false
}

func firstOr(args []Value, at diag.Pos) Value {
	if len(args) == 0 {
		return unresolved(at, "an argument is missing")
	}
	return args[0]
}

func merged(args []Value, at diag.Pos) Value {
	n := 0
	for i := range args {
		n += len(args[i].Fields)
	}
	v := Value{Kind: Object, Fields: make(map[string]Value, n), Pos: at}
	for _, a := range args {
		if a.Kind != Object && a.Kind != Null {
			return unresolved(at, because("what is merged is not known", a))
		}
		for k, x := range a.Fields {
			v.Fields[k] = x
		}
	}
	return v
}

// encode makes the text of a JSON document, or keeps the document where it is
// not all known.
func encode(v Value, at diag.Pos) Value {
	plain, ok := plainJSON(v)
	if !ok {
		return Value{Kind: JSON, List: []Value{v}, Pos: at}
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return unresolved(at, "the value is no JSON")
	}
	return Value{Kind: String, Text: string(text), Pos: at}
}

func plainJSON(v Value) (any, bool) {
	switch v.Kind {
	case Null:
		return nil, true
	case Bool:
		return v.Bool, true
	case Number:
		return json.Number(v.Text), true
	case String:
		return v.Text, true
	case List:
		out := make([]any, 0, len(v.List))
		for _, x := range v.List {
			y, ok := plainJSON(x)
			if !ok {
				return nil, false
			}
			out = append(out, y)
		}
		return out, true
	case Object:
		out := map[string]any{}
		for k, x := range v.Fields {
			y, ok := plainJSON(x)
			if !ok {
				return nil, false
			}
			out[k] = y
		}
		return out, true
	}
	return nil, false
}

// library are the functions of Terraform that its own library has under the same
// meaning. Those that could make much of little (range, and formats, which may
// name a width) are left out or bounded by what they are given.
func library(name string) (function.Function, bool) {
	f, ok := map[string]function.Function{
		"lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "title": stdlib.TitleFunc, "trimspace": stdlib.TrimSpaceFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "trim": stdlib.TrimFunc, "split": stdlib.SplitFunc,
		"join": stdlib.JoinFunc, "substr": stdlib.SubstrFunc, "strrev": stdlib.ReverseFunc, "chomp": stdlib.ChompFunc,
		"min": stdlib.MinFunc, "max": stdlib.MaxFunc, "abs": stdlib.AbsoluteFunc, "floor": stdlib.FloorFunc, "ceil": stdlib.CeilFunc,
		"length": stdlib.LengthFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "compact": stdlib.CompactFunc,
		"sort": stdlib.SortFunc, "reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "zipmap": stdlib.ZipmapFunc,
		"setsubtract": stdlib.SetSubtractFunc, "setintersection": stdlib.SetIntersectionFunc, "jsondecode": stdlib.JSONDecodeFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"format": formatFunc(), "cidrsubnet": cidrSubnetFunc(), "cidrhost": cidrHostFunc(), "replace": replaceFunc(),
	}[name]
	return f, ok
}
