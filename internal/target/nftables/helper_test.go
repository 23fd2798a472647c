package nftables

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/live"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

var now = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

// wanted plans a tree and an inventory.
func wanted(t testing.TB, tree *lang.Dir, inv *inventory.Snapshot) *plan.Wanted {
	t.Helper()
	p, diags := policy.Resolve(tree, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: now})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(tree, p, e, plan.Options{At: now})
}

func wantedDir(t testing.TB, fsys fs.FS, sources ...string) *plan.Wanted {
	t.Helper()
	l, diags := load.FS(fsys, ".", sources)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	return wanted(t, l.Tree, l.Policy.Inventory)
}

func wantedText(t testing.TB, policy, inventory string) *plan.Wanted {
	return wantedDir(t, fstest.MapFS{"policy.yaml": {Data: []byte(policy)}, "inventory.yaml": {Data: []byte(inventory)}})
}

func example(t testing.TB, name string) *plan.Wanted {
	return wantedDir(t, os.DirFS("../../../examples/"+name))
}

// source is a folder that holds the files.
func source(w *plan.Wanted, files map[string][]byte, alone bool) *target.Source {
	m := fstest.MapFS{}
	for name, data := range files {
		m[name] = &fstest.MapFile{Data: data}
	}
	return &target.Source{Folder: live.Open(m), Inventory: w.Policy.Inventory, Networks: w.Policy.Networks, Estate: w.Policy.Estate, Alone: alone}
}

func rendered(t testing.TB, w *plan.Wanted) map[string][]byte {
	t.Helper()
	files, diags := Target{}.Render(w)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string][]byte{}
	for _, f := range files {
		out[f.Path] = f.Data
	}
	return out
}
