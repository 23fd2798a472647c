// Package load reads a policy directory and its inventory from the disk. The
// readers themselves know no disk; this is the one place that opens files for
// them.
package load

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
// that is wrong is reported at once, as far as one fault does not hide another,
// with places as the working directory sees them. Places in the tree and the
// policy are relative to dir.
func Dir(dir string, sources []string, extra ...inventory.Workload) (*Loaded, diag.List) {
	l, diags := read(dir, sources, extra)
	for i := range diags {
		if f := diags[i].Pos.File; f != "" && !filepath.IsAbs(f) {
			diags[i].Pos.File = filepath.Join(dir, f)
		}
	}
	diags.Sort()
	return l, Unrepeated(diags)
}

// Unrepeated leaves out what the text alone warns of where it turns out to be
// an error once the inventory is known. It may reuse diags.
func Unrepeated(diags diag.List) diag.List {
	type place struct {
		code string
		pos  diag.Pos
	}
	wrong := map[place]bool{}
	for _, d := range diags {
		if d.Severity == diag.Error {
			wrong[place{d.Code, d.Pos}] = true
		}
	}
	return slices.DeleteFunc(diags, func(d diag.Diagnostic) bool {
		return d.Severity != diag.Error && wrong[place{d.Code, d.Pos}]
	})
}

func read(dir string, sources []string, extra []inventory.Workload) (*Loaded, diag.List) {
	l := &Loaded{Tree: &lang.Dir{}, Inventory: &inventory.Snapshot{}, Dirs: []string{dir}}
	if d := unreadableDir("policy directory", dir); d != nil {
		return l, diag.List{*d}
	}
	var diags diag.List
	l.Tree, diags = lang.Parse(os.DirFS(dir))
	parts := []*inventory.Snapshot{{Workloads: extra}}
	for _, s := range l.sources(dir, sources, &diags) {
		part, more := l.inventory(s)
		s.rename(part, more)
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
	place      string // path, relative to the policy directory if it can be
	pos        diag.Pos
}

// rename makes every place in a source one that can be opened.
func (s source) rename(part *inventory.Snapshot, diags diag.List) {
	there := func(p *diag.Pos) {
		if *p == s.pos {
			return // where the source is named, not in it
		}
		if s.kind == "file" {
			p.File = s.place
		} else {
			p.File = filepath.Join(s.place, p.File)
		}
	}
	for i := range diags {
		there(&diags[i].Pos)
	}
	for i := range part.Workloads {
		there(&part.Workloads[i].Source)
	}
	for i := range part.Frontends {
		there(&part.Frontends[i].Source)
	}
}

func (l *Loaded) sources(dir string, given []string, diags *diag.List) []source {
	var out []source
	for _, s := range given {
		kind, path, ok := strings.Cut(s, ":")
		if !ok || path == "" {
			diags.Errorf(diag.Pos{}, "bad-source", "%q is no inventory source", s).WithHelp("write file:FILE or kube:DIR")
			continue
		}
		place, err := filepath.Rel(dir, path)
		if err != nil {
			place = path
		}
		out = append(out, source{kind, path, place, diag.Pos{}})
	}
	if len(given) > 0 || l.Tree.Estate == nil {
		return out
	}
	for _, s := range l.Tree.Estate.Inventory {
		path := s.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		out = append(out, source{s.Kind, path, s.Path, s.Pos})
	}
	return out
}

// inventory reads one source; the snapshot is never nil.
func (l *Loaded) inventory(s source) (*inventory.Snapshot, diag.List) {
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
