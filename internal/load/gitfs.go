package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBlob bounds what one file of a revision may take.
const maxBlob = 1 << 30

// gitEntry is a file, a directory or a link of a revision. It is its own
// fs.FileInfo and fs.DirEntry.
type gitEntry struct {
	name   string
	object string
	size   int64
	mode   fs.FileMode
	kids   []fs.DirEntry // by name
}

func (e *gitEntry) Name() string               { return e.name }
func (e *gitEntry) Size() int64                { return e.size }
func (e *gitEntry) Mode() fs.FileMode          { return e.mode }
func (e *gitEntry) Type() fs.FileMode          { return e.mode.Type() }
func (e *gitEntry) ModTime() time.Time         { return time.Time{} }
func (e *gitEntry) IsDir() bool                { return e.mode.IsDir() }
func (e *gitEntry) Sys() any                   { return nil }
func (e *gitEntry) Info() (fs.FileInfo, error) { return e, nil }

// list reads the names of everything in the revision.
func (r *Revision) list() error {
	out, err := r.git("ls-tree", "-r", "-t", "-z", "-l", "--full-tree", r.tree)
	if err != nil {
		return err
	}
	r.entries = map[string]*gitEntry{".": {name: ".", mode: fs.ModeDir | 0o555}}
	for line := range strings.SplitSeq(out, "\x00") {
		about, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(about) // mode, type, object, size
		if !ok || len(f) != 4 {
			continue
		}
		e := &gitEntry{name: path.Base(name), object: f[2], mode: 0o444}
		switch {
		case f[1] != "blob": // a tree, or another repository, of which nothing is here
			e.mode = fs.ModeDir | 0o555
		case f[0] == "120000":
			e.mode |= fs.ModeSymlink
		}
		e.size, _ = strconv.ParseInt(f[3], 10, 64) // "-" for what is no blob
		r.entries[name] = e
		if dir := r.entries[path.Dir(name)]; dir != nil {
			dir.kids = append(dir.kids, e)
		}
	}
	for _, e := range r.entries {
		slices.SortFunc(e.kids, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return nil
}

// maxLinks bounds how many links one name leads over.
const maxLinks = 16

// find follows links, which must stay in the repository.
func (r *Revision) find(name string) (*gitEntry, error) {
	for range maxLinks {
		e, next, err := r.step(name)
		if next == "" || err != nil {
			return e, err
		}
		name = next
	}
	return nil, errors.New("too many links")
}

// step returns what has the name or, if a link is on the way, what name that
// makes of it.
func (r *Revision) step(name string) (e *gitEntry, next string, err error) {
	parts := strings.Split(name, "/")
	for i := range parts {
		at := strings.Join(parts[:i+1], "/")
		if e = r.entries[at]; e == nil {
			return nil, "", fs.ErrNotExist
		}
		if e.mode&fs.ModeSymlink == 0 {
			continue
		}
		target, err := r.read(e)
		if err != nil {
			return nil, "", err
		}
		next = path.Join(append([]string{path.Dir(at), string(target)}, parts[i+1:]...)...)
		if path.IsAbs(string(target)) || !fs.ValidPath(next) {
			return nil, "", errors.New("a link leads out of the repository")
		}
		return nil, next, nil
	}
	return e, "", nil
}

// Open opens a file or a directory. It is not safe for concurrent use.
func (r *Revision) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	e, err := r.find(name)
	if err != nil {
		return fail(err)
	}
	if e.IsDir() {
		return &gitDir{e: e}, nil
	}
	text, err := r.read(e)
	if err != nil {
		return fail(err)
	}
	return &gitFile{e, bytes.NewReader(text)}, nil
}

// Stat is what Open's file would say, without reading it.
func (r *Revision) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	e, err := r.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return e, nil
}

type gitFile struct {
	e *gitEntry
	*bytes.Reader
}

func (f *gitFile) Stat() (fs.FileInfo, error) { return f.e, nil }
func (f *gitFile) Close() error               { return nil }

type gitDir struct {
	e  *gitEntry
	at int
}

func (d *gitDir) Stat() (fs.FileInfo, error) { return d.e, nil }
func (d *gitDir) Close() error               { return nil }
func (d *gitDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.e.name, Err: errors.New("it is a directory")}
}

// ReadDir is as fs.ReadDirFile demands.
func (d *gitDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.e.kids[d.at:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	d.at += len(rest)
	return slices.Clone(rest), nil
}

// blobs is one git that is asked for one object after the other.
type blobs struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// read returns the contents of a file or link.
func (r *Revision) read(e *gitEntry) ([]byte, error) {
	if e.size > maxBlob {
		return nil, fmt.Errorf("it is larger than %d bytes", maxBlob)
	}
	if r.blobs == nil {
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(r.blobs.in, e.object+"\n"); err != nil {
		return nil, err
	}
	head, err := r.blobs.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if f := strings.Fields(head); len(f) != 3 || f[1] != "blob" || f[2] != strconv.FormatInt(e.size, 10) {
		return nil, fmt.Errorf("git does not have it: %s", strings.TrimSpace(head))
	}
	text := make([]byte, e.size+1) // and the end of the line
	if _, err := io.ReadFull(r.blobs.out, text); err != nil {
		return nil, err
	}
	return text[:e.size], nil
}

func (r *Revision) start() error {
	b := &blobs{cmd: r.command("cat-file", "--batch")}
	var err error
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	b.out = bufio.NewReader(out)
	if err := b.cmd.Start(); err != nil {
		return err
	}
	r.blobs = b
	return nil
}

// Close ends the git that was asked, if any. What was opened stays readable.
func (r *Revision) Close() error {
	if r.blobs == nil {
		return nil
	}
	b := r.blobs
	r.blobs = nil
	if err := b.in.Close(); err != nil {
		return err
	}
	return b.cmd.Wait()
}
