package plainyaml_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/plainyaml"
)

// text renders all of a node that a Reader promises.
func text(b *strings.Builder, n *yaml.Node) {
	fmt.Fprintf(b, "%d:%d %d %s %q", n.Line, n.Column, n.Kind, n.Tag, n.Value)
	if n.Anchor != "" {
		fmt.Fprintf(b, " &%s", n.Anchor)
	}
	b.WriteString("(")
	for _, c := range n.Content {
		text(b, c)
		b.WriteString(" ")
	}
	b.WriteString(")")
}

// compare demands that what is read is what the library reads.
func compare(t *testing.T, r *plainyaml.Reader, doc string) (plain bool) {
	t.Helper()
	got := r.Document(doc, 1)
	if got == nil {
		return false
	}
	dec := yaml.NewDecoder(strings.NewReader(doc))
	var want yaml.Node
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("%q is read, but the library says %v", doc, err)
	}
	var a, b strings.Builder
	text(&a, got)
	text(&b, want.Content[0])
	if a.String() != b.String() {
		t.Fatalf("%q\n got %s\nwant %s", doc, &a, &b)
	}
	if err := dec.Decode(&want); err == nil {
		t.Fatalf("%q has two documents", doc)
	}
	return true
}

var plain = []string{
	"a: b",
	"---\na: b\n",
	"kind: Workload\nmetadata:\n  name: web-1\n  labels:\n    app.kubernetes.io/name: web\n    cloud/account: \"0123\"\nspec:\n  addresses: [10.0.0.1, \"fd00::1\"]\n  ports:\n  - {name: http, port: 8080}\n  host: h\n",
	"# c\na:\n  # d\n\n  b: 'x y'\n# e\nc: d e, f\n",
	"a:\n  - b: c\n    d:\n    - e\n    - f: g\n  - [x, w, [z]]\nh: {}\ni: []\n",
	"a: { b: c , d: [ e , f ] }\n",
	"a: spiffe://corp/ns/x\nb: https://x.y/z?q=1&r=*\nc: 8000-8080/TCP\nd: 198.51.100.0/28\ne: 12\n",
	"rules:\n- name: a\n  effect: allow\n  from: {service: b}\n  to: {select: \"env=prod,env!=x\"}\n  ports: [postgres, 5432/TCP]\n- name: c\n  effect: deny\n",
	"# c\n\n---\n# d\na: fd00::1\nb: arn:aws:iam::1:role/x\nc: a:-:b,:[]\n",
	"a: it's\nb: x\"y\nc: d(e)\n",
}

var odd = []string{
	"", "---\n", "a", "- a", "a:", "a: ", "a:\tb", "a: b\tc", "a: b\r\nc: d", "a: é", "a: b # c", "a: b: c", "a: |\n  b", "a: >\n  b", "a: &x b", "a: *x", "a: !!str b",
	"a: b\n  c", "a: b\n  c: d", "  a: b", "a: true", "a: Null", "a: yes", "a: ~", "a: 010", "a: 1.5", "a: 1e3", "a: 2001-01-01", "a: 1_000", "a: 0x10", "a: 99999999999", "a: 1.2.3.", "true: a", "1: a",
	"a: \"b\\n\"", "a: 'b''c'", "a: \"b", "a: [b", "a: [b,\n c]", "a: [b,]", "a: [b: c]", "a: {b}", "a: {b:c}", "a: {b: }", "a: {b: c} d", "a: [b] c", "? a\n: b", "<<: a", "a: b\n...\n", "a: b\n---\nc: d", "--- a: b", "%YAML 1.2\n---\na: b",
	"a:\nb: c", "a:\n- b\n c: d", "a:\n -b", "a:\n-  b", "a:\n- - b", "a:\n- b\n  c", "\"a\": b", "a : b", "a: b \nc: d", "a:\n    b: c\n  d: e", "- a: b", "a: -b", "a: .b", "a: @b", "a: `b`", "a: [b#c]", "a: b:", "a: {b: x::y}",
}

func TestPlainTextIsReadAsTheLibraryReadsIt(t *testing.T) {
	r := &plainyaml.Reader{}
	for _, doc := range plain {
		if !compare(t, r, doc) {
			t.Errorf("%q is not read", doc)
		}
	}
	for _, doc := range odd {
		if compare(t, r, doc) {
			t.Errorf("%q is read", doc)
		}
	}
}

func TestDeepNestingIsLeftToTheLibrary(t *testing.T) {
	r := &plainyaml.Reader{}
	block := ""
	for i := range 1000 {
		block += strings.Repeat(" ", i) + "a:\n"
	}
	for _, doc := range []string{"a: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), block + strings.Repeat(" ", 1000) + "a: b"} {
		if r.Document(doc, 1) != nil {
			t.Error("it was read")
		}
	}
}

func TestLinesCountFromTheOneGiven(t *testing.T) {
	if n := (&plainyaml.Reader{}).Document("---\na: b\n", 7); n == nil || n.Line != 8 || n.Content[1].Column != 4 {
		t.Errorf("got %+v", n)
	}
}

// TestExamplesArePlain keeps the way worth having: the documents that people
// write take it.
func TestExamplesArePlain(t *testing.T) {
	r := &plainyaml.Reader{}
	all, read := 0, 0
	root := os.DirFS("../../examples")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		data, err := fs.ReadFile(root, name)
		for doc := range strings.SplitSeq(string(data), "\n---\n") {
			all++
			if compare(t, r, doc) {
				read++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d", read, all)
	if all < 20 || read < all/2 {
		t.Errorf("%d of %d documents are plain", read, all)
	}
}

func FuzzDocument(f *testing.F) {
	for _, doc := range append(plain, odd...) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		compare(t, &plainyaml.Reader{}, doc)
	})
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]string{
		"":                  `1 ""`,
		"a: b\n---\nc: d\n": `1 "a: b\n" 2 "---\nc: d\n"`,
		"# x\n%YAML 1.2\n---\na: b\n---\n\n--- c\n": `1 "# x\n%YAML 1.2\n---\na: b\n" 5 "---\n\n" 7 "--- c\n"`,
		"---a: b\n ---\n": `1 "---a: b\n ---\n"`,
	} {
		var got []string
		for piece, line := range plainyaml.Split(text) {
			got = append(got, fmt.Sprintf("%d %q", line, piece))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}
