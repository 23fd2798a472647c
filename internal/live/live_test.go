package live_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/live"
)

// Objects of Kubernetes are read from JSON too, and only they.
func TestManifestsInJSON(t *testing.T) {
	list := `{"items": [{"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1", "metadata": {"name": "open"}}],
` + strings.Repeat(" ", 70<<10) + `	"kind": "List", "apiVersion": "v1"}`
	far := `{"kind": "List", "items": [], "x": "` + strings.Repeat("x", 64<<10-42) + `", "apiVersion": "v1"}` // across the edge of what is looked at
	files := map[string]string{
		"a/policies.json": list, "b.yaml": "kind: A", "far.json": far, "package.json": `{"name": "x"}`,
		"describe-vpcs.json": `{"Vpcs": [], "x": "apiVersion"}`, "plan.tfplan.json": `{"x": "apiVersion"}`, "h.nft.json": `{"apiVersion": 1}`, "h.maps.json": `{"apiVersion": 1}`,
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	docs, diags := live.Open(fsys).Manifests()
	var got []string
	for _, d := range docs {
		got = append(got, d.File)
	}
	if s := strings.Join(got, " "); s != "a/policies.json b.yaml far.json" || len(diags) > 0 {
		t.Errorf("read %s, %v", s, diags)
	}

	fsys["cut.json"] = &fstest.MapFile{Data: []byte(`{"apiVersion": "v1", "kind": "List", "items": [`)}
	if _, diags := live.Open(fsys).Manifests(); !diags.HasErrors() {
		t.Error("a file that is cut off is nothing to be silent about")
	}
}
