package lang

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var formatCases = []struct{ name, in, want string }{
	{"fields in order, braces kept", "spec: {default: deny,   select: 'tier=web'}\nmetadata:\n    owner: o\n    name: web\nkind: Zone\n",
		"kind: Zone\nmetadata:\n  name: web\n  owner: o\nspec: {select: 'tier=web', default: deny}\n"},
	{"lists are not indented", "kind: Policy\nspec:\n  rules:\n    -   effect: allow\n        name: a\n",
		"kind: Policy\nspec:\n  rules:\n  - name: a\n    effect: allow\n"},
	{"quotas", "kind: Estate\nspec:\n   quotas:\n        nacl:   {entries-per-acl:   40}\n        awssg:\n            rules-per-group:  200\n   targets: [nacl]\n",
		"kind: Estate\nspec:\n  targets: [nacl]\n  quotas:\n    nacl: {entries-per-acl: 40}\n    awssg:\n      rules-per-group: 200\n"},
	{"selectors", "kind: Zone\nspec:\n  select: tier == data,  env in (b, a, b)\n", "kind: Zone\nspec:\n  select: env in (a,b),tier=data\n"},
	{"a selector in braces", "kind: Zone\nspec: {select: \"tier in (x)\"}\n", "kind: Zone\nspec: {select: \"tier=x\"}\n"},
	{"no selector", "kind: Zone\nspec: {select: 'a=='}\n", "kind: Zone\nspec: {select: 'a='}\n"},
	{"a wrong selector stays", "kind: Zone\nspec: {select: 'a=b=c'}\n", "kind: Zone\nspec: {select: 'a=b=c'}\n"},
	{"unknown fields come last", "kind: Zone\nzzz: 1\naaa: 2\nmetadata: {}\n", "kind: Zone\nmetadata: {}\nzzz: 1\naaa: 2\n"},
	{"comments move with what they stand at", "# top\nkind: Zone\nspec:\n  # of stage\n  stage: enforce # e\n  # of select\n  select: a=b # s\n# of metadata\nmetadata: {name: a} # m\n",
		"# top\nkind: Zone\n# of metadata\nmetadata: {name: a}  # m\nspec:\n  # of select\n  select: a=b  # s\n  # of stage\n  stage: enforce  # e\n"},
	{"comments at the end", "kind: Policy\nspec:\n  rules:\n    - name: a\n      # of a\n    # of rules\n  # of spec\n# of all\n",
		"kind: Policy\nspec:\n  rules:\n  - name: a\n    # of a\n  # of rules\n  # of spec\n# of all\n"},
	{"comments in braces", "kind: Zone\nspec: {stage: enforce, # e\n  # s\n  select: a}\n", "kind: Zone\nspec:\n  # s\n  select: a\n  stage: enforce  # e\n"},
	{"a comment behind a dash", "kind: Case\nspec:\n  expect:\n  - # c\n    # d\n    port: a\n", "kind: Case\nspec:\n  expect:\n  # c\n  # d\n  - port: a\n"},
	{"a comment behind the dash of nothing", "kind: Case\nspec:\n  expect:\n  - # c\n", "kind: Case\nspec:\n  expect:\n  -\n  # c\n"},
	{"two comments for one place", "kind: Zone\nspec: { # one\n  stage: alert} # two\n", "kind: Zone\n# two\nspec:  # one\n  stage: alert\n"},
	{"comments beside are aligned", "kind: Zone # a\nmetadata: # bb\n  name: a # c\n", "kind: Zone  # a\nmetadata:   # bb\n  name: a   # c\n"},
	{"no comment", "kind: Zone\nspec: {scope: ['a # b', \"c # d\", e#f]}\n", "kind: Zone\nspec: {scope: ['a # b', \"c # d\", e#f]}\n"},
	{"one blank line of several", "\n\nkind: Zone\n\n\nmetadata:\n\n  name: a\n\n\n", "kind: Zone\n\nmetadata:\n  name: a\n"},
	{"texts of several lines", "kind: External\nspec:\n    reason: |\n        one # no comment\n          two\n\n        three\n    cidrs: [a]\n",
		"kind: External\nspec:\n  cidrs: [a]\n  reason: |\n    one # no comment\n      two\n\n    three\n"},
	{"folded texts", "kind: External\nspec:\n    reason: >-\n        one\n        two\n", "kind: External\nspec:\n  reason: >-\n    one\n    two\n"},
	{"a plain text over two lines", "kind: External\nspec:\n  reason: one\n    two\n", "kind: External\nspec:\n  reason: one two\n"},
	{"separators", "---\nkind: Zone\n---\n---   \nkind: Zone\n", "kind: Zone\n---\n---\nkind: Zone\n"},
	{"other systems", "apiVersion: v1\nkind:   Pod\n---\nkind:   Zone\n---\napiVersion:  apps/v1\nspec:   1\n", "apiVersion: v1\nkind:   Pod\n---\nkind: Zone\n---\napiVersion:  apps/v1\nspec:   1\n"},
	{"other kinds", "kind:   Pod\n", "kind:   Pod\n"},
	{"inventory", "metadata: {labels: {b: c, a: d}, name: x}\nkind: Workload\n", "kind: Workload\nmetadata: {name: x, labels: {b: c, a: d}}\n"},
	{"anchors keep their order", "kind: Policy\nspec:\n    stage: &s enforce\n    tier: *s\n", "kind: Policy\nspec:\n  stage: &s enforce\n  tier: *s\n"},
	{"tags are left alone", "kind:   Zone\nmetadata: {name: !!str  a}\n", "kind:   Zone\nmetadata: {name: !!str  a}\n"},
	{"directives are left alone", "%YAML 1.1\n---\nkind:   Zone\n", "%YAML 1.1\n---\nkind:   Zone\n"},
	{"line ends", "kind: Zone\r\nmetadata:\r\n    name: a\r\n", "kind: Zone\nmetadata:\n  name: a\n"},
	{"a mark at the beginning", "\xef\xbb\xbfkind:  Zone\n", "\xef\xbb\xbfkind: Zone\n"},
	{"a comment right behind braces", "kind: Zone\nmetadata: {a:0 ,b: 0}#c\n", "kind: Zone\nmetadata: {a:0 ,b: 0}#c\n"},
	{"templates of other tools", "apiVersion: v1\nkind: Pod\nspec: {{ .Values }\n---\nkind:  Zone\n", "apiVersion: v1\nkind: Pod\nspec: {{ .Values }\n---\nkind: Zone\n"},
	{"nothing", "", ""},
	{"only a comment", "# nothing\n", "# nothing\n"},
	{"empty values", "kind: Zone\nmetadata:\nspec: {stage: , select: ~}\n", "kind: Zone\nmetadata:\nspec: {select: null, stage: null}\n"},
}

func TestFormat(t *testing.T) {
	for _, c := range formatCases {
		t.Run(c.name, func(t *testing.T) {
			if got := string(checkFormat(t, []byte(c.in))); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestFormatBreaksLongBraces(t *testing.T) {
	long := strings.Repeat("x", 60)
	in := "kind: Policy\nspec:\n  rules:\n  - {name: a, from: {service: " + long + "}, to: {service: " + long + "}, ports: [80/TCP], reason: it is needed}\n"
	want := "kind: Policy\nspec:\n  rules:\n  - name: a\n    from: {service: " + long + "}\n    to: {service: " + long + "}\n    ports: [80/TCP]\n    reason: it is needed\n"
	if got := string(checkFormat(t, []byte(in))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFormatSaysWhereItIsNoYAML(t *testing.T) {
	in := []byte("kind:   Zone\n---\nkind: Zone\nspec: {a\n---\nkind: Zone\nb: 'c\n")
	out, list := Format("f.yaml", in)
	if string(out) != string(in) {
		t.Errorf("it was changed to\n%s", out)
	}
	if len(list) != 2 || list[0].Code != "yaml-syntax" || list[0].Pos.File != "f.yaml" || list[0].Pos.Line < 4 || list[0].Pos.Line > 5 || list[1].Pos.Line != 7 {
		t.Errorf("diagnostics %v", list)
	}
}

// TestFormatIsBounded gives it what is made to take all memory.
func TestFormatIsBounded(t *testing.T) {
	for name, in := range map[string]string{
		"depth":   "kind: Zone\nspec: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
		"aliases": "kind: Zone\na: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: &d [*c, *c, *c]\n",
		"size":    "kind: Zone\nspec: {a: " + strings.Repeat("x", maxDocument) + "}\n",
	} {
		out, _ := Format("f.yaml", []byte(in))
		if len(out) > 2*len(in) {
			t.Errorf("%s: %d bytes became %d", name, len(in), len(out))
		}
	}
}

// TestExamplesAreFormatted keeps what people begin from as fmt leaves it.
func TestExamplesAreFormatted(t *testing.T) {
	names, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(names) < 8 {
		t.Fatalf("found %d files (%v)", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if out, list := Format(name, text); len(list) > 0 || !bytes.Equal(out, text) {
			t.Errorf("%s is not formatted: %v", name, list)
		}
	}
}
