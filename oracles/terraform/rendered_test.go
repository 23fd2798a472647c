package terraform

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/gen"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/scaffold"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// targets are those that render Terraform.
var targets = []string{"nacl", "awssg", "lattice"}

// wanted is what a policy directory wants of targets.
func wanted(t *testing.T, files fs.FS) *plan.Wanted {
	t.Helper()
	l, diags := load.FS(files, ".", nil)
	if l.Policy == nil {
		t.Fatal(diags)
	}
	e, err := verify.New(l.Policy, verify.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Make(l.Tree, l.Policy, e, plan.Options{ToCome: true, At: noon, Targets: targets})
}

// TestTerraformAcceptsTheTemplates renders every template to every target that
// writes Terraform, and has Terraform plan and apply each point.
func TestTerraformAcceptsTheTemplates(t *testing.T) {
	points := 0
	for _, template := range scaffold.Templates() {
		name := template.Name
		list, err := scaffold.Files(name, noon)
		if err != nil {
			t.Fatal(err)
		}
		files, network := fstest.MapFS{}, map[string][]byte{}
		for _, f := range list {
			files[f.Name] = &fstest.MapFile{Data: f.Text}
			if rest, ok := strings.CutPrefix(f.Name, "network/"); ok && strings.HasSuffix(rest, ".tf") {
				network[rest] = f.Text
			}
		}
		if len(network) > 0 {
			t.Run(name+"/network", func(t *testing.T) { judge(t, laid(t, answered(network))) })
		}
		if name == "empty" {
			continue
		}
		w := wanted(t, files)
		for _, of := range targets {
			out, diags := all.Named(of).Render(w)
			if diags.HasErrors() {
				t.Logf("%s, %s: nothing is rendered: %v", name, of, diags[0])
			}
			for point, files := range byPoint(out) {
				points++
				t.Run(path.Join(name, of, point), func(t *testing.T) {
					t.Log(judge(t, laid(t, answered(files))))
				})
			}
		}
	}
	if points == 0 {
		t.Error("nothing was rendered")
	}
	t.Logf("%d points", points)
}

// byPoint puts the files of each point into a folder of their own.
func byPoint(files []target.File) map[string]map[string][]byte {
	out := map[string]map[string][]byte{}
	for _, f := range files {
		point, rest, _ := strings.Cut(f.Path, "/")
		if out[point] == nil {
			out[point] = map[string][]byte{}
		}
		out[point][rest] = f.Data
	}
	return out
}

var variable = regexp.MustCompile(`(?s)variable "([^"]+)" \{(.*?)\n\}`)

// answered gives values to variables that have no default.
func answered(files map[string][]byte) map[string][]byte {
	var values strings.Builder
	out := map[string][]byte{}
	for name, data := range files {
		out[name] = data
		for _, m := range variable.FindAllStringSubmatch(string(data), -1) {
			switch {
			case strings.Contains(m[2], "default"):
			case strings.Contains(m[2], "map("):
				fmt.Fprintf(&values, "%s = {}\n", m[1])
			case strings.Contains(m[2], "list(") || strings.Contains(m[2], "set("):
				fmt.Fprintf(&values, "%s = []\n", m[1])
			default:
				fmt.Fprintf(&values, "%s = \"vpc-0123456789abcdef0\"\n", m[1])
			}
		}
	}
	if values.Len() > 0 {
		out["terraform.tfvars"] = []byte(values.String())
	}
	return out
}

// TestTerraformAcceptsRandomEstates does the same for estates that nobody wrote.
func TestTerraformAcceptsRandomEstates(t *testing.T) {
	points, resources := 0, 0
	for seed := range uint64(2) {
		fsys, err := gen.Estate(gen.Options{Workloads: 60, Identities: 20, Rules: 20, Seed: seed + 1})
		if err != nil {
			t.Fatal(err)
		}
		w := wanted(t, fsys)
		for _, of := range targets {
			out, diags := all.Named(of).Render(w)
			if diags.HasErrors() {
				t.Logf("seed %d, %s: nothing is rendered: %v", seed, of, diags[0])
			}
			for _, files := range byPoint(out) {
				points++
				resources += judge(t, laid(t, answered(files))).Resources
			}
		}
	}
	t.Logf("%d points, %d resources", points, resources)
}
