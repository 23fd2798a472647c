package terraform

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	reader "firebreak/internal/live/terraform"
)

// tally counts what was compared.
type tally struct {
	Resources int // of the configuration, data sources too
	Values    int // texts, references and the like of the configuration that plans and states have, too
	Documents int // JSON documents, compared as trees
	Sources   int // data sources
	Later     int // values that a plan does not know before it is applied
	Open      int // values that the reader does not know of the configuration
	Lost      int // values that it knows of the configuration, but not of what was applied
}

// String is one line for a log.
func (n *tally) String() string {
	return fmt.Sprintf("%d resources (%d data sources seen): %d values agreed, %d documents, %d known after apply, %d unresolved in the configuration, %d lost", n.Resources, n.Sources, n.Values, n.Documents, n.Later, n.Open, n.Lost)
}

func (n *tally) add(m *tally) {
	n.Resources += m.Resources
	n.Values += m.Values
	n.Documents += m.Documents
	n.Sources += m.Sources
	n.Later += m.Later
	n.Open += m.Open
	n.Lost += m.Lost
}

// comparison is one of a configuration with a plan or a state.
type comparison struct {
	t           *testing.T
	n           *tally
	where       string
	plan        bool // what is compared is one, alone or not
	config, set *reader.Set
	quiet       bool // while it only tries
	wrong       int
}

func (n *tally) compareAll(t *testing.T, where string, config, set *reader.Set) {
	t.Helper()
	c := &comparison{t: t, n: n, where: where, plan: strings.Contains(where, "tfplan"), config: config, set: set}
	for i := range config.Resources {
		want := &config.Resources[i]
		got := set.At(want.Address)
		switch {
		case got == nil && want.Data && c.plan: // it may be read when the plan is applied
			n.Later++
			continue
		case got == nil:
			c.fail("there is no %s", want.Address)
			continue
		case want.Data:
			n.Sources++
		}
		for name, v := range want.Body.Fields {
			if v.Set() {
				c.value(want.Address+"."+name, v, got.Body.Field(name))
			}
		}
	}
}

func (c *comparison) fail(format string, args ...any) {
	c.wrong++
	if !c.quiet {
		c.t.Errorf(c.where+": "+format, args...)
	}
}

func (c *comparison) count(n *int) {
	if !c.quiet {
		*n++
	}
}

// value compares what the configuration says with what the other source has.
func (c *comparison) value(at string, want, got reader.Value) {
	switch {
	case want.Kind == reader.Unresolved:
		c.count(&c.n.Open)
		if !c.quiet {
			c.t.Logf("%s: %s", at, want.Why)
		}
		return
	case c.document(at, want, got):
		return
	case got.Kind == reader.Unresolved && c.plan:
		c.count(&c.n.Later)
		return
	case got.Kind == reader.Unresolved:
		c.count(&c.n.Lost)
		c.fail("%s is not known: %s", at, got.Why)
		return
	}
	switch want.Kind {
	case reader.List:
		c.list(at, want, got)
	case reader.Object:
		for name, v := range want.Fields {
			if v.Set() {
				c.value(at+"."+name, v, got.Field(name))
			}
		}
	case reader.Reference:
		c.reference(at, want, got)
	default:
		a, known := c.text(want, c.config)
		b, ok := c.text(got, c.set)
		switch {
		case known && (!ok || a != b):
			c.fail("%s is %q, not %q", at, b, a)
		case !known && !ok && got.Kind != want.Kind:
			c.fail("%s is %+v, not %+v", at, got, want)
		}
		c.count(&c.n.Values)
	}
}

func (c *comparison) reference(at string, want, got reader.Value) {
	c.count(&c.n.Values)
	r, attr, ok := c.set.Resolve(want.Ref)
	switch {
	case !ok || attr == "":
	case c.set.Same(got, r):
	case got.Kind == reader.Reference && r.Data:
	default: // an attribute that is no id, no ARN and no name: what is it?
		a, known := c.set.Known(want).String()
		if b, have := got.String(); !known || !have || a != b {
			c.fail("%s is %+v, not %s", at, got, want.Ref)
		}
	}
}

// list finds for each element one that agrees: sets come in any order.
func (c *comparison) list(at string, want, got reader.Value) {
	list := got.Items()
	if got.Kind == reader.Object {
		list = []reader.Value{got}
	}
	if len(list) != len(want.List) {
		c.fail("%s has %d elements, not %d", at, len(list), len(want.List))
		return
	}
	used := make([]bool, len(list))
	for i, v := range want.List {
		found := -1
		for d := range list {
			k := (i + d) % len(list)
			if !used[k] && c.agrees(v, list[k]) {
				found = k
				break
			}
		}
		if found < 0 {
			c.value(fmt.Sprintf("%s[%d]", at, i), v, list[i])
			continue
		}
		used[found] = true
		c.value(fmt.Sprintf("%s[%d]", at, i), v, list[found])
	}
}

func (c *comparison) agrees(want, got reader.Value) bool {
	quiet, wrong := c.quiet, c.wrong
	c.quiet, c.wrong = true, 0
	c.value("", want, got)
	ok := c.wrong == 0
	c.quiet, c.wrong = quiet, wrong
	return ok
}

// document compares texts that are JSON documents, or that a data source makes.
func (c *comparison) document(at string, want, got reader.Value) bool {
	isText := want.Kind == reader.JSON || want.Kind == reader.Reference && strings.HasSuffix(want.Ref, ".json") || want.Kind == reader.String && strings.HasPrefix(want.Text, "{")
	if !isText {
		return false
	}
	a, b := c.config.Document(want), c.set.Document(got)
	why, _ := b.Doubt()
	switch {
	case a.Kind == reader.Unresolved:
		c.count(&c.n.Open)
	case why != "" && c.plan:
		c.count(&c.n.Later)
	default:
		c.count(&c.n.Documents)
		c.tree(at, a, b)
	}
	return true
}

// tree compares documents. What is one and what is a list of one are the same.
func (c *comparison) tree(at string, want, got reader.Value) {
	if want.Kind == reader.List && got.Kind != reader.List && len(want.List) == 1 {
		want = want.List[0]
	} else if got.Kind == reader.List && want.Kind != reader.List && len(got.List) == 1 {
		got = got.List[0]
	}
	switch want.Kind {
	case reader.Object:
		for name, v := range want.Fields {
			c.tree(at+"."+name, v, got.Field(name))
		}
		for name := range got.Fields {
			if _, has := want.Fields[name]; !has {
				c.fail("%s has %s, too", at, name)
			}
		}
	case reader.List:
		if len(want.List) != len(got.Items()) {
			c.fail("%s has %d elements, not %d", at, len(got.Items()), len(want.List))
			return
		}
		if c.sameTexts(want.List, got.List) {
			c.count(&c.n.Values)
			return
		}
		for i := range want.List {
			c.tree(fmt.Sprintf("%s[%d]", at, i), want.List[i], got.List[i])
		}
	default:
		a, known := c.text(want, c.set) // what the references of the configuration are there
		b, ok := c.text(got, c.set)
		if known && ok && a != b || known != ok && !c.plan {
			c.fail("%s is %q, not %q (%+v)", at, b, a, want)
		}
		c.count(&c.n.Values)
	}
}

// sameTexts reports whether lists hold the same texts, in any order.
func (c *comparison) sameTexts(want, got []reader.Value) bool {
	var a, b []string
	for i := range want {
		x, known := c.text(want[i], c.set)
		y, ok := c.text(got[i], c.set)
		if !known || !ok {
			return false
		}
		a, b = append(a, x), append(b, y)
	}
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// text is the text of a value, references followed in a set.
func (c *comparison) text(v reader.Value, in *reader.Set) (string, bool) {
	if v.Kind != reader.Template {
		return in.Known(v).String()
	}
	var b strings.Builder
	for _, p := range v.List {
		s, ok := c.text(p, in)
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}
