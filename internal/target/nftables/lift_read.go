package nftables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"firebreak/internal/flow"
)

// ruleset is what one host's kernel holds.
type ruleset struct {
	tables []*table
	// doubts are what was read and not understood, beside rules.
	doubts []doubt
}

type doubt struct {
	line int
	why  string
}

type table struct {
	family, name string
	line         int
	dormant      bool
	chains       []*chain
	sets         map[string]*set
}

type chain struct {
	name, kind, hook string
	drop             bool // the policy of a base chain
	doubt            string
	line             int
	rules            []*statements
}

// statements are one rule.
type statements struct {
	ref  flow.Rule
	expr []any
}

// set is a set or a map.
type set struct {
	verdicts bool
	doubt    string
	elems    []any
	groups   map[string][]group // by what the key is asked for; see walker.lookup
}

func (t *table) chain(name string) *chain {
	i := slices.IndexFunc(t.chains, func(c *chain) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return t.chains[i]
}

func (r *ruleset) table(family, name string) *table {
	i := slices.IndexFunc(r.tables, func(t *table) bool { return t.family == family && t.name == name })
	if i < 0 {
		return nil
	}
	return r.tables[i]
}

// read takes a file apart, command by command. Sets with the same bytes become
// one set, over all files.
func (l *lifter) read(file string, data []byte) (*ruleset, error) {
	r := &ruleset{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := open(d, '{', "nftables", '['); err != nil {
		return r, err
	}
	line, at := 1, int64(0)
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return r, err
		}
		start := d.InputOffset() - int64(len(raw))
		line += bytes.Count(data[at:start], []byte("\n"))
		at = start
		if err := l.command(r, file, line, raw); err != nil {
			r.doubts = append(r.doubts, doubt{line, err.Error()})
		}
	}
	for _, want := range []json.Delim{']', '}'} {
		if t, err := d.Token(); err != nil || t != want {
			return r, errors.Join(fmt.Errorf("want %s at the end", want), err)
		}
	}
	return r, nil
}

func open(d *json.Decoder, want ...any) error {
	for _, w := range want {
		if c, is := w.(rune); is {
			w = json.Delim(c)
		}
		t, err := d.Token()
		if err != nil {
			return err
		}
		if t != w {
			return fmt.Errorf("this is not what nft writes: want %v, there is %v", w, t)
		}
	}
	return nil
}

// command applies one command. A bare object, as `list ruleset` has them, adds.
func (l *lifter) command(r *ruleset, file string, line int, raw json.RawMessage) error {
	var c map[string]json.RawMessage
	if err := json.Unmarshal(raw, &c); err != nil || len(c) != 1 {
		return fmt.Errorf("a command that is not one object: %.60s", raw)
	}
	for verb, body := range c {
		switch verb {
		case "metainfo":
			return nil
		case "add", "create":
			return l.command(r, file, line, body)
		case "delete", "flush":
			return r.remove(verb, body)
		case "insert", "replace", "rename", "reset", "list", "destroy":
			return fmt.Errorf("the command %q is not followed", verb)
		default:
			return l.object(r, file, line, verb, body)
		}
	}
	return nil
}

// remove follows deleting or flushing a whole table, or everything.
func (r *ruleset) remove(verb string, body json.RawMessage) error {
	var c map[string]*struct{ Family, Name string }
	if err := json.Unmarshal(body, &c); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	for kind, what := range c {
		switch {
		case kind == "ruleset" && verb == "flush":
			r.tables = nil
		case kind == "table" && verb == "delete" && what != nil:
			r.tables = slices.DeleteFunc(r.tables, func(t *table) bool { return t.family == what.Family && t.name == what.Name })
		default:
			return fmt.Errorf("the command %q of a %s is not followed", verb, kind)
		}
	}
	return nil
}

// Objects that rules may use, and that decide nothing by themselves: the man
// page of nft, STATEFUL OBJECTS and FLOWTABLES (only what is established is
// offloaded).
var idle = []string{"counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "secmark", "synproxy", "flowtable", "tunnel"}

func (l *lifter) object(r *ruleset, file string, line int, kind string, body json.RawMessage) error {
	if slices.Contains(idle, kind) {
		return nil
	}
	var o map[string]any
	if err := decode(body, &o); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	family, _ := o["family"].(string)
	name, _ := o["name"].(string)
	if kind == "table" {
		return r.addTable(o, family, name, line)
	}
	owner, _ := o["table"].(string)
	t := r.table(family, owner)
	if t == nil {
		return fmt.Errorf("%s: there is no table %s %s", kind, family, owner)
	}
	switch kind {
	case "chain":
		return t.addChain(o, name, line)
	case "rule":
		return t.addRule(o, file, line)
	case "set", "map":
		return l.addSet(t, o, name, body)
	case "element":
		return t.addElements(o, name)
	}
	return fmt.Errorf("objects of the kind %q are not understood", kind)
}

func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return d.Decode(into)
}

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

func (t *table) addRule(o map[string]any, file string, line int) error {
	in, _ := o["chain"].(string)
	c := t.chain(in)
	if c == nil {
		return fmt.Errorf("a rule of a chain %q that is not there", in)
	}
	s := &statements{ref: flow.Rule{Policy: t.family + " " + t.name + " " + in, File: file, Line: line}}
	s.expr, _ = o["expr"].([]any)
	if s.ref.Rule, _ = o["comment"].(string); s.ref.Rule == "" {
		s.ref.Rule = fmt.Sprintf("rule %d", len(c.rules)+1)
		if h, is := o["handle"].(json.Number); is {
			s.ref.Rule = "handle " + h.String()
		}
	}
	if err := only(o, "family", "table", "chain", "handle", "expr", "comment"); err != nil {
		s.expr = []any{map[string]any{err.Error(): nil}}
	}
	c.rules = append(c.rules, s)
	return nil
}

func (l *lifter) addSet(t *table, o map[string]any, name string, body json.RawMessage) error {
	if s := l.sets[string(body)]; s != nil {
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
	l.sets[string(body)] = s
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
