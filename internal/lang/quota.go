package lang

import (
	"math"

	"go.yaml.in/yaml/v3"
)

// quotas reads target: {word: number}.
func (r *reader) quotas(n *yaml.Node, e *Estate) {
	r.entries(n, "quotas", "target: {word: number}", "a target", func(target Word, n *yaml.Node) {
		r.entries(n, "the quotas of a target", "word: number", "a quota", func(name Word, n *yaml.Node) {
			if i, ok := r.number(n, "bad-quota", "quota", 1, math.MaxInt32); ok {
				e.Quotas = append(e.Quotas, Quota{target, name, i, r.pos(n)})
			}
		})
	})
}

// entries calls read for every entry of a mapping from names, each of which is
// there once. An empty mapping is an error, as an empty list is.
func (r *reader) entries(n *yaml.Node, what, like, ofWhat string, read func(Word, *yaml.Node)) {
	n = r.enter(n)
	switch {
	case n == nil:
		return
	case n.Kind != yaml.MappingNode:
		r.errorf(n, "bad-value", "%s must be a mapping (%s), not %s", what, like, describe(n))
		return
	case len(n.Content) == 0:
		r.errorf(n, "bad-value", "%s must not be empty", what).WithHelp("write an entry, or leave the field out")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && !r.stop(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := r.name(key, ofWhat)
		switch {
		case name == "":
		case seen[name]:
			r.errorf(key, "duplicate-key", "%s have %q twice", what, shorten(name)).WithHelp("YAML would keep only one of them; keep the one that is meant")
		case isNull(value):
			r.errorf(key, "bad-value", "%q of %s has no value", shorten(name), what).WithHelp("write a value, or leave it out")
		default:
			seen[name] = true
			read(Word{name, r.pos(key)}, value)
		}
	}
}
