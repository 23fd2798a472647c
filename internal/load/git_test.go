package load_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/load"
)

// repository makes one with a policy, an inventory beside it, links and odd
// names, all committed and then gone from the work tree.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	dir := t.TempDir()
	files := map[string]string{
		"policy/estate.yaml": "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: ../hosts/inv.yaml}]}\n",
		"hosts/inv.yaml":     "kind: Workload\nmetadata: {name: a}\n",
		"odd name ü\n.txt":   "x",
		"empty":              "",
	}
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": "policy", "out": "/etc", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "one")
	for _, gone := range []string{"policy", "hosts", "link"} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("git", append([]string{"-C", dir}, args...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRevisionIsAFileSystem(t *testing.T) {
	dir := repository(t)
	r, within, err := load.OpenRevision("main", filepath.Join(dir, "link"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if within != "link" {
		t.Errorf("within %q", within)
	}
	for _, name := range []string{"hosts/inv.yaml", "link/estate.yaml", "odd name ü\n.txt", "empty"} {
		if _, err := fs.ReadFile(r, name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"out", "out/passwd", "loop", "nowhere", "hosts/nowhere"} {
		if _, err := fs.Stat(r, name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	sub, err := fs.Sub(r, "policy")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(sub, "estate.yaml"); err != nil {
		t.Error(err)
	}
}

// What is gone from the work tree is still in the revision, with the inventory
// beside it.
func TestFSOfARevision(t *testing.T) {
	dir := repository(t)
	for _, policy := range []string{"policy", "link"} {
		r, within, err := load.OpenRevision("HEAD", filepath.Join(dir, policy))
		if err != nil {
			t.Fatal(err)
		}
		got, diags := load.FS(r, within, nil)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if policy == "policy" && (got.Policy == nil || len(got.Inventory.Workloads) != 1) {
			t.Errorf("%s: %v", policy, diags)
		}
	}
}

func TestRevisionsThatAreNone(t *testing.T) {
	dir := repository(t)
	for _, rev := range []string{"", "-h", "--output=/tmp/x", "main\nmain", "nowhere", "main:policy/estate.yaml"} {
		if r, _, err := load.OpenRevision(rev, dir); err == nil {
			r.Close()
			t.Errorf("%q is taken for a revision", rev)
		}
	}
	if _, _, err := load.OpenRevision("HEAD", t.TempDir()); err == nil {
		t.Error("a directory is taken for a repository")
	}
}
