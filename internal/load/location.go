package load

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"firebreak/internal/diag"
)

// location is a path on the disk, or in fsys if that is not nil.
type location struct {
	fsys fs.FS
	path string
}

// slashed is the path as fsys wants it.
func (p location) slashed() string { return path.Clean(filepath.ToSlash(p.path)) }

func (p location) stat() (fs.FileInfo, error) {
	if p.fsys == nil {
		return os.Stat(p.path)
	}
	if !fs.ValidPath(p.slashed()) {
		return nil, errors.New("it lies outside of what this revision holds")
	}
	return fs.Stat(p.fsys, p.slashed())
}

// dir is everything below the place; stat must have succeeded.
func (p location) dir() fs.FS {
	if p.fsys == nil {
		return os.DirFS(p.path)
	}
	sub, err := fs.Sub(p.fsys, p.slashed())
	if err != nil { // stat has refused such a path
		return os.DirFS(os.DevNull)
	}
	return sub
}

// file is the place as a name in its directory; stat must have succeeded.
func (p location) file() (fs.FS, string) {
	return location{p.fsys, filepath.Dir(p.path)}.dir(), filepath.Base(p.path)
}

func (p location) unreadableFile() error {
	info, err := p.stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory")
	}
	return cause(err)
}

func (p location) unreadableDir(what string) *diag.Diagnostic {
	info, err := p.stat()
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a directory")
	}
	if err == nil {
		return nil
	}
	var diags diag.List
	diags.Errorf(diag.Pos{}, "unreadable", "%s %s cannot be read: %v", what, p.path, cause(err)).WithHelp("name a directory that exists and that this user may read")
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
