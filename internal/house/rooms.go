package house

import (
	"slices"
	"strings"
)

// A pattern names rooms: "internal/lang" itself, "internal/target/*" every room
// below it, "internal/target/..." both.
func matches(pattern, room string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return room == base || strings.HasPrefix(room, base+"/")
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(room, base+"/")
	}
	return pattern == room
}

func anyMatches(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, room) })
}

// vocabulary is shared by everyone and depends on nothing but the standard
// library and itself.
var vocabulary = []string{"internal/netset", "internal/label", "internal/flow", "internal/diag"}

// pureRooms compute and do nothing else.
var pureRooms = append([]string{
	"internal/lang/...", "internal/inventory/...", "internal/policy/...", "internal/semantics/...",
	"internal/verify/...", "internal/ask/...", "internal/lint/...", "internal/plan/...", "internal/risk/...", "internal/target/...",
	"internal/layer/...", "internal/live/...", "internal/manifest", "internal/prove/...", "internal/adopt/...", "internal/path/...",
	"internal/datapath/layout",
}, vocabulary...)

// suites are rooms that only tests use: they import testing, so that they are
// not pure, whatever is around them.
var suites = []string{"internal/target/targettest"}

func isPure(room string) bool { return anyMatches(pureRooms, room) && !anyMatches(suites, room) }

// mayImport lists, for rooms with a closed list, every other room that they may
// import; vocabulary always may. The first pattern that matches counts. Rooms
// without an entry may import any room that mayNotImport does not forbid.
var mayImport = []struct {
	room string
	may  []string
}{
	{"internal/netset", nil},
	{"internal/label", nil},
	{"internal/flow", nil},
	{"internal/diag", nil},
	{"internal/wire", nil},
	{"internal/cgroup", nil},
	{"internal/scaffold", nil},
	{"internal/datapath/layout", nil},
	{"internal/lang/...", []string{"internal/lang/..."}},
	{"internal/inventory", nil},
	// What Terraform describes is told as AWS would answer, so that both become
	// one inventory.
	{"internal/inventory/terraform", []string{"internal/inventory", "internal/inventory/aws", "internal/live/..."}},
	{"internal/inventory/*", []string{"internal/inventory", "internal/live/...", "internal/manifest"}},
	{"internal/manifest", nil},
	{"internal/live/...", []string{"internal/live/...", "internal/manifest"}},
	{"internal/layer", []string{"internal/policy", "internal/inventory"}},
	{"internal/plan", []string{"internal/verify/...", "internal/policy", "internal/lang", "internal/inventory"}},
	// Who proves sees what was lifted and what was meant, never what was rendered
	// or planned.
	{"internal/prove/...", []string{"internal/prove/...", "internal/layer", "internal/verify/...", "internal/policy", "internal/inventory"}},
	{"internal/adopt/...", []string{"internal/adopt/...", "internal/prove/...", "internal/layer", "internal/verify/...", "internal/policy", "internal/lang/...", "internal/inventory"}},
	{"internal/path/...", []string{"internal/path/...", "internal/prove/...", "internal/layer", "internal/verify/...", "internal/policy", "internal/inventory", "internal/live/..."}},
	{"internal/policy/...", []string{"internal/policy/...", "internal/lang/...", "internal/inventory"}},
	// The reference evaluator sees the text and the inventory, never what the
	// resolver made of them, so that the two can disagree.
	{"internal/semantics/...", []string{"internal/semantics/...", "internal/lang/...", "internal/inventory"}},
	{"internal/verify/...", []string{"internal/verify/...", "internal/policy/...", "internal/inventory"}},
	{"internal/risk/...", []string{"internal/risk/...", "internal/verify/...", "internal/policy/...", "internal/inventory"}},
	{"internal/ask/...", []string{"internal/ask/...", "internal/verify/...", "internal/semantics/...", "internal/policy/...", "internal/lang/...", "internal/inventory"}},
	{"internal/lint/...", []string{"internal/lint/...", "internal/verify/...", "internal/policy/...", "internal/lang/...", "internal/inventory"}},
	{"internal/target/all", []string{"internal/target/...", "internal/inventory", "internal/policy", "internal/plan"}},
	{"internal/target/targettest", []string{"internal/target", "internal/plan", "internal/layer", "internal/live", "internal/gen", "internal/load", "internal/policy"}},
	{"internal/target/*", []string{"internal/target", "internal/policy", "internal/inventory", "internal/plan", "internal/layer", "internal/live/...", "internal/manifest", "internal/verify/...", "internal/datapath/layout"}},
	{"internal/target", []string{"internal/lang", "internal/policy", "internal/inventory", "internal/plan", "internal/layer", "internal/live"}},
	{"web/...", []string{"web/...", "internal/wire"}},
	{"cmd/firebreak", []string{"internal/cli"}},
}

// mayNotImport lists what a room keeps away from, with the reason.
var mayNotImport = []struct {
	room string
	not  []string
	why  string
}{
	{"internal/agent/...", []string{"internal/httpapi/...", "internal/observe/...", "web/...", "internal/demo/...", "internal/cli/..."}, "agent, server and page meet only in wire"},
	{"internal/httpapi/...", []string{"internal/agent/...", "internal/datapath/...", "internal/demo/...", "internal/cli/..."}, "agent, server and page meet only in wire"},
	{"internal/observe/...", []string{"internal/agent/...", "internal/httpapi/...", "web/...", "internal/datapath"}, "observe serves both sides and knows neither"},
	{"internal/datapath", []string{"internal/lang/...", "internal/policy/...", "internal/inventory/...", "internal/target/...", "internal/agent/...", "internal/wire"}, "the datapath knows tables, not policy"},
}

// backends are rooms that only those who wire them up may name.
var backends = []string{"internal/target/*"}

// mayNameBackends are the rooms that put a backend to work.
var mayNameBackends = []string{"internal/target/all", "internal/target/targettest", "internal/agent/...", "internal/cli/...", "internal/demo/...", "internal/corpus/...", "internal/netbench/..."}

// kernelLibraries talk to the kernel; mayTouchKernel are the rooms that may.
var (
	kernelLibraries = []string{"github.com/cilium/ebpf/...", "github.com/vishvananda/netlink/...", "github.com/vishvananda/netns/...", "github.com/google/nftables/...", "golang.org/x/sys/unix"}
	mayTouchKernel  = []string{"internal/datapath", "internal/datapath/*", "internal/agent/...", "internal/demo/...", "internal/cli/...", "internal/netbench/...", "internal/artifact"}
)

// imports checks every import against the lists above.
func imports(p *Package) []Finding {
	var found []Finding
	for _, i := range p.Imports {
		if why := forbidden(p.Path, i); why != "" {
			found = append(found, p.find(i.Pos, "%s may not import %s: %s", p.Path, i.Path, why))
		}
	}
	return found
}

// forbidden says why a room may not have an import; empty if it may.
func forbidden(room string, i Import) string {
	if i.Std {
		return ""
	}
	if !i.Ours {
		return forbiddenModule(room, i.Path)
	}
	if room == i.Path || anyMatches(vocabulary, i.Path) || sameTarget(room, i.Path) {
		return ""
	}
	if isPure(room) && !isPure(i.Path) {
		return "a pure room may import pure rooms only"
	}
	for _, m := range mayImport {
		if !matches(m.room, room) {
			continue
		}
		if !anyMatches(m.may, i.Path) {
			return "it is not on the closed list of " + m.room
		}
		break
	}
	for _, m := range mayNotImport {
		if matches(m.room, room) && anyMatches(m.not, i.Path) {
			return m.why
		}
	}
	if anyMatches(backends, i.Path) && i.Path != "internal/target/all" && !anyMatches(mayNameBackends, room) {
		return "neutral code names no backend"
	}
	return ""
}

// sameTarget reports whether two rooms are parts of one target.
func sameTarget(a, b string) bool {
	const targets = "internal/target/"
	if !strings.HasPrefix(a, targets) || !strings.HasPrefix(b, targets) {
		return false
	}
	nameA, _, _ := strings.Cut(a[len(targets):], "/")
	nameB, _, _ := strings.Cut(b[len(targets):], "/")
	return nameA == nameB
}

func forbiddenModule(room, ipath string) string {
	switch {
	case anyMatches(vocabulary, room) || room == "internal/datapath/layout":
		return "it may import the standard library and vocabulary only"
	case anyMatches(kernelLibraries, ipath) && (isPure(room) || !anyMatches(mayTouchKernel, room)):
		return "it may not touch the kernel"
	}
	return ""
}
