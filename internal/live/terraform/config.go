package terraform

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// Limits that bound what a configuration may cost. A file that goes beyond them
// is an error, a value is Unresolved.
const (
	maxFile      = 8 << 20 // bytes of a configuration file
	maxNesting   = 300     // brackets in brackets, and values in values
	maxQuestions = 10000   // question marks of a file: conditions lie in each other
	maxWork      = 2 << 20 // values that are made of a folder's configurations, beside one for each byte
	maxText      = 4 << 20 // bytes of a text that is made
	maxModules   = 2000    // calls of modules, all together
)

// block is a block of a configuration, whichever syntax it was written in. Its
// arguments are expressions of the native syntax.
type block struct {
	kind   string
	labels []string
	args   map[string]argument
	blocks []*block
	pos    diag.Pos
	over   bool // from an override file
}

type argument struct {
	expr hclsyntax.Expression
	tree *jsontree.Node // of a .tf.json; expr is nil then
	pos  diag.Pos
}

// folder is one folder of configuration files: a module.
type folder struct {
	dir    string
	blocks []*block
	bytes  int
	kinds  map[string][]*block // blocks by kind, in their order; nil: nobody has asked
	named  map[[3]string]*block
	locals map[string]argument
}

// readFolders parses all configuration files, by folder.
func readFolders(fsys fs.FS, names []string, diags *diag.List) map[string]*folder {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.HasSuffix(name, ".tf") && !strings.HasSuffix(name, ".tf.json")
	})
	out := map[string]*folder{}
	for i, f := range inParallel(names, func(name string) file { return readFile(fsys, name) }) {
		dir := path.Dir(names[i])
		if out[dir] == nil {
			out[dir] = &folder{dir: dir}
		}
		for _, b := range f.blocks {
			b.over = strings.HasSuffix(names[i], "override.tf") || strings.HasSuffix(names[i], "override.tf.json")
		}
		out[dir].blocks = append(out[dir].blocks, f.blocks...)
		out[dir].bytes += f.bytes
		*diags = append(*diags, f.diags...)
	}
	return out
}

// file is one configuration file.
type file struct {
	blocks []*block
	bytes  int
	diags  diag.List
}

func readFile(fsys fs.FS, name string) (f file) {
	if info, err := fs.Stat(fsys, name); err == nil {
		f.bytes = int(min(info.Size(), maxFile))
	}
	if strings.HasSuffix(name, ".tf.json") {
		f.blocks = readJSONConfig(fsys, name, &f.diags)
	} else {
		f.blocks = readConfig(fsys, name, &f.diags)
	}
	return f
}

// readers is how many files are read side by side.
const readers = 8

// inParallel does the same with every name, and returns the results in their
// order.
func inParallel[T any](names []string, do func(string) T) []T {
	out := make([]T, len(names))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(readers, len(names)) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
				out[i] = do(names[i])
			}
		})
	}
	wait.Wait()
	return out
}

// index finds blocks by what they are called; blocks do not change any more.
func (f *folder) index() {
	if f.kinds != nil {
		return
	}
	f.kinds, f.named, f.locals = map[string][]*block{}, map[[3]string]*block{}, map[string]argument{}
	for _, b := range f.blocks {
		f.kinds[b.kind] = append(f.kinds[b.kind], b)
		if b.over {
			f.kinds[overrides] = append(f.kinds[overrides], b)
		} else if len(b.labels) == 2 {
			if k := [3]string{b.kind, b.labels[0], b.labels[1]}; f.named[k] == nil {
				f.named[k] = b
			}
		}
	}
	for _, over := range []bool{false, true} {
		for _, b := range f.kinds["locals"] {
			if b.over == over {
				maps.Copy(f.locals, b.args)
			}
		}
	}
}

// overrides are under a name that is no kind of block.
const overrides = "\x00overrides"

func (f *folder) of(kind string) []*block {
	f.index()
	return f.kinds[kind]
}

func (f *folder) local(name string) (argument, bool) {
	f.index()
	a, ok := f.locals[name]
	return a, ok
}

// declared finds a resource or a data source; nil if there is none.
func (f *folder) declared(kind, of, name string) *block {
	f.index()
	return f.named[[3]string{kind, of, name}]
}

func readConfig(fsys fs.FS, name string, diags *diag.List) []*block {
	body, ok := parseBody(fsys, name, diags)
	if !ok {
		return nil
	}
	var out []*block
	for _, b := range body.Blocks {
		out = append(out, nativeBlock(name, b))
	}
	return out
}

func parseBody(fsys fs.FS, name string, diags *diag.List) (*hclsyntax.Body, bool) {
	data, err := readBounded(fsys, name)
	if err == nil {
		err = tooDeep(data)
	}
	if err != nil {
		diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", err)
		return nil, false
	}
	file, found := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	if found.HasErrors() {
		d := found.Errs()[0]
		if h, ok := d.(*hcl.Diagnostic); ok {
			p := diag.Pos{File: name}
			if h.Subject != nil {
				p = position(*h.Subject)
			}
			diags.Errorf(p, "terraform-syntax", "this is not Terraform's language: %s", strings.TrimSpace(h.Summary+": "+h.Detail)).
				WithHelp("terraform validate shows all that is wrong")
		}
		return nil, false
	}
	body, ok := file.Body.(*hclsyntax.Body)
	return body, ok
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return data, err
}

// tooDeep refuses texts whose nesting would cost a parser that calls itself too
// much of its stack. It does not know strings from code, and need not.
func tooDeep(data []byte) error {
	depth, run, questions := 0, 0, 0
	for _, c := range data {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		case '?':
			questions++
		}
		switch c {
		case '!', '-':
			run++
		case ' ', '\t', '\n', '\r':
		default:
			run = 0
		}
		if depth > maxNesting || questions > maxQuestions || run > maxFile/800 {
			return fmt.Errorf("its values lie too deep in each other (more than %d)", maxNesting)
		}
	}
	return nil
}

func position(r hcl.Range) diag.Pos {
	return diag.Pos{File: r.Filename, Line: r.Start.Line, Col: r.Start.Column}
}

func nativeBlock(file string, b *hclsyntax.Block) *block {
	out := &block{kind: b.Type, labels: b.Labels, args: map[string]argument{}, pos: position(b.TypeRange)}
	for name, a := range b.Body.Attributes {
		out.args[name] = argument{expr: a.Expr, pos: position(a.NameRange)}
	}
	for _, inner := range b.Body.Blocks {
		out.blocks = append(out.blocks, nativeBlock(file, inner))
	}
	return out
}
