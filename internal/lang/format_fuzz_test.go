package lang

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"firebreak/internal/diag"
)

// FuzzFormat looks for text that formatting changes the meaning of, or that
// formatting twice changes twice.
func FuzzFormat(f *testing.F) {
	for _, c := range allDiagnosticCases() {
		f.Add([]byte(c.text))
	}
	for _, c := range formatCases {
		f.Add([]byte(c.in))
	}
	for _, text := range ownTexts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkFormat(t, text) })
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkFormat holds Format to its contract on one text.
func checkFormat(t tester, text []byte) []byte {
	t.Helper()
	before := bytes.Clone(text)
	out, list := Format("f.yaml", text)
	if !bytes.Equal(before, text) {
		t.Fatalf("the text was written to")
	}
	if list.HasErrors() {
		if !bytes.Equal(out, text) {
			t.Fatalf("text with errors was changed: %v", list)
		}
		return out
	}
	again, list := Format("f.yaml", out)
	if list.HasErrors() || !bytes.Equal(again, out) {
		t.Fatalf("formatted twice: %v\n--- of\n%s\n--- once\n%s\n--- twice\n%s", list, text, out, again)
	}
	was, wasList := Parse(fstest.MapFS{"f.yaml": {Data: text}})
	is, isList := Parse(fstest.MapFS{"f.yaml": {Data: out}})
	if a, b := codes(wasList), codes(isList); !slices.Equal(a, b) && len(wasList) < maxDiagnostics {
		t.Fatalf("diagnostics %v became %v\n--- of\n%s\n--- formatted\n%s", a, b, text, out)
	}
	if a, b := dump(was), dump(is); a != b && !wasList.HasErrors() {
		t.Fatalf("the tree changed\n--- of\n%s\n--- formatted\n%s\n%s\n%s", text, out, a, b)
	}
	if a, b := hashes(text), hashes(out); a != b {
		t.Fatalf("%d signs of comments became %d\n--- of\n%s\n--- formatted\n%s", a, b, text, out)
	}
	return out
}

func hashes(text []byte) int { return bytes.Count(text, []byte("#")) }

func codes(list diag.List) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Code)
	}
	slices.Sort(out)
	return out
}

// dump writes a tree without its places.
func dump(v any) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(v))
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value) {
	if v.IsValid() && v.CanInterface() {
		switch s := v.Interface().(type) {
		case diag.Pos:
			return
		case fmt.Stringer:
			if v.Kind() != reflect.Pointer || !v.IsNil() {
				fmt.Fprintf(b, "%q", s.String())
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			dumpValue(b, v.Elem())
		}
	case reflect.Struct:
		b.WriteByte('{')
		for i := range v.NumField() {
			fmt.Fprintf(b, "%s:", v.Type().Field(i).Name)
			dumpValue(b, v.Field(i))
			b.WriteByte(' ')
		}
		b.WriteByte('}')
	case reflect.Slice, reflect.Array:
		b.WriteByte('[')
		for i := range v.Len() {
			dumpValue(b, v.Index(i))
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

var corpusFile = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// ownTexts are the policy texts that the project has: examples, the cases that
// every judge is asked, the reference.
func ownTexts(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, root := range []string{"../../examples", "../../testdata/corpus", "../../docs", "../scaffold", "testdata/shop"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			switch {
			case err != nil:
				return err
			case strings.HasSuffix(name, ".yaml"):
				out = append(out, data)
			case strings.HasSuffix(name, ".txtar"):
				parts := corpusFile.Split(string(data), -1)
				for i, m := range corpusFile.FindAllStringSubmatch(string(data), -1) {
					if strings.HasSuffix(m[1], ".yaml") {
						out = append(out, []byte(parts[i+1]))
					}
				}
			case filepath.Base(name) == "language.md":
				for _, m := range yamlBlock.FindAllStringSubmatch(string(data), -1) {
					out = append(out, []byte(m[1]))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 20 {
		t.Fatalf("found %d texts; the search is broken", len(out))
	}
	return out
}

func TestFormatKeepsWhatTheProjectHas(t *testing.T) {
	for _, text := range ownTexts(t) {
		checkFormat(t, text)
	}
}

// TestFormatOfMadeTexts writes documents in every way that YAML permits and
// that people use. None of them may be left as it is.
func TestFormatOfMadeTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{t: t}
		var b strings.Builder
		for range rapid.IntRange(1, 3).Draw(t, "documents") {
			b.WriteString("---\n")
			m.note(&b, 0)
			kind := rapid.SampledFrom([]string{"Zone", "Service", "Policy", "Case", "Workload", "Pod"}).Draw(t, "kind")
			f := documents[kind]
			if f == nil {
				f = documents["Zone"]
			}
			b.WriteString("kind: " + kind + "\n")
			m.object(&b, &form{fields: f.fields[2:]}, 0)
		}
		checkFormat(t, []byte(b.String()))
		for _, c := range split([]byte(b.String())) {
			root, err := only(c.text)
			if err != nil || root == nil || kindOf(root) == "" {
				continue
			}
			if _, ok := formatDocument(c.text, root, false); !ok {
				t.Fatalf("left as it is:\n%s", c.text)
			}
		}
	})
}

type maker struct{ t *rapid.T }

func (m *maker) yes(what string) bool { return rapid.Bool().Draw(m.t, what) }

func (m *maker) note(b *strings.Builder, indent int) {
	switch rapid.IntRange(0, 6).Draw(m.t, "note") {
	case 0:
		b.WriteString("\n")
	case 1:
		fmt.Fprintf(b, "%s# note\n", strings.Repeat(" ", indent))
	case 2:
		fmt.Fprintf(b, "\n%s# a\n\n%s# b\n", strings.Repeat(" ", indent+2), strings.Repeat(" ", indent))
	}
}

func (m *maker) beside(b *strings.Builder) {
	if rapid.IntRange(0, 4).Draw(m.t, "beside") == 0 {
		b.WriteString("  # beside")
	}
	b.WriteString("\n")
}

func (m *maker) object(b *strings.Builder, f *form, indent int) {
	fields := rapid.Permutation(f.fields).Draw(m.t, "fields")
	for i, field := range fields[:rapid.IntRange(1, len(fields)).Draw(m.t, "n")] {
		if i > 0 {
			m.note(b, indent)
		}
		fmt.Fprintf(b, "%s%s:", strings.Repeat(" ", indent), field.name)
		m.value(b, field.form, indent)
	}
	m.note(b, indent)
}

func (m *maker) value(b *strings.Builder, f *form, indent int) {
	deeper := indent + rapid.SampledFrom([]int{2, 4}).Draw(m.t, "indent")
	switch {
	case len(f.fields) > 0 && m.yes("block"):
		m.beside(b)
		m.object(b, f, deeper)
	case f.shape == aList && f.item != nil && m.yes("block"):
		m.beside(b)
		if m.yes("compact") {
			deeper = indent
		}
		for range rapid.IntRange(1, 3).Draw(m.t, "entries") {
			m.note(b, deeper)
			fmt.Fprintf(b, "%s-", strings.Repeat(" ", deeper))
			m.value(b, f.item, deeper)
		}
	default:
		b.WriteString(" " + m.inFlow(f))
		m.beside(b)
	}
}

func (m *maker) inFlow(f *form) string {
	gap := rapid.SampledFrom([]string{"", " ", "\n" + strings.Repeat(" ", 12), "  # in between\n" + strings.Repeat(" ", 12)})
	var parts []string
	switch {
	case len(f.fields) > 0:
		fields := rapid.Permutation(f.fields).Draw(m.t, "fields")
		for _, field := range fields[:rapid.IntRange(0, len(fields)).Draw(m.t, "n")] {
			parts = append(parts, gap.Draw(m.t, "gap")+field.name+": "+m.inFlow(field.form))
		}
		return "{" + strings.Join(parts, ",") + gap.Draw(m.t, "end") + "}"
	case f.shape == aList && f.item != nil:
		for range rapid.IntRange(0, 3).Draw(m.t, "entries") {
			parts = append(parts, gap.Draw(m.t, "gap")+m.inFlow(f.item))
		}
		return "[" + strings.Join(parts, ",") + gap.Draw(m.t, "end") + "]"
	case len(f.words) > 0:
		return rapid.SampledFrom(f.words).Draw(m.t, "word")
	case f.shape == aTruth:
		return "true"
	}
	return rapid.SampledFrom([]string{
		"a", "web-1", "5432", "10.0.0.0/8", "80/TCP", `"tier=data, env in (b,a)"`, "'it''s # none'", `"a \"b\" \u00e9"`, "x!=y", "a==b", `"tab\there"`, "two words", "http://x/y#z",
	}).Draw(m.t, "text")
}
