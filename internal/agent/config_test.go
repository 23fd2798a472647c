package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"firebreak/internal/diag"
)

func readConfig(t *testing.T, text string) (*Config, diag.List, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, diags := ReadConfig(path)
	return cfg, diags, dir
}

func TestConfigFields(t *testing.T) {
	cfg, diags, dir := readConfig(t, `
policy: p
inventory: [file:hosts.yaml, "kube:/abs/manifests"]
cgroups:
- {path: a/b, workload: w}
cgroupRoot: a
interfaces: [eth0]
namespaces: [demo, ./ns/x, /proc/1/ns/net]
zone: hosts
state: state
pins: /sys/fs/bpf/x
wire: wire.sock
name: h1
`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for what, pair := range map[string][2]string{
		"policy": {cfg.Policy, dir + "/p"}, "state": {cfg.State, dir + "/state"}, "pins": {cfg.Pins, "/sys/fs/bpf/x"},
		"wire": {cfg.Wire, dir + "/wire.sock"}, "zone": {cfg.Zone, "hosts"}, "name": {cfg.Name, "h1"}, "cgroupRoot": {cfg.CgroupRoot, "a"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if want := []string{"file:" + dir + "/hosts.yaml", "kube:/abs/manifests"}; !slices.Equal(cfg.Inventory, want) {
		t.Errorf("inventory is %v", cfg.Inventory)
	}
	if want := []string{"/run/netns/demo", dir + "/ns/x", "/proc/1/ns/net"}; !slices.Equal(cfg.Namespaces, want) {
		t.Errorf("namespaces are %v", cfg.Namespaces)
	}
	if len(cfg.Cgroups) != 1 || cfg.Cgroups[0].Path != "a/b" || cfg.Cgroups[0].Workload != "w" || cfg.Cgroups[0].Pos.Line != 5 {
		t.Errorf("cgroups are %v", cfg.Cgroups)
	}
}

func TestConfigDefaults(t *testing.T) {
	cfg, diags, _ := readConfig(t, "policy: /p")
	if diags.HasErrors() || cfg.Zone != "unassigned" || cfg.State != defaultState || cfg.Pins != defaultPins || cfg.Name == "" {
		t.Errorf("%+v, %v", cfg, diags)
	}
}

func TestConfigMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"polcy: p":                            `agent.yaml:1:1: error unknown-field: unknown field "polcy"`,
		"policy: p\nzoen: x":                  `did you mean "zone"?`,
		"policy: p\npolicy: q":                "duplicate-name",
		"policy: [p]":                         "bad-type",
		"policy: p\ncgroups: x":               "bad-type",
		"policy: p\ncgroups: [{path: x}]":     "missing-field",
		"policy: p\ncgroups: [{pth: x}]":      `did you mean "path"?`,
		"policy: p\ninventory: [hosts.yaml]":  "bad-source",
		"policy: p\ninventory: [terraform:x]": "bad-source",
		"policy: p\nstate: ./p":               "bad-state",
		"zone: x":                             "missing-field",
		"":                                    "missing-field",
		"[]":                                  "bad-type",
		"policy: {":                           "yaml-syntax",
		"policy: &a [*a]":                     "bad-type",
		"policy: p\nname: null":               "bad-type",
		"policy: p\nx: " + strings.Repeat("[", 20000): "yaml-syntax",
	} {
		_, diags, _ := readConfig(t, text)
		found := false
		for _, d := range diags {
			found = found || strings.Contains(d.String(), want)
		}
		if !diags.HasErrors() || !found {
			t.Errorf("%.60q gives %v, want %q", text, diags, want)
		}
	}
}

func TestFindCgroups(t *testing.T) {
	p := newPlace(t)
	mount := p.path("cg")
	cfg := &Config{Cgroups: []CgroupEntry{{Path: "/web-1/child", Workload: "a"}, {Path: mount + "/web-1", Workload: "b"}}}
	tree, diags := findCgroups(cfg, mount)
	if diags.HasErrors() || tree.root != mount+"/web-1" || tree.found[0].ID != p.cgroupID("web-1/child") || tree.found[1].ID != p.cgroupID("web-1") {
		t.Errorf("%+v, %v", tree, diags)
	}
	for path, want := range map[string]string{"web-9": "no such file", "../policy": "not below", "../agent.yaml": "not a cgroup"} {
		cfg := &Config{Cgroups: []CgroupEntry{{Path: path, Workload: "a"}}}
		if _, diags := findCgroups(cfg, mount); len(diags) != 1 || !strings.Contains(diags[0].Message, want) {
			t.Errorf("%s gives %v", path, diags)
		}
	}
	cfg.CgroupRoot = "web-2"
	if _, diags := findCgroups(cfg, mount); len(diags) != 2 {
		t.Errorf("cgroups outside cgroupRoot give %v", diags)
	}
	cfg = &Config{Cgroups: []CgroupEntry{{Path: "web-1", Workload: "a"}, {Path: "web-2", Workload: "b"}}}
	if tree, _ := findCgroups(cfg, mount); tree.root != mount {
		t.Errorf("root is %s", tree.root)
	}
}

func TestCommonAncestor(t *testing.T) {
	for want, paths := range map[string][]string{
		"":     nil,
		"/a/b": {"/a/b"},
		"/a":   {"/a/b", "/a/bc"},
		"/":    {"/a", "/b/c"},
		"/a/c": {"/a/c/d/e", "/a/c", "/a/c/x"},
	} {
		if got := commonAncestor(paths); got != want {
			t.Errorf("%v have %q in common, want %q", paths, got, want)
		}
	}
}

// TestAnyConfigIsReadOrRefused checks that nothing one may write makes it
// panic, and that a configuration without errors has what an agent needs.
func TestAnyConfigIsReadOrRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	fragments := []string{
		"policy: p", "policy", ": ", "\n", "{", "}", "[", "]", ", ", "cgroups:", "- ", "  ", "path: a", "workload: b", "zone: ", "state: p",
		"&a ", "*a", "!!binary ", "<<: ", "---\n", "\x00", "inventory: [file:f]", "namespaces: ", "null", "'", "|", "#", "\t", "?",
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(fragments), rapid.StringN(0, 3, -1)), 0, 20).Draw(t, "parts")
		text := strings.Join(parts, "")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, diags := ReadConfig(path)
		if diags.HasErrors() {
			return
		}
		if cfg.Policy == "" || cfg.State == "" || cfg.Pins == "" || cfg.Zone == "" || cfg.State == cfg.Policy {
			t.Errorf("%q is read as %+v", text, cfg)
		}
		for _, c := range cfg.Cgroups {
			if c.Path == "" || c.Workload == "" {
				t.Errorf("%q has the cgroup %+v", text, c)
			}
		}
	})
}
