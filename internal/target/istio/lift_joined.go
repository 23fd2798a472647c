package istio

import (
	"strings"

	"firebreak/internal/layer"
	"firebreak/internal/manifest"
)

// readNamespace compares the labels by which a namespace of the cluster joins the
// mesh with those that the inventory knows, by which its members are told.
func (l *lifter) readNamespace(o object, top *manifest.Object) {
	live := labelsOf(top)
	for i := range l.source.Inventory.Workloads {
		w := &l.source.Inventory.Workloads[i]
		if w.Labels["k8s/namespace"] != o.name {
			continue
		}
		known := func(key string) (string, bool) {
			v, is := w.Labels["k8s/namespace."+strings.ReplaceAll(key, "/", ".")]
			return v, is
		}
		if why := differ(live, known, "istio-injection", "istio.io/rev", "istio.io/dataplane-mode"); why != "" {
			l.unknown(o, inNamespace(o.name), "whether the pods of namespace "+o.name+" are in the mesh is not known: it "+why)
			return
		}
	}
}

// joined compares the labels of a workload's pods likewise.
func (l *lifter) joined(o object, pod *manifest.Object) {
	name := o.namespace + "/" + o.name + "[" + o.kind + "]"
	w, _ := l.named(name)
	if w == nil {
		return
	}
	known := func(key string) (string, bool) {
		v, is := w.Labels[key]
		return v, is
	}
	if why := differ(labelsOf(pod), known, "sidecar.istio.io/inject", "istio.io/rev", "istio.io/dataplane-mode"); why != "" {
		l.unknown(o, layer.Named(name), "whether "+name+" is in the mesh is not known: it "+why)
	}
}

func labelsOf(o *manifest.Object) map[string]string {
	if o == nil {
		return nil
	}
	if meta := o.Object("metadata"); meta != nil {
		return meta.Labels("labels")
	}
	return nil
}

// differ says which of some labels is another in the cluster than in the
// inventory; empty if none is.
func differ(live map[string]string, known func(string) (string, bool), keys ...string) string {
	show := func(v string, is bool) string {
		if !is {
			return "no label"
		}
		return `"` + v + `"`
	}
	for _, key := range keys {
		a, isA := live[key]
		if b, isB := known(key); a != b || isA != isB {
			return "has " + show(a, isA) + " for " + key + " where it is live, and " + show(b, isB) + " in the inventory"
		}
	}
	return ""
}
