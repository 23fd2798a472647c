package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/file"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// LoadPolicy reads a policy directory and the inventory that it speaks of: the
// given sources ("file:F", "kube:DIR", relative to the working directory), or,
// if there are none, those that the Estate names (relative to dir). Places are
// given relative to dir. The tree and the snapshot are never nil; the policy is
// non-nil only if the list has no errors.
func LoadPolicy(dir string, sources []string) (*lang.Dir, *inventory.Snapshot, *policy.Policy, diag.List) {
	tree, diags := lang.Parse(os.DirFS(dir))
	inv, more := loadInventory(dir, tree, sources)
	wholeText, wholeInventory := !lostSomething(diags), !more.HasErrors()
	diags = append(diags, more...)
	failed := diags.HasErrors()
	var p *policy.Policy
	if wholeText {
		p, more = policy.Resolve(tree, inv)
		for _, d := range more {
			if wholeInventory || d.Code != "selector-matches-nothing" {
				diags = append(diags, d)
			}
		}
	}
	if failed {
		p = nil
	}
	return tree, inv, p, tidy(diags)
}

// lostSomething reports whether whole documents could not be taken in. What
// speaks of them would then seem to speak of nothing.
func lostSomething(diags diag.List) bool {
	return slices.ContainsFunc(diags, func(d diag.Diagnostic) bool {
		return d.Severity == diag.Error && slices.Contains([]string{
			"yaml-syntax", codeUnreadable, "too-large", "too-many-diagnostics", "unknown-kind", "bad-api-version", "missing-field", "bad-name",
		}, d.Code)
	})
}

// tidy sorts, and leaves out what is said twice about one place: the text alone
// warns of some things that turn out to be errors once the inventory is known.
func tidy(diags diag.List) diag.List {
	diags.Sort()
	return slices.DeleteFunc(diags, func(d diag.Diagnostic) bool {
		return d.Severity != diag.Error && slices.ContainsFunc(diags, func(e diag.Diagnostic) bool {
			return e.Severity == diag.Error && e.Code == d.Code && e.Pos == d.Pos
		})
	})
}

type source struct {
	kind, path string // path as the working directory sees it
	place      string // what diagnostics call it, relative to the policy directory
	pos        diag.Pos
}

func loadInventory(dir string, tree *lang.Dir, given []string) (*inventory.Snapshot, diag.List) {
	var diags diag.List
	var parts []*inventory.Snapshot
	for _, s := range sourcesOf(dir, tree, given, &diags) {
		part, more := s.read()
		parts = append(parts, part)
		diags = append(diags, more...)
	}
	if parts == nil && !diags.HasErrors() && tree.Estate != nil {
		diags.Warnf(tree.Estate.Pos, "no-inventory", "the Estate names no inventory: there are no workloads").
			WithHelp("add spec.inventory, or give --inventory file:F")
	}
	snap, more := inventory.Join(parts...)
	diags = append(diags, more...)
	if tree.Estate == nil {
		return snap, diags
	}
	var labels []inventory.Relabeling
	for _, m := range tree.Estate.Labels {
		labels = append(labels, inventory.Relabeling{From: m.From, To: m.To, Map: m.Map, Pos: m.Pos})
	}
	snap, more = inventory.Relabel(snap, labels)
	return snap, append(diags, more...)
}

func sourcesOf(dir string, tree *lang.Dir, given []string, diags *diag.List) []source {
	var out []source
	for _, g := range given {
		kind, path, _ := strings.Cut(g, ":")
		if (kind != "file" && kind != "kube") || path == "" {
			diags.Errorf(diag.Pos{File: "--inventory"}, "bad-inventory", "%q is not a source of inventory", g).WithHelp("write file:F or kube:DIR")
			continue
		}
		place, err := filepath.Rel(dir, path)
		if err != nil {
			place = path
		}
		out = append(out, source{kind: kind, path: path, place: filepath.ToSlash(place)})
	}
	if len(given) > 0 || tree.Estate == nil {
		return out
	}
	for _, s := range tree.Estate.Inventory {
		path := s.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		out = append(out, source{kind: s.Kind, path: path, place: filepath.ToSlash(filepath.Clean(s.Path)), pos: s.Pos})
	}
	return out
}

// read reads one source and gives every place in it the source's name.
func (s source) read() (*inventory.Snapshot, diag.List) {
	var snap *inventory.Snapshot
	var diags diag.List
	rename := func(p *diag.Pos) { p.File = filepath.ToSlash(filepath.Join(s.place, p.File)) }
	if s.kind == "file" {
		snap, diags = file.Read(os.DirFS(filepath.Dir(s.path)), filepath.Base(s.path))
		rename = func(p *diag.Pos) { p.File = s.place }
	} else if info, err := os.Stat(s.path); err != nil || !info.IsDir() {
		diags.Errorf(s.pos, codeUnreadable, "the manifests in %s cannot be read: %v", s.path, notADirectory(err))
		return nil, diags
	} else {
		snap, diags = kube.Read(os.DirFS(s.path))
	}
	for i := range diags {
		rename(&diags[i].Pos)
	}
	for i := range snap.Workloads {
		rename(&snap.Workloads[i].Source)
	}
	for i := range snap.Frontends {
		rename(&snap.Frontends[i].Source)
	}
	return snap, diags
}

// codeUnreadable is the code of what could not be read at all; the verb then
// ends as with misuse.
const codeUnreadable = "unreadable-file"

func notADirectory(err error) error {
	var pe *fs.PathError
	switch {
	case err == nil:
		return errors.New("not a directory")
	case errors.As(err, &pe):
		return pe.Err
	}
	return err
}

// loaded is everything that verbs ask about.
type loaded struct {
	dir   string
	tree  *lang.Dir
	inv   *inventory.Snapshot
	p     *policy.Policy // nil if the diagnostics have errors
	eval  *semantics.Evaluator
	diags diag.List
}

// load reads what a verb was pointed at. Places are as the working directory
// sees them, so that they can be opened.
func load(dir string, sources []string) (*loaded, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, misusef("%s cannot be read as a policy directory: %v", dir, notADirectory(err))
	}
	l := &loaded{dir: dir}
	l.tree, l.inv, l.p, l.diags = LoadPolicy(dir, sources)
	for i := range l.diags {
		l.diags[i].Pos = l.pos(l.diags[i].Pos)
	}
	l.eval = semantics.New(l.tree, l.inv)
	return l, nil
}

// must loads what has to be free of errors: they are said on stderr.
func must(stderr io.Writer, dir string, sources []string) (*loaded, error) {
	l, err := load(dir, sources)
	if err != nil || l.p != nil {
		return l, err
	}
	for _, d := range l.diags {
		if d.Severity == diag.Error {
			fmt.Fprintln(stderr, d)
		}
	}
	if l.unreadable() {
		return nil, misusef("the policy cannot be read")
	}
	return nil, fmt.Errorf("the policy has errors; %q shows all there is to say about it", "firebreak check "+dir)
}

func (l *loaded) unreadable() bool {
	return slices.ContainsFunc(l.diags, func(d diag.Diagnostic) bool {
		return d.Code == codeUnreadable || d.Pos.File == "--inventory"
	})
}

// file gives a path relative to the policy directory as the working directory
// sees it.
func (l *loaded) file(name string) string {
	if name == "" || name == "--inventory" || filepath.IsAbs(name) {
		return name
	}
	return filepath.ToSlash(filepath.Join(l.dir, name))
}

func (l *loaded) pos(p diag.Pos) diag.Pos {
	p.File = l.file(p.File)
	return p
}

func (l *loaded) rule(r flow.Rule) flow.Rule {
	r.File = l.file(r.File)
	return r
}

func (l *loaded) rules(in []flow.Rule) []flow.Rule {
	out := make([]flow.Rule, 0, len(in))
	for _, r := range in {
		out = append(out, l.rule(r))
	}
	return out
}
