package terraform

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

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
	maxWork      = 2 << 20 // values that are made of a folder's configurations
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
	values map[string]Value // of its .tfvars files
}

// readFolders parses all configuration files, by folder.
func readFolders(fsys fs.FS, names []string, diags *diag.List) map[string]*folder {
	out := map[string]*folder{}
	at := func(name string) *folder {
		dir := path.Dir(name)
		if out[dir] == nil {
			out[dir] = &folder{dir: dir, values: map[string]Value{}}
		}
		return out[dir]
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(a, b) })
	for _, name := range names {
		override := strings.HasSuffix(name, "override.tf") || strings.HasSuffix(name, "override.tf.json")
		switch {
		case strings.HasSuffix(name, ".tf.json"):
			blocks := readJSONConfig(fsys, name, diags)
			at(name).add(blocks, override)
		case strings.HasSuffix(name, ".tf"):
			blocks := readConfig(fsys, name, diags)
			at(name).add(blocks, override)
		}
	}
	return out
}

func (f *folder) add(blocks []*block, override bool) {
	for _, b := range blocks {
		b.over = override
	}
	f.blocks = append(f.blocks, blocks...)
}

func (f *folder) of(kind string) []*block {
	var out []*block
	for _, b := range f.blocks {
		if b.kind == kind {
			out = append(out, b)
		}
	}
	return out
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
