package diag

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The findings of check are on a page of their own.
const (
	docs     = "../../docs/diagnostics.md"
	findings = "../../docs/lint.md"
)

// TestEveryCodeHasASection compares the codes in the source with the sections
// of docs/diagnostics.md, both ways.
func TestEveryCodeHasASection(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### ([a-z0-9-]+)$`).FindAllStringSubmatch(string(text), -1) {
		if sections[m[1]] {
			t.Errorf("%s has two sections %q", docs, m[1])
		}
		sections[m[1]] = true
	}
	for _, code := range slices.Sorted(maps.Keys(sections)) {
		if !slices.Contains(Codes, code) {
			t.Errorf("%s has a section %q that Codes (codes.go) lack", docs, code)
		}
	}
	for _, code := range Codes {
		if !sections[code] {
			t.Errorf("Codes (codes.go) have %q, of which %s has no section", code, docs)
		}
	}
	if !slices.IsSorted(Codes) {
		t.Error("Codes are not sorted")
	}
	more, err := os.ReadFile(findings)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^## ([a-z0-9-]+)$`).FindAllStringSubmatch(string(more), -1) {
		sections[m[1]] = true
	}
	codes, err := codesIn("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(codes) < 30 {
		t.Fatalf("found %d codes; the search is broken", len(codes))
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if !sections[code] {
			t.Errorf("%s: the code %q has no section in %s", codes[code], code, docs)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(sections)) {
		if codes[code] == "" {
			t.Errorf("%s has a section %q, but nothing reports it", docs, code)
		}
	}
}

// Where a code stands in a call, by the name of what is called.
var (
	codeSecond    = []string{"Errorf", "Warnf", "Infof", "errorf", "errorAt", "warnAt", "lost"}
	codeSomewhere = []string{"choice", "choiceTo", "number"}
	codeText      = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// codesIn returns every code in the tree with a place where it is reported.
func codesIn(root string) (map[string]string, error) {
	codes := map[string]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // not ours to judge here: it does not compile either
		}
		ast.Inspect(f, func(n ast.Node) bool {
			for _, code := range codesOf(n) {
				codes[code] = files.Position(n.Pos()).String()
			}
			return true
		})
		return nil
	})
	return codes, err
}

func codesOf(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			return codeOf(n.Value)
		}
	case *ast.ValueSpec:
		var out []string
		for i, v := range n.Values {
			if strings.HasPrefix(n.Names[i].Name, "code") {
				out = append(out, codeOf(v)...)
			}
		}
		return out
	case *ast.CallExpr:
		name := ""
		switch fun := n.Fun.(type) {
		case *ast.Ident:
			name = fun.Name
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		}
		if slices.Contains(codeSecond, name) && len(n.Args) > 2 {
			return codeOf(n.Args[1])
		}
		if slices.Contains(codeSomewhere, name) {
			for _, arg := range n.Args {
				if code := codeOf(arg); len(code) > 0 && strings.HasPrefix(code[0], "bad-") {
					return code
				}
			}
		}
	}
	return nil
}

func codeOf(e ast.Expr) []string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil || !codeText.MatchString(s) {
		return nil
	}
	return []string{s}
}
