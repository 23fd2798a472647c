// Package targettest is the suite that every target must pass, whatever it
// renders to.
package targettest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Estate is an estate to try a target on.
type Estate struct {
	Name   string
	Wanted *plan.Wanted
}

// Source returns what Lift is given of rendered files.
func (e Estate) Source(files []target.File) *target.Source {
	p := e.Wanted.Policy
	return &target.Source{Folder: live.Open(FS(files)), Inventory: p.Inventory, Networks: p.Networks, Estate: p.Estate, Alone: true}
}

// FS holds rendered files.
func FS(files []target.File) fstest.MapFS {
	out := fstest.MapFS{}
	for _, f := range files {
		out[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return out
}

// Describe checks what a target says of itself.
func Describe(t *testing.T, x target.Target) {
	t.Helper()
	if x.Name() == "" || strings.ToLower(x.Name()) != x.Name() {
		t.Errorf("the name %q is not a word in lower case", x.Name())
	}
	c := x.Capability()
	if c.Peers == "" {
		t.Errorf("%s does not say by what it knows peers", x.Name())
	}
	if len(c.Notes) == 0 {
		t.Errorf("%s has no limits, which no platform can say", x.Name())
	}
	for _, n := range c.Notes {
		if n.Text == "" || n.Source == "" {
			t.Errorf("%s: the note %q has no source", x.Name(), n.Text)
		}
	}
	keys := map[string]bool{}
	for _, q := range x.Quotas() {
		if q.Key != "" && keys[q.Key] || q.Most > 0 && (q.Hard || q.Most < q.Limit) || len(q.Of) > 0 && !q.Hard {
			t.Errorf("%s: the quota %+v cannot be raised as it says", x.Name(), q)
		}
		for _, key := range q.Of {
			if !keys[key] {
				t.Errorf("%s: the quota %+v is of %q, which does not come before it", x.Name(), q, key)
			}
		}
		keys[q.Key] = true
		if q.Name == "" || q.Limit <= 0 || q.Source == "" {
			t.Errorf("%s: the quota %+v lacks a name, a number or a source", x.Name(), q)
		}
	}
}

// Render checks that rendering is a function of what is wanted, that paths are
// clean and in order, each below a point, and that nothing comes with errors. It
// returns the files.
func Render(t *testing.T, x target.Target, e Estate) []target.File {
	t.Helper()
	files, diags := x.Render(e.Wanted)
	again, _ := x.Render(e.Wanted)
	if diags.HasErrors() {
		t.Errorf("%s, %s: %v", e.Name, x.Name(), diags)
		if len(files) > 0 {
			t.Errorf("%s, %s: files beside errors", e.Name, x.Name())
		}
		return nil
	}
	if !slices.EqualFunc(files, again, func(a, b target.File) bool { return a.Path == b.Path && string(a.Data) == string(b.Data) }) {
		t.Errorf("%s, %s: rendered twice, the files differ", e.Name, x.Name())
	}
	for i, f := range files {
		if f.Path != path.Clean(f.Path) || path.IsAbs(f.Path) || !strings.Contains(f.Path, "/") || strings.HasPrefix(f.Path, "..") {
			t.Errorf("%s, %s: the path %q is not POINT/…", e.Name, x.Name(), f.Path)
		}
		if i > 0 && files[i-1].Path >= f.Path {
			t.Errorf("%s, %s: %q comes before %q", e.Name, x.Name(), files[i-1].Path, f.Path)
		}
	}
	return files
}

// Lift checks that what was rendered is read back without a word about it, and
// that reading is a function of the files. It returns the layer.
func Lift(t *testing.T, x target.Target, e Estate, files []target.File) *layer.Layer {
	t.Helper()
	l, diags := x.Lift(e.Source(files))
	if l == nil {
		t.Fatalf("%s, %s: no layer", e.Name, x.Name())
	}
	for _, d := range diags {
		if d.Severity == diag.Error {
			t.Errorf("%s, %s: its own files cannot be read: %s", e.Name, x.Name(), d)
		}
	}
	if l.Target != x.Name() {
		t.Errorf("the layer of %s is called %q", x.Name(), l.Target)
	}
	if l.Foreign > 0 || len(l.Unknown) > 0 {
		t.Errorf("%s, %s: %d foreign objects and %d unknown in its own files: %v", e.Name, x.Name(), l.Foreign, len(l.Unknown), l.Unknown)
	}
	if (len(files) > 0) != (len(l.Points) > 0) {
		t.Errorf("%s, %s: %d files make %d points", e.Name, x.Name(), len(files), len(l.Points))
	}
	names := map[string]bool{}
	for _, p := range l.Points {
		if names[p.Name] || p.Name == "" {
			t.Errorf("%s, %s: point %q is there twice or has no name", e.Name, x.Name(), p.Name)
		}
		names[p.Name] = true
	}
	return l
}

// Damage checks that files which were cut off anywhere, or of which bytes were
// lost, are read without a panic and never as if they were whole: either the
// layer differs or something is said.
func Damage(t *testing.T, x target.Target, e Estate, files []target.File) {
	t.Helper()
	whole, _ := x.Lift(e.Source(files))
	said := slices.DeleteFunc(slices.Clone(files), func(f target.File) bool {
		return path.Base(f.Path) == "terraform.tf" // it names the provider; what is left of its comment harms nobody
	})
	for _, f := range said[:min(len(said), 3)] {
		for _, share := range []int{1, 2, 3} {
			cut := slices.Clone(files)
			i := slices.IndexFunc(cut, func(g target.File) bool { return g.Path == f.Path })
			cut[i].Data = cut[i].Data[:len(f.Data)*share/4]
			l, diags := x.Lift(e.Source(cut))
			if len(diags) == 0 && len(l.Unknown) == 0 && Summary(l) == Summary(whole) {
				t.Errorf("%s, %s: %s was cut to %d/4 and nobody saw", e.Name, x.Name(), f.Path, share)
			}
		}
	}
}

// Summary says in a text what a layer holds, for comparing.
func Summary(l *layer.Layer) string {
	var b strings.Builder
	for _, p := range l.Points {
		fmt.Fprintf(&b, "%s %v %s %s\n", p.Name, p.Governs, p.Missing, p.Unknown)
	}
	for _, tb := range l.Tables {
		fmt.Fprintf(&b, "%s %s %v %s\n", tb.Name, tb.Direction, tb.Governs, tb.Default)
		for _, tier := range tb.Tiers {
			for _, r := range tier {
				fmt.Fprintf(&b, "  %s %s %v %v %s %v %s\n", r.Ref.Policy, r.Effect, r.Subject, r.Peer, r.Traffic, r.Cond != nil, r.Unknown)
			}
		}
	}
	return b.String()
}

// Garbage checks that files of every kind that a live folder may hold, with
// contents that mean nothing, make no panic and no permission.
func Garbage(t *testing.T, x target.Target, e Estate) {
	t.Helper()
	texts := []string{"", "null", "[]", "{}", "\x00\xff", "kind: [", "{\"a\":", strings.Repeat("[", 10000), "a: &a [*a]", "resource \"a\" {", strings.Repeat("x", 100000)}
	names := map[string]bool{}
	for _, ext := range []string{"x.yaml", "x.tf", "x.tf.json", "x.tfplan.json", "x.tfstate.json", "x.nft.json", "x.maps.json", "describe-security-groups.json", "describe-network-acls.json", "get-auth-policy.svc-1.json", "firebreak.nft"} {
		names[ext], names["point/"+ext] = true, true
	}
	for _, text := range texts {
		fsys := fstest.MapFS{}
		for _, n := range slices.Sorted(maps.Keys(names)) {
			fsys[n] = &fstest.MapFile{Data: []byte(text)}
		}
		for _, alone := range []bool{true, false} {
			s := e.Source(nil)
			s.Folder, s.Alone = live.Open(fsys), alone
			if l, _ := x.Lift(s); l == nil {
				t.Errorf("%s: no layer of garbage %.20q", x.Name(), text)
			}
		}
	}
}
