package load

import (
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
