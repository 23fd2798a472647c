package load

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func said(diags diag.List) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}

// The cache must say what a fresh reading says, after every change of a file.
func TestCacheSaysWhatAFreshReadingSays(t *testing.T) {
	dir := place(t, map[string]string{
		"policy/estate.yaml":        estate,
		"policy/hosts.inv":          workload("h", "Environment: production"),
		"policy/manifests/pod.yaml": pod,
	})
	at := func(name string) string { return filepath.Join(dir, "policy", name) }
	extra := inventory.Workload{Name: "host/unassigned", Zone: "unassigned"}
	var c Cache
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"first", func() {}},
		{"nothing", func() {}},
		{"a label", func() { write(t, at("hosts.inv"), workload("h", "Environment: testing")) }},
		{"an error", func() { write(t, at("hosts.inv"), "kind: Workload\nmetadata: {name: h}\nspec: {adresses: []}\n") }},
		{"the same error", func() {}},
		{"mended", func() { write(t, at("hosts.inv"), workload("h", "Environment: production")) }},
		{"another manifest", func() { write(t, at("manifests/q.yaml"), strings.Replace(pod, "name: p,", "name: q,", 1)) }},
		{"a renamed manifest", func() { os.Rename(at("manifests/q.yaml"), at("manifests/r.yaml")) }},
		{"a mapping", func() { write(t, at("estate.yaml"), strings.Replace(estate, "production: prod", "production: dev", 1)) }},
		{"a file that is gone", func() { os.Remove(at("hosts.inv")) }},
		{"another workload of the caller's", func() { extra.Name = "host/prod" }},
	} {
		step.change()
		got, gotDiags := c.Dir(at(""), nil, extra)
		want, wantDiags := Dir(at(""), nil, extra)
		if said(gotDiags) != said(wantDiags) {
			t.Errorf("%s: says\n%swant\n%s", step.name, said(gotDiags), said(wantDiags))
		}
		if !slices.Equal(names(got), names(want)) || !slices.Equal(got.Files, want.Files) || !slices.Equal(got.Dirs, want.Dirs) || (got.Policy == nil) != (want.Policy == nil) {
			t.Fatalf("%s: %+v, want %+v", step.name, got, want)
		}
		for i, w := range want.Inventory.Workloads {
			if g := got.Inventory.Workloads[i]; g.Source != w.Source || g.Labels["env"] != w.Labels["env"] {
				t.Errorf("%s: %+v, want %+v", step.name, g, w)
			}
			if want.Policy != nil && got.Policy.Zones[got.Policy.ZoneOf[i]].Name != want.Policy.Zones[want.Policy.ZoneOf[i]].Name {
				t.Errorf("%s: %s is in another zone", step.name, w.Name)
			}
		}
	}
}

func TestCacheKeepsWhatHasNotChanged(t *testing.T) {
	dir := place(t, map[string]string{
		"policy/estate.yaml":        estate,
		"policy/hosts.inv":          workload("h", "Environment: production"),
		"policy/manifests/pod.yaml": pod,
	})
	at := filepath.Join(dir, "policy")
	var c Cache
	first, _ := c.Dir(at, nil)
	again, _ := c.Dir(at, nil)
	if first.Inventory != again.Inventory || first.Tree.Zones[0] != again.Tree.Zones[0] {
		t.Error("nothing has changed, and yet it was read again")
	}
	write(t, filepath.Join(at, "hosts.inv"), workload("h", "Environment: testing"))
	other, _ := c.Dir(at, nil)
	if other.Inventory == first.Inventory || other.Tree.Zones[0] != first.Tree.Zones[0] {
		t.Error("the inventory has changed, and only that")
	}
}

func TestAnotherRevisionIsReadFromWhereItIs(t *testing.T) {
	fsys := fstest.MapFS{
		"deploy/policy/estate.yaml":        {Data: []byte(strings.Replace(estate, "file: hosts.inv", "file: ../hosts.inv", 1))},
		"deploy/hosts.inv":                 {Data: []byte(workload("h", "Environment: production"))},
		"deploy/policy/manifests/pod.yaml": {Data: []byte(pod)},
	}
	l, diags := FS(fsys, "deploy/policy/", nil)
	if diags.HasErrors() || !slices.Equal(names(l), []string{"h", "shop/p[Pod]"}) || l.Policy == nil {
		t.Fatalf("%v\n%s", names(l), said(diags))
	}
	if got := l.Inventory.Workloads[0].Source.File; got != "../hosts.inv" {
		t.Errorf("the workload is from %s", got)
	}
	fsys["deploy/policy/estate.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(estate, "file: hosts.inv", "file: ../../../hosts.inv", 1))}
	if _, diags := FS(fsys, "deploy/policy", nil); !strings.Contains(said(diags), "deploy/policy/estate.yaml:4:15: error unreadable: inventory ../hosts.inv cannot be read: it lies outside") {
		t.Error(said(diags))
	}
	if _, diags := FS(fsys, "none", nil); !strings.Contains(said(diags), "error unreadable: policy directory none cannot be read") {
		t.Error(said(diags))
	}
	dir := place(t, map[string]string{"other.yaml": workload("other", "env: prod")})
	l, diags = FS(fsys, "deploy/policy", []string{"file:" + filepath.Join(dir, "other.yaml")})
	if diags.HasErrors() || !slices.Equal(names(l), []string{"other"}) {
		t.Errorf("%v\n%s", names(l), said(diags))
	}
	if _, diags = FS(fsys, ".", []string{"file:" + filepath.Join(dir, "none.yaml")}); !strings.Contains(said(diags), "none.yaml cannot be read") {
		t.Error(said(diags))
	}
}
