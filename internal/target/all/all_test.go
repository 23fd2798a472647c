package all_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/scaffold"
	"firebreak/internal/target/all"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// estate is one of a template, with what a proof needs.
type estate struct {
	targettest.Estate
	intent prove.Intent
}

// directory is one with a policy.
type directory struct{ name, path string }

// directories are the policies that init writes, and the examples.
func directories(t *testing.T) []directory {
	t.Helper()
	var out []directory
	for _, tmpl := range scaffold.Templates() {
		files, err := scaffold.Files(tmpl.Name, noon)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range files {
			name := filepath.Join(dir, filepath.FromSlash(f.Name))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, directory{tmpl.Name, dir})
	}
	for _, name := range []string{"online-boutique", "three-tier"} {
		out = append(out, directory{name, "../../../examples/" + name})
	}
	return out
}

// templates are the policies that init writes and the examples, as they are in
// force and as they are to come.
func templates(t *testing.T) []estate {
	t.Helper()
	var out []estate
	for _, d := range directories(t) {
		out = append(out, of(t, d.name+" in force", d.path, false), of(t, d.name+" to come", d.path, true))
	}
	return out
}

func of(t *testing.T, name, dir string, toCome bool) estate {
	t.Helper()
	l, diags := load.Dir(dir, nil)
	if l.Policy == nil {
		t.Fatalf("%s: %v", name, diags)
	}
	e, err := verify.New(l.Policy, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range all.Targets() {
		names = append(names, x.Name())
	}
	w := plan.Make(l.Tree, l.Policy, e, plan.Options{ToCome: toCome, At: noon, Targets: names, KeepsTime: all.KeepsTime(names), Relays: all.Relays(names, l.Policy, toCome)})
	return estate{targettest.Estate{Name: name, Wanted: w}, intentOf(l, toCome)}
}

func intentOf(l *load.Loaded, toCome bool) prove.Intent {
	in := prove.Intent{
		Policy: l.Policy, ToCome: toCome,
		Resolve: func(s *inventory.Snapshot) (*policy.Policy, error) {
			p, diags := policy.Resolve(l.Tree, s)
			if p == nil {
				return nil, fmt.Errorf("%v", diags)
			}
			return p, nil
		},
		Accepted: func(r flow.Rule) string { return l.Tree.Accepted("unenforced", r.Policy) },
	}
	for _, s := range l.Tree.Selectors() {
		in.Selectors = append(in.Selectors, s.Selector)
	}
	return in
}

func TestWhatTargetsSayOfThemselves(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range all.Targets() {
		targettest.Describe(t, x)
		if seen[x.Name()] || all.Named(x.Name()) == nil {
			t.Errorf("%s is there twice, or not found", x.Name())
		}
		seen[x.Name()] = true
	}
	if all.Named("no-such") != nil {
		t.Error("a target of no name")
	}
}

// TestTemplatesProve renders every template to every target, reads the bytes
// back and proves them: nothing may be wrong, unknown or unenforced.
func TestTemplatesProve(t *testing.T) {
	for _, e := range templates(t) {
		t.Run(strings.ReplaceAll(e.Name, " ", "-"), func(t *testing.T) {
			var layers []*layer.Layer
			for _, x := range all.Targets() {
				files := targettest.Render(t, x, e.Estate)
				layers = append(layers, targettest.Lift(t, x, e.Estate, files))
			}
			report, err := prove.Prove(e.intent, layers, prove.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				t.Logf("%s %s: %s %s", r.Target, r.Point, r.Result, r.Reason)
				if !r.Result.Proven() {
					t.Errorf("%s %s is %s: %s\n  over %+v\n  under %+v\n  witness %+v", r.Target, r.Point, r.Result, r.Reason, first(r.Over), first(r.Under), r.Witness)
				}
			}
		})
	}
}

func first(lines []prove.Line) []prove.Line { return lines[:min(2, len(lines))] }

// TestDamagedFilesAreSeen cuts rendered files off, and feeds garbage.
func TestDamagedFilesAreSeen(t *testing.T) {
	for _, e := range templates(t) {
		if !strings.HasSuffix(e.Name, "to come") {
			continue
		}
		for _, x := range all.Targets() {
			targettest.Garbage(t, x, e.Estate)
			if files, diags := x.Render(e.Wanted); !diags.HasErrors() {
				targettest.Damage(t, x, e.Estate, files)
			}
		}
	}
}

// TestNothingToGovern: without workloads there is nothing to render.
func TestNothingToGovern(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte("kind: Estate\nmetadata: {name: e}\nspec: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := of(t, "empty", dir, true)
	for _, x := range all.Targets() {
		if files, diags := x.Render(e.Wanted); len(files) > 0 || len(diags) > 0 {
			t.Errorf("%s renders %d files of nothing: %v", x.Name(), len(files), diags)
		}
		if l, diags := x.Lift(e.Source(nil)); len(l.Points) > 0 || len(diags) > 0 {
			t.Errorf("%s finds %d points in nothing: %v", x.Name(), len(l.Points), diags)
		}
	}
}
