package label

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Parse reads a selector: requirements separated by commas, each one of
// a=b, a==b, a!=b, a in (x,y), a notin (x,y), a, !a. The empty text is the
// zero Selector. What Kubernetes accepts means the same here, except that the
// numeric comparisons > and < are refused.
func Parse(text string) (Selector, error) {
	if len(text) > maxSelector {
		return Selector{}, fmt.Errorf("the selector is longer than %d bytes", maxSelector)
	}
	p := parser{tokens: lex(text)}
	reqs, err := p.selector()
	if err != nil {
		return Selector{}, err
	}
	slices.SortFunc(reqs, func(a, b Requirement) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Op, b.Op), slices.Compare(a.Values, b.Values))
	})
	return Selector{slices.CompactFunc(reqs, func(a, b Requirement) bool {
		return a.Key == b.Key && a.Op == b.Op && slices.Equal(a.Values, b.Values)
	})}, nil
}

// maxSelector bounds the work that one selector can cause.
const maxSelector = 1 << 16

// A token is a symbol (= == != ! ( ) , < >) or a word; "" is the end.
type token struct {
	text string
	word bool
}

const symbols = "=!(),<>"

// lex cuts text as Kubernetes does: a word runs to the next symbol or space.
func lex(text string) []token {
	var out []token
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		n := strings.IndexAny(text, symbols+" \t\r\n")
		switch {
		case strings.HasPrefix(text, "==") || strings.HasPrefix(text, "!="):
			out = append(out, token{text: text[:2]})
			text = text[2:]
		case n == 0:
			out = append(out, token{text: text[:1]})
			text = text[1:]
		default:
			if n < 0 {
				n = len(text)
			}
			out = append(out, token{text: text[:n], word: true})
			text = text[n:]
		}
	}
	return out
}

type parser struct {
	tokens []token
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (t token) describe() string {
	if t.text == "" {
		return "the end"
	}
	return fmt.Sprintf("%q", shorten(t.text))
}

func (p *parser) selector() ([]Requirement, error) {
	var reqs []Requirement
	if len(p.tokens) == 0 {
		return nil, nil
	}
	for {
		r, err := p.requirement()
		if err != nil {
			return nil, err
		}
		reqs = append(reqs, r)
		switch t := p.next(); t.text {
		case "":
			return reqs, nil
		case ",":
		default:
			return nil, fmt.Errorf("expected ',' or the end after the requirement on %q, found %s", shorten(r.Key), t.describe())
		}
	}
}

func (p *parser) requirement() (Requirement, error) {
	absent := p.peek().text == "!"
	if absent {
		p.next()
	}
	key := p.next()
	if !key.word {
		return Requirement{}, fmt.Errorf("expected a label key, found %s", key.describe())
	}
	if err := CheckKey(key.text); err != nil {
		return Requirement{}, err
	}
	r := Requirement{Key: key.text, Op: Exists}
	if absent {
		r.Op = NotExists
		return r, nil
	}
	var err error
	switch op := p.peek(); {
	case op.text == "" || op.text == ",":
		return r, nil
	case !op.word && (op.text == "=" || op.text == "=="):
		p.next()
		r.Op, r.Values = In, p.exactValue()
	case !op.word && op.text == "!=":
		p.next()
		r.Op, r.Values = NotIn, p.exactValue()
	case op.word && (op.text == "in" || op.text == "notin"):
		p.next()
		r.Op = map[string]Op{"in": In, "notin": NotIn}[op.text]
		r.Values, err = p.valueSet()
	case op.text == "<" || op.text == ">":
		err = fmt.Errorf("the comparison %q is not supported", op.text)
	default:
		err = fmt.Errorf("expected one of = == != in notin after %q, found %s", shorten(r.Key), op.describe())
	}
	if err == nil {
		err = checkValues(r)
	}
	return r, err
}

// exactValue reads the value after = or !=; it may be empty, as in "a=".
func (p *parser) exactValue() []string {
	if !p.peek().word {
		return []string{""}
	}
	return []string{p.next().text}
}

// valueSet reads (x,y). Where a value is missing, also in (), it is the empty one.
func (p *parser) valueSet() ([]string, error) {
	if t := p.next(); t.text != "(" {
		return nil, fmt.Errorf("expected '(' before the values, found %s", t.describe())
	}
	var values []string
	for {
		values = append(values, p.exactValue()...)
		switch t := p.next(); t.text {
		case ")":
			slices.Sort(values)
			return slices.Compact(values), nil
		case ",":
		default:
			return nil, fmt.Errorf("expected ',' or ')' in the values, found %s", t.describe())
		}
	}
}

func checkValues(r Requirement) error {
	for _, v := range r.Values {
		if err := CheckValue(r.Key, v); err != nil {
			return err
		}
	}
	return nil
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
