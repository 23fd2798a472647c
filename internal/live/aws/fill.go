package aws

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// fill writes what an answer says into a struct of the same names. Fields of
// type diag.Pos get the place of their object, those of type Unread the names
// of the fields that the struct has not. A null leaves the zero value. The error
// names what is of another type than the API has it.
func fill(n *jsontree.Node, to any) error { return into(n, reflect.ValueOf(to).Elem()) }

func into(n *jsontree.Node, v reflect.Value) error {
	if n == nil || n.Kind == jsontree.Null {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return into(n, v.Elem())
	case reflect.Struct:
		return intoStruct(n, v)
	case reflect.Slice:
		if n.Kind != jsontree.List {
			return wrongType(n, "a list")
		}
		out := reflect.MakeSlice(v.Type(), len(n.List), len(n.List))
		for i, e := range n.List {
			if err := into(e, out.Index(i)); err != nil {
				return err
			}
		}
		v.Set(out)
	case reflect.String:
		if n.Kind != jsontree.String {
			return wrongType(n, "a text")
		}
		v.SetString(n.Text)
	case reflect.Bool:
		if n.Kind != jsontree.Bool {
			return wrongType(n, "true or false")
		}
		v.SetBool(n.Bool)
	case reflect.Int:
		i, err := strconv.ParseInt(n.Text, 10, 64)
		if n.Kind != jsontree.Number || err != nil {
			return wrongType(n, "a whole number")
		}
		v.SetInt(i)
	}
	return nil
}

func intoStruct(n *jsontree.Node, v reflect.Value) error {
	if n.Kind != jsontree.Object {
		return wrongType(n, "an object")
	}
	known := map[string]bool{}
	var unread reflect.Value
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case diag.Pos:
			f.Set(reflect.ValueOf(n.Pos))
			continue
		case Unread:
			unread = f
			continue
		}
		name := fieldName(n, v.Type().Field(i).Name)
		known[name] = true
		if err := into(n.Field(name), f); err != nil {
			return err
		}
	}
	if unread.IsValid() {
		var names []string
		for _, name := range n.Names {
			if !known[name] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		unread.Set(reflect.ValueOf(Unread(names)))
	}
	return nil
}

// fieldName is the API's name of a field: EC2 and IAM begin theirs with a large
// letter, Lattice and EKS with a small one.
func fieldName(n *jsontree.Node, name string) string {
	small := string(name[0]|0x20) + name[1:]
	if n.Field(name) == nil && n.Field(small) != nil {
		return small
	}
	return name
}

type typeError struct {
	pos  diag.Pos
	what string
}

// Error says what was expected.
func (e *typeError) Error() string { return fmt.Sprintf("there has to be %s here", e.what) }

func wrongType(n *jsontree.Node, what string) error { return &typeError{n.Pos, what} }
