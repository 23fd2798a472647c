package lang

import (
	"reflect"

	"firebreak/internal/diag"
)

// mover copies nodes, with every place in them moved to a file and by a number
// of lines. What has no place is shared between copy and original.
type mover struct {
	file string
	by   int
}

func (m mover) dir(d *Dir) *Dir {
	return &Dir{
		Zones: moveAll(m, d.Zones), Services: moveAll(m, d.Services), Externals: moveAll(m, d.Externals), Policies: moveAll(m, d.Policies),
		Guardrails: moveAll(m, d.Guardrails), Exceptions: moveAll(m, d.Exceptions), Cases: moveAll(m, d.Cases),
	}
}

func moveAll[T any](m mover, nodes []*T) []*T {
	if nodes == nil {
		return nil
	}
	out := make([]*T, len(nodes))
	for i, n := range nodes {
		one := *n
		m.move(reflect.ValueOf(&one).Elem())
		out[i] = &one
	}
	return out
}

var (
	posType  = reflect.TypeFor[diag.Pos]()
	nodeType = reflect.TypeFor[Dir]() // a type of this package
)

// move corrects the places in v, which is a copy already. What v leads to, and
// has places as well, is copied first. It goes by type and not by name, so that
// no field can be forgotten.
func (m mover) move(v reflect.Value) {
	switch t := v.Type(); {
	case t == posType:
		if pos := v.Addr().Interface().(*diag.Pos); pos.File != "" {
			pos.File, pos.Line = m.file, pos.Line+m.by
		}
	case v.Kind() == reflect.Struct && t.PkgPath() == nodeType.PkgPath():
		for i := range v.NumField() {
			m.move(v.Field(i))
		}
	case v.Kind() == reflect.Pointer && t.Elem().PkgPath() == nodeType.PkgPath() && !v.IsNil():
		one := reflect.New(t.Elem())
		one.Elem().Set(v.Elem())
		m.move(one.Elem())
		v.Set(one)
	case v.Kind() == reflect.Slice && hasPlace(t.Elem()) && !v.IsNil():
		all := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(all, v)
		for i := range v.Len() {
			m.move(all.Index(i))
		}
		v.Set(all)
	}
}

// hasPlace reports whether entries of that type may have places in them.
func hasPlace(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t.PkgPath() == nodeType.PkgPath()
}
