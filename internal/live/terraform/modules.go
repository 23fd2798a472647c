package terraform

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

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
