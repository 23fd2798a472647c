package lang

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// The bounds of what is read, so that no input can take all memory or time.
// They are far above what people write: 10,000 rules are about 2 MiB.
const (
	maxFile        = 64 << 20  // bytes of one file
	maxDocument    = 4 << 20   // bytes of one document that is ours
	maxMarks       = 1 << 20   // characters of one document that can begin a node
	maxVisits      = 1 << 20   // nodes visited of one document, repeated ones (aliases) included
	maxRepeats     = 16        // times that aliases may make a document larger than it is written
	maxDiagnostics = diag.Most // findings of a run
)

// Parse reads every *.yaml and *.yml file of the tree and returns what its
// Firebreak documents say, with everything that is wrong with them, sorted by
// place. Files and folders whose names begin with a dot are left out; so are
// documents of another apiVersion, and inventory documents (Workload and
// Frontend), which other readers take. The Dir is never nil; it is only
// complete if the list has no errors. Parse keeps no reference to fsys, never
// panics on what it reads, and bounds what one run can take.
func Parse(fsys fs.FS) (*Dir, diag.List) { return new(Cache).Parse(fsys) }

// run reads everything in fsys.
func (r *reader) run(fsys fs.FS) (*Dir, diag.List) {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		return r.walk(fsys, name, entry, err)
	})
	if err != nil {
		r.errorAt(diag.Pos{}, "unreadable-file", "the policy directory cannot be read: %v", err)
	}
	r.checkDir()
	r.list.Sort()
	if r.full {
		r.list = append(r.list, diag.Diagnostic{
			Code: "too-many-diagnostics", Message: fmt.Sprintf("only the first %d diagnostics are shown", maxDiagnostics),
			Help: "mend those, then run again",
		})
	}
	return r.dir, r.list
}

// walk is called for everything in the tree. It goes on after errors, so that
// one unreadable file does not hide what is wrong with the others.
func (r *reader) walk(fsys fs.FS, name string, entry fs.DirEntry, err error) error {
	hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
	isYAML := path.Ext(name) == ".yaml" || path.Ext(name) == ".yml"
	switch {
	case err != nil:
		r.lost(diag.Pos{File: name}, "unreadable-file", "cannot be read: %v", cause(err))
		return nil
	case r.full:
		return fs.SkipAll
	case hidden && entry.IsDir():
		return fs.SkipDir
	case hidden || !isYAML || entry.IsDir():
		return nil
	}
	text, err := readFile(fsys, name)
	if err != nil {
		r.lost(diag.Pos{File: name}, "unreadable-file", "cannot be read: %v", cause(err))
		return nil
	}
	r.file = name
	r.addFile(text)
	return nil
}

// cause leaves out the path, which the diagnostic's place already names.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readFile reads a regular file (or what a link leads to) up to maxFile. A
// pipe or device is refused unopened: opening one could wait for ever.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text bytes.Buffer
	text.Grow(int(max(0, min(info.Size(), maxFile))) + bytes.MinRead)
	_, err = text.ReadFrom(io.LimitReader(f, maxFile+1))
	if err == nil && text.Len() > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return text.Bytes(), err
}

// chunk reads one document of a stream (or more, if they are separated in a
// way that split does not see).
func (r *reader) chunk(c chunk) {
	start := diag.Pos{File: r.file, Line: c.line + 1, Col: 1}
	if len(c.text) > maxDocument || marks(c.text) > maxMarks {
		r.lost(start, "too-large", "the document is too large to be a policy document").
			WithHelp("divide it into several documents, each below %d MiB", maxDocument>>20)
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(c.text))
	for !r.full {
		var n yaml.Node
		err := decode(decoder, &n)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.syntaxError(err, c)
			return
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			r.visits = min(maxVisits, maxRepeats*(count(&n)+100))
			r.document(n.Content[0])
		}
	}
}

// lost is errorAt for what keeps a whole document from being read.
func (r *reader) lost(pos diag.Pos, code, format string, args ...any) *diag.Diagnostic {
	r.unread = true
	return r.errorAt(pos, code, format, args...)
}
