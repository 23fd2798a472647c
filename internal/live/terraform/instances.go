package terraform

import (
	"maps"
	"slices"
	"strconv"

	"firebreak/internal/diag"
)

// keys are the instances of a block with for_each or count: one without either
// has the one key "". why says what keeps them from being known.
type instances struct {
	kind string // "", "count" or "for_each"
	keys []string
	each map[string]Value
	why  string
}

func (e *evaluator) instances(b *block, sc *scope, memoAs string) *instances {
	if i := sc.made[memoAs]; i != nil {
		return i
	}
	i := &instances{why: "it depends on how many of itself there are"}
	sc.made[memoAs] = i // until it is known
	plain := sc.with(nil, nil)
	got := &instances{keys: []string{""}}
	if a, ok := b.args["count"]; ok {
		got = e.counted(e.argument(a, plain, 0))
	} else if a, ok := b.args["for_each"]; ok {
		got = e.forEach(e.argument(a, plain, 0))
	}
	*i = *got
	return i
}

func (e *evaluator) counted(v Value) *instances {
	n, ok := v.Int()
	if !ok || n < 0 || !e.spend(n) {
		return &instances{kind: "count", why: because("its count is not known", v)}
	}
	i := &instances{kind: "count"}
	for k := range n {
		i.keys = append(i.keys, strconv.Itoa(k))
	}
	return i
}

func (e *evaluator) forEach(v Value) *instances {
	i := &instances{kind: "for_each", each: v.Fields}
	switch v.Kind {
	case Object:
	case List:
		i.each = make(map[string]Value, len(v.List))
		for _, x := range v.List {
			s, ok := x.String()
			if !ok {
				return &instances{kind: "for_each", why: because("a key of its for_each is not known", x)}
			}
			i.each[s] = x
		}
	default:
		return &instances{kind: "for_each", why: because("its for_each is not known", v)}
	}
	if !e.spend(len(i.each)) {
		return &instances{kind: "for_each", why: "there are too many of it"}
	}
	i.keys = slices.Sorted(maps.Keys(i.each))
	return i
}

func because(what string, v Value) string {
	if v.Kind == Unresolved {
		return what + ": " + v.Why
	}
	if v.Kind == Reference {
		return what + ": it is " + v.Ref
	}
	return what
}

// index is how an address writes a key.
func (i *instances) index(key string) string {
	switch i.kind {
	case "count":
		return "[" + key + "]"
	case "for_each":
		return "[" + strconv.Quote(key) + "]"
	}
	return ""
}

// scope is that of one instance.
func (i *instances) scope(sc *scope, key string, at diag.Pos) *scope {
	switch i.kind {
	case "count":
		return sc.with(nil, &Value{Kind: Number, Text: key, Pos: at})
	case "for_each":
		return sc.with(&pair{Value{Kind: String, Text: key, Pos: at}, i.each[key]}, nil)
	}
	return sc.with(nil, nil)
}

// forEachOf is what a dynamic block goes over: unlike resources it may be a list
// of anything, whose keys are its indexes. What each holds is the iterator.
func (e *evaluator) forEachOf(b *block, sc *scope) *instances {
	a, ok := b.args["for_each"]
	if !ok {
		return &instances{why: "a dynamic block has no for_each"}
	}
	v := e.argument(a, sc, 0)
	if v.Kind != List && v.Kind != Object {
		return &instances{why: because("what a dynamic block goes over is not known", v)}
	}
	if !e.spend(size(v)) {
		return &instances{why: "there are too many of it"}
	}
	i := &instances{kind: "dynamic", each: map[string]Value{}}
	each(v, func(k, item Value) bool {
		key := strconv.Itoa(len(i.keys))
		i.keys = append(i.keys, key)
		i.each[key] = Value{Kind: Object, Fields: map[string]Value{"key": k, "value": item}, Pos: b.pos}
		return true
	})
	return i
}
