package awssg_test

import (
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/scaffold"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// estate is a policy and everything that is made of it.
type estate struct {
	loaded *load.Loaded
	policy *policy.Policy
	engine *verify.Engine
}

// open reads a policy directory; networks join its inventory.
func open(t testing.TB, files fstest.MapFS, networks ...inventory.Network) *estate {
	t.Helper()
	l, diags := load.FS(files, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	inv, _ := inventory.Join(l.Inventory, &inventory.Snapshot{Networks: networks})
	p, diags := policy.Resolve(l.Tree, inv)
	if p == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return &estate{l, p, e}
}

func template(t testing.TB, name string) *estate {
	t.Helper()
	list, err := scaffold.Files(name, noon)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, f := range list {
		files[f.Name] = &fstest.MapFile{Data: f.Text}
	}
	return open(t, files)
}

func (e *estate) wanted(toCome bool) *plan.Wanted {
	return plan.Make(e.loaded.Tree, e.policy, e.engine, plan.Options{ToCome: toCome, At: noon, Targets: []string{"awssg"}, KeepsTime: func(*inventory.Workload) bool { return true }})
}

// folder puts files where Lift finds them.
func folder(files []target.File) fstest.MapFS {
	out := fstest.MapFS{}
	for _, f := range files {
		out[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return out
}
