package load

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// findings loads a directory and returns what is said about it, one finding a line,
// without helps, its files named from the directory above.
func findings(t *testing.T, files map[string]string, sources ...string) string {
	t.Helper()
	dir := place(t, files)
	for i, s := range sources {
		sources[i] = strings.ReplaceAll(s, "DIR", dir)
	}
	_, diags := Dir(filepath.Join(dir, "policy"), sources)
	var out []string
	for _, d := range diags {
		line := d.Pos.String() + " " + d.Code
		if d.See.File != "" {
			line += " see " + d.See.String()
		}
		out = append(out, strings.ReplaceAll(line, dir+"/", ""))
	}
	return strings.Join(out, "\n")
}

const small = "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: ../hosts.inv}]}\n---\n"

func TestSecondPlacesAreSeenFromTheWorkingDirectory(t *testing.T) {
	zone := "kind: Zone\nmetadata: {name: a}\nspec: {select: a=b}\n"
	got := findings(t, map[string]string{
		"policy/estate.yaml": small + zone + "---\n" + zone,
		"hosts.inv":          workload("w", "a: b") + "---\n" + workload("w", "a: b"),
	})
	want := "hosts.inv:5:1 duplicate-name see hosts.inv:1:1\npolicy/estate.yaml:10:18 duplicate-name see policy/estate.yaml:6:18"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWhatIsFoundIsBounded makes as many slips that only show when names are
// looked up, and as many in an inventory.
func TestWhatIsFoundIsBounded(t *testing.T) {
	rules, workloads := "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n", ""
	for i := range 1500 {
		rules += fmt.Sprintf("  - {name: r%d, effect: allow, from: {any: true}, to: {service: none}}\n", i)
		workloads += fmt.Sprintf("kind: Workload\nmetadata: {name: w%d}\nspec: {adresses: []}\n---\n", i)
	}
	for name, files := range map[string]map[string]string{
		"rules":     {"policy/estate.yaml": small + rules, "hosts.inv": ""},
		"inventory": {"policy/estate.yaml": small, "hosts.inv": workloads},
	} {
		lines := strings.Split(findings(t, files), "\n")
		if len(lines) != 1001 || lines[1000] != "policy:1:1 too-many-diagnostics" {
			t.Errorf("%s: %d findings, the last is %s", name, len(lines), lines[len(lines)-1])
		}
	}
}
