package load

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/artifact"
	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/inventory/aws"
	"firebreak/internal/inventory/kube"
	"firebreak/internal/inventory/terraform"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	tf "firebreak/internal/live/terraform"
	"firebreak/internal/manifest"
	"firebreak/internal/target"
)

// Live is a live folder, or one of rendered files, and what targets read in it.
type Live struct {
	Path      string
	Folder    *live.Folder
	Inventory *inventory.Snapshot // never nil
	Layers    []*layer.Layer      // one for each target that was asked, in that order; never nil
}

// Asked says what is known of an estate beside its folder.
type Asked struct {
	Targets []target.Target
	// Inventory is the estate's. Nil: what the folder itself shows, joined with
	// Sources ("file:F", "kube:DIR" …).
	Inventory *inventory.Snapshot
	Sources   []string
	Networks  []netip.Prefix // the estate's own; nil: those that the cluster's nodes give to pods
	Estate    string         // its name, which marks what is ours; may be empty
}

// OfFolder reads a live folder and lifts it by every target asked. Places in the
// list and in the layers are as the working directory sees them. The result is
// nil if the folder cannot be read at all, or holds nothing of a kind that is
// read: the list then says so, with the code "unreadable".
func OfFolder(path string, a Asked) (*Live, diag.List) {
	at := location{path: path}
	if d := at.unreadableDir("live folder"); d != nil {
		return nil, diag.List{*d}
	}
	l := &Live{Path: path, Folder: live.Open(at.dir()), Inventory: a.Inventory}
	if names, diags := l.Folder.Names(liveSuffixes...); len(names) == 0 {
		what := fmt.Sprintf("the live folder %s holds nothing that is read", path)
		if hints := l.unreadRulesets(); len(hints) > 0 {
			what += fmt.Sprintf("; %s: %s; %s", shown(path, hints[0].Pos.File), hints[0].Message, hints[0].Help)
		}
		diags.Errorf(diag.Pos{File: path, Line: 1, Col: 1}, "unreadable", "%s", what).
			WithHelp("it takes Kubernetes manifests (*.yaml), Terraform (*.tf, *.tf.json, *.tfplan.json, *.tfstate.json), nftables (*.nft.json), maps (*.maps.json) and AWS answers (describe-….json, get-….json, list-….json)")
		return nil, diags
	}
	var diags diag.List
	if l.Inventory == nil {
		l.Inventory, diags = l.inventory(a.Sources)
		if len(l.Inventory.Workloads) == 0 {
			diags.Warnf(diag.Pos{}, "no-inventory", "no workload is known here: nothing can be said about who may talk to whom").
				WithHelp("lay what describes workloads into the folder (manifests, describe-instances.json, a Terraform state), or give --inventory file:F")
		}
	}
	if len(a.Networks) == 0 {
		a.Networks = podNetworks(l.Folder)
	}
	l.Layers = make([]*layer.Layer, len(a.Targets))
	lists := make([]diag.List, len(a.Targets))
	var wait sync.WaitGroup
	for i, t := range a.Targets {
		wait.Go(func() { l.Layers[i], lists[i] = l.lift(t, a, false) })
	}
	wait.Wait()
	for i := range lists {
		diags = append(diags, lists[i]...)
	}
	diags = append(diags, l.misread()...)
	answers, _ := l.Folder.AWS()
	diags = append(diags, scope(answers)...)
	return l, tidied(diags, path)
}

// liveSuffixes are those of the files that somebody reads in a live folder.
var liveSuffixes = []string{".yaml", ".yml", ".tf", ".json"}

// lift reads what is of a target's kind.
func (l *Live) lift(t target.Target, a Asked, alone bool) (*layer.Layer, diag.List) {
	out, diags := t.Lift(&target.Source{Folder: l.Folder, Inventory: l.Inventory, Networks: a.Networks, Estate: a.Estate, Alone: alone})
	there := func(name string) string { return shown(l.Path, name) }
	rename(out, there)
	for i := range diags {
		diags[i].Rename(there)
	}
	return out, append(diags, aside(out)...)
}

// shown is a file of a folder as the working directory sees it.
func shown(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.ToSlash(filepath.Join(dir, name))
}

// rename gives the files that a layer speaks of other names.
func rename(l *layer.Layer, file func(string) string) {
	for i := range l.Unknown {
		l.Unknown[i].Where.File = file(l.Unknown[i].Where.File)
	}
	for _, t := range l.Tables {
		for _, tier := range t.Tiers {
			for i := range tier {
				tier[i].Ref.File = file(tier[i].Ref.File)
			}
		}
	}
}

// tidied says each thing once: several readers may stumble over the same file.
func tidied(diags diag.List, dir string) diag.List {
	diags.Sort()
	diags = slices.Compact(diags).Bound()
	for i := range diags {
		diags[i].Pos = somewhere(diags[i].Pos, dir)
	}
	return diags
}

// inventory is what the folder itself shows of workloads, and what sources add.
func (l *Live) inventory(sources []string) (*inventory.Snapshot, diag.List) {
	var parts []*inventory.Snapshot
	var diags diag.List
	take := func(kind string, snapshot *inventory.Snapshot, list ...diag.List) {
		p := &part{snapshot, slices.Concat(list...)}
		source{kind: kind, at: location{path: l.Path}, shown: l.Path}.rename(p)
		parts, diags = append(parts, p.snapshot), append(diags, p.diags...)
	}
	docs, unread := l.Folder.Manifests()
	cluster, found := kube.Of(docs)
	take("kube", cluster, unread, found)
	if names, _ := l.Folder.Names(tf.Suffixes()...); len(names) > 0 {
		set, unread := l.Folder.Terraform()
		cloud, found := terraform.From(set, "")
		take("terraform", cloud, unread, found)
	}
	if answers, unread := l.Folder.AWS(); answers.Any() || len(unread) > 0 {
		cloud, found := aws.From(answers, "")
		if !unread.HasErrors() {
			found = append(found, aws.Unasked(answers)...)
		}
		take("aws", cloud, unread, found)
	}
	x := new(loader)
	for _, s := range x.sources(nil, ".", sources, &diags) {
		p := x.part(s)
		parts, diags = append(parts, p.snapshot), append(diags, p.diags...)
	}
	out, more := inventory.Join(parts...)
	return out, append(diags, more...)
}

// podNetworks are the addresses that a cluster's nodes give to pods, if the
// nodes are there. Whoever reads the manifests says what is wrong with them.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/
func podNetworks(f *live.Folder) []netip.Prefix {
	type node struct {
		Kind string `yaml:"kind"`
		Spec struct {
			PodCIDR  string   `yaml:"podCIDR"`
			PodCIDRs []string `yaml:"podCIDRs"`
		} `yaml:"spec"`
	}
	var out []netip.Prefix
	take := func(n *yaml.Node, kind string) {
		var x node
		if n.Decode(&x) != nil || cmp.Or(x.Kind, kind) != "Node" {
			return
		}
		for _, text := range append(x.Spec.PodCIDRs, x.Spec.PodCIDR) {
			if p, err := netip.ParsePrefix(text); err == nil {
				out = append(out, p.Masked())
			}
		}
	}
	docs, _ := f.Manifests()
	for _, d := range docs {
		switch kind := kindOf(d.Root); kind {
		case "Node":
			take(d.Root, "")
		case "List", "NodeList":
			var list struct {
				Items []yaml.Node `yaml:"items"`
			}
			if d.Root.Decode(&list) != nil {
				continue
			}
			for i := range list.Items {
				take(manifest.Resolve(&list.Items[i]), strings.TrimSuffix(kind, "List"))
			}
		}
	}
	slices.SortFunc(out, func(p, q netip.Prefix) int {
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	})
	return slices.Compact(out)
}

// kindOf is the kind of an object; empty if it has none.
func kindOf(n *yaml.Node) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// Rendered is a target's folder of rendered files.
type Rendered struct {
	List *artifact.List
	Gone []string // the files of the list that are not there, sorted
	*Live
}

// OfRendered reads what was rendered for a target into its folder, and lifts
// it. Files that are not as they were written are warned of with the code
// "changed-artifact" and lifted as they are. The result is nil if the folder
// cannot be read or nothing was rendered to it: the list then says so, with the
// code "unreadable". Asked must have an inventory and one target.
func OfRendered(path string, a Asked) (*Rendered, diag.List) {
	at := location{path: path}
	if d := at.unreadableDir("folder of rendered files"); d != nil {
		return nil, diag.List{*d}
	}
	var diags diag.List
	list, err := artifact.ReadList(at.dir())
	if err != nil {
		why := cause(err).Error()
		if errors.Is(err, fs.ErrNotExist) {
			why = "it has no " + artifact.ListName
		}
		diags.Errorf(diag.Pos{File: path, Line: 1, Col: 1}, "unreadable", "%s was not written by render: %s", path, why).
			WithHelp("render it with firebreak render; a folder that others wrote is proven with --live")
		return nil, diags
	}
	r := &Rendered{List: list, Live: &Live{Path: path, Folder: live.Open(hidden{at.dir()}), Inventory: a.Inventory}}
	for file, what := range list.Changes(at.dir()) {
		d := diags.Warnf(diag.Pos{File: shown(path, file)}, "changed-artifact", "this file was %s since it was rendered", map[string]string{"changed": "changed", "missing": "removed"}[what])
		d.WithHelp("it is proven as it is; firebreak render --force writes it again")
		if what == "missing" {
			r.Gone = append(r.Gone, file)
		}
	}
	slices.Sort(r.Gone)
	out, more := r.lift(a.Targets[0], a, true)
	r.Layers = []*layer.Layer{out}
	return r, tidied(append(diags, more...), path)
}

// hidden is a folder without its list of what is ours, which says nothing to
// who reads what the files mean.
type hidden struct{ fs.FS }

// ReadDir leaves the list out.
func (h hidden) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(h.FS, name)
	if name == "." {
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == artifact.ListName })
	}
	return entries, err
}

// RenderedTargets lists the folders in OUT that render wrote, by name.
func RenderedTargets(out string) ([]string, error) {
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, cause(err)
	}
	var names []string
	for _, e := range entries {
		_, err := fs.Stat(location{path: filepath.Join(out, e.Name())}.dir(), artifact.ListName)
		if e.Name()[0] != '.' && err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
