package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"firebreak/internal/diag"
	"firebreak/internal/target/ebpf"
)

// cgroupTree is what the configuration's cgroups are in this kernel.
type cgroupTree struct {
	mount string // of cgroup v2
	root  string // where programs attach; empty if no cgroup is configured
	paths []string
	found []ebpf.Cgroup
}

// findCgroups looks up every configured cgroup. A missing one is an error that
// names it: attributing it later, after its first packet, would be a hole.
func findCgroups(cfg *Config, mount string) (*cgroupTree, diag.List) {
	t := &cgroupTree{mount: mount}
	var diags diag.List
	for _, e := range cfg.Cgroups {
		path := t.path(e.Path)
		id, err := cgroupID(path)
		if err == nil && !within(path, mount) {
			err = fmt.Errorf("it is not below %s", mount)
		}
		if err != nil {
			diags.Errorf(e.Pos, "missing-cgroup", "cgroup %s of workload %q: %v", path, e.Workload, err).
				WithHelp("create it before the agent starts, or take it out of the configuration")
			continue
		}
		t.paths = append(t.paths, path)
		t.found = append(t.found, ebpf.Cgroup{ID: id, Workload: e.Workload})
	}
	t.root = commonAncestor(t.paths)
	if cfg.CgroupRoot != "" {
		t.root = t.path(cfg.CgroupRoot)
		if _, err := cgroupID(t.root); err != nil {
			diags.Errorf(diag.Pos{}, "missing-cgroup", "cgroupRoot %s: %v", t.root, err)
		}
		for i, p := range t.paths {
			if !within(p, t.root) {
				diags.Errorf(cfg.Cgroups[i].Pos, "missing-cgroup", "cgroup %s is not below cgroupRoot %s", p, t.root)
			}
		}
	}
	return t, diags
}

func (t *cgroupTree) path(p string) string {
	if within(filepath.Clean(p), t.mount) {
		return filepath.Clean(p)
	}
	return filepath.Join(t.mount, p)
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// commonAncestor returns the longest path that all are within, "" for none.
func commonAncestor(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	root := paths[0]
	for _, p := range paths[1:] {
		for !within(p, root) {
			root = filepath.Dir(root)
		}
	}
	return root
}

// cgroupID returns a cgroup's id, which is its inode.
func cgroupID(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, cause(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return 0, fmt.Errorf("it is not a cgroup")
	}
	return stat.Ino, nil
}

// findCgroupBelow searches for the cgroup with that id below a directory. It
// gives up after a bounded number of directories.
func findCgroupBelow(dir string, id uint64) bool {
	const limit = 4096
	found, visited := false, 0
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // what has just gone away is not what is looked for
		}
		if visited++; visited > limit {
			return filepath.SkipAll
		}
		if got, err := cgroupID(path); err == nil && got == id {
			found = true
			return filepath.SkipAll
		}
		return nil
	})
	return found
}
