package terraform

import (
	"errors"
	"math/big"
	"net/netip"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

var wide = regexp.MustCompile(`%[-+ #0]*(\*|[0-9]{4,}|[0-9]*\.[0-9]{4,})`)

// formatFunc is format without widths of a thousand and more.
func formatFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "format", Type: cty.String}},
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if wide.MatchString(args[0].AsString()) {
				return cty.NilVal, errors.New("the format asks for a very wide value")
			}
			return stdlib.Format(args[0], args[1:]...)
		},
	})
}

// replaceFunc replaces texts. Patterns between slashes, which Terraform takes for
// regular expressions, are not worked out.
func replaceFunc() function.Function {
	text := func(name string) function.Parameter { return function.Parameter{Name: name, Type: cty.String} }
	return function.New(&function.Spec{
		Params: []function.Parameter{text("string"), text("search"), text("replace")},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
				return cty.NilVal, errors.New("replace with a regular expression is not worked out")
			}
			if strings.Count(s, old)*len(with)+len(s) > maxText {
				return cty.NilVal, errors.New("the text becomes too long")
			}
			return cty.StringVal(strings.ReplaceAll(s, old, with)), nil
		},
	})
}

// cidrSubnetFunc is cidrsubnet(prefix, newbits, netnum).
// https://developer.hashicorp.com/terraform/language/functions/cidrsubnet
func cidrSubnetFunc() function.Function {
	return cidrFunc(3, func(p netip.Prefix, n []*big.Int) (string, error) {
		if !n[0].IsInt64() || n[0].Sign() < 0 || n[0].Int64() > int64(p.Addr().BitLen()-p.Bits()) {
			return "", errors.New("the prefix has not that many bits left")
		}
		bits := p.Bits() + int(n[0].Int64())
		a, err := plus(p, bits, n[1])
		return netip.PrefixFrom(a, bits).String(), err
	})
}

// cidrHostFunc is cidrhost(prefix, hostnum).
// https://developer.hashicorp.com/terraform/language/functions/cidrhost
func cidrHostFunc() function.Function {
	return cidrFunc(2, func(p netip.Prefix, n []*big.Int) (string, error) {
		i := n[0]
		if i.Sign() < 0 { // counted from the end
			i = new(big.Int).Add(i, new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits())))
		}
		a, err := plus(p, p.Addr().BitLen(), i)
		return a.String(), err
	})
}

// plus is the i-th part of p that has so many bits.
func plus(p netip.Prefix, bits int, i *big.Int) (netip.Addr, error) {
	if i.Sign() < 0 || i.BitLen() > bits-p.Bits() {
		return netip.Addr{}, errors.New("the number does not fit into the prefix")
	}
	raw := p.Masked().Addr().AsSlice()
	sum := new(big.Int).Add(new(big.Int).SetBytes(raw), new(big.Int).Lsh(i, uint(p.Addr().BitLen()-bits)))
	a, _ := netip.AddrFromSlice(sum.FillBytes(raw))
	return a, nil
}

func cidrFunc(n int, work func(netip.Prefix, []*big.Int) (string, error)) function.Function {
	spec := &function.Spec{Params: []function.Parameter{{Name: "prefix", Type: cty.String}}, Type: function.StaticReturnType(cty.String)}
	for range n - 1 {
		spec.Params = append(spec.Params, function.Parameter{Name: "number", Type: cty.Number})
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := netip.ParsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		var numbers []*big.Int
		for _, a := range args[1:] {
			f := a.AsBigFloat()
			i, _ := f.Int(nil)
			if !f.IsInt() || i.BitLen() > 128 {
				return cty.NilVal, errors.New("it takes a whole number")
			}
			numbers = append(numbers, i)
		}
		s, err := work(p.Masked(), numbers)
		return cty.StringVal(s), err
	}
	return function.New(spec)
}
