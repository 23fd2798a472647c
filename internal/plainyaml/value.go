package plainyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }

// value reads a value that begins at at, and leaves at behind it. In a flow,
// it ends before a comma or a bracket.
func (r *Reader) value(depth int, inFlow bool) *yaml.Node {
	if r.at >= r.end || depth > maxDepth {
		return nil
	}
	switch c := r.text[r.at]; {
	case c == '"' || c == '\'':
		return r.quoted(c)
	case c == '[':
		return r.flowSequence(depth)
	case c == '{':
		return r.flowMapping(depth)
	case isAlnum(c):
		return r.plain(inFlow)
	}
	return nil
}

// quoted reads text in quotes that has neither escapes nor quotes in it.
func (r *Reader) quoted(quote byte) *yaml.Node {
	n := r.node(yaml.ScalarNode, strTag, r.at)
	from := r.at + 1
	i := strings.IndexByte(r.text[from:r.end], quote)
	if i < 0 {
		return nil
	}
	n.Value = r.text[from : from+i]
	r.at = from + i + 1
	if quote == '"' && strings.IndexByte(n.Value, '\\') >= 0 || r.at < r.end && strings.IndexByte(",]} ", r.text[r.at]) < 0 {
		return nil
	}
	return n
}

// plain reads text without quotes.
func (r *Reader) plain(inFlow bool) *yaml.Node {
	n := r.node(yaml.ScalarNode, "", r.at)
	from := r.at
	for ; r.at < r.end; r.at++ {
		c, after := r.text[r.at], byte(' ')
		if r.at+1 < r.end {
			after = r.text[r.at+1]
		}
		switch {
		case c == ' ' && (after == '#' || after == ' '), c == ':' && (after == ' ' || inFlow && !isAlnum(after) && after != '/'):
			return nil // a comment, a mapping, or something stranger
		case !inFlow:
		case strings.IndexByte(",]}", c) >= 0:
			return r.named(n, from)
		case c == ' ' && strings.IndexByte(",]}", after) >= 0:
			return r.named(n, from)
		case c != ' ' && !isAlnum(c) && strings.IndexByte("_./@+=-:()*", c) < 0:
			return nil
		}
	}
	return r.named(n, from)
}

func (r *Reader) named(n *yaml.Node, from int) *yaml.Node {
	n.Value = r.text[from:r.at]
	if n.Tag = tagOf(n.Value); n.Tag == "" {
		return nil
	}
	return n
}

// tagOf says what plain text is; empty if that takes more thought. Text that
// begins with a letter is text, but for a few words. What begins with a digit
// is a number, a date or text: only what is surely one of them is decided.
func tagOf(s string) string {
	switch {
	case s == "":
		return ""
	case isLetter(s[0]):
		switch strings.ToLower(s) {
		case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
			return ""
		}
		return strTag
	case !isDigit(s[0]):
		return ""
	case strings.IndexByte(s, '/') >= 0:
		return strTag
	}
	dots := 0
	for i := range len(s) {
		switch {
		case s[i] == '.':
			dots++
		case !isDigit(s[i]):
			return ""
		}
	}
	switch {
	case dots == 3 && s[len(s)-1] != '.':
		return strTag
	case dots == 0 && s[0] != '0' && len(s) < 10:
		return intTag
	}
	return ""
}

// spaces skips spaces within the line.
func (r *Reader) spaces() {
	for r.at < r.end && r.text[r.at] == ' ' {
		r.at++
	}
}

// closes skips a closing bracket, if that is what comes.
func (r *Reader) closes(bracket byte) bool {
	if r.at < r.end && r.text[r.at] == bracket {
		r.at++
		return true
	}
	return false
}

// more skips the comma before another entry; if there is neither that nor the
// closing bracket, ok is false.
func (r *Reader) more(bracket byte) (closed, ok bool) {
	r.spaces()
	if r.closes(bracket) {
		return true, true
	}
	if r.at >= r.end || r.text[r.at] != ',' {
		return false, false
	}
	r.at++
	r.spaces()
	return false, true
}

func (r *Reader) flowSequence(depth int) *yaml.Node {
	n := r.node(yaml.SequenceNode, seqTag, r.at)
	r.at++
	r.spaces()
	if r.closes(']') {
		return n
	}
	for {
		item := r.value(depth+1, true)
		if item == nil {
			return nil
		}
		n.Content = append(n.Content, item)
		if closed, ok := r.more(']'); closed || !ok {
			return found(n, ok)
		}
	}
}

func (r *Reader) flowMapping(depth int) *yaml.Node {
	n := r.node(yaml.MappingNode, mapTag, r.at)
	r.at++
	r.spaces()
	if r.closes('}') {
		return n
	}
	for {
		key := r.key()
		if key == nil || r.at >= r.end || r.text[r.at] != ' ' {
			return nil
		}
		r.spaces()
		value := r.value(depth+1, true)
		if value == nil {
			return nil
		}
		n.Content = append(n.Content, key, value)
		if closed, ok := r.more('}'); closed || !ok {
			return found(n, ok)
		}
	}
}

func found(n *yaml.Node, ok bool) *yaml.Node {
	if ok {
		return n
	}
	return nil
}
