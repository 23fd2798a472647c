package house

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// TestDocsNameWhatExists follows every relative link, and every path in
// backticks that begins like one of the house's, in README.md and docs.
func TestDocsNameWhatExists(t *testing.T) {
	broken, read, err := brokenNames(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if read < 5 {
		t.Fatalf("read %d documents; the walk is broken", read)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

var (
	docLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	docPath = regexp.MustCompile("`((?:cmd|internal|web|examples|docs|hack|testdata|LICENSES)/[\\w./-]+)`")
)

// brokenNames returns "document: name" for each name that does not exist, and
// how many documents it read.
func brokenNames(fsys fs.FS) (broken []string, read int, err error) {
	docs, err := fs.Glob(fsys, "docs/*.md")
	if err != nil {
		return nil, 0, err
	}
	for _, doc := range append(docs, "README.md") {
		text, err := fs.ReadFile(fsys, doc)
		if err != nil {
			return nil, read, err
		}
		read++
		for _, m := range docLink.FindAllStringSubmatch(string(text), -1) {
			broken = append(broken, missing(fsys, doc, path.Join(path.Dir(doc), m[1]))...)
		}
		for _, m := range docPath.FindAllStringSubmatch(string(text), -1) {
			broken = append(broken, missing(fsys, doc, strings.TrimRight(m[1], "/."))...)
		}
	}
	return broken, read, nil
}

func missing(fsys fs.FS, doc, name string) []string {
	if _, err := fs.Stat(fsys, name); err != nil {
		return []string{doc + ": " + name + " does not exist"}
	}
	return nil
}

func TestBrokenNamesAreFound(t *testing.T) {
	broken, read, err := brokenNames(fstest.MapFS{
		"README.md":             {Data: []byte("[a](docs/a.md#there) [b](docs/b.md) ![p](docs/p.png) [w](https://example.com)")},
		"docs/a.md":             {Data: []byte("[up](../README.md) `internal/flow/flow.go` `internal/gone/` `make internal`")},
		"docs/p.png":            {},
		"internal/flow/flow.go": {},
	})
	if err != nil || read != 2 {
		t.Fatalf("read %d documents (%v), want 2", read, err)
	}
	want := "docs/a.md: internal/gone does not exist, README.md: docs/b.md does not exist"
	if got := strings.Join(broken, ", "); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}
