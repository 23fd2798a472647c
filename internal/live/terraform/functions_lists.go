package terraform

import (
	"slices"
	"strings"

	"firebreak/internal/diag"
)

func gathered(name string, args []Value, at diag.Pos) Value {
	v := Value{Kind: List, Pos: at}
	if name == "flatten" {
		for _, a := range args {
			v.List = flat(a, v.List)
		}
		return v
	}
	for _, a := range args {
		if a.Kind != List {
			return unresolved(at, because("what is joined is not known", a))
		}
		v.List = append(v.List, a.List...)
	}
	return v
}

func flat(v Value, to []Value) []Value {
	if v.Kind != List {
		return append(to, v)
	}
	for _, x := range v.List {
		to = flat(x, to)
	}
	return to
}

// setOf makes a set of a list: texts that are known are sorted, and there once.
func setOf(v Value) Value {
	if v.Kind != List {
		return v
	}
	v.set = true
	for _, x := range v.List {
		if _, known := x.String(); !known {
			return v
		}
	}
	v.List = slices.Clone(v.List)
	slices.SortFunc(v.List, func(a, b Value) int { return strings.Compare(text(a), text(b)) })
	v.List = slices.CompactFunc(v.List, func(a, b Value) bool { return text(a) == text(b) })
	return v
}

func text(v Value) string {
	s, _ := v.String()
	return s
}

// product is setproduct: every choice of one element of each list. The last list
// changes fastest. Of sets it is a set.
func (e *evaluator) product(args []Value, at diag.Pos) Value {
	n, sets := 1, true
	for _, a := range args {
		if a.Kind != List {
			return unresolved(at, because("what is multiplied is not known", a))
		}
		sets = sets && a.set
		if n *= len(a.List); n > maxText {
			return tooMuch(at)
		}
	}
	if len(args) < 2 || !e.spend(n*len(args)) {
		return tooMuch(at)
	}
	v := Value{Kind: List, Pos: at, set: sets}
	for i := range n {
		one := make([]Value, len(args))
		for k := len(args) - 1; k >= 0; k-- {
			list := args[k].List
			one[k] = list[i%len(list)]
			i /= len(list)
		}
		v.List = append(v.List, Value{Kind: List, List: one, Pos: at})
	}
	return v
}
