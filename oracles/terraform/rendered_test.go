package terraform

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/load"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/scaffold"
	"firebreak/internal/target"
	"firebreak/internal/target/all"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// targets are those that render Terraform.
var targets = []string{"nacl", "awssg", "lattice"}

// wanted is what a policy directory wants of targets; networks join its
// inventory.
func wanted(t *testing.T, files fs.FS, networks ...inventory.Network) *plan.Wanted {
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
	return plan.Make(l.Tree, p, e, plan.Options{ToCome: true, At: noon, Targets: targets, Relays: all.Relays(targets, p, true)})
}

// tried counts the points of each target, so that none is judged by nothing.
type tried map[string]int

func (n tried) check(t *testing.T) {
	t.Helper()
	for _, of := range targets {
		if n[of] == 0 {
			t.Errorf("%s rendered nothing", of)
		}
	}
	t.Logf("points: %v", map[string]int(n))
}

// TestTerraformAcceptsTheTemplates renders every template to every target that
// writes Terraform, and has Terraform plan and apply all points as modules of one
// configuration.
func TestTerraformAcceptsTheTemplates(t *testing.T) {
	points, sum := tried{}, &tally{}
	for _, template := range scaffold.Templates() {
		w := wanted(t, scaffolded(t, template.Name))
		for _, of := range targets {
			out, diags := all.Named(of).Render(w)
			for _, d := range diags {
				t.Logf("%s, %s: %s", template.Name, of, d)
			}
			if len(out) == 0 {
				continue
			}
			byPoint := pointsOf(out)
			points[of] += len(byPoint)
			t.Run(path.Join(template.Name, of), func(t *testing.T) {
				n := judge(t, laid(t, together(byPoint)))
				t.Log(n)
				sum.add(n)
			})
		}
	}
	points.check(t)
	t.Log(sum)
}

func scaffolded(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	list, err := scaffold.Files(name, noon)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, f := range list {
		files[f.Name] = &fstest.MapFile{Data: f.Text}
	}
	return files
}

// pointsOf puts the files of each point into a folder of their own.
func pointsOf(files []target.File) map[string]map[string][]byte {
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

// unanswered are values for the variables that have no default.
func unanswered(files map[string][]byte) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, m := range variable.FindAllStringSubmatch(string(files[name]), -1) {
			switch {
			case strings.Contains(m[2], "default"):
			case strings.Contains(m[2], "map("):
				out = append(out, m[1]+" = {}")
			case strings.Contains(m[2], "list(") || strings.Contains(m[2], "set("):
				out = append(out, m[1]+" = []")
			default:
				out = append(out, m[1]+` = "vpc-0123456789abcdef0"`)
			}
		}
	}
	return out
}

// together makes one configuration of all points, each a module of it.
func together(points map[string]map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	var root strings.Builder
	for i, name := range slices.Sorted(maps.Keys(points)) {
		fmt.Fprintf(&root, "module \"p%d\" {\n  source = \"./p%d\"\n  %s\n}\n", i, i, strings.Join(unanswered(points[name]), "\n  "))
		for file, data := range points[name] {
			out[fmt.Sprintf("p%d/%s", i, file)] = data
		}
	}
	out["main.tf"] = []byte(root.String())
	return out
}
