package lang

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/label"
)

// The kinds of document: those that are read here, and those that other
// readers take.
var (
	kindsRead  = []string{"Estate", "Zone", "Service", "External", "Policy", "Guardrail", "Exception", "Case"}
	kindsOther = []string{"Workload", "Frontend", "Network"}
)

// document reads one document, if it is ours.
func (r *reader) document(n *yaml.Node) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "not-a-document", "this is %s, not a Firebreak document", describe(n)).
			WithHelp("a document begins with 'kind: …'; a file that holds none should not end in .yaml or .yml here")
		return
	}
	apiVersion, kind := peek(n, "apiVersion"), peek(n, "kind")
	switch {
	case apiVersion != nil && !isNull(apiVersion) && !looksOurs(apiVersion.Value):
		return
	case apiVersion == nil && kind == nil && peek(n, "metadata") == nil && peek(n, "spec") == nil:
		r.warnAt(r.pos(n), "not-a-document", "this has neither a kind nor an apiVersion and is ignored").
			WithHelp("a Firebreak document begins with 'kind: …'")
		return
	case apiVersion != nil && !isNull(apiVersion) && apiVersion.Value != APIVersion:
		r.lost(r.pos(apiVersion), "bad-api-version", "the apiVersion %q is not known", shorten(apiVersion.Value)).WithHelp("write %s", APIVersion)
		return
	}
	if kind == nil {
		r.lost(r.pos(n), "missing-field", "the document needs the field %q", "kind").WithHelp("one of: %s", strings.Join(kindsRead, ", "))
		return
	}
	r.kind(n, kind)
}

// peek returns the scalar value of a field of a document, or, for metadata and
// spec, whatever the value is; nil if there is none. It reports nothing.
func peek(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if n.Content[i].Value == name && (value.Kind == yaml.ScalarNode || name == "metadata" || name == "spec") {
			return value
		}
	}
	return nil
}

func (r *reader) kind(n, kind *yaml.Node) {
	before, services := len(r.list), len(r.dir.Services)
	r.readKind(n, kind)
	if !r.list[before:].HasErrors() {
		return
	}
	for _, s := range r.dir.Services[services:] {
		s.Flawed = true
	}
}

func (r *reader) readKind(n, kind *yaml.Node) {
	switch kind.Value {
	case "Estate":
		r.estate(n)
	case "Zone":
		r.zone(n)
	case "Service":
		r.service(n)
	case "External":
		r.external(n)
	case "Policy":
		r.policy(n)
	case "Guardrail":
		r.guardrail(n)
	case "Exception":
		r.exception(n)
	case "Case":
		r.caseOf(n)
	default:
		r.otherKind(kind)
	}
}

func (r *reader) otherKind(kind *yaml.Node) {
	if !slices.Contains(kindsOther, kind.Value) {
		r.lost(r.pos(kind), "unknown-kind", "there is no kind %q", shorten(kind.Value)).
			WithHelp("%s", oneOf(kind.Value, slices.Concat(kindsRead, kindsOther)))
	}
}

// body reads what every document has and its spec.
// The name is empty if it was not a name.
func (r *reader) body(n *yaml.Node, kind string, spec func(*yaml.Node)) Meta {
	m := Meta{Pos: r.pos(n), NamePos: r.pos(n)}
	word := func(n *yaml.Node) { r.text(n, "apiVersion and kind") }
	var specNode *yaml.Node
	r.object(n, aKind(kind),
		may("apiVersion", word), may("kind", word),
		need("metadata", func(n *yaml.Node) { r.metadata(n, kind, &m) }),
		need("spec", func(n *yaml.Node) { specNode = n }))
	if specNode != nil {
		spec(specNode)
	}
	r.unread = r.unread || m.Name == ""
	return m
}

// aKind puts the article before a kind.
func aKind(kind string) string {
	if strings.IndexByte("AEIO", kind[0]) >= 0 {
		return "an " + kind
	}
	return "a " + kind
}

// metadata reads the name and owner. Labels and annotations are what tools put
// there for themselves; but for AcceptKey they mean nothing to policy.
func (r *reader) metadata(n *yaml.Node, kind string, m *Meta) {
	ignore := func(*yaml.Node) {}
	r.object(n, "the metadata of "+aKind(kind),
		need("name", func(n *yaml.Node) {
			m.NamePos = r.pos(n)
			m.Name = r.name(n, "the name of "+aKind(kind))
		}),
		may("owner", r.textTo(&m.Owner, "the owner")),
		may("labels", ignore), may("annotations", func(n *yaml.Node) { r.annotations(n, m) }))
}

// annotations looks for the one that accepts findings. The others are not ours.
func (r *reader) annotations(n *yaml.Node, m *Meta) {
	n = r.enter(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != AcceptKey {
			continue
		}
		text, ok := r.text(n.Content[i+1], AcceptKey)
		codes, reason, _ := strings.Cut(text, ":")
		if ok && strings.TrimSpace(reason) == "" {
			r.warnAt(r.pos(n.Content[i+1]), "no-reason", "findings are accepted without a reason").
				WithHelp("write %s: \"CODE: REASON\"", AcceptKey)
		}
		m.Because = strings.TrimSpace(reason)
		for _, code := range strings.Split(codes, ",") {
			m.Accepts = append(m.Accepts, strings.TrimSpace(code))
		}
	}
}

// name reads a name: letters, digits, '-', '_', '.', beginning and ending with
// a letter or digit, at most 63. It is "" if that was not one.
func (r *reader) name(n *yaml.Node, what string) string {
	s, ok := r.text(n, what)
	if !ok {
		return ""
	}
	if !validName(s) {
		r.errorf(n, "bad-name", "%q is no name", shorten(s)).
			WithHelp("at most 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit")
		return ""
	}
	return s
}

// validName is the rule for label values, except that a name is not empty.
func validName(s string) bool { return s != "" && label.CheckValue("", s) == nil }

// selector reads a selector that has at least one requirement; nil if it has not.
func (r *reader) selector(n *yaml.Node, what string) *Select {
	s, ok := r.text(n, what)
	if !ok {
		return nil
	}
	sel, err := label.Parse(s)
	if err != nil {
		r.errorf(n, "bad-selector", "%s: %v", what, err).
			WithHelp("a selector is like: tier=data,env in (prod,stage),env!=test,!legacy")
		return nil
	}
	return &Select{Selector: sel, Pos: r.pos(n)}
}
