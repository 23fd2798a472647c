package nftables

import (
	"encoding/json"
	"fmt"
	"slices"

	"firebreak/internal/flow"
)

// only complains of fields that nobody reads.
func only(o map[string]any, known ...string) error {
	for field := range o {
		if !slices.Contains(known, field) {
			return fmt.Errorf("the field %q is not understood", field)
		}
	}
	return nil
}

func (r *ruleset) addTable(o map[string]any, family, name string, line int) error {
	if r.table(family, name) == nil {
		t := &table{family: family, name: name, line: line, sets: map[string]*set{}}
		t.dormant = slices.Contains(words(o["flags"]), "dormant")
		r.tables = append(r.tables, t)
	}
	// owner and persist say who may change a table, not what it does
	return only(o, "family", "name", "handle", "flags", "comment")
}

// words are a text or a list of texts.
func words(v any) []string {
	if s, is := v.(string); is {
		return []string{s}
	}
	var out []string
	list, _ := v.([]any)
	for _, x := range list {
		if s, is := x.(string); is {
			out = append(out, s)
		}
	}
	return out
}

func (t *table) addChain(o map[string]any, name string, line int) error {
	c := t.chain(name)
	if c == nil {
		c = &chain{name: name, line: line}
		t.chains = append(t.chains, c)
	}
	c.kind, _ = o["type"].(string)
	c.hook, _ = o["hook"].(string)
	policy, _ := o["policy"].(string)
	c.drop = policy == "drop"
	if policy != "" && policy != "drop" && policy != "accept" {
		c.doubt = fmt.Sprintf("the policy %q is not understood", policy)
	}
	if err := only(o, "family", "table", "name", "handle", "type", "hook", "prio", "policy", "dev", "comment"); err != nil {
		c.doubt = err.Error()
	}
	return nil
}

// ruleText is what a rule says, wherever it stands.
type ruleText struct {
	chain, name string // name: that of the policy's rule, or its handle; may be empty
	expr        []any
}

func (p *parsed) asRule() *ruleText {
	if p.rule != nil {
		return p.rule
	}
	o, r := p.object, &ruleText{}
	r.chain, _ = o["chain"].(string)
	r.expr, _ = o["expr"].([]any)
	if r.name, _ = o["comment"].(string); r.name == "" {
		if h, is := o["handle"].(json.Number); is {
			r.name = "handle " + h.String()
		}
	}
	if err := only(o, "family", "table", "chain", "handle", "expr", "comment"); err != nil {
		r.expr = []any{map[string]any{err.Error(): nil}}
	}
	p.rule = r
	return r
}

func (t *table) addRule(from *parsed, file string, line int) error {
	r := from.asRule()
	c := t.chain(r.chain)
	if c == nil {
		return fmt.Errorf("a rule of a chain %q that is not there", r.chain)
	}
	if c.about == "" {
		c.about = t.family + " " + t.name + " " + c.name
	}
	s := &statements{from: from, ref: flow.Rule{Policy: c.about, Rule: r.name, File: file, Line: line}, expr: r.expr}
	if s.ref.Rule == "" {
		s.ref.Rule = fmt.Sprintf("rule %d", len(c.rules)+1)
	}
	c.rules = append(c.rules, s)
	return nil
}

func (l *lifter) addSet(t *table, c *parsed, name string) error {
	o := c.object
	if s := l.sets[c]; s != nil {
		t.sets[name] = s
		return nil
	}
	s := &set{groups: map[string][]group{}}
	s.elems, _ = o["elem"].([]any)
	switch what := o["map"].(type) {
	case nil:
	case string:
		s.verdicts = what == "verdict"
	}
	for _, f := range words(o["flags"]) {
		if f == "dynamic" || f == "timeout" {
			s.doubt = fmt.Sprintf("the set %s changes by itself (%s)", name, f)
		}
	}
	if o["timeout"] != nil {
		s.doubt = fmt.Sprintf("the elements of %s go after some time", name)
	}
	if err := only(o, "family", "table", "name", "handle", "type", "map", "flags", "elem", "policy", "size", "gc-interval", "auto-merge", "comment", "timeout"); err != nil {
		s.doubt = fmt.Sprintf("set %s: %v", name, err)
	}
	t.sets[name] = s
	l.sets[c] = s
	return nil
}

func (t *table) addElements(o map[string]any, name string) error {
	was := t.sets[name]
	if was == nil {
		return fmt.Errorf("elements of a set %q that is not there", name)
	}
	more, _ := o["elem"].([]any)
	t.sets[name] = &set{verdicts: was.verdicts, doubt: was.doubt, elems: slices.Concat(was.elems, more), groups: map[string][]group{}}
	return nil
}
