// Package file reads an inventory in Firebreak's own format: a stream of YAML
// documents of kind Workload, Frontend and Network. The format is closed; what it does
// not know it refuses, with the place.
package file

import (
	"io/fs"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/manifest"
)

// APIVersion is what a document's apiVersion says, where it has one.
const APIVersion = "firebreak.dev/v1alpha1"

var kinds = []string{"Workload", "Frontend", "Network"}

// Read reads the named file. The snapshot holds what could be read and is
// never nil; use it only if the list has no errors. Every document is
// reported on, not just the first that is wrong.
func Read(fsys fs.FS, name string) (*inventory.Snapshot, diag.List) {
	var part inventory.Snapshot
	var diags diag.List
	unread := manifest.Each(fsys, name, func(d manifest.Document) { readDocument(d, &part, &diags) })
	snap, more := inventory.Join(&part)
	diags = append(append(diags, unread...), more...)
	diags.Sort()
	return snap, diags
}

func readDocument(d manifest.Document, part *inventory.Snapshot, diags *diag.List) {
	o := manifest.NewObject(d, d.Root, "an inventory document", diags)
	if o == nil {
		return
	}
	if v := o.Text("apiVersion"); v != "" && v != APIVersion {
		diags.Errorf(o.Pos(o.Field("apiVersion")), "unknown-version", "apiVersion %q is not known", v).WithHelp("write %s", APIVersion)
	}
	kind, place := o.Text("kind"), o.Pos(o.Node)
	if n := o.Field("kind"); n != nil {
		place = o.Pos(n)
	}
	meta := o.Object("metadata")
	spec := o.Object("spec")
	switch kind {
	case "Workload":
		if w, ok := workload(o, meta, spec, diags); ok {
			part.Workloads = append(part.Workloads, w)
		}
	case "Frontend":
		if f, ok := frontend(o, meta, spec, diags); ok {
			part.Frontends = append(part.Frontends, f)
		}
	case "Network":
		if n, ok := network(o, meta, spec, diags); ok {
			part.Networks = append(part.Networks, n)
		}
	default:
		unknownKind(diags, place, kind)
		return
	}
	o.Done()
	meta.Done()
	spec.Done()
}

func unknownKind(diags *diag.List, place diag.Pos, kind string) {
	d := diags.Errorf(place, "unknown-kind", "an inventory has no kind %q", kind)
	if c := diag.Nearest(kind, kinds); c != "" {
		d.WithHelp("did you mean %s?", c)
	} else {
		d.WithHelp("it has Workload, Frontend and Network")
	}
}

func name(o, meta *manifest.Object, diags *diag.List) (string, bool) {
	n := meta.Text("name")
	if n == "" {
		diags.Errorf(o.Pos(o.Node), "missing-field", "metadata.name is missing")
	}
	return n, n != ""
}

func workload(o, meta, spec *manifest.Object, diags *diag.List) (inventory.Workload, bool) {
	n, ok := name(o, meta, diags)
	w := inventory.Workload{
		Name:      n,
		Namespace: meta.Text("namespace"),
		Labels:    meta.Labels("labels"),
		Addresses: spec.Addresses("addresses"),
		Principal: spec.Text("principal"),
		Host:      spec.Text("host"),
		Source:    o.Pos(o.Node),
	}
	for _, item := range spec.Items("ports") {
		if p, ok := port(o, item, diags); ok {
			w.Ports = append(w.Ports, p)
		}
	}
	return w, ok
}

func port(o *manifest.Object, item *yaml.Node, diags *diag.List) (inventory.Port, bool) {
	p := manifest.NewObject(o.Document, item, "a port", diags)
	if p == nil {
		return inventory.Port{}, false
	}
	defer p.Done()
	out := inventory.Port{Name: p.Text("name")}
	var okNumber, okProtocol bool
	out.Number, okNumber = number(p, "port", diags)
	out.Protocol, okProtocol = protocol(p, diags)
	return out, okNumber && okProtocol
}

func frontend(o, meta, spec *manifest.Object, diags *diag.List) (inventory.Frontend, bool) {
	n, ok := name(o, meta, diags)
	f := inventory.Frontend{
		Name:      n,
		Namespace: meta.Text("namespace"),
		Addresses: spec.Addresses("addresses"),
		Rewrites:  spec.Text("rewrites"),
		Source:    o.Pos(o.Node),
	}
	switch f.Rewrites {
	case "source", "destination", "both":
	case "":
		f.Rewrites = "destination"
	default:
		diags.Errorf(o.Pos(spec.Field("rewrites")), "bad-value", "rewrites is %q", f.Rewrites).WithHelp("write source, destination or both")
	}
	to := spec.Object("to")
	f.ToService, f.Workloads = to.Text("service"), to.Texts("workloads")
	to.Done()
	if (f.ToService == "") == (len(f.Workloads) == 0) {
		diags.Errorf(f.Source, "bad-value", "frontend %s needs exactly one of to.service and to.workloads", n)
	}
	for _, item := range spec.Items("ports") {
		if p, ok := frontendPort(o, item, diags); ok {
			f.Ports = append(f.Ports, p)
		}
	}
	return f, ok
}

func frontendPort(o *manifest.Object, item *yaml.Node, diags *diag.List) (inventory.FrontendPort, bool) {
	p := manifest.NewObject(o.Document, item, "a port", diags)
	if p == nil {
		return inventory.FrontendPort{}, false
	}
	defer p.Done()
	out := inventory.FrontendPort{Name: p.Text("name")}
	var okNumber, okProtocol bool
	out.Number, okNumber = number(p, "port", diags)
	out.Protocol, okProtocol = protocol(p, diags)
	out.Target = out.Number
	if n := p.Field("targetPort"); n != nil {
		if n.Tag == "!!int" {
			var ok bool
			out.Target, ok = number(p, "targetPort", diags)
			okNumber = okNumber && ok
		} else {
			out.Target, out.TargetName = 0, p.Text("targetPort")
		}
	}
	return out, okNumber && okProtocol
}
