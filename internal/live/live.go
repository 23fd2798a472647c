// Package live reads the folder in which a live estate lies: Kubernetes
// manifests, Terraform files, plans and states, answers of a cloud, dumps of
// nftables and of the kernel's maps. Everything is read once, when somebody
// first asks for it, and shared by all who do. It decides nothing; readers of
// one format have rooms of their own below this one.
package live

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"firebreak/internal/diag"
	"firebreak/internal/live/aws"
	"firebreak/internal/live/terraform"
	"firebreak/internal/manifest"
)

// Folder is a folder and everything below it, but for what begins with a dot.
// It is safe for concurrent use.
type Folder struct {
	fsys      fs.FS
	names     func() ([]string, diag.List)
	manifests func() ([]manifest.Document, diag.List)
	terraform func() (*terraform.Set, diag.List)
	aws       func() (*aws.Answers, diag.List)
}

// Open returns a folder, without reading anything. fsys must not change.
func Open(fsys fs.FS) *Folder {
	f := &Folder{fsys: fsys}
	f.names = once(f.list)
	f.manifests = once(f.readManifests)
	f.terraform = once(f.readTerraform)
	f.aws = once(f.readAWS)
	return f
}

func once[T any](read func() (T, diag.List)) func() (T, diag.List) {
	type both struct {
		v T
		d diag.List
	}
	get := sync.OnceValue(func() both {
		v, d := read()
		return both{v, d}
	})
	return func() (T, diag.List) {
		b := get()
		return b.v, slices.Clone(b.d)
	}
}

// FS returns the folder as a file system.
func (f *Folder) FS() fs.FS { return f.fsys }

// Names lists the files whose names end with one of the suffixes, by path.
// Without suffixes it lists all.
func (f *Folder) Names(suffixes ...string) ([]string, diag.List) {
	all, diags := f.names()
	if len(suffixes) == 0 {
		return all, diags
	}
	var out []string
	for _, name := range all {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			out = append(out, name)
		}
	}
	return out, diags
}

func (f *Folder) list() ([]string, diag.List) {
	var names []string
	var diags diag.List
	err := fs.WalkDir(f.fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", err)
			return nil
		case e.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case !e.IsDir() && path.Base(name)[0] != '.':
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		diags.Errorf(diag.Pos{}, "unreadable-file", "%v", err)
	}
	return names, diags
}

// Manifests returns the documents of all .yaml and .yml files, and those of
// .json files that hold objects of Kubernetes (as kubectl get -o json writes
// them), in the order of their paths. Their nodes must not be changed. Items of
// Lists are not yet taken apart.
func (f *Folder) Manifests() ([]manifest.Document, diag.List) { return f.manifests() }

func (f *Folder) readManifests() ([]manifest.Document, diag.List) {
	names, diags := f.Names(".yaml", ".yml", ".json")
	type file struct {
		docs  []manifest.Document
		diags diag.List
	}
	read := inParallel(names, func(name string) file {
		if strings.HasSuffix(name, ".json") && !f.hasObjects(name) {
			return file{}
		}
		docs, diags := manifest.Read(f.fsys, name)
		return file{docs, diags}
	})
	var out []manifest.Document
	for _, r := range read {
		out = append(out, r.docs...)
		diags = append(diags, r.diags...)
	}
	return out, diags
}

// hasObjects reports whether a .json file holds objects of Kubernetes: it is
// nobody else's, and the field that every object has stands in it.
func (f *Folder) hasObjects(name string) bool {
	others := append(terraform.Suffixes(), ".nft.json", ".maps.json")
	if aws.Reads(name) || slices.ContainsFunc(others, func(s string) bool { return strings.HasSuffix(name, s) }) {
		return false
	}
	in, err := f.fsys.Open(name)
	if err != nil {
		return true // whoever reads it says why it cannot be read
	}
	defer in.Close()
	return holds(in, []byte(`"apiVersion"`))
}

// holds reports whether what is read has those bytes somewhere; it keeps a piece
// of it at a time.
func holds(in io.Reader, want []byte) bool {
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := in.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, want) {
			return true
		}
		if err != nil {
			return false
		}
		keep := min(len(buf), len(want)-1)
		buf = append(buf[:0], buf[len(buf)-keep:]...)
	}
}

// readers is how many files are read at a time: more than processors in most
// machines, few enough to bound what is open.
const readers = 16

// inParallel reads files on all processors: nearly all time goes into decoding
// text. The results are in the order of the names.
func inParallel[T any](names []string, read func(name string) T) []T {
	out := make([]T, len(names))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(len(names), readers) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				out[i] = read(names[i])
			}
		})
	}
	wait.Wait()
	return out
}

// Terraform returns what Terraform's configurations, plans and states in the
// folder say; never nil.
func (f *Folder) Terraform() (*terraform.Set, diag.List) { return f.terraform() }

func (f *Folder) readTerraform() (*terraform.Set, diag.List) {
	names, diags := f.Names(terraform.Suffixes()...)
	set, more := terraform.Read(f.fsys, names)
	return set, append(diags, more...)
}

// AWS returns the answers of AWS in the folder; never nil.
func (f *Folder) AWS() (*aws.Answers, diag.List) { return f.aws() }

func (f *Folder) readAWS() (*aws.Answers, diag.List) {
	names, diags := f.Names(".json")
	answers, more := aws.Read(f.fsys, names)
	return answers, append(diags, more...)
}
