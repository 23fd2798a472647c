package nftables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"firebreak/internal/diag"
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
	about            string // what its rules are called by; empty until there is one
	identity         int    // see lifter.identity
}

// statements are one rule.
type statements struct {
	from *parsed
	ref  flow.Rule
	expr []any
}

// set is a set or a map.
type set struct {
	verdicts bool
	doubt    string
	elems    []any
	groups   map[string][]group // by what the key is asked for; see walker.lookup
	number   int                // see lifter.numbered; 0: none yet
	selves   *bool              // see ofSelves; nil: not known yet
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

// parsed is one command, taken apart. Commands with the same bytes are one.
type parsed struct {
	verb, kind string
	object     map[string]any
	err        error
	whole      bool // it is one JSON object
	number     int  // see lifter.numbered; 0: none yet
	refs       *refs
	rule       *ruleText // see asRule; nil: not asked for yet
}

// located is a command and its line.
type located struct {
	*parsed
	line int
}

// parser takes files apart; several goroutines may use it.
type parser struct {
	mu    sync.RWMutex
	known map[string]*parsed
}

// file takes one apart, command by command, as far as it can be read.
func (p *parser) file(data []byte) (out []located, err error) {
	if out, whole := p.whole(data); whole {
		return out, nil
	}
	return p.carefully(data)
}

// carefully takes apart what there is of a file that is not as it should be.
func (p *parser) carefully(data []byte) (out []located, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := open(d, '{', "nftables", '['); err != nil {
		return nil, err
	}
	line, at := 1, int64(0)
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return out, err
		}
		start := d.InputOffset() - int64(len(raw))
		line += bytes.Count(data[at:start], []byte("\n"))
		at = start
		out = append(out, located{p.command(raw), line})
	}
	for _, want := range []json.Delim{']', '}'} {
		if t, err := d.Token(); err != nil || t != want {
			return out, errors.Join(fmt.Errorf("want %s at the end", want), err)
		}
	}
	return out, nil
}

func (p *parser) command(raw json.RawMessage) *parsed {
	p.mu.RLock()
	c := p.known[string(raw)]
	p.mu.RUnlock()
	if c != nil {
		return c
	}
	c = takeApart(raw)
	p.mu.Lock()
	defer p.mu.Unlock()
	if was := p.known[string(raw)]; was != nil {
		return was
	}
	p.known[string(raw)] = c
	return c
}

// takeApart finds the verb, the kind and the object of a command. A bare object,
// as `list ruleset` has them, is added.
func takeApart(raw json.RawMessage) *parsed {
	c := &parsed{verb: "add"}
	rest, elements := plainElements(raw)
	if elements == nil {
		rest = raw
	}
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(rest))
	d.UseNumber()
	err := d.Decode(&o)
	if c.whole = err == nil && d.InputOffset() == int64(len(rest)); err != nil || len(o) != 1 {
		c.err = fmt.Errorf("a command that is not one object: %.60s", raw)
		return c
	}
	for word, body := range o {
		inner, is := body.(map[string]any)
		if verbs[word] {
			c.verb = word
			if !is || len(inner) != 1 {
				c.err = fmt.Errorf("the command %q is not about one object", word)
				return c
			}
			for word, body = range inner {
				inner, _ = body.(map[string]any)
			}
		}
		c.kind, c.object = word, inner
	}
	if elements != nil && c.object != nil {
		c.object["elem"] = elements
	}
	return c
}

var verbs = map[string]bool{"add": true, "create": true, "delete": true, "flush": true, "insert": true, "replace": true, "rename": true, "reset": true, "list": true, "destroy": true}

// assemble applies the commands of a file.
func (l *lifter) assemble(file string, commands []located) *ruleset {
	r := &ruleset{}
	for _, c := range commands {
		err := c.err
		if err == nil {
			err = l.apply(r, file, c)
		}
		if err != nil {
			r.doubts = append(r.doubts, doubt{c.line, err.Error()})
		}
	}
	return r
}

func (l *lifter) apply(r *ruleset, file string, c located) error {
	switch c.verb {
	case "add", "create":
		if c.kind == "metainfo" {
			return nil
		}
		return l.object(r, file, c)
	case "delete", "flush":
		if c.verb == "flush" && c.kind == "ruleset" {
			// https://wiki.nftables.org/wiki-nftables/index.php/Atomic_rule_replacement
			l.diags.Warnf(diag.Pos{File: file, Line: c.line, Col: 1}, "live-misread", "flush ruleset removes the tables of everybody, those of Docker and of other tools too").
				WithHelp("own one table, and replace that: add it, delete it, and add it again in one transaction")
		}
		return r.remove(c)
	}
	return fmt.Errorf("the command %q is not followed", c.verb)
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

// remove follows deleting or flushing a whole table, or everything.
func (r *ruleset) remove(c located) error {
	switch {
	case c.kind == "ruleset" && c.verb == "flush":
		r.tables = nil
	case c.kind == "table" && c.verb == "delete":
		r.tables = slices.DeleteFunc(r.tables, func(t *table) bool { return t.family == c.object["family"] && t.name == c.object["name"] })
	default:
		return fmt.Errorf("the command %q of a %s is not followed", c.verb, c.kind)
	}
	return nil
}

// Objects that rules may use, and that decide nothing by themselves: the man
// page of nft, STATEFUL OBJECTS and FLOWTABLES (only what is established is
// offloaded).
var idle = []string{"counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "secmark", "synproxy", "flowtable", "tunnel"}

func (l *lifter) object(r *ruleset, file string, c located) error {
	kind, o, line := c.kind, c.object, c.line
	if slices.Contains(idle, kind) {
		return nil
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
		return t.addRule(c.parsed, file, line)
	case "set", "map":
		return l.addSet(t, c.parsed, name)
	case "element":
		return t.addElements(o, name)
	}
	return fmt.Errorf("objects of the kind %q are not understood", kind)
}
