package terraform

import (
	"math/big"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

func nullAt(at diag.Pos) *jsontree.Node { return &jsontree.Node{Pos: at} }

// fromCty takes over a value of the language's own library.
func fromCty(c cty.Value, at diag.Pos) Value {
	c, _ = c.UnmarkDeep()
	v := Value{Pos: at}
	switch {
	case c == cty.NilVal || !c.IsKnown():
		return unresolved(at, "the value is not known")
	case c.IsNull():
	case c.Type() == cty.String:
		v.Kind, v.Text = String, c.AsString()
	case c.Type() == cty.Bool:
		v.Kind, v.Bool = Bool, c.True()
	case c.Type() == cty.Number && tooLarge(c.AsBigFloat()):
		return unresolved(at, "the number is too large")
	case c.Type() == cty.Number:
		v.Kind, v.Text = Number, decimal(c.AsBigFloat())
	case c.Type().IsObjectType() || c.Type().IsMapType():
		v.Kind, v.Fields = Object, map[string]Value{}
		for k, x := range c.AsValueMap() {
			v.Fields[k] = fromCty(x, at)
		}
	case c.CanIterateElements():
		v.Kind, v.set = List, c.Type().IsSetType()
		for _, x := range c.AsValueSlice() {
			v.List = append(v.List, fromCty(x, at))
		}
	default:
		return unresolved(at, "the value is of an unknown type")
	}
	return v
}

// toCty is the other way round; why says what is not known of the value.
func toCty(v Value) (c cty.Value, why string) {
	switch v.Kind {
	case Null:
		return cty.NullVal(cty.DynamicPseudoType), ""
	case Bool:
		return cty.BoolVal(v.Bool), ""
	case Number:
		f, _, err := big.ParseFloat(v.Text, 10, 512, big.ToNearestEven)
		if err != nil || tooLarge(f) {
			return cty.NilVal, "a number cannot be read"
		}
		return cty.NumberVal(f), ""
	case String:
		return cty.StringVal(v.Text), ""
	case List:
		var list []cty.Value
		for _, x := range v.List {
			y, why := toCty(x)
			if why != "" {
				return cty.NilVal, why
			}
			list = append(list, y)
		}
		return cty.TupleVal(list), ""
	case Object:
		fields := map[string]cty.Value{}
		for k, x := range v.Fields {
			y, why := toCty(x)
			if why != "" {
				return cty.NilVal, why
			}
			fields[k] = y
		}
		return cty.ObjectVal(fields), ""
	case Unresolved:
		return cty.NilVal, v.Why
	case Reference:
		return cty.NilVal, v.Ref + " is not known before it exists"
	}
	return cty.NilVal, "a part of the text is not known before it exists"
}

// callCty calls a function of the language's library, or one of its operators.
// What it is given is converted, as the language does: "1" + 1 is 2.
func callCty(f function.Function, args []cty.Value, at diag.Pos) (v Value) {
	given := make([]cty.Value, len(args))
	for i, a := range args {
		given[i] = a
		p := f.VarParam()
		if i < len(f.Params()) {
			p = &f.Params()[i]
		}
		if p == nil {
			continue // one too many: it says so itself
		}
		if as, err := convert.Convert(a, p.Type); err == nil {
			given[i] = as
		}
	}
	c, err := f.Call(given)
	if err != nil {
		return unresolved(at, err.Error())
	}
	return fromCty(c, at)
}

// tooLarge keeps numbers like 1e999999999 from being written out.
func tooLarge(f *big.Float) bool {
	exp := f.MantExp(nil)
	return f.IsInf() || exp > 1024 || exp < -1024
}

// decimal writes a number as Terraform does; whole ones the quick way.
func decimal(f *big.Float) string {
	if i, exact := f.Int64(); exact == big.Exact {
		return strconv.FormatInt(i, 10)
	}
	return f.Text('f', -1)
}
