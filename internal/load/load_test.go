package load

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
)

const estate = `kind: Estate
metadata: {name: shop}
spec:
  inventory: [{file: hosts.inv}, {kube: manifests}]
  networks: [10.0.0.0/8]
  labels: [{from: "tag:Environment", to: env, map: {production: prod}, authority: controller}]
---
kind: Zone
metadata: {name: prod}
spec: {select: env=prod}
`

func place(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func workload(name, labels string) string {
	return "kind: Workload\nmetadata: {name: " + name + ", labels: {" + labels + "}}\nspec: {addresses: []}\n"
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: i}]}\n"

func names(l *Loaded) []string {
	var out []string
	for _, w := range l.Inventory.Workloads {
		out = append(out, w.Name)
	}
	return out
}

func TestTheEstatesSourcesAreRelativeToIt(t *testing.T) {
	dir := place(t, map[string]string{
		"policy/estate.yaml":        estate,
		"policy/hosts.inv":          workload("h", "Environment: production"),
		"policy/manifests/pod.yaml": pod,
	})
	l, diags := Dir(filepath.Join(dir, "policy"), nil, inventory.Workload{Name: "host/unassigned", Zone: "unassigned"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := names(l); !slices.Equal(got, []string{"h", "host/unassigned", "shop/p[Pod]"}) {
		t.Errorf("workloads are %v", got)
	}
	if z := l.Policy.Zones[l.Policy.ZoneOf[0]].Name; z != "prod" {
		t.Errorf("h is in zone %s: its labels were not made", z)
	}
	if want := []string{filepath.Join(dir, "policy/hosts.inv")}; !slices.Equal(l.Files, want) {
		t.Errorf("files are %v", l.Files)
	}
	if want := []string{filepath.Join(dir, "policy"), filepath.Join(dir, "policy/manifests")}; !slices.Equal(l.Dirs, want) {
		t.Errorf("directories are %v", l.Dirs)
	}
}

func TestGivenSourcesReplaceTheEstates(t *testing.T) {
	dir := place(t, map[string]string{"policy/estate.yaml": estate, "other.yaml": workload("other", "env: prod")})
	l, diags := Dir(filepath.Join(dir, "policy"), []string{"file:" + filepath.Join(dir, "other.yaml")})
	if diags.HasErrors() || !slices.Equal(names(l), []string{"other"}) {
		t.Errorf("%v, %v", names(l), diags)
	}
}

func TestEverythingThatIsWrongIsReportedAtOnce(t *testing.T) {
	dir := place(t, map[string]string{
		"policy/estate.yaml": estate + "---\nkind: Zone\nmetadata: {nme: x}\n",
		"bad.yaml":           "kind: Workload\nmetadata: {name: w}\nspec: {adresses: []}\n",
	})
	sources := []string{"file:" + filepath.Join(dir, "bad.yaml"), "file:" + filepath.Join(dir, "none.yaml"), "file:" + dir,
		"kube:" + filepath.Join(dir, "none"), "fil:x", "x"}
	l, diags := Dir(filepath.Join(dir, "policy"), sources)
	if l.Policy != nil {
		t.Error("there is a policy all the same")
	}
	text := ""
	for _, d := range diags {
		text += d.String() + "\n"
	}
	for _, want := range []string{`"nme"`, `"adresses"`, "none.yaml cannot be read: no such file", "it is a directory", "manifest directory", `did you mean file:x?`, `"x" is no inventory source`, filepath.Join(dir, "policy/estate.yaml") + ":13:", filepath.Join(dir, "bad.yaml") + ":3:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestADirectoryThatIsNone(t *testing.T) {
	dir := place(t, map[string]string{"file": ""})
	for _, name := range []string{"file", "missing"} {
		l, diags := Dir(filepath.Join(dir, name), nil)
		if len(diags) != 1 || diags[0].Code != "unreadable" || diags[0].Severity != diag.Error || l.Tree == nil || l.Inventory == nil || l.Policy != nil {
			t.Errorf("%s: %+v, %v", name, l, diags)
		}
	}
}
