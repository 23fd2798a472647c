package manifest

import (
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/label"
)

// Object is a mapping whose fields are consumed one by one. What nobody asked
// for is reported by Done, so that a format is closed: every field is known or
// refused. A nil *Object has no fields.
type Object struct {
	Document
	Node  *yaml.Node
	what  string
	pairs []*yaml.Node // keys and their values in turn
	asked []string
	room  [4]string // for asked
	diags *diag.List
}

// NewObject opens n as a mapping; what names it in messages. It returns nil
// after a diagnostic if n is anything else.
func NewObject(d Document, n *yaml.Node, what string, diags *diag.List) *Object {
	n = Resolve(n)
	if n.Kind != yaml.MappingNode {
		diags.Errorf(d.Pos(n), "bad-value", "%s must be a mapping", what)
		return nil
	}
	o := &Object{Document: d, Node: n, what: what, diags: diags, pairs: n.Content[:len(n.Content)&^1]}
	o.asked = o.room[:0]
	var own []*yaml.Node // without what is there twice; nil as long as nothing is
	seen := seenKeys{pairs: o.pairs}
	for i := 0; i < len(seen.pairs); i += 2 {
		k := seen.pairs[i]
		switch {
		case seen.has(i):
			diags.Errorf(d.Pos(k), "duplicate-field", "%s says %q twice", what, k.Value)
			if own == nil {
				own = slices.Clone(seen.pairs[:i])
			}
		case own != nil:
			own = append(own, k, seen.pairs[i+1])
		}
	}
	if own != nil {
		o.pairs = own
	}
	return o
}

// seenKeys are those of a mapping so far. Most have few: then looking through
// them is quicker than a map.
type seenKeys struct {
	pairs []*yaml.Node
	many  map[string]bool
}

const few = 24

// has reports whether the key at i is there before, too; it must be asked of all
// keys in turn.
func (s *seenKeys) has(i int) bool {
	key := s.pairs[i].Value
	if len(s.pairs) > 2*few {
		if s.many == nil {
			s.many = map[string]bool{}
		}
		before := s.many[key]
		s.many[key] = true
		return before
	}
	for j := 0; j < i; j += 2 {
		if s.pairs[j].Value == key {
			return true
		}
	}
	return false
}

// Resolve follows an alias. A chain of aliases is impossible in YAML.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// Field returns the value of a field, or nil if it is absent or null.
func (o *Object) Field(name string) *yaml.Node {
	if o == nil {
		return nil
	}
	o.asked = append(o.asked, name)
	for i := 0; i < len(o.pairs); i += 2 {
		if o.pairs[i].Value == name {
			if v := Resolve(o.pairs[i+1]); v.Tag != "!!null" {
				return v
			}
		}
	}
	return nil
}

// Object opens a field as a mapping; nil if it is absent or not one.
func (o *Object) Object(name string) *Object {
	n := o.Field(name)
	if n == nil {
		return nil
	}
	return NewObject(o.Document, n, name, o.diags)
}

// Text returns a scalar field as written; empty if absent.
func (o *Object) Text(name string) string {
	n := o.Field(name)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		o.diags.Errorf(o.Pos(n), "bad-value", "%s must be a single value", name)
		return ""
	}
	return o.keep(n.Value)
}

// Items returns the elements of a list field; nil if absent.
func (o *Object) Items(name string) []*yaml.Node {
	n := o.Field(name)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.diags.Errorf(o.Pos(n), "bad-value", "%s must be a list", name)
		return nil
	}
	return n.Content
}

// Texts returns a list of scalars; what is none is reported and left out.
func (o *Object) Texts(name string) []string {
	var out []string
	for _, n := range o.Items(name) {
		if n = Resolve(n); n.Kind != yaml.ScalarNode {
			o.diags.Errorf(o.Pos(n), "bad-value", "each of %s must be a single value", name)
			continue
		}
		out = append(out, o.keep(n.Value))
	}
	return out
}

// Labels returns a mapping of scalars. Values are taken as written, but what
// YAML reads as something else than a string is refused, as Kubernetes does:
// an unquoted 1.10 would otherwise mean different things to different readers.
// The map may be shared with other documents and must not be changed, unless
// the document came from Read.
func (o *Object) Labels(name string) map[string]string {
	sub := o.Object(name)
	if sub == nil {
		return nil
	}
	if o.known == nil || !o.known.write(sub) {
		return o.readLabels(sub)
	}
	if out, ok := o.known.labels[string(o.known.buf)]; ok {
		return out
	}
	key, before := string(o.known.buf), len(*o.diags)
	out := o.readLabels(sub)
	if len(*o.diags) == before {
		o.known.labels[key] = out
	}
	return out
}

// write writes labels down as the file has them; false if something about them
// is out of the ordinary. Replicas have the same, again and again.
func (k *known) write(sub *Object) bool {
	k.buf = k.buf[:0]
	for i := 0; i < len(sub.pairs); i += 2 {
		key, v := sub.pairs[i], sub.pairs[i+1]
		if key.Kind != yaml.ScalarNode || v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
			return false
		}
		k.buf = append(append(append(append(k.buf, key.Value...), 0), v.Value...), 0)
	}
	return true
}

func (o *Object) readLabels(sub *Object) map[string]string {
	out := make(map[string]string, len(sub.pairs)/2)
	for i := 0; i < len(sub.pairs); i += 2 {
		k, v := sub.pairs[i], Resolve(sub.pairs[i+1])
		if v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
			o.diags.Errorf(o.Pos(v), "bad-label", "the value of label %s must be a string", k.Value).WithHelp("put it in quotes")
			continue
		}
		err := label.CheckKey(k.Value)
		if err == nil {
			err = label.CheckValue(k.Value, v.Value)
		}
		if err != nil {
			o.diags.Errorf(o.Pos(k), "bad-label", "%v", err)
			continue
		}
		out[o.keep(k.Value)] = o.keep(v.Value)
	}
	return out
}

// Addresses returns a list of IP addresses, sorted and without repetition.
// IPv4 written as IPv6 becomes IPv4; a zone or a prefix length is refused.
func (o *Object) Addresses(name string) []netip.Addr {
	var out []netip.Addr
	for _, n := range o.Items(name) {
		n = Resolve(n)
		a, err := netip.ParseAddr(n.Value)
		if err != nil || n.Kind != yaml.ScalarNode || a.Zone() != "" {
			o.diags.Errorf(o.Pos(n), "bad-address", "%q is not an IP address", n.Value)
			continue
		}
		out = append(out, a.Unmap())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// Done reports every field that was not asked for.
func (o *Object) Done() {
	if o == nil {
		return
	}
	for i := 0; i < len(o.pairs); i += 2 {
		k := o.pairs[i]
		if slices.Contains(o.asked, k.Value) {
			continue
		}
		d := o.diags.Errorf(o.Pos(k), "unknown-field", "%s has no field %q", o.what, k.Value)
		if c := diag.Nearest(k.Value, o.asked); c != "" {
			d.WithHelp("did you mean %q?", c)
		} else {
			d.WithHelp("it has %s", strings.Join(o.asked, ", "))
		}
	}
}
