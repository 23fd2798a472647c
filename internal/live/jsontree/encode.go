package jsontree

import (
	"encoding/json"
	"strings"
)

// Encode writes a value as JSON without white space, fields in their order; of a
// nil Node "null".
func Encode(n *Node) string {
	var b strings.Builder
	encode(&b, n)
	return b.String()
}

func encode(b *strings.Builder, n *Node) {
	if n == nil {
		b.WriteString("null")
		return
	}
	switch n.Kind {
	case Null:
		b.WriteString("null")
	case Bool:
		if n.Bool {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case Number:
		b.WriteString(n.Text)
	case String:
		b.WriteString(quote(n.Text))
	case List:
		for i, e := range n.List {
			b.WriteByte(",["[btoi(i == 0)])
			encode(b, e)
		}
		if len(n.List) == 0 {
			b.WriteByte('[')
		}
		b.WriteByte(']')
	case Object:
		for i, name := range n.Names {
			b.WriteByte(",{"[btoi(i == 0)])
			b.WriteString(quote(name) + ":")
			encode(b, n.Fields[name])
		}
		if len(n.Names) == 0 {
			b.WriteByte('{')
		}
		b.WriteByte('}')
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func quote(s string) string {
	text, _ := json.Marshal(s) // of a text there is always one
	return string(text)
}
