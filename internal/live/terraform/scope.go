package terraform

import (
	"slices"

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
	unread  []Unread
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

	each    *pair // nil outside for_each
	count   *Value
	dynamic *binding // iterators of dynamic blocks and for expressions
	anon    []Value  // what a splat goes over
}

// pair is what each stands for.
type pair struct{ key, value Value }

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

// size counts the values that a value is made of. It stops at what nobody can
// pay for, since values that share their parts can be very large.
func size(v Value) int { return sizeTo(&v, 2*maxWork) }

func sizeTo(v *Value, limit int) int {
	n := 1
	for i := range v.List {
		if n > limit {
			break
		}
		n += sizeTo(&v.List[i], limit-n)
	}
	for _, x := range v.Fields {
		if n > limit {
			break
		}
		n += sizeTo(&x, limit-n)
	}
	return n
}

// use pays for a value that is used once more, or for what of it is used.
func (e *evaluator) use(s sized, rest hcl.Traversal, at diag.Pos) Value {
	if len(rest) > 0 {
		s.v = e.steps(s.v, rest, at)
		s.size = size(s.v)
	}
	if !e.spend(s.size) {
		return tooMuch(at)
	}
	return s.v
}

func (sc *scope) with(each *pair, count *Value) *scope {
	c := *sc
	c.each, c.count = each, count
	return &c
}

// binding is a name that stands for a value within an expression; up are those
// around it.
type binding struct {
	name string
	v    Value
	size int // 0: nobody has counted
	up   *binding
}

func (sc *scope) iterating(name string, v Value) *scope {
	c := *sc
	c.dynamic = &binding{name: name, v: v, up: sc.dynamic}
	return &c
}

func (b *binding) find(name string) *binding {
	for ; b != nil && b.name != name; b = b.up {
	}
	return b
}

// bound is what a name within an expression stands for. The expression goes over
// it again and again and shares it, so that a use costs less than what is there.
func (e *evaluator) bound(b *binding, rest hcl.Traversal, at diag.Pos) Value {
	v, n := b.v, b.size
	switch {
	case len(rest) > 0:
		v = e.steps(v, rest, at)
		n = size(v)
	case n == 0:
		n = size(v)
		b.size = n
	}
	if n > maxWork || !e.spend(n/64) {
		return tooMuch(at)
	}
	return v
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

func (e *evaluator) local(sc *scope, name string, rest hcl.Traversal, at diag.Pos) Value {
	m := sc.locals[name]
	if m == nil {
		m = &memo{}
		sc.locals[name] = m
	}
	switch {
	case m.busy:
		return unresolved(at, "local."+name+" is made of itself")
	case m.done:
		return e.use(m.sized, rest, at)
	}
	m.busy = true
	m.v = unresolved(at, "there is no local."+name)
	if a, ok := sc.folder.local(name); ok {
		plain := *sc
		plain.each, plain.count, plain.dynamic, plain.anon = nil, nil, nil, nil
		m.v = e.argument(a, &plain, 0)
	}
	m.size = size(m.v)
	m.busy, m.done = false, true
	return e.steps(m.v, rest, at)
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
