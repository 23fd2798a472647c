package cli

import (
	"os"
	"path/filepath"
	"testing"

	"firebreak/internal/adopt"
)

// TestNewDirTakesItsPlaceWhole: until it is whole there is nothing in the place,
// and after it there is nothing beside it.
func TestNewDirTakesItsPlaceWhole(t *testing.T) {
	files := []adopt.File{{Name: "a.yaml", Text: []byte("a")}, {Name: "b.yaml", Text: []byte("b")}}
	for name, c := range map[string]struct {
		before func(t *testing.T, dir string)
		during func(t *testing.T, dir string) // between the proof and the end
		left   int                            // entries of the place in the end; -1 for no place
		fails  bool
	}{
		"missing":          {left: 2},
		"empty":            {before: mkdir, left: 2},
		"a link to empty":  {before: func(t *testing.T, dir string) { mkdir(t, dir+"-real"); symlink(t, dir+"-real", dir) }, left: 2},
		"taken meanwhile":  {during: full, left: 1, fails: true},
		"filled meanwhile": {before: mkdir, during: full, left: 1, fails: true},
		"given up":         {left: -1, fails: true},
		"empty, given up":  {before: mkdir, left: 0, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "sub", "policy")
			if c.before != nil {
				c.before(t, dir)
			}
			p, err := placeFor(dir)
			if err == nil {
				err = p.prepare(files)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := entriesOf(p.stage); n != len(files) {
				t.Errorf("%d files are prepared", n)
			}
			if c.during != nil {
				c.during(t, dir)
			}
			if !c.fails || c.during != nil {
				if err := p.take(files); (err != nil) != c.fails {
					t.Errorf("taking the place: %v", err)
				}
			}
			p.discard()
			if n := entriesOf(dir); n != c.left {
				t.Errorf("%d entries are left, want %d", n, c.left)
			}
			if beside, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(beside) > 0 {
				t.Errorf("%q is left beside", beside)
			}
		})
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func full(t *testing.T, dir string) {
	t.Helper()
	mkdir(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "theirs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// entriesOf is how many entries a directory has; -1 for none such.
func entriesOf(dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1
	}
	return len(entries)
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"policy": "policy", "../a/b-c_1.2": "../a/b-c_1.2", "": "''", "my policy": "'my policy'", "it's": `'it'\''s'`, "$x": "'$x'", "~x": "'~x'", "naïve": "naïve"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
}
