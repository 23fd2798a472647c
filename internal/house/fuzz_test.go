package house

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFuzzTargets compares the list in the Makefile with the tree: a fuzz
// target that is not on the list would never run, and a listed one that does
// not exist would test nothing.
func TestFuzzTargets(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	listed, ok := fuzzListed(string(makefile))
	if !ok {
		t.Fatal("the Makefile has no list FUZZ :=")
	}
	there, err := fuzzInTree(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if !slices.Contains(listed, f) {
			t.Errorf("%s is not in the Makefile's list FUZZ", f)
		}
	}
	for _, f := range listed {
		if !slices.Contains(there, f) {
			t.Errorf("the Makefile's list FUZZ names %s, which does not exist", f)
		}
	}
}

// fuzzListed reads the make variable FUZZ, which may run over several lines.
func fuzzListed(makefile string) ([]string, bool) {
	joined := strings.ReplaceAll(makefile, "\\\n", " ")
	m := regexp.MustCompile(`(?m)^FUZZ :=(.*)$`).FindStringSubmatch(joined)
	if m == nil {
		return nil, false
	}
	return strings.Fields(m[1]), true
}

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// fuzzInTree finds every fuzz target as directory:name.
func fuzzInTree(fsys fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipDir(fsys, name)
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		for _, m := range fuzzFunc.FindAllSubmatch(src, -1) {
			found = append(found, path.Dir(name)+":"+string(m[1]))
		}
		return err
	})
	return found, err
}

func TestFuzzListsAreRead(t *testing.T) {
	listed, ok := fuzzListed("A := b\nFUZZ := \\\n  a:FuzzA \\\n  b:FuzzB\nC := d\n")
	if want := []string{"a:FuzzA", "b:FuzzB"}; !ok || !slices.Equal(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
	if _, ok := fuzzListed("A := b\n"); ok {
		t.Error("found a list where there is none")
	}
	there, err := fuzzInTree(fstest.MapFS{
		"go.mod": {}, "a/a_test.go": {Data: []byte("package a\n\nfunc FuzzA(f *testing.F) {\n}\nfunc helper(FuzzB int) {}\n")},
	})
	if want := []string{"a:FuzzA"}; err != nil || !slices.Equal(there, want) {
		t.Errorf("found %v (%v), want %v", there, err, want)
	}
}
