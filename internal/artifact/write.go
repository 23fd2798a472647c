package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Write makes the folders say what they are to say: all of them are written
// beside their places first, and only when all could be do they take them, each
// in one step. What is not ours stays, as it is, also if it comes to be
// meanwhile. After an error before the first took its place nothing is changed.
// Blocked steps are forced.
func Write(folders []*Folder) error {
	defer func() {
		for _, f := range folders {
			f.discard()
		}
	}()
	for _, f := range folders {
		if err := f.prepare(); err != nil {
			return fmt.Errorf("nothing was written: %w", err)
		}
	}
	for _, f := range folders {
		if err := f.take(); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the new folder beside the old one.
func (f *Folder) prepare() error {
	parent := filepath.Dir(f.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(parent, "."+filepath.Base(f.dir)+".firebreak-")
	if err != nil {
		return err
	}
	f.stage = stage
	if err := os.Chmod(stage, 0o755); err != nil {
		return err
	}
	list, err := f.list.encode()
	if err != nil {
		return err
	}
	for _, x := range append(slices.Clone(f.files), File{ListName, list}) {
		if err := write(filepath.Join(stage, filepath.FromSlash(x.Path)), x.Data); err != nil {
			return err
		}
	}
	if !f.swap {
		return nil
	}
	return f.eachForeign(func(path string, e fs.DirEntry) error {
		return carry(filepath.Join(f.dir, path), filepath.Join(stage, path), e)
	})
}

func (l *List) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(l)
	return b.Bytes(), err
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// eachForeign visits what is in the old folder and not ours, directories before
// what is in them; those that only hold ours are left out.
func (f *Folder) eachForeign(visit func(path string, e fs.DirEntry) error) error {
	ours := map[string]bool{ListName: true}
	within := map[string]bool{}
	for _, s := range f.steps {
		ours[filepath.FromSlash(s.Path)] = true
		for d := filepath.Dir(filepath.FromSlash(s.Path)); d != "."; d = filepath.Dir(d) {
			within[d] = true
		}
	}
	return fs.WalkDir(os.DirFS(f.dir), ".", func(name string, e fs.DirEntry, err error) error {
		path := filepath.FromSlash(name)
		if err != nil || name == "." || ours[path] || e.IsDir() && within[path] {
			return err
		}
		return visit(path, e)
	})
}

// carry puts a foreign file, directory or link also into the new folder.
func carry(from, to string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	if e.IsDir() {
		if err := os.MkdirAll(to, info.Mode().Perm()|0o700); err != nil {
			return inTheWay(from, err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return inTheWay(from, err)
	}
	switch info.Mode().Type() {
	case 0:
		if err = os.Link(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
			err = duplicate(from, to, info.Mode().Perm())
		}
	case fs.ModeSymlink:
		var where string
		if where, err = os.Readlink(from); err == nil {
			err = os.Symlink(where, to)
		}
	default:
		return fmt.Errorf("%s is neither a file nor a directory: move it away", from)
	}
	return inTheWay(from, err)
}

func inTheWay(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s cannot be kept beside what is rendered: %w", path, err)
	}
	return nil
}

// duplicate copies a file where links cannot be had.
func duplicate(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// take puts the new folder into its place, and clears the old one away.
func (f *Folder) take() error {
	if !f.swap {
		if err := os.Rename(f.stage, f.dir); err != nil {
			return err
		}
		f.stage = ""
		return nil
	}
	if err := exchange(f.stage, f.dir); err != nil {
		return err
	}
	old := f.stage
	f.stage = ""
	return f.clear(old)
}

// exchangeInSteps is exchange where the system has no such step: for a moment
// there is no folder in the place.
func exchangeInSteps(stage, dir string) error {
	away := stage + "-old"
	if err := os.Rename(dir, away); err != nil {
		return err
	}
	if err := os.Rename(stage, dir); err != nil {
		return errors.Join(err, os.Rename(away, dir))
	}
	return os.Rename(away, stage)
}

// clear removes an old folder: what was ours, and what is also in the new one.
// Whatever else came to be in it stays, and is told of.
func (f *Folder) clear(old string) error {
	ours := map[string]bool{ListName: true}
	for _, s := range f.steps {
		ours[s.Path] = true
	}
	var dirs []string
	err := fs.WalkDir(os.DirFS(old), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			dirs = append(dirs, name)
			return nil
		case ours[name] || f.carried(old, name):
			return os.Remove(filepath.Join(old, filepath.FromSlash(name)))
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, d := range dirs {
		if e := os.Remove(filepath.Join(old, filepath.FromSlash(d))); e != nil && err == nil {
			err = fmt.Errorf("something was written to %s while it was replaced; it is in %s: move it by hand", f.dir, old)
		}
	}
	return err
}

// carried reports whether a file of the old folder is in the new one.
func (f *Folder) carried(old, name string) bool {
	a, err := os.Lstat(filepath.Join(old, filepath.FromSlash(name)))
	b, err2 := os.Lstat(filepath.Join(f.dir, filepath.FromSlash(name)))
	if err != nil || err2 != nil || a.Mode() != b.Mode() {
		return false
	}
	if os.SameFile(a, b) || a.Mode().Type() == fs.ModeSymlink {
		return true
	}
	x, err := os.ReadFile(filepath.Join(old, filepath.FromSlash(name)))
	y, err2 := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(name)))
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// discard removes a new folder that did not take its place. It only holds
// copies and links.
func (f *Folder) discard() {
	if f.stage != "" {
		_ = os.RemoveAll(f.stage) // what is left begins with a dot, and is read by nobody
		f.stage = ""
	}
}
