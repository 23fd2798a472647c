package lang

import (
	"math"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rulesRead are the rules of the policy that a document is, with the lines that
// each was read from. What a rule says depends on its lines, on what it takes
// over from its policy, and, in a plain document, on nothing else.
type rulesRead struct {
	tier  Tier
	stage Stage
	owner string
	rules []ruleRead
}

type ruleRead struct {
	text  string // whole lines
	index int    // of the rule in its policy
}

// again returns the rules of an old part (nil: none) by their lines, if its
// policy gave them the same as p does.
func again(old *part, p *Policy) map[string]*Rule {
	if old == nil || old.rules == nil || len(old.dir.Policies) != 1 {
		return nil
	}
	was := old.rules
	if was.tier != p.Tier || was.stage != p.Stage || was.owner != p.Owner {
		return nil
	}
	known := make(map[string]*Rule, len(was.rules))
	for _, one := range was.rules {
		known[one.text] = old.dir.Policies[0].Rules[one.index]
	}
	return known
}

// rules reads the rules of a policy. If the document in this place was read
// before, those that have not changed are taken from it.
func (r *reader) rules(n *yaml.Node, p *Policy) {
	names := ruleNames{}
	one := func(n *yaml.Node) {
		if isTemplated(n) {
			r.templated(n, p, names)
		} else {
			r.rule(n, p, names)
		}
	}
	if r.whole == "" || n.Kind != yaml.SequenceNode {
		r.each(n, "rules", one)
		return
	}
	known := again(r.old, p)
	r.read = &rulesRead{tier: p.Tier, stage: p.Stage, owner: p.Owner}
	lines, i := lineCutter{text: r.whole, line: 1}, 0
	r.each(n, "rules", func(entry *yaml.Node) {
		for n.Content[i] != entry {
			i++
		}
		next := math.MaxInt // the last has whatever follows
		if i+1 < len(n.Content) {
			next = n.Content[i+1].Line
		}
		text := lines.cut(entry, next)
		at := ruleRead{text, len(p.Rules)}
		if rule := known[text]; rule != nil {
			r.addRule(r.ruleAt(rule, entry), p, names)
			r.read.rules = append(r.read.rules, at)
			return
		}
		found := len(r.list)
		one(entry)
		if text != "" && len(r.list) == found && len(p.Rules) == at.index+1 && p.Rules[at.index].Template == "" {
			r.read.rules = append(r.read.rules, at)
		}
	})
}

// ruleAt returns the rule itself if it is where it was, and else a copy.
func (r *reader) ruleAt(rule *Rule, n *yaml.Node) *Rule {
	by := r.pos(n).Line - rule.Pos.Line
	if by == 0 {
		return rule
	}
	moved := *rule
	mover{r.file, by}.move(reflect.ValueOf(&moved).Elem())
	return &moved
}

// lineCutter cuts a text into lines, from the first to the last.
type lineCutter struct {
	text string
	at   int // offset of the line
	line int
}

// cut returns the lines from that of an entry of a list to the one before next;
// empty if the entry does not begin its line, so that they are not its own.
func (c *lineCutter) cut(n *yaml.Node, next int) string {
	c.to(n.Line)
	from := c.at
	indent := strings.TrimLeft(c.text[from:], " ")
	column := len(c.text) - from - len(indent) + 3
	if n.Line >= next || n.Column != column || !strings.HasPrefix(indent, "- ") {
		return ""
	}
	c.to(next)
	return c.text[from:c.at]
}

func (c *lineCutter) to(line int) {
	for c.line < line && c.at < len(c.text) {
		i := strings.IndexByte(c.text[c.at:], '\n')
		if i < 0 {
			c.at = len(c.text)
			return
		}
		c.at += i + 1
		c.line++
	}
}
