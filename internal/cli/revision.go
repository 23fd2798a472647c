package cli

import (
	"path/filepath"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/load"
)

// revision splits git:REV:DIR; rev is "git:REV:", and empty for a directory of
// the disk.
func revision(arg string) (rev, dir string, err error) {
	rest, ok := strings.CutPrefix(arg, "git:")
	if !ok {
		return "", arg, nil
	}
	name, dir, ok := strings.Cut(rest, ":")
	if !ok {
		return "", "", misusef("%s names no directory: write git:REV:DIR, such as git:HEAD~1:policy", arg)
	}
	if dir == "" {
		dir = "."
	}
	return "git:" + name + ":", dir, nil
}

// fromGit reads a directory as it was at a revision, with the inventory of that
// revision unless sources are given, which are on the disk.
func (l *loaded) fromGit(sources []string) (*load.Loaded, diag.List, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(l.rev, "git:"), ":")
	r, within, err := load.OpenRevision(name, l.dir)
	if err != nil {
		return nil, nil, misusef("%s%s: %v", l.rev, l.dir, err)
	}
	got, diags := load.FS(r, within, sources)
	if err := r.Close(); err != nil {
		return nil, nil, misusef("%s%s: git ended badly: %v", l.rev, l.dir, err)
	}
	for i := range diags {
		diags[i].Rename(func(name string) string {
			rel, err := filepath.Rel(within, name)
			if filepath.IsAbs(name) || err != nil {
				return name
			}
			return l.file(rel)
		})
	}
	return got, diags, nil
}
