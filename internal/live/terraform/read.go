package terraform

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// Suffixes are the ends of the names of the files that Read reads.
func Suffixes() []string {
	return []string{".tf", ".tf.json", ".tfplan.json", ".tfstate.json", ".tfvars", ".tfvars.json"}
}

// Read reads those of the named files of a folder that are Terraform's, all as
// one. The set is never nil; errors in the list are of files that cannot be
// read, and of sources that disagree (terraform-disagrees).
//
// A plan or a state is one of the configuration in its own folder, or in the
// nearest above it. Variables have the values of the .tfvars files that Terraform
// takes by itself, else their defaults.
func Read(fsys fs.FS, names []string) (*Set, diag.List) {
	var diags diag.List
	names = slices.Sorted(slices.Values(names))
	folders := readFolders(fsys, names, &diags)
	roots := rootsOf(folders)
	broken := unreadFiles(diags)
	found := len(diags)
	dumps := readDumps(fsys, names, &diags)
	brokenDumps := unreadFiles(diags[found:])
	for _, d := range dumps {
		d.root = rootOf(path.Dir(d.file), roots)
		if !slices.Contains(roots, d.root) {
			roots = append(roots, d.root)
		}
	}
	several := len(roots) > 1
	set := evaluate(fsys, names, folders, several, &diags)
	var plans, states []Resource
	for _, d := range dumps {
		all := d.resources(rootPrefix(d.root, several))
		if d.state {
			states = append(states, all...)
		} else {
			plans = append(plans, all...)
		}
	}
	states = unite(states, "state", &diags)
	ids := idsOf(states, plans)
	for i := range states {
		states[i].Body = ids.refer(states[i].Body, states[i].Address, true)
	}
	plans = unite(plans, "plan", &diags)
	for i := range plans {
		plans[i].Body = ids.refer(plans[i].Body, plans[i].Address, true)
	}
	out := NewSet(merge(set.Resources, plans, states, &diags))
	out.Outputs, out.Locals = set.Outputs, set.Locals
	out.Unread = slices.DeleteFunc(set.Unread, func(u Unread) bool {
		return slices.ContainsFunc(dumps, func(d *dump) bool { return strings.HasPrefix(u.Address, rootPrefix(d.root, several)) })
	})
	for _, u := range broken {
		at := rootOf(path.Dir(u.Address), roots)
		if !slices.ContainsFunc(dumps, func(d *dump) bool { return d.root == at }) {
			out.Unread = append(out.Unread, u)
		}
	}
	out.Unread = append(out.Unread, brokenDumps...)
	diags.Sort()
	return out, diags
}

// unreadFiles are the files that errors of reading are about, each once.
func unreadFiles(diags diag.List) []Unread {
	var out []Unread
	for _, d := range diags {
		if d.Severity == diag.Error && !slices.ContainsFunc(out, func(u Unread) bool { return u.Address == d.Pos.File }) {
			out = append(out, Unread{Address: d.Pos.File, Why: "the file cannot be read", Pos: d.Pos, File: true})
		}
	}
	return out
}

// rootOf is the root that a plan or a state in dir belongs to: the one there, or
// nearest above; the only one there is; dir itself where none is.
func rootOf(dir string, roots []string) string {
	for at := dir; ; at = path.Dir(at) {
		if slices.Contains(roots, at) {
			return at
		}
		if at == "." || at == "/" {
			break
		}
	}
	if len(roots) == 1 && strings.HasPrefix(roots[0]+"/", dir+"/") || len(roots) == 1 && dir == "." {
		return roots[0]
	}
	return dir
}

// dump is a plan or a state.
type dump struct {
	file, root string
	state      bool
	node       *jsontree.Node
}

func readDumps(fsys fs.FS, names []string, diags *diag.List) []*dump {
	var out []*dump
	for _, name := range names {
		if strings.HasSuffix(name, ".tfstate.json") || strings.HasSuffix(name, ".tfplan.json") {
			if d := readDump(fsys, name, diags); d != nil {
				out = append(out, d)
			}
		}
	}
	return out
}

// readDump tells a plan from a state by what is in it. A plan has
// planned_values; what terraform show prints of a state, values; the file of a
// state itself, resources. An empty state has nothing but its format.
func readDump(fsys fs.FS, name string, diags *diag.List) *dump {
	n, at, err := jsontree.Read(fsys, name)
	if err != nil {
		diags.Errorf(at, "json-syntax", "this is not JSON: %v", err).WithHelp("write it anew with terraform show -json")
		return nil
	}
	plan := n.Field("planned_values") != nil
	if !plan && n.Field("values") == nil && n.Field("resources") == nil && n.Field("format_version") == nil {
		diags.Errorf(n.Pos, "terraform-syntax", "this is neither a plan nor a state that terraform show -json prints")
		return nil
	}
	return &dump{file: name, state: !plan, node: n}
}

// unite leaves one of each address, and reports those that are there twice.
func unite(all []Resource, what string, diags *diag.List) []Resource {
	at := map[string]diag.Pos{}
	var out []Resource
	for _, r := range all {
		if first, ok := at[r.Address]; ok {
			if first.File != r.Pos.File {
				diags.Errorf(r.Pos, "terraform-disagrees", "there are two %ss with %s", what, r.Address).WithHelp("leave the older one out").WithSee(first)
			}
			continue
		}
		at[r.Address] = r.Pos
		out = append(out, r)
	}
	return out
}

// ReadFile is Read of one plan or state, whatever its name.
func ReadFile(fsys fs.FS, name string) (*Set, diag.List) {
	var diags diag.List
	d := readDump(fsys, name, &diags)
	if d == nil {
		return NewSet(nil), diags
	}
	all := unite(d.resources(""), "plan", &diags)
	ids := idsOf(all)
	for i := range all {
		all[i].Body = ids.refer(all[i].Body, all[i].Address, true)
	}
	return NewSet(all), diags
}
