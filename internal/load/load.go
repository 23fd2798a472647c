// Package load reads a policy directory and its inventory from the disk. The
// readers themselves know no disk; this is the one place that opens files for
// them.
package load

import (
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/aws"
	"firebreak/internal/inventory/file"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/inventory/terraform"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// Loaded is what was read. Tree and Inventory are never nil; Policy is nil if
// anything was wrong.
type Loaded struct {
	Tree      *lang.Dir
	Inventory *inventory.Snapshot
	Policy    *policy.Policy
	// Partial says that something was wrong with the inventory, so that it may
	// hold less than there is.
	Partial bool
	// Files and Dirs are what it was read from: inventory files, and whole
	// directories (the policy's and those of manifests), also if reading failed.
	Files []string
	Dirs  []string
}

// Dir reads the policy directory. Sources are inventories as "file:F",
// "kube:DIR", "terraform:PATH" or "aws:DIR", relative to the working directory; if there are none, those of
// the Estate, relative to dir. Extra workloads join the inventory. Everything
// that is wrong is reported at once, as far as one fault does not hide another,
// with places as the working directory sees them. Places in the tree and the
// policy are relative to dir.
func Dir(dir string, sources []string, extra ...inventory.Workload) (*Loaded, diag.List) {
	return new(loader).load(dir, sources, extra)
}

// FS is Dir for a policy directory that is not on the disk, such as one of an
// old revision: dir is its path in fsys, and sources of the Estate are read
// from there, too, if their paths stay in fsys; else they are unreadable.
// Sources that are given are on the disk. Places are as fsys sees them; those
// in the tree and the policy are relative to dir.
func FS(fsys fs.FS, dir string, sources []string, extra ...inventory.Workload) (*Loaded, diag.List) {
	return (&loader{fsys: fsys}).load(path.Clean(filepath.ToSlash(dir)), sources, extra)
}

// loader is where a directory is read from, and what is known of it already.
type loader struct {
	fsys  fs.FS  // nil for the disk
	cache *Cache // nil where nothing is kept
}

func (x *loader) load(dir string, sources []string, extra []inventory.Workload) (*Loaded, diag.List) {
	l, diags := x.read(dir, sources, extra)
	for i := range diags {
		diags[i].Rename(func(name string) string {
			if filepath.IsAbs(name) {
				return name
			}
			return filepath.Join(dir, name)
		})
	}
	diags.Sort()
	diags = Unrepeated(diags).Bound()
	for i := range diags {
		diags[i].Pos = somewhere(diags[i].Pos, dir)
	}
	return l, diags
}

// somewhere gives a finding without a place that of the policy directory, and
// one that is about a file the beginning of it, so that whoever reads
// FILE:LINE:COL finds every one.
func somewhere(p diag.Pos, dir string) diag.Pos {
	if p.File == "" {
		p.File = dir
	}
	return diag.Pos{File: p.File, Line: max(p.Line, 1), Col: max(p.Col, 1)}
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

func (x *loader) read(dir string, sources []string, extra []inventory.Workload) (*Loaded, diag.List) {
	l := &Loaded{Tree: &lang.Dir{}, Inventory: &inventory.Snapshot{}, Dirs: []string{dir}}
	at := location{x.fsys, dir}
	if d := at.unreadableDir("policy directory"); d != nil {
		return l, diag.List{*d}
	}
	c := x.cache
	if c == nil {
		c = new(Cache)
	}
	var diags diag.List
	l.Tree, diags = c.text.Parse(at.dir())
	var inv diag.List
	inv = append(inv, x.join(l, x.sources(l.Tree.Estate, dir, sources, &inv), extra)...)
	l.Partial = inv.HasErrors()
	diags = append(diags, unsaid(inv, diags)...)
	if diags.HasErrors() {
		return l, diags
	}
	p, more := c.resolver.Resolve(l.Tree, l.Inventory)
	diags = append(diags, more...)
	l.Policy = p
	return l, diags
}

// unsaid leaves out what is wrong with an inventory that is also a file of the
// policy directory, and was found when that was read.
func unsaid(inv, text diag.List) diag.List {
	type place struct {
		code, file string
		line       int
	}
	at := func(d diag.Diagnostic) place { return place{d.Code, filepath.Clean(d.Pos.File), d.Pos.Line} }
	said := map[place]bool{}
	for _, d := range text {
		said[at(d)] = true
	}
	return slices.DeleteFunc(inv, func(d diag.Diagnostic) bool { return d.Pos.File != "" && said[at(d)] })
}

// join reads the sources and makes one inventory of them.
func (x *loader) join(l *Loaded, sources []source, extra []inventory.Workload) diag.List {
	var diags diag.List
	made := &joined{labels: relabelings(l.Tree.Estate), extra: extra}
	parts := x.parts(sources)
	for i, s := range sources {
		switch {
		case s.isFile():
			l.Files = append(l.Files, s.at.path)
		case slices.Contains(sourceKinds(), s.kind):
			l.Dirs = append(l.Dirs, s.at.path)
		}
		diags = append(diags, parts[i].diags...)
		made.parts = append(made.parts, parts[i].snapshot)
	}
	if x.cache == nil {
		made.make()
	} else {
		x.cache.make(&made)
	}
	l.Inventory = made.out
	return append(diags, made.diags...)
}

// parts reads the sources, several at a time where they lie on the disk and
// nothing is kept of them: reading is most of what a large estate takes.
func (x *loader) parts(sources []source) []*part {
	out := make([]*part, len(sources))
	if x.cache != nil || x.fsys != nil {
		for i, s := range sources {
			out[i] = x.part(s)
		}
		return out
	}
	var wait sync.WaitGroup
	var next atomic.Int64
	for range min(len(sources), runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(sources); i = int(next.Add(1)) - 1 {
				out[i] = x.part(sources[i])
			}
		})
	}
	wait.Wait()
	return out
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
	kind  string
	at    location
	shown string // the path, relative to the policy directory if it can be
	pos   diag.Pos
	// cluster is the Kubernetes cluster that the source is of; may be empty.
	cluster string
}

// sourceKinds are the kinds that there are.
func sourceKinds() []string { return []string{"file", "kube", "terraform", "aws"} }

// isFile reports whether the source is one file; Terraform's may be a folder.
func (s source) isFile() bool {
	if s.kind == "terraform" {
		info, err := s.at.stat()
		return err != nil || !info.IsDir()
	}
	return s.kind == "file"
}

// part is what one source says. It is not changed once it is made.
type part struct {
	snapshot *inventory.Snapshot // never nil
	diags    diag.List
}

// rename makes every place in a source one that can be opened.
func (s source) rename(p *part) {
	one := s.isFile()
	there := func(p *diag.Pos) {
		if *p == s.pos {
			return // where the source is named, not in it
		}
		if one {
			p.File = s.shown
		} else {
			p.File = filepath.Join(s.shown, p.File)
		}
	}
	for i := range p.diags {
		there(&p.diags[i].Pos)
		if p.diags[i].See != (diag.Pos{}) {
			there(&p.diags[i].See)
		}
	}
	for i := range p.snapshot.Workloads {
		there(&p.snapshot.Workloads[i].Source)
	}
	for i := range p.snapshot.Frontends {
		there(&p.snapshot.Frontends[i].Source)
	}
	for i := range p.snapshot.Networks {
		there(&p.snapshot.Networks[i].Source)
	}
	for i := range p.snapshot.Machines {
		there(&p.snapshot.Machines[i].Source)
	}
	for i := range p.snapshot.Nodes {
		there(&p.snapshot.Nodes[i].Source)
	}
	for i := range p.snapshot.Identities {
		there(&p.snapshot.Identities[i].Source)
	}
}

func (x *loader) sources(estate *lang.Estate, dir string, given []string, diags *diag.List) []source {
	var out []source
	for _, s := range given {
		kind, path, ok := strings.Cut(s, ":")
		if !ok || path == "" {
			diags.Errorf(diag.Pos{}, "bad-source", "%q is no inventory source", s).WithHelp("write file:FILE, kube:FOLDER, terraform:PATH or aws:FOLDER")
			continue
		}
		shown, err := filepath.Rel(dir, path)
		if err != nil || x.fsys != nil {
			shown = path
		}
		out = append(out, source{kind: kind, at: location{path: path}, shown: shown})
	}
	if len(given) > 0 || estate == nil {
		return out
	}
	for _, s := range estate.Inventory {
		at := location{x.fsys, s.Path}
		if !filepath.IsAbs(s.Path) {
			at.path = filepath.Join(dir, s.Path)
		}
		out = append(out, source{s.Kind, at, s.Path, s.Pos, s.Cluster})
	}
	return out
}

// part reads one source, or remembers what it said.
func (x *loader) part(s source) *part {
	if x.cache == nil {
		return s.read()
	}
	return x.cache.part(s)
}

func (s source) read() *part {
	p := s.open()
	s.rename(p)
	return p
}

func (s source) open() *part {
	empty := &inventory.Snapshot{}
	switch s.kind {
	case "file":
		if err := s.at.unreadableFile(); err != nil {
			return unreadable(s, err)
		}
		fsys, name := s.at.file()
		snapshot, diags := file.Read(fsys, name)
		return &part{snapshot, diags}
	case "kube":
		if d := s.at.unreadableDir("manifest directory"); d != nil {
			d.Pos = s.pos
			return &part{empty, diag.List{*d}}
		}
		snapshot, diags := kube.ReadCluster(s.at.dir(), s.cluster)
		return &part{snapshot, diags}
	case "aws":
		if d := s.at.unreadableDir("folder of answers"); d != nil {
			d.Pos = s.pos
			return &part{empty, diag.List{*d}}
		}
		snapshot, diags := aws.Read(s.at.dir(), s.cluster)
		return &part{snapshot, diags}
	case "terraform":
		if _, err := s.at.stat(); err != nil {
			return unreadable(s, cause(err))
		}
		fsys, name := s.at.dir(), "."
		if s.isFile() {
			fsys, name = s.at.file()
		}
		snapshot, diags := terraform.Read(fsys, name, s.cluster)
		return &part{snapshot, diags}
	}
	var diags diag.List
	d := diags.Errorf(s.pos, "unknown-source", "there is no inventory source of kind %q", s.kind).WithHelp("write file:FILE, kube:FOLDER, terraform:PATH or aws:FOLDER")
	if near := diag.Meant(s.kind, sourceKinds()); near != "" {
		d.WithHelp("did you mean %s:%s?", near, s.at.path)
	}
	return &part{empty, diags}
}

func unreadable(s source, err error) *part {
	var diags diag.List
	diags.Errorf(s.pos, "unreadable", "inventory %s cannot be read: %v", s.at.path, err).WithHelp("name a file that exists and that this user may read")
	return &part{&inventory.Snapshot{}, diags}
}
