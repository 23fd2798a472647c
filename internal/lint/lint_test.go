package lint_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/lang"
	"firebreak/internal/lint"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TestEveryFindingFiresAndDoesNot: each code has a file with a policy in which
// the lines marked "# want" have it, and one like it in which none has.
func TestEveryFindingFiresAndDoesNot(t *testing.T) {
	docs, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range lint.Codes {
		t.Run(code, func(t *testing.T) {
			files := map[string]string{}
			a, err := txtar.ParseFile("testdata/" + code + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range a.Files {
				files[f.Name] = string(f.Data)
			}
			if files["quiet-inventory.yaml"] == "" {
				files["quiet-inventory.yaml"] = files["inventory.yaml"]
			}
			want := marked(files["fires.yaml"])
			if got := lines(check(t, files["fires.yaml"], files["inventory.yaml"]), code); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("fires at lines %v, want %v", got, want)
			}
			if got := lines(check(t, files["quiet.yaml"], files["quiet-inventory.yaml"]), code); got != nil {
				t.Errorf("fires at lines %v where it should not", got)
			}
			if !strings.Contains(string(docs), "\n## "+code+"\n") {
				t.Error("has no section in docs/lint.md")
			}
		})
	}
}

// TestADocumentAcceptsFindings: with a reason, and only the ones it names.
func TestADocumentAcceptsFindings(t *testing.T) {
	a, err := txtar.ParseFile("testdata/any-to-any.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text, inv := string(a.Files[0].Data), string(a.Files[2].Data)
	accept := func(what string) string {
		return strings.Replace(text, "{name: p, owner: o}", `{name: p, owner: o, annotations: {firebreak.dev/accept: "`+what+`"}}`, 1)
	}
	for what, n := range map[string]int{"any-to-any: a laboratory": 0, "unowned, any-to-any: a laboratory": 0, "unowned: nobody": 2} {
		if got := lines(check(t, accept(what), inv), "any-to-any"); len(got) != n {
			t.Errorf("%q: found at %v, want %d", what, got, n)
		}
	}
}

func marked(text string) []int {
	var out []int
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "# want") {
			out = append(out, i+1)
		}
	}
	return out
}

func lines(found diag.List, code string) []int {
	var out []int
	for _, d := range found {
		if d.Code == code {
			out = append(out, d.Pos.Line)
			if d.Severity == diag.Error || d.Message == "" || d.Help == "" {
				out = append(out, -1)
			}
		}
	}
	return out
}

func check(t *testing.T, text, workloads string) diag.List {
	t.Helper()
	dir, p := resolve(t, text, workloads)
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return lint.Check(dir, e)
}

func resolve(t *testing.T, text, workloads string) (*lang.Dir, *policy.Policy) {
	t.Helper()
	fsys := fstest.MapFS{"p.yaml": {Data: []byte(text)}, "i.yaml": {Data: []byte(workloads)}}
	dir, diags := lang.Parse(fsys)
	part, more := file.Read(fsys, "i.yaml")
	inv, joined := inventory.Join(part)
	diags = append(append(diags, more...), joined...)
	p, more := policy.Resolve(dir, inv)
	if diags = append(diags, more...); diags.HasErrors() {
		t.Fatal(diags)
	}
	return dir, p
}
