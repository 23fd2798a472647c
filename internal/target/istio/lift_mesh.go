package istio

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
)

// mesh is what is true of the whole mesh.
type mesh struct {
	said       bool     // its configuration was read
	root       string   // its root namespace
	domains    []string // names of its own trust domain
	normalizes bool     // paths are rewritten until none is ambiguous
	sidecar    layer.Match
	ambient    layer.Match
	all        layer.Match
}

// uninjected are the workloads that no proxy stands before: in namespaces that
// the injector never looks at, and in the network of their node. The ambient
// mode leaves them out as well:
// istio.io/latest/docs/ops/common-problems/injection/.
const uninjected = "k8s/namespace notin (kube-node-lease,kube-public,kube-system),k8s/hostnetwork!=true"

// members says who is in the mesh:
// istio.io/latest/docs/setup/additional-setup/sidecar-injection/ and
// istio.io/latest/docs/ambient/usage/add-workloads/. What was rendered alone
// takes it for granted that whoever may be in the mesh is.
func (l *lifter) members() {
	const (
		nsAmbient  = "k8s/namespace.istio.io.dataplane-mode=ambient,istio.io/dataplane-mode!=none"
		podAmbient = "istio.io/dataplane-mode=ambient"
	)
	sidecars := []string{
		"k8s/namespace,k8s/namespace.istio-injection=enabled,sidecar.istio.io/inject!=false",
		"k8s/namespace,k8s/namespace.istio-injection!=disabled,sidecar.istio.io/inject=true",
		"k8s/namespace,!k8s/namespace.istio-injection,k8s/namespace.istio.io.rev,sidecar.istio.io/inject!=false",
		"k8s/namespace,!k8s/namespace.istio-injection,istio.io/rev,sidecar.istio.io/inject!=false",
	}
	ambient := selected(nsAmbient+","+uninjected+",k8s/namespace", podAmbient+","+uninjected+",k8s/namespace")
	for i := range sidecars {
		sidecars[i] += "," + uninjected
	}
	m := &l.mesh
	m.sidecar = selected(sidecars...)
	if l.source.Alone {
		m.sidecar = selected("k8s/namespace,k8s/namespace.istio-injection!=disabled,sidecar.istio.io/inject!=false," + uninjected)
		for i := range m.sidecar {
			m.sidecar[i].Not = ambient
		}
	}
	m.ambient = make(layer.Match, len(ambient))
	for i, t := range ambient {
		m.ambient[i] = t
		if !l.source.Alone {
			m.ambient[i].Not = m.sidecar
		}
	}
	m.all = slices.Concat(m.sidecar, m.ambient)
}

// selected matches what any of the selectors does; they must be valid.
func selected(texts ...string) layer.Match {
	var out layer.Match
	for _, t := range texts {
		s, err := label.Parse(t)
		if err != nil {
			panic("istio: selector " + t + ": " + err.Error()) // of this file's own
		}
		out = append(out, layer.Term{Select: &s})
	}
	return out
}

func inNamespace(ns string) layer.Match {
	s, err := label.Parse("k8s/namespace=" + ns)
	if err != nil {
		return nil // no workload can be there
	}
	return layer.Selected(s)
}

// both matches what two matches do.
func both(t layer.Term, m layer.Match) layer.Term {
	t.Not = append(slices.Clone(t.Not), layer.Term{Not: m})
	return t
}

// and is both for a whole match.
func and(a, b layer.Match) layer.Match {
	out := make(layer.Match, len(a))
	for i := range a {
		out[i] = both(a[i], b)
	}
	return out
}

// readConfig reads the mesh's configuration: the ConfigMap istio of the root
// namespace, or what was rendered to be merged into it.
func (l *lifter) readConfig(o object, top *manifest.Object) {
	ours := l.source.Alone && o.name == "firebreak-mesh-config"
	if !(strings.HasPrefix(o.name, "istio") || ours) || o.namespace != "istio-system" {
		return
	}
	data := top.Object("data")
	if data == nil || data.Field("mesh") == nil {
		return
	}
	var c struct {
		RootNamespace      string   `yaml:"rootNamespace"`
		TrustDomain        string   `yaml:"trustDomain"`
		TrustDomainAliases []string `yaml:"trustDomainAliases"`
		PathNormalization  struct {
			Normalization string `yaml:"normalization"`
		} `yaml:"pathNormalization"`
	}
	if err := yaml.Unmarshal([]byte(data.Text("mesh")), &c); err != nil {
		l.unknown(o, nil, "the mesh's configuration cannot be read: "+err.Error())
		return
	}
	l.mesh.said = true
	if c.RootNamespace != "" {
		l.mesh.root = c.RootNamespace
	}
	if c.TrustDomain != "" {
		l.mesh.domains = append(l.mesh.domains, c.TrustDomain)
	}
	l.mesh.domains = append(l.mesh.domains, c.TrustDomainAliases...)
	l.mesh.normalizes = c.PathNormalization.Normalization == "DECODE_AND_MERGE_SLASHES"
}
