package terraform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"firebreak/internal/diag"
)

func (e *evaluator) argument(a argument, sc *scope, depth int) Value {
	if a.expr == nil {
		return e.tree(a.tree, sc, depth)
	}
	return e.eval(a.expr, sc, depth)
}

// eval works out an expression as far as it can be known without a provider.
func (e *evaluator) eval(x hclsyntax.Expression, sc *scope, depth int) Value {
	at := position(x.Range())
	if depth > maxNesting || !e.spend(1) {
		return tooMuch(at)
	}
	depth++
	switch x := x.(type) {
	case *hclsyntax.LiteralValueExpr:
		return fromCty(x.Val, at)
	case *hclsyntax.ParenthesesExpr:
		return e.eval(x.Expression, sc, depth)
	case *hclsyntax.TemplateWrapExpr:
		return e.eval(x.Wrapped, sc, depth)
	case *hclsyntax.TemplateExpr:
		return e.template(x, sc, depth, at)
	case *hclsyntax.ScopeTraversalExpr:
		return e.traversal(x.Traversal, sc, at)
	case *hclsyntax.RelativeTraversalExpr:
		return e.steps(e.eval(x.Source, sc, depth), x.Traversal, at)
	case *hclsyntax.IndexExpr:
		return e.index(e.eval(x.Collection, sc, depth), e.eval(x.Key, sc, depth), at)
	case *hclsyntax.TupleConsExpr:
		v := Value{Kind: List, Pos: at}
		for _, y := range x.Exprs {
			v.List = append(v.List, e.eval(y, sc, depth))
		}
		return v
	case *hclsyntax.ObjectConsExpr:
		return e.object(x, sc, depth, at)
	case *hclsyntax.ObjectConsKeyExpr:
		if word, ok := x.Wrapped.(*hclsyntax.ScopeTraversalExpr); ok && len(word.Traversal) == 1 && !x.ForceNonLiteral {
			return Value{Kind: String, Text: word.Traversal.RootName(), Pos: at} // what the next one would say, sooner
		}
		if word := hcl.ExprAsKeyword(x.Wrapped); word != "" && !x.ForceNonLiteral {
			return Value{Kind: String, Text: word, Pos: at}
		}
		return e.eval(x.Wrapped, sc, depth)
	case *hclsyntax.FunctionCallExpr:
		return e.function(x, sc, depth, at)
	case *hclsyntax.ConditionalExpr:
		return e.conditional(x, sc, depth, at)
	case *hclsyntax.BinaryOpExpr:
		return e.operate(x.Op, at, e.eval(x.LHS, sc, depth), e.eval(x.RHS, sc, depth))
	case *hclsyntax.UnaryOpExpr:
		return e.operate(x.Op, at, e.eval(x.Val, sc, depth))
	case *hclsyntax.ForExpr:
		return e.forExpr(x, sc, depth, at)
	case *hclsyntax.SplatExpr:
		return e.splat(x, sc, depth, at)
	case *hclsyntax.AnonSymbolExpr:
		if len(sc.anon) > 0 {
			return sc.anon[len(sc.anon)-1]
		}
	}
	return unresolved(at, "the expression is of a kind that is not worked out")
}

func (e *evaluator) template(x *hclsyntax.TemplateExpr, sc *scope, depth int, at diag.Pos) Value {
	parts := make([]Value, 0, len(x.Parts))
	n := 0
	for _, p := range x.Parts {
		v := e.follow(e.eval(p, sc, depth), sc)
		switch v.Kind {
		case String, Number, Bool:
			s, _ := v.String()
			v = Value{Kind: String, Text: s, Pos: v.Pos}
			n += len(s)
		case Reference:
		case Template:
			parts = append(parts, v.List...)
			continue
		case Unresolved:
			return unresolved(at, v.Why)
		default:
			return unresolved(at, "a part of the text is no text")
		}
		parts = append(parts, v)
	}
	if n > maxText || !e.spend(n/64) {
		return tooMuch(at)
	}
	return joinParts(parts, at)
}

// joinParts makes one text of what is known side by side.
func joinParts(parts []Value, at diag.Pos) Value {
	var text strings.Builder
	if !slices.ContainsFunc(parts, func(p Value) bool { return p.Kind != String }) {
		for i := range parts {
			text.WriteString(parts[i].Text)
		}
		return Value{Kind: String, Text: text.String(), Pos: at}
	}
	var out []Value
	flush := func() {
		if text.Len() > 0 {
			out = append(out, Value{Kind: String, Text: text.String(), Pos: at})
			text.Reset()
		}
	}
	for _, p := range parts {
		if p.Kind == String {
			text.WriteString(p.Text)
			continue
		}
		flush()
		out = append(out, p)
	}
	flush()
	switch {
	case len(out) == 0:
		return Value{Kind: String, Pos: at}
	case len(out) == 1:
		out[0].Pos = at
		return out[0]
	}
	return Value{Kind: Template, List: out, Pos: at}
}

func (e *evaluator) object(x *hclsyntax.ObjectConsExpr, sc *scope, depth int, at diag.Pos) Value {
	v := Value{Kind: Object, Fields: make(map[string]Value, len(x.Items)), Pos: at}
	for _, item := range x.Items {
		k := e.follow(e.eval(item.KeyExpr, sc, depth), sc)
		key, ok := k.String()
		if !ok {
			return unresolved(at, because("a key is not known", k))
		}
		v.Fields[key] = e.eval(item.ValueExpr, sc, depth)
	}
	return v
}

func (e *evaluator) conditional(x *hclsyntax.ConditionalExpr, sc *scope, depth int, at diag.Pos) Value {
	c := e.follow(e.eval(x.Condition, sc, depth), sc)
	is, known := c.True()
	switch {
	case !known:
		return unresolved(at, because("the condition is not known", c))
	case is:
		return e.eval(x.TrueResult, sc, depth)
	}
	return e.eval(x.FalseResult, sc, depth)
}

func (e *evaluator) operate(op *hclsyntax.Operation, at diag.Pos, operands ...Value) Value {
	args := make([]cty.Value, len(operands))
	for i, v := range operands {
		c, why := toCty(v)
		if why != "" {
			return unresolved(at, why)
		}
		args[i] = c
	}
	return callCty(op.Impl, args, at)
}

func (e *evaluator) index(v, key Value, at diag.Pos) Value {
	k, ok := key.String()
	if !ok {
		return unresolved(at, because("the key is not known", key))
	}
	if v.Kind == Reference && key.Kind == String {
		v.Ref += "[" + strconv.Quote(k) + "]"
		v.Pos = at
		return v
	}
	return e.step(v, k, key.Kind == Number, at)
}

// steps follows attributes and keys from a value.
func (e *evaluator) steps(v Value, t hcl.Traversal, at diag.Pos) Value {
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseAttr:
			v = e.step(v, s.Name, false, at)
		case hcl.TraverseIndex:
			v = e.index(v, fromCty(s.Key, at), at)
		default:
			return unresolved(at, "the expression is of a kind that is not worked out")
		}
	}
	return v
}

// step takes one field or element. Beyond a reference lies a longer one.
func (e *evaluator) step(v Value, key string, number bool, at diag.Pos) Value {
	switch v.Kind {
	case Unresolved:
		return v
	case Reference:
		v.Pos = at
		switch {
		case number:
			v.Ref += "[" + key + "]"
		case hclsyntax.ValidIdentifier(key):
			v.Ref += "." + key
		default:
			v.Ref += "[" + strconv.Quote(key) + "]"
		}
		return v
	case List:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v.List) {
			return v.List[i]
		}
	case Object:
		if f, ok := v.Fields[key]; ok {
			return f
		}
	}
	return unresolved(at, "there is no "+strconv.Quote(key)+" in the value")
}
