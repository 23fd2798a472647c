package terraform

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"firebreak/internal/diag"
)

// evaluator knows all folders and what has been worked out so far.
type evaluator struct {
	folders map[string]*folder
	diags   *diag.List
	work    int // how many values may still be made
	modules int // how many calls of modules may still be followed
	out     []Resource
}

func (e *evaluator) spend(n int) bool {
	e.work -= n
	return e.work >= 0
}

func tooMuch(at diag.Pos) Value {
	return unresolved(at, "the configuration makes more values than are read")
}

// scope is one module, called with its variables, and what stands for each and
// count where that is said.
type scope struct {
	folder *folder
	prefix string // of addresses: "shop//module.net."
	above  []string
	vars   map[string]sized
	locals map[string]*memo
	calls  map[string]*call
	made   map[string]*instances

	each    map[string]Value // key and value; nil outside for_each
	count   *Value
	dynamic *binding // iterators of dynamic blocks and for expressions
	anon    []Value  // what a splat goes over
}

// sized is a value and how much of it there is, so that what is used often
// costs often.
type sized struct {
	v    Value
	size int
}

// memo is a value that is worked out when somebody first asks.
type memo struct {
	sized
	busy, done bool
}

func size(v Value) int {
	n := 1
	for _, x := range v.List {
		n += size(x)
	}
	for _, x := range v.Fields {
		n += size(x)
	}
	return n
}

// use pays for a value that is used once more.
func (e *evaluator) use(s sized, at diag.Pos) Value {
	if !e.spend(s.size) {
		return tooMuch(at)
	}
	return s.v
}

func (sc *scope) with(each map[string]Value, count *Value) *scope {
	c := *sc
	c.each, c.count = each, count
	return &c
}

// binding is a name that stands for a value within an expression; up are those
// around it.
type binding struct {
	name string
	v    Value
	up   *binding
}

func (sc *scope) iterating(name string, v Value) *scope {
	c := *sc
	c.dynamic = &binding{name, v, sc.dynamic}
	return &c
}

func (b *binding) find(name string) (Value, bool) {
	for ; b != nil; b = b.up {
		if b.name == name {
			return b.v, true
		}
	}
	return Value{}, false
}

func newScope(f *folder, prefix string, above []string) *scope {
	return &scope{folder: f, prefix: prefix, above: append(slices.Clone(above), f.dir), vars: map[string]sized{},
		locals: map[string]*memo{}, calls: map[string]*call{}, made: map[string]*instances{}}
}

// setVars gives the variables their values: given ones, else their defaults.
func (e *evaluator) setVars(sc *scope, given map[string]Value) {
	for _, b := range sc.folder.of("variable") {
		if len(b.labels) != 1 {
			continue
		}
		name := b.labels[0]
		v, ok := given[name]
		if !ok {
			if a, has := b.args["default"]; has {
				v = e.argument(a, newScope(sc.folder, "", nil), 0)
			} else {
				v = unresolved(b.pos, "the variable "+name+" has no default, and its value is not in the folder")
			}
		}
		sc.vars[name] = sized{v, size(v)}
	}
}

func (e *evaluator) local(sc *scope, name string, at diag.Pos) Value {
	m := sc.locals[name]
	if m == nil {
		m = &memo{}
		sc.locals[name] = m
	}
	switch {
	case m.busy:
		return unresolved(at, "local."+name+" is made of itself")
	case m.done:
		return e.use(m.sized, at)
	}
	m.busy = true
	m.v = unresolved(at, "there is no local."+name)
	for _, b := range sc.folder.of("locals") {
		if a, ok := b.args[name]; ok {
			plain := *sc
			plain.each, plain.count, plain.dynamic, plain.anon = nil, nil, nil, nil
			m.v = e.argument(a, &plain, 0)
		}
	}
	m.size = size(m.v)
	m.busy, m.done = false, true
	return m.v
}

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
	i := &instances{kind: "for_each", each: map[string]Value{}}
	switch v.Kind {
	case Object:
		for k, x := range v.Fields {
			i.each[k] = x
		}
	case List:
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
		return sc.with(map[string]Value{"key": {Kind: String, Text: key, Pos: at}, "value": i.each[key]}, nil)
	}
	return sc.with(nil, nil)
}

// call is a module block and the modules that it makes, by key.
type call struct {
	b      *block
	is     *instances
	scopes map[string]*scope
	why    string // where there are none
	busy   bool
}

func (e *evaluator) call(sc *scope, name string) *call {
	if c := sc.calls[name]; c != nil {
		return c
	}
	c := &call{scopes: map[string]*scope{}, why: "there is no module " + name}
	sc.calls[name] = c
	for _, b := range sc.folder.of("module") {
		if len(b.labels) == 1 && b.labels[0] == name && !b.over {
			c.b = b
		}
	}
	if c.b == nil {
		return c
	}
	c.why = e.enter(c, sc, name)
	return c
}

// enter makes the scopes of a call, or says why not.
func (e *evaluator) enter(c *call, sc *scope, name string) string {
	source, known := "", false
	if a, ok := c.b.args["source"]; ok {
		source, known = e.argument(a, sc.with(nil, nil), 0).String()
	}
	if !known || !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		return fmt.Sprintf("the module %s comes from %q, not from the folder", name, source)
	}
	dir := path.Join(sc.folder.dir, source)
	f := e.folders[dir]
	switch {
	case f == nil:
		return fmt.Sprintf("the module %s is in %q, which is not in the folder", name, dir)
	case slices.Contains(sc.above, dir):
		return fmt.Sprintf("the module %s is a part of itself", name)
	}
	if c.is = e.instances(c.b, sc, "module."+name); c.is.why != "" {
		return c.is.why
	}
	for _, key := range c.is.keys {
		if e.modules--; e.modules < 0 {
			return "there are too many modules"
		}
		in := newScope(f, sc.prefix+"module."+name+c.is.index(key)+".", sc.above)
		given := map[string]Value{}
		at := c.is.scope(sc, key, c.b.pos)
		c.scopes[key] = in
		for arg, a := range c.b.args {
			if !slices.Contains([]string{"source", "version", "count", "for_each", "providers", "depends_on"}, arg) {
				given[arg] = e.argument(a, at, 0)
			}
		}
		e.setVars(in, given)
	}
	return ""
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

// keyword is a name that stands where a value would.
func keyword(a argument, otherwise string) string {
	if a.tree != nil {
		return a.tree.String()
	}
	if w := hcl.ExprAsKeyword(a.expr); w != "" {
		return w
	}
	return otherwise
}
