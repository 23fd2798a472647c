package lang

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/inventory/file"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaID, text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON makes of a node what an editor hands to a validator.
func asJSON(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.AliasNode:
		return asJSON(t, n.Alias)
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = asJSON(t, n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, asJSON(t, c))
		}
		return out
	}
	if n.ShortTag() == "!!timestamp" {
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// ours returns the documents of a text that are ours.
func ours(t *testing.T, text []byte) []*yaml.Node {
	t.Helper()
	var out []*yaml.Node
	for _, c := range split(text) {
		root, err := only(c.text)
		if err == nil && root != nil && kindOf(root) != "" {
			out = append(out, root)
		}
	}
	return out
}

func TestSchemaTakesWhatTheProjectHas(t *testing.T) {
	s := compiled(t)
	kinds := map[string]bool{}
	for _, text := range ownTexts(t) {
		for _, root := range ours(t, text) {
			kinds[kindOf(root)] = true
			out, err := yaml.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(kindsOther, kindOf(root)) && refused(string(out)) {
				continue // meant to be wrong
			}
			if err := s.Validate(asJSON(t, root)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
	for kind := range documents {
		if !kinds[kind] {
			t.Errorf("no text of the kind %s was tried", kind)
		}
	}
}

// TestSchemaTakesWhatTheReaderTakes goes through the tables of texts that the
// reader is tested with.
func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
	s := compiled(t)
	refused := 0
	for _, c := range allDiagnosticCases() {
		roots := ours(t, []byte(c.text))
		var errs []string
		for _, root := range roots {
			if err := s.Validate(asJSON(t, root)); err != nil {
				errs = append(errs, err.Error())
			}
		}
		if c.want == "" && len(errs) > 0 {
			t.Errorf("%s: the reader takes what the schema refuses: %v\n%s", c.name, errs, c.text)
		}
		if c.want != "" && len(errs) > 0 {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("of what the reader refuses, the schema refuses only %d", refused)
	}
}

// brokenDocuments are refused by the reader and by the schema.
var brokenDocuments = []string{
	"kind: Zoen\nmetadata: {name: a}\nspec: {select: a=b}",
	"kind: Zone\nmetadata: {name: a}\nspec: {select: a=b, stagee: enforce}",
	"kind: Zone\nmetadata: {name: a}\nspec: {select: a=b, stage: enforced}",
	"kind: Zone\nmetadata: {name: a}\nspec: {select: [a]}",
	"kind: Zone\nmetadata: {name: -a}\nspec: {select: a=b}",
	"kind: Zone\nmetadata: {}\nspec: {select: a=b}",
	"kind: Zone\nspec: {select: a=b}",
	"kind: Zone\nmetadata: {name: a}",
	"kind: Zone\nmetadata: {name: a}\nspec: {select: a=b, default: pass}",
	"kind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}",
	"kind: Service\nmetadata: {name: a}\nspec: {select: a, ports: [{port: 0}]}",
	"kind: Service\nmetadata: {name: a}\nspec: {select: a, ports: [{port: 70000}]}",
	"kind: Service\nmetadata: {name: a}\nspec: {select: a, ports: [{port: 1, protocol: ICMP}]}",
	"kind: Service\nmetadata: {name: a}\nspec: {select: a, ports: []}",
	"kind: External\nmetadata: {name: a}\nspec: {reason: none}",
	"kind: External\nmetadata: {name: a}\nspec: {cidrs: [192.0.2.1]}",
	"kind: External\nmetadata: {name: a}\nspec: {fqdns: [localhost]}",
	"kind: Estate\nmetadata: {name: a}\nspec: {inventory: [{file: a, kube: b}]}",
	"kind: Estate\nmetadata: {name: a}\nspec: {inventory: [{}]}",
	"kind: Estate\nmetadata: {name: a}\nspec: {labels: [{from: a}]}",
	"kind: Policy\nmetadata: {name: a}\nspec: {rules: []}",
	rule("{name: r, effect: alow, from: {any: true}, to: {any: true}}"),
	rule("{name: r, effect: allow, from: {any: false}, to: {any: true}}"),
	rule("{name: r, effect: allow, from: {}, to: {any: true}}"),
	rule("{name: r, effect: allow, from: {any: true}}"),
	rule("{name: r, effect: allow, from: {service: a, zone: b}, to: {any: true}}"),
	rule("{name: r, effect: allow, from: {workload: a}, to: {any: true}}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, ports: [80]}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, ports: [80/ICMP]}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, require: tls}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, when: {days: [monday]}}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, when: {timeZone: UTC}}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, when: {hours: 9-17}}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, http: [{methods: [post]}]}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, http: [{paths: [api]}]}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, http: [{}]}"),
	rule("{name: r, effect: allow, from: {any: true}, to: {any: true}, http: [{headers: {a: b}}]}"),
	rule("{name: r, template: four-tiers, with: {}}"),
	rule("{name: r, template: egress-by-name}"),
	rule("{name: r, template: egress-by-name, with: {from: {any: true}}}"),
	rule("{name: r, template: egress-by-name, with: {from: {any: true}, to: {zone: a}}}"),
	rule("{name: r, template: egress-by-name, effect: allow, with: {from: {any: true}, to: {external: a}}}"),
	"kind: Guardrail\nmetadata: {name: g}\nspec: {stage: enforce}",
	"kind: Guardrail\nmetadata: {name: g}\nspec: {never: {from: {any: true}, to: {any: true}}, must: {rule: {}, have: [owner]}}",
	"kind: Guardrail\nmetadata: {name: g}\nspec: {never: {from: {any: true}}}",
	"kind: Guardrail\nmetadata: {name: g}\nspec: {must: {rule: {}, have: [owners]}}",
	"kind: Exception\nmetadata: {name: e}\nspec: {from: {any: true}, to: {any: true}, ticket: a, approver: b}",
	"kind: Exception\nmetadata: {name: e}\nspec: {from: {any: true}, to: {any: true}, ticket: a, approver: b, expires: tomorrow}",
	"kind: Case\nmetadata: {name: c}\nspec: {expect: [{from: {zone: a}, to: {zone: b}, effect: pass}]}",
	"kind: Case\nmetadata: {name: c}\nspec: {expect: [{from: {zone: a}, to: {zone: b}, effect: deny, http: nothing}]}",
	"kind: Case\nmetadata: {name: c}\nspec: {expect: [{from: {zone: a}, to: {ip: here}, effect: deny}]}",
	"kind: Workload\nmetadata: {name: w}\nspec: {address: [192.0.2.1]}",
	"kind: Workload\nmetadata: {name: w, lables: {a: b}}",
	"kind: Workload\nmetadata: {labels: {a: b}}",
	"kind: Frontend\nmetadata: {name: f}\nspec: {to: {service: a, workloads: [b]}}",
	"kind: Frontend\nmetadata: {name: f}\nspec: {to: {service: a}, rewrites: sideways}",
}

func rule(text string) string {
	return "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - " + text
}

func TestBrokenDocumentsAreRefusedByBoth(t *testing.T) {
	s := compiled(t)
	for _, text := range brokenDocuments {
		root, err := only([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(asJSON(t, root)) == nil {
			t.Errorf("the schema takes\n%s", text)
		}
		if !refused(text) {
			t.Errorf("the reader takes\n%s", text)
		}
	}
}

// refused asks the reader that the kind belongs to.
func refused(text string) bool {
	if strings.Contains(text, "kind: Workload") || strings.Contains(text, "kind: Frontend") {
		_, list := file.Read(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, "a.yaml")
		return list.HasErrors()
	}
	_, list := parseBeside(text)
	return list.HasErrors()
}

// TestSchemaHasTheReadersFields puts a field that is none into every object of
// every kind, and compares what the reader says there may be with the form.
func TestSchemaHasTheReadersFields(t *testing.T) {
	for _, kind := range kindsRead {
		spec := documents[kind].member("spec")
		probe(t, kind, spec, func(inner string) string { return inner })
		probe(t, kind, documents[kind].member("metadata"), nil)
	}
	if got, want := slices.Sorted(maps.Keys(documents)), slices.Sorted(slices.Values(slices.Concat(kindsRead, kindsOther))); !slices.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
}

// knownOnly are fields that the reader knows only to refuse them with a better
// word than "unknown".
var knownOnly = []string{"workload", "ip", "template"}

const unknownField = "zzzzzzzzzzzzzzzzzzzz"

// probe asks about an object and all below it; wrap puts it into its spec. A
// nil wrap is of metadata.
func probe(t *testing.T, kind string, f *form, wrap func(string) string) {
	t.Helper()
	switch {
	case f == nil:
	case len(f.choices) > 0:
		for _, c := range f.choices {
			probeObject(t, kind, c.form, wrap, choiceText(c))
		}
	case f.shape == anObject:
		probeObject(t, kind, f, wrap, "")
	case f.shape == aList:
		probe(t, kind, f.item, func(inner string) string { return wrap("[" + inner + "]") })
	case f.shape == eitherOf:
		for _, one := range f.either {
			probe(t, kind, one, wrap)
		}
	}
}

func choiceText(c choice) string {
	if c.value == "" {
		return ""
	}
	return "name: n, " + c.field + ": " + c.value + ", "
}

func probeObject(t *testing.T, kind string, f *form, wrap func(string) string, beside string) {
	t.Helper()
	text := fmt.Sprintf("kind: %s\nmetadata: {name: x, %s: 1}\nspec: {}\n", kind, unknownField)
	if wrap != nil {
		text = fmt.Sprintf("kind: %s\nmetadata: {name: x}\nspec: %s\n", kind, wrap("{"+beside+unknownField+": 1}"))
	}
	if strings.Contains(text, "template: egress-by-name, with: {to: {") {
		return // only Externals will do, which the reader says in other words
	}
	var want, got []string
	for _, m := range f.fields {
		want = append(want, m.name)
	}
	_, list := parseBeside(text)
	for _, d := range list {
		if d.Code == "unknown-field" && strings.Contains(d.Message, unknownField) {
			got = strings.Split(strings.TrimPrefix(d.Help, "one of: "), ", ")
		}
	}
	got = slices.DeleteFunc(got, func(s string) bool { return slices.Contains(knownOnly, s) && !slices.Contains(want, s) })
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the reader has %v, the schema %v\n%s", got, want, text)
	}
	for _, m := range f.fields {
		if wrap != nil {
			probe(t, kind, m.form, func(inner string) string { return wrap("{" + beside + m.name + ": " + inner + "}") })
		}
	}
}

// TestSchemaHasTheInventorysFields writes each field of an inventory document.
func TestSchemaHasTheInventorysFields(t *testing.T) {
	for _, kind := range kindsOther {
		for _, part := range []string{"metadata", "spec"} {
			for _, m := range documents[kind].member(part).fields {
				text := fmt.Sprintf("kind: %s\n%s: {%s: {}}\n", kind, part, m.name)
				_, list := file.Read(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, "a.yaml")
				if slices.Contains(codes(list), "unknown-field") {
					t.Errorf("the reader does not know %s.%s of a %s", part, m.name, kind)
				}
			}
		}
	}
}

// TestSchemaHasTheReadersWords offers a word that is none wherever the form
// lists words, and compares what the reader says there may be.
func TestSchemaHasTheReadersWords(t *testing.T) {
	for text, want := range map[string][]string{
		zoneHead + "spec: {select: a, stage: zzzzzzzzzz}":                                             stages,
		zoneHead + "spec: {select: a, sensitivity: zzzzzzzzzz}":                                       sensitivities,
		guardHead + "must: {rule: {}, have: [zzzzzzzzzz]}}":                                           ruleHas,
		ruleHead + "{" + goodRule + ", require: zzzzzzzzzz}":                                          {"mtls"},
		ruleHead + "{" + goodRule + ", when: {days: [zzzzzzzzz]}}":                                    {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
		rule("{name: r, template: zzzzzzzzzzzzzzzzz, with: {}}"):                                      templateNames(),
		"kind: Estate\nmetadata: {name: e}\nspec: {labels: [{from: a, to: b, authority: zzzzzzzzz}]}": authorities,
	} {
		_, list := parseBeside(text)
		if want := "one of: " + strings.Join(want, ", "); len(list) == 0 || !slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return d.Help == want }) {
			t.Errorf("the reader does not say %q of\n%s\n%v", want, text, texts(list))
		}
	}
}

func templateNames() []string {
	var out []string
	for _, m := range templateForms() {
		out = append(out, m.name)
	}
	return out
}
