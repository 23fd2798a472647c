package artifact_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/artifact"
)

// render writes files into a folder and returns its steps as text.
func render(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	f := prepare(t, dir, files)
	if err := artifact.Write([]*artifact.Folder{f}); err != nil {
		t.Fatal(err)
	}
	return steps(f.Steps())
}

func prepare(t *testing.T, dir string, files map[string]string) *artifact.Folder {
	t.Helper()
	var list []artifact.File
	for path, data := range files {
		list = append(list, artifact.File{Path: path, Data: []byte(data)})
	}
	f, err := artifact.Prepare(dir, artifact.List{Target: "x", Estate: "shop"}, list)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func steps(list []artifact.Step) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Path+" "+string(s.Change))
	}
	return strings.Join(out, ", ")
}

// tree is what a folder and what is beside it hold.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(filepath.Dir(dir)), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(name) == artifact.ListName {
			return err
		}
		data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if got[name] != want[name] {
			t.Errorf("%s holds %q, want %q", name, got[name], want[name])
		}
	}
	for name := range want {
		if _, is := got[name]; !is {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestFilesComeChangeAndGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "x")
	if got := render(t, dir, map[string]string{"p/a": "1", "p/b": "2", "q/c": "3"}); got != "p/a new, p/b new, q/c new" {
		t.Error(got)
	}
	if got := render(t, dir, map[string]string{"p/a": "1", "p/b": "4", "r/d": "5"}); got != "p/a same, p/b changed, q/c removed, r/d new" {
		t.Error(got)
	}
	same(t, tree(t, dir), map[string]string{"x/p/a": "1", "x/p/b": "4", "x/r/d": "5"})
	if _, err := os.Stat(filepath.Join(dir, "q")); err == nil {
		t.Error("an empty folder is left")
	}
	l, err := artifact.ReadList(os.DirFS(dir))
	if err != nil || l.Estate != "shop" || l.Target != "x" || len(l.Files) != 3 || len(l.Changes(os.DirFS(dir))) != 0 {
		t.Errorf("the list is %+v (%v)", l, err)
	}
	if got := render(t, dir, nil); got != "p/a removed, p/b removed, r/d removed" {
		t.Error(got)
	}
	same(t, tree(t, dir), map[string]string{})
}

func TestForeignFilesStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	render(t, dir, map[string]string{"p/a": "1", "q/b": "2"})
	put(t, filepath.Join(dir, "p", "terraform.tfstate"), "state")
	put(t, filepath.Join(dir, "p", ".terraform", "deep", "provider"), "binary")
	put(t, filepath.Join(dir, "q", "note"), "mine")
	if err := os.Symlink("note", filepath.Join(dir, "q", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	render(t, dir, map[string]string{"p/a": "3"})
	same(t, tree(t, dir), map[string]string{
		"x/p/a": "3", "x/p/terraform.tfstate": "state", "x/p/.terraform/deep/provider": "binary", "x/q/note": "mine", "x/q/link": "mine",
	})
	if _, err := os.Stat(filepath.Join(dir, "empty")); err != nil {
		t.Error(err)
	}
}

func TestEditedFilesAreBlocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	render(t, dir, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"})
	put(t, filepath.Join(dir, "a"), "edited")
	put(t, filepath.Join(dir, "b"), "edited")
	put(t, filepath.Join(dir, "c"), "new")
	put(t, filepath.Join(dir, "e"), "foreign")
	if err := os.Remove(filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	l, err := artifact.ReadList(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Changes(os.DirFS(dir)); len(got) != 4 || got["a"] != "changed" || got["d"] != "missing" {
		t.Errorf("changes are %v", got)
	}
	f := prepare(t, dir, map[string]string{"a": "1b", "c": "new", "d": "4", "e": "5"})
	if got := steps(f.Blocked()); got != "a edited, b edited, e in-the-way" {
		t.Error(got)
	}
	if got := steps(f.Steps()); got != "a edited, b edited, c same, d new, e in-the-way" {
		t.Error(got)
	}
	if err := artifact.Write([]*artifact.Folder{f}); err != nil {
		t.Fatal(err)
	}
	same(t, tree(t, dir), map[string]string{"x/a": "1b", "x/c": "new", "x/d": "4", "x/e": "5"})
}

// TestAllOrNothing demands that a folder which cannot be written keeps the
// others as they are, and that nothing is left beside them.
func TestAllOrNothing(t *testing.T) {
	root := t.TempDir()
	good, bad := filepath.Join(root, "good"), filepath.Join(root, "zbad")
	render(t, good, map[string]string{"a": "1"})
	put(t, filepath.Join(bad, "p"), "a file where a folder has to be")
	err := artifact.Write([]*artifact.Folder{
		prepare(t, good, map[string]string{"a": "2"}), prepare(t, bad, map[string]string{"p/a": "3"}),
	})
	if err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("the error is %v", err)
	}
	same(t, tree(t, good), map[string]string{"good/a": "1", "zbad/p": "a file where a folder has to be"})
}

func TestPathsStayInTheFolder(t *testing.T) {
	for _, path := range []string{"../a", "/a", "a/../../b", artifact.ListName, "", ".", `a\b`, "a//b"} {
		if _, err := artifact.Prepare(t.TempDir(), artifact.List{}, []artifact.File{{Path: path}}); err == nil {
			t.Errorf("%q is taken for a path", path)
		}
	}
	if _, err := artifact.Prepare(t.TempDir(), artifact.List{}, []artifact.File{{Path: "a"}, {Path: "a"}}); err == nil {
		t.Error("two files have one path")
	}
}

func TestBadLists(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "cannot be read",
		"{":                                "cannot be read",
		`{"files": [{"path": "../a"}]}`:    "no file of its folder",
		`{"files": "x"}`:                   "cannot be read",
		`{"target": "x", "files": [], "y"`: "cannot be read",
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, artifact.ListName), text)
		if _, err := artifact.ReadList(os.DirFS(dir)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if _, err := artifact.Prepare(dir, artifact.List{}, nil); err == nil {
			t.Errorf("%q: a folder is written over a list that cannot be read", text)
		}
	}
	if _, err := artifact.ReadList(os.DirFS(t.TempDir())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a list: %v", err)
	}
}

func TestThroughALink(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "x")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	render(t, link, map[string]string{"a": "1"})
	if got, err := os.ReadFile(filepath.Join(root, "real", "a")); err != nil || string(got) != "1" {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	entries, err := os.ReadDir(root)
	if err != nil || !slices.EqualFunc(entries, []string{"real", "x"}, func(e fs.DirEntry, s string) bool { return e.Name() == s }) {
		t.Errorf("%v, %v", entries, err)
	}
}
