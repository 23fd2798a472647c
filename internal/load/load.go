// Package load reads a policy directory and its inventory from the disk. The
// readers themselves know no disk; this is the one place that opens files for
// them.
package load

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// Loaded is what was read. Tree and Inventory are never nil; Policy is nil if
// anything was wrong.
type Loaded struct {
	Tree      *lang.Dir
	Inventory *inventory.Snapshot
	Policy    *policy.Policy
	// Files and Dirs are what it was read from: inventory files, and whole
	// directories (the policy's and those of manifests), also if reading failed.
	Files []string
	Dirs  []string
}

// Dir reads the policy directory. Sources are inventories as "file:F" or
// "kube:DIR", relative to the working directory; if there are none, those of
// the Estate, relative to dir. Extra workloads join the inventory. Everything
// that is wrong is reported at once, as far as one fault does not hide another.
func Dir(dir string, sources []string, extra ...inventory.Workload) (*Loaded, diag.List) {
	l := &Loaded{Tree: &lang.Dir{}, Inventory: &inventory.Snapshot{}, Dirs: []string{dir}}
	if d := unreadableDir("policy directory", dir); d != nil {
		return l, diag.List{*d}
	}
	var diags diag.List
	l.Tree, diags = lang.Parse(os.DirFS(dir))
	parts := []*inventory.Snapshot{{Workloads: extra}}
	for _, s := range l.sources(dir, sources, &diags) {
		part, more := l.read(s)
		diags = append(diags, more...)
		parts = append(parts, part)
	}
	joined, more := inventory.Join(parts...)
	diags = append(diags, more...)
	l.Inventory, more = inventory.Relabel(joined, relabelings(l.Tree.Estate))
	diags = append(diags, more...)
	if diags.HasErrors() {
		return l, diags
	}
	p, more := policy.Resolve(l.Tree, l.Inventory)
	diags = append(diags, more...)
	l.Policy = p
	return l, diags
}

func relabelings(e *lang.Estate) []inventory.Relabeling {
	if e == nil {
		return nil
	}
	var out []inventory.Relabeling
	for _, m := range e.Labels {
		out = append(out, inventory.Relabeling{From: m.From, To: m.To, Map: m.Map, Pos: m.Pos})
	}
	return out
}

// source is where an inventory comes from, and where that is written.
type source struct {
	kind, path string
	pos        diag.Pos
}

func (l *Loaded) sources(dir string, given []string, diags *diag.List) []source {
	var out []source
	for _, s := range given {
		kind, path, ok := strings.Cut(s, ":")
		if !ok || path == "" {
			diags.Errorf(diag.Pos{}, "bad-source", "%q is no inventory source", s).WithHelp("write file:FILE or kube:DIR")
			continue
		}
		out = append(out, source{kind, path, diag.Pos{}})
	}
	if len(given) > 0 || l.Tree.Estate == nil {
		return out
	}
	for _, s := range l.Tree.Estate.Inventory {
		path := s.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		out = append(out, source{s.Kind, path, s.Pos})
	}
	return out
}

func (l *Loaded) read(s source) (*inventory.Snapshot, diag.List) {
	switch s.kind {
	case "file":
		l.Files = append(l.Files, s.path)
		if err := unreadableFile(s.path); err != nil {
			return unreadable(s, err)
		}
		return file.Read(os.DirFS(filepath.Dir(s.path)), filepath.Base(s.path))
	case "kube":
		l.Dirs = append(l.Dirs, s.path)
		if d := unreadableDir("manifest directory", s.path); d != nil {
			d.Pos = s.pos
			return &inventory.Snapshot{}, diag.List{*d}
		}
		return kube.Read(os.DirFS(s.path))
	}
	var diags diag.List
	d := diags.Errorf(s.pos, "unknown-source", "inventory sources of kind %q cannot be read", s.kind)
	if near := diag.Nearest(s.kind, []string{"file", "kube"}); near != "" {
		d.WithHelp("did you mean %q?", near)
	}
	return &inventory.Snapshot{}, diags
}

func unreadable(s source, err error) (*inventory.Snapshot, diag.List) {
	var diags diag.List
	diags.Errorf(s.pos, "unreadable", "inventory %s cannot be read: %v", s.path, err).WithHelp("name a file that exists and that this user may read")
	return &inventory.Snapshot{}, diags
}

func unreadableFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory")
	}
	return cause(err)
}

func unreadableDir(what, path string) *diag.Diagnostic {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a directory")
	}
	if err == nil {
		return nil
	}
	var diags diag.List
	diags.Errorf(diag.Pos{}, "unreadable", "%s %s cannot be read: %v", what, path, cause(err)).WithHelp("name a directory that exists and that this user may read")
	return &diags[0]
}

// cause leaves out the path, which the message names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
