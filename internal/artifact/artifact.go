// Package artifact keeps on disk what was rendered: a folder for each target,
// with a list of the files in it that are ours. It replaces them all at once or
// not at all, notices what somebody else changed, and leaves alone what is not
// ours. It knows no target.
package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ListName is the file in a target's folder that lists what is ours in it. No
// rendered file is called so.
const ListName = "firebreak.json"

// List is what that file says.
type List struct {
	Target string  `json:"target"`
	Estate string  `json:"estate"`
	ToCome bool    `json:"toCome"` // rendered was the policy to come, not the one in force
	Files  []Entry `json:"files"`  // by path
}

// Entry is a file as it was written.
type Entry struct {
	Path   string `json:"path"` // relative to the folder, with forward slashes
	SHA256 string `json:"sha256"`
}

// File is one to be written.
type File struct {
	Path string
	Data []byte
}

// Sum is what an Entry says about data.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// maxList bounds the memory that a list may ask for.
const maxList = 64 << 20

// ReadList reads the list of a target's folder. The error is fs.ErrNotExist if
// there is none, so that nothing here was rendered, and says otherwise why it
// cannot be used.
func ReadList(dir fs.FS) (*List, error) {
	info, err := fs.Stat(dir, ListName)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxList {
		return nil, fmt.Errorf("%s is no list of files", ListName)
	}
	data, err := fs.ReadFile(dir, ListName)
	if err != nil {
		return nil, err
	}
	l := &List{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", ListName, err)
	}
	for _, e := range l.Files {
		if !good(e.Path) {
			return nil, fmt.Errorf("%s names %q, which is no file of its folder", ListName, e.Path)
		}
	}
	return l, nil
}

// good reports whether a path stays in the folder and is not the list's own.
func good(path string) bool {
	return fs.ValidPath(path) && path != "." && path != ListName && !strings.ContainsAny(path, "\x00\\")
}

// Changes lists the files of a list that are no longer as they were written,
// each with what is the matter: "changed", "missing".
func (l *List) Changes(dir fs.FS) map[string]string {
	out := map[string]string{}
	for _, e := range l.Files {
		switch is, err := state(dir, e.Path); {
		case errors.Is(err, fs.ErrNotExist):
			out[e.Path] = "missing"
		case err != nil || is != e.SHA256:
			out[e.Path] = "changed"
		}
	}
	return out
}

// state is the sum of a file.
func state(dir fs.FS, name string) (string, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fs.ErrInvalid
	}
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return "", err
	}
	return Sum(data), nil
}

// Change is what becomes of a file.
type Change string

// What becomes of files. Edited files are ours no longer as they were written;
// a file in the way has the name of one of ours and is not. Neither is touched
// unless it is forced.
const (
	New      Change = "new"
	Changed  Change = "changed"
	Same     Change = "same"
	Removed  Change = "removed"
	Edited   Change = "edited"
	InTheWay Change = "in-the-way"
)

// Step is a file and what becomes of it.
type Step struct {
	Path   string
	Change Change
}

// Folder is a target's folder and what is to be in it.
type Folder struct {
	dir   string // without symbolic links
	list  List
	files []File
	steps []Step
	stage string // the new folder, while it is not in its place
	swap  bool   // there is an old one
}

// Prepare compares a folder, which need not exist, with the files that are to be
// in it. It changes nothing. The list's own files follow from files.
func Prepare(dir string, list List, files []File) (*Folder, error) {
	real, err := filepath.EvalSymlinks(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		real = filepath.Clean(dir)
	case err != nil:
		return nil, err
	}
	f := &Folder{dir: real, list: list, files: slices.Clone(files)}
	if err := f.sort(); err != nil {
		return nil, err
	}
	info, err := os.Stat(real)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, x := range f.files {
			f.steps = append(f.steps, Step{x.Path, New})
		}
		return f, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	f.swap = true
	return f, f.compare()
}

func (f *Folder) sort() error {
	slices.SortFunc(f.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	f.list.Files = []Entry{}
	for i, x := range f.files {
		if !good(x.Path) || i > 0 && f.files[i-1].Path == x.Path {
			return fmt.Errorf("a file cannot be called %q", x.Path)
		}
		f.list.Files = append(f.list.Files, Entry{x.Path, Sum(x.Data)})
	}
	return nil
}

// compare finds the steps from what there is to what is to be.
func (f *Folder) compare() error {
	here := os.DirFS(f.dir)
	old, err := ReadList(here)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	was := map[string]string{}
	if old != nil {
		for _, e := range old.Files {
			was[e.Path] = e.SHA256
		}
	}
	for i, x := range f.files {
		f.steps = append(f.steps, Step{x.Path, change(here, x.Path, was, f.list.Files[i].SHA256)})
		delete(was, x.Path)
	}
	for path := range was {
		switch is, err := state(here, path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || is != was[path]:
			f.steps = append(f.steps, Step{path, Edited})
		default:
			f.steps = append(f.steps, Step{path, Removed})
		}
	}
	slices.SortFunc(f.steps, func(a, b Step) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// change is what becomes of a file that is to have the sum will.
func change(here fs.FS, path string, was map[string]string, will string) Change {
	is, err := state(here, path)
	then, ours := was[path]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return New
	case err == nil && is == will:
		return Same
	case ours && err == nil && is == then:
		return Changed
	case ours:
		return Edited
	}
	return InTheWay
}

// Steps lists what becomes of each file that is to be there, and of each of a
// former time that is not, by path.
func (f *Folder) Steps() []Step { return f.steps }

// Blocked lists the steps that must be forced.
func (f *Folder) Blocked() []Step {
	return slices.DeleteFunc(slices.Clone(f.steps), func(s Step) bool { return s.Change != Edited && s.Change != InTheWay })
}
