package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "firebreak"

// root is the module's directory, seen from this package.
var root = filepath.Join("..", "..")

// TestTheHouse applies every rule to this module.
func TestTheHouse(t *testing.T) {
	packages, err := Load(os.DirFS(root), module)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("found %d packages; the walk is broken", len(packages))
	}
	for _, f := range Check(packages) {
		t.Error(f)
	}
}

// TestListsNameRooms keeps the lists of rooms.go free of spelling mistakes: a
// pattern that could never match a room guards nothing.
func TestListsNameRooms(t *testing.T) {
	known := map[string]bool{}
	for _, r := range strings.Fields(`netset label flow diag lang inventory policy semantics verify ask lint plan target risk observe
		store learn simulate detect comply datapath agent wire identity controller httpapi cli demo gen house corpus netbench cgroup scaffold
		layer live manifest prove adopt path artifact load`) {
		known["internal/"+r] = true
	}
	known["web"], known["cmd/firebreak"], known["internal"] = true, true, true
	var patterns []string
	patterns = append(append(patterns, pureRooms...), append(mayNameBackends, mayTouchKernel...)...)
	for _, m := range mayImport {
		patterns = append(append(patterns, m.room), m.may...)
	}
	for _, m := range mayNotImport {
		patterns = append(append(patterns, m.room), m.not...)
	}
	for _, p := range patterns {
		base := strings.TrimSuffix(strings.TrimSuffix(p, "/..."), "/*")
		if parts := strings.Split(base, "/"); len(parts) > 2 {
			base = strings.Join(parts[:2], "/")
		}
		if !known[base] {
			t.Errorf("pattern %q names no room of the house", p)
		}
	}
}

// TestEveryRuleCanFail feeds each rule a package that breaks it and one beside
// it that does not.
func TestEveryRuleCanFail(t *testing.T) {
	for name, c := range map[string]struct {
		path, src string
		want      string // in the one finding; empty for none
	}{
		"no package comment":           {"internal/agent/a.go", "package agent", "no package comment"},
		"a package comment":            {"internal/agent/a.go", "// Package agent works.\npackage agent", ""},
		"vocabulary imports a room":    {"internal/flow/a.go", "// D.\npackage flow\nimport _ \"firebreak/internal/wire\"", "may not import internal/wire"},
		"vocabulary imports itself":    {"internal/flow/a.go", "// D.\npackage flow\nimport _ \"firebreak/internal/netset\"", ""},
		"vocabulary imports a module":  {"internal/label/a.go", "// D.\npackage label\nimport _ \"k8s.io/api/core/v1\"", "may not import k8s.io"},
		"lang imports policy":          {"internal/lang/a.go", "// D.\npackage lang\nimport _ \"firebreak/internal/policy\"", "may not import internal/policy"},
		"lang imports yaml":            {"internal/lang/a.go", "// D.\npackage lang\nimport _ \"go.yaml.in/yaml/v3\"", ""},
		"semantics imports policy":     {"internal/semantics/a.go", "// D.\npackage semantics\nimport _ \"firebreak/internal/policy\"", "may not import internal/policy"},
		"semantics imports a target":   {"internal/semantics/a.go", "// D.\npackage semantics\nimport _ \"firebreak/internal/target/ebpf\"", "may not import internal/target/ebpf"},
		"a target imports another":     {"internal/target/ebpf/a.go", "// D.\npackage ebpf\nimport _ \"firebreak/internal/target/awssg\"", "may not import internal/target/awssg"},
		"a target imports its part":    {"internal/target/ebpf/a.go", "// D.\npackage ebpf\nimport _ \"firebreak/internal/target/ebpf/classes\"", ""},
		"neutral code names a backend": {"internal/observe/a.go", "// D.\npackage observe\nimport _ \"firebreak/internal/target/ebpf\"", "names no backend"},
		"the list names backends":      {"internal/target/all/a.go", "// D.\npackage all\nimport _ \"firebreak/internal/target/ebpf\"", ""},
		"agent imports httpapi":        {"internal/agent/a.go", "// D.\npackage agent\nimport _ \"firebreak/internal/httpapi\"", "meet only in wire"},
		"httpapi imports agent":        {"internal/httpapi/a.go", "// D.\npackage httpapi\nimport _ \"firebreak/internal/agent\"", "meet only in wire"},
		"the page imports a room":      {"web/a.go", "// D.\npackage web\nimport _ \"firebreak/internal/flow\"", ""},
		"the page imports observe":     {"web/a.go", "// D.\npackage web\nimport _ \"firebreak/internal/observe\"", "may not import internal/observe"},
		"a pure room imports another":  {"internal/plan/a.go", "// D.\npackage plan\nimport _ \"firebreak/internal/observe\"", "pure rooms only"},
		"main does more than wiring":   {"cmd/firebreak/a.go", "// D.\npackage main\nimport _ \"firebreak/internal/agent\"", "may not import internal/agent"},
		"the kernel from observe":      {"internal/observe/a.go", "// D.\npackage observe\nimport _ \"github.com/cilium/ebpf/link\"", "may not touch the kernel"},
		"the kernel from datapath":     {"internal/datapath/a.go", "// D.\npackage datapath\nimport _ \"github.com/cilium/ebpf/link\"", ""},
		"pure code imports os":         {"internal/lang/a.go", "// D.\npackage lang\nimport _ \"os\"", "may not import os"},
		"pure code imports net":        {"internal/policy/a.go", "// D.\npackage policy\nimport _ \"net\"", "may not import net"},
		"pure code imports net/http":   {"internal/target/ebpf/a.go", "// D.\npackage ebpf\nimport _ \"net/http\"", "may not import net/http"},
		"pure code imports log/slog":   {"internal/plan/a.go", "// D.\npackage plan\nimport _ \"log/slog\"", "may not import log/slog"},
		"pure code imports netip":      {"internal/netset/a.go", "// D.\npackage netset\nimport _ \"net/netip\"", ""},
		"pure code reads the clock":    {"internal/policy/a.go", "// D.\npackage policy\nimport clock \"time\"\nfunc f() any { return clock.Now() }", "may not use time.Now"},
		"pure code gets the time":      {"internal/policy/a.go", "// D.\npackage policy\nimport \"time\"\nfunc f(now time.Time) any { return now.Add(time.Second) }", ""},
		"pure code prints":             {"internal/lint/a.go", "// D.\npackage lint\nimport \"fmt\"\nfunc f() { fmt.Println() }", "may not use fmt.Println"},
		"other code reads the clock":   {"internal/agent/a.go", "// D.\npackage agent\nimport \"time\"\nfunc f() any { return time.Now() }", ""},
		"pure code writes a global":    {"internal/policy/a.go", "// D.\npackage policy\nvar n int\nfunc f() { n++ }", "package variable n"},
		"pure code fills a global map": {"internal/policy/a.go", "// D.\npackage policy\nvar m = map[int]int{}\nfunc f() { m[1] = 2 }", "package variable m"},
		"pure code lends a global":     {"internal/policy/a.go", "// D.\npackage policy\nvar n int\nfunc f() *int { return &n }", "package variable n"},
		"pure code shadows a global":   {"internal/policy/a.go", "// D.\npackage policy\nvar n = 1\nfunc f() int { n := 2; n++; return n }", ""},
		"init":                         {"internal/agent/a.go", "// D.\npackage agent\nfunc init() {}", "has an init function"},
		"init that was generated":      {"internal/datapath/a.go", "// Code generated by x. DO NOT EDIT.\n\n// Package d.\npackage datapath\nfunc init() {}", ""},
		"a method called init":         {"internal/agent/a.go", "// D.\npackage agent\ntype t int\nfunc (t) init() {}", ""},
		"a large interface":            {"internal/agent/a.go", "// D.\npackage agent\ntype i interface { A(); B(); C(); D(); E(); F() }", "interface with 6 methods"},
		"no doc comment":               {"internal/agent/a.go", "// D.\npackage agent\nfunc Run() {}", "Run has no doc comment"},
		"a method without doc":         {"internal/agent/a.go", "// D.\npackage agent\n// T is.\ntype T[A any] struct{}\nfunc (*T[A]) Run() {}", "Run has no doc comment"},
		"a hidden method":              {"internal/agent/a.go", "// D.\npackage agent\ntype t int\nfunc (t) Run() {}", ""},
		"a constant without doc":       {"internal/agent/a.go", "// D.\npackage agent\nconst A = 1", "A has no doc comment"},
		"a group with doc":             {"internal/agent/a.go", "// D.\npackage agent\n// The numbers.\nconst (\nA = 1\nB = 2\n)", ""},
		"an interface that closes":     {"internal/agent/a.go", "// D.\npackage agent\ntype i interface { A(); B(); C(); D(); E(); Close() error }", ""},
		"a test is exempt":             {"internal/lang/a_test.go", "package lang\nimport _ \"os\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			packages, err := Load(fstest.MapFS{"go.mod": {}, c.path: {Data: []byte(c.src)}}, module)
			if err != nil {
				t.Fatal(err)
			}
			found := Check(packages)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0].Message, c.want)):
				t.Errorf("found %v, want one finding about %q", found, c.want)
			case c.want != "" && !strings.HasPrefix(found[0].Pos, c.path+":"):
				t.Errorf("found at %s, want it in %s", found[0].Pos, c.path)
			}
		})
	}
}

func TestLoadLeavesOut(t *testing.T) {
	src := &fstest.MapFile{Data: []byte("package x")}
	packages, err := Load(fstest.MapFS{
		"go.mod": {}, "a/a.go": src,
		"testdata/a.go": src, ".cache/a.go": src, "web/node_modules/a.go": src, "oracles/nft/go.mod": {}, "oracles/nft/a.go": src,
	}, module)
	if err != nil || len(packages) != 1 || packages[0].Path != "a" {
		t.Errorf("loaded %v (%v), want only a", packages, err)
	}
}

func TestLoadRefusesWhatDoesNotParse(t *testing.T) {
	if _, err := Load(fstest.MapFS{"go.mod": {}, "a.go": {Data: []byte("package")}}, module); err == nil {
		t.Error("no error for a file that does not parse")
	}
}
