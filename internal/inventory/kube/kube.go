// Package kube reads an inventory from Kubernetes manifests: what a chart, a
// repository or `kubectl get -o yaml` holds. Every workload controller is one
// workload, however many replicas it runs; pods and the controllers that own
// each other are folded into the outermost owner that is present, to which
// they lend their addresses.
//
// A workload is named "namespace/name[Kind]". Its labels are those of its pod
// template, and
//
//	k8s/namespace        the namespace
//	k8s/serviceaccount   the service account
//	k8s/namespace.KEY    the label KEY of the namespace, each "/" as "."
//	k8s/cluster          the cluster, if the source names one
//	aws/role             the role that the service account is annotated with
//	k8s/hostnetwork      "true" where pods use the network of their node
//
// Its principal is Kubernetes' own name of the service account,
// "system:serviceaccount:NAMESPACE:NAME". A Service becomes a frontend.
//
// Manifests are an open format: kinds and fields that say nothing about
// workloads are passed over, but an object of an unknown kind that holds a pod
// template is a warning, since its pods would be missing.
package kube

import (
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/manifest"
)

// Read reads every .yaml, .yml and .json file in fsys and below, in the order
// of their paths; folders whose name begins with a dot are left out. The
// snapshot holds what could be read and is never nil; use it only if the list
// has no errors.
func Read(fsys fs.FS) (*inventory.Snapshot, diag.List) { return ReadCluster(fsys, "") }

// ReadCluster is Read for manifests of a cluster that has a name, which becomes
// the label k8s/cluster of its workloads. An empty name is none.
func ReadCluster(fsys fs.FS, cluster string) (*inventory.Snapshot, diag.List) {
	c := newCollector(cluster)
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			c.diags.Errorf(diag.Pos{File: name}, "unreadable-file", "%v", err)
			return nil
		case e.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case e.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)):
			return nil
		}
		docs, diags := manifest.Read(fsys, name)
		c.diags = append(c.diags, diags...)
		for _, d := range docs {
			c.document(d)
		}
		return nil
	})
	if err != nil {
		c.diags.Errorf(diag.Pos{}, "unreadable-file", "%v", err)
	}
	return c.done()
}

// Of is Read for documents that were read already; their nodes are not changed.
func Of(docs []manifest.Document) (*inventory.Snapshot, diag.List) {
	c := newCollector("")
	for _, d := range docs {
		c.document(d)
	}
	return c.done()
}

func newCollector(cluster string) *collector {
	return &collector{cluster: cluster, namespaces: map[string]map[string]string{}, byKey: map[string]*object{}, nodes: map[string]*object{}}
}

func (c *collector) done() (*inventory.Snapshot, diag.List) {
	snap, diags := inventory.Join(c.snapshot())
	c.diags = append(c.diags, diags...)
	c.diags.Sort()
	return snap, c.diags
}

// collector gathers the objects of all files, since owners, namespaces and
// pods may stand in any order.
type collector struct {
	diags      diag.List
	namespaces map[string]map[string]string // labels by namespace
	objects    []*object                    // in the order read
	byKey      map[string]*object
	cluster    string
	nodes      map[string]*object // by name
	accounts   []object
	services   []object
}

// document takes in one object, or each object of a List. Lists do not nest:
// one that held itself would have no end.
func (c *collector) document(d manifest.Document) {
	if d.Root.Kind != yaml.MappingNode {
		return
	}
	var head struct {
		Kind  string      `yaml:"kind"`
		Items []yaml.Node `yaml:"items"`
	}
	if err := d.Root.Decode(&head); err != nil {
		c.bad(d, "", err)
		return
	}
	list, ok := listOf(head.Kind)
	if !ok {
		c.object(d, head.Kind)
		return
	}
	for i := range head.Items {
		c.item(manifest.Document{File: d.File, Root: manifest.Resolve(&head.Items[i])}, list)
	}
}

// item takes in one object of a list. kind is what the list implies for
// objects that do not name theirs.
func (c *collector) item(d manifest.Document, kind string) {
	var head struct {
		Kind string `yaml:"kind"`
	}
	if d.Root.Kind != yaml.MappingNode {
		return
	}
	if err := d.Root.Decode(&head); err != nil {
		c.bad(d, kind, err)
		return
	}
	if head.Kind != "" {
		kind = head.Kind
	}
	if _, nested := listOf(kind); nested {
		c.diags.Errorf(d.Pos(d.Root), "bad-manifest", "a List in a List cannot be read")
		return
	}
	c.object(d, kind)
}

// listOf returns what kind of objects a list holds: "" for a List, which
// leaves it to each of them.
func listOf(kind string) (string, bool) {
	if kind == "List" {
		return "", true
	}
	for _, k := range known {
		if kind == k+"List" {
			return k, true
		}
	}
	return "", false
}

// known are the kinds that are read. Their order says nothing.
var known = [...]string{
	"Pod", "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet",
	"Job", "CronJob", "Namespace", "Service", "ServiceAccount", "Node",
}

func (c *collector) object(d manifest.Document, kind string) {
	if !slices.Contains(known[:], kind) {
		c.unknown(d, kind)
		return
	}
	o := object{kind: kind, pos: d.Pos(d.Root)}
	if err := d.Root.Decode(&o.fields); err != nil {
		c.bad(d, kind, err)
		return
	}
	if o.Metadata.Name == "" && o.Metadata.GenerateName == "" {
		c.diags.Errorf(o.pos, "missing-field", "%s without metadata.name", kind)
		return
	}
	switch kind {
	case "Namespace":
		c.namespaces[o.Metadata.Name] = o.Metadata.Labels
	case "ServiceAccount":
		c.accounts = append(c.accounts, o)
	case "Node":
		c.nodes[o.Metadata.Name] = &o
	case "Service":
		c.services = append(c.services, o)
	default:
		c.workload(o)
	}
}

func (c *collector) workload(o object) {
	if old := c.byKey[o.key()]; old != nil {
		c.diags.Errorf(o.pos, "duplicate-name", "there are two descriptions of workload %s", o.key()).WithHelp("keep one").WithSee(old.pos)
		return
	}
	c.objects = append(c.objects, &o)
	c.byKey[o.key()] = &o
}

// unknown warns of objects that would run pods we do not know how to name.
func (c *collector) unknown(d manifest.Document, kind string) {
	var m struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []yaml.Node `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	if d.Root.Decode(&m) == nil && len(m.Spec.Template.Spec.Containers) > 0 {
		c.diags.Warnf(d.Pos(d.Root), "unknown-workload-kind", "a %s runs pods, but is not read: its pods are missing", kind).
			WithHelp("describe them in an inventory file")
	}
}

func (c *collector) bad(d manifest.Document, kind string, err error) {
	if kind == "" {
		kind = "document"
	}
	c.diags.Errorf(d.Pos(d.Root), "bad-manifest", "this %s cannot be read: %v", kind, err)
}
