// Package house keeps the rules of the house: which room may import which,
// what pure code may not touch, what every package must say about itself. The
// checks run as tests over this module's own source; each is itself tested on
// a small source tree that breaks it.
package house

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Package is one package's hand-written and generated sources, without tests.
type Package struct {
	Path    string // relative to the module, "internal/flow"; "." at its root
	Module  string
	Files   []*ast.File
	Imports []Import
	Uses    map[*ast.Ident]types.Object // as far as they resolve within the package and its imports' names
	Types   *types.Package

	fset *token.FileSet
}

// Import is one import of one file.
type Import struct {
	Path string // as written; of a room of this house, relative to the module
	Ours bool   // a room of this house
	Std  bool   // of the standard library
	Pos  token.Pos
}

// Finding is a broken rule and where.
type Finding struct {
	Pos     string // file:line
	Message string
}

// String renders file:line: message.
func (f Finding) String() string { return f.Pos + ": " + f.Message }

// find makes a Finding at a position in one of the package's files.
func (p *Package) find(pos token.Pos, format string, args ...any) Finding {
	at := p.fset.Position(pos)
	return Finding{Pos: fmt.Sprintf("%s:%d", at.Filename, at.Line), Message: fmt.Sprintf(format, args...)}
}

// Load reads every package below the root of fsys, which holds the module of
// that name. Tests, testdata, hidden directories, other modules and
// node_modules are left out. Files under any build constraint are read.
func Load(fsys fs.FS, module string) ([]*Package, error) {
	byDir := map[string]*Package{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipDir(fsys, name)
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &Package{Path: dir, Module: module, fset: token.NewFileSet()}
		}
		return byDir[dir].addFile(fsys, name)
	})
	if err != nil {
		return nil, err
	}
	packages := make([]*Package, 0, len(byDir))
	for _, p := range byDir {
		p.resolve()
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	return packages, nil
}

func skipDir(fsys fs.FS, name string) error {
	base := path.Base(name)
	if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
		return fs.SkipDir
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	switch {
	case err == nil && name != ".":
		return fs.SkipDir
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

func (p *Package) addFile(fsys fs.FS, name string) error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(p.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, file)
	for _, spec := range file.Imports {
		ipath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		p.Imports = append(p.Imports, classify(ipath, p.Module, spec.Pos()))
	}
	return nil
}

func classify(ipath, module string, pos token.Pos) Import {
	if rel, ok := strings.CutPrefix(ipath, module+"/"); ok {
		return Import{Path: rel, Ours: true, Pos: pos}
	}
	first, _, _ := strings.Cut(ipath, "/")
	return Import{Path: ipath, Std: !strings.Contains(first, "."), Pos: pos}
}

// resolve finds out what each name means. Imports are empty stand-ins, so
// types do not check; names of the package itself and of imports do resolve,
// and that is what the rules ask about.
func (p *Package) resolve() {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: standIns{}, Error: func(error) {}, FakeImportC: true}
	p.Types, _ = conf.Check(p.Module+"/"+p.Path, p.fset, p.Files, info)
	p.Uses = info.Uses
}

type standIns struct{}

func (standIns) Import(ipath string) (*types.Package, error) {
	stand := types.NewPackage(ipath, path.Base(ipath))
	stand.MarkComplete()
	return stand, nil
}
