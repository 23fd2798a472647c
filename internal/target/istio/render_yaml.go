package istio

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// document is one object, its fields in the order in which they are written.
type document struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   metadata          `yaml:"metadata"`
	Spec       any               `yaml:"spec,omitempty"`
	Data       map[string]string `yaml:"data,omitempty"`
	comment    string
}

type metadata struct {
	Name      string            `yaml:"name"`
	Namespace string            `yaml:"namespace"`
	Labels    map[string]string `yaml:"labels"`
}

type selectorSpec struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type policySpec struct {
	Selector   *selectorSpec `yaml:"selector,omitempty"`
	TargetRefs []targetSpec  `yaml:"targetRefs,omitempty"`
	Action     string        `yaml:"action"`
	Rules      []ruleSpec    `yaml:"rules,omitempty"`
}

type targetSpec struct {
	Group string `yaml:"group"`
	Kind  string `yaml:"kind"`
	Name  string `yaml:"name"`
}

type (
	gatewaySpec struct {
		Class     string         `yaml:"gatewayClassName"`
		Listeners []listenerSpec `yaml:"listeners"`
	}
	listenerSpec struct {
		Name     string `yaml:"name"`
		Port     uint16 `yaml:"port"`
		Protocol string `yaml:"protocol"`
	}
)

type ruleSpec struct {
	From []fromSpec `yaml:"from,omitempty"`
	To   []toSpec   `yaml:"to,omitempty"`
	When []whenSpec `yaml:"when,omitempty"`
}

type (
	fromSpec struct {
		Source sourceSpec `yaml:"source"`
	}
	sourceSpec struct {
		Principals    []string `yaml:"principals,omitempty"`
		NotPrincipals []string `yaml:"notPrincipals,omitempty"`
		IPBlocks      []string `yaml:"ipBlocks,omitempty"`
		NotIPBlocks   []string `yaml:"notIpBlocks,omitempty"`
	}
	toSpec struct {
		Operation operationSpec `yaml:"operation"`
	}
	operationSpec struct {
		Hosts    []string `yaml:"hosts,omitempty"`
		Ports    []string `yaml:"ports,omitempty"`
		NotPorts []string `yaml:"notPorts,omitempty"`
		Methods  []string `yaml:"methods,omitempty"`
		Paths    []string `yaml:"paths,omitempty"`
	}
	whenSpec struct {
		Key    string   `yaml:"key"`
		Values []string `yaml:"values"`
	}
)

type peerSpec struct {
	Selector *selectorSpec       `yaml:"selector,omitempty"`
	MTLS     modeSpec            `yaml:"mtls"`
	Ports    map[uint16]modeSpec `yaml:"portLevelMtls,omitempty"`
}

type modeSpec struct {
	Mode string `yaml:"mode"`
}

func (r *renderer) object(version, kind, name, ns string, spec any) document {
	return document{APIVersion: version, Kind: kind, Spec: spec, Metadata: metadata{Name: name, Namespace: ns,
		Labels: map[string]string{"app.kubernetes.io/managed-by": "firebreak", "firebreak.dev/estate": r.w.Policy.Estate}}}
}

func selectorOf(labels map[string]string) *selectorSpec {
	if len(labels) == 0 {
		return nil
	}
	return &selectorSpec{labels}
}

func (r *renderer) policy(name, ns string, labels map[string]string, action string, rules []ruleSpec) document {
	d := r.object("security.istio.io/v1", "AuthorizationPolicy", name, ns, policySpec{Selector: selectorOf(labels), Action: action, Rules: rules})
	if action == "ALLOW" && len(rules) == 0 {
		d.comment = "# Without rules it lets nobody in.\n"
	}
	return d
}

// peerAuthentication demands proof of everybody, but on the ports that somebody
// without a certificate may use.
func (r *renderer) peerAuthentication(name, ns string, labels map[string]string, s *statements) document {
	spec := peerSpec{Selector: selectorOf(labels), MTLS: modeSpec{"STRICT"}}
	open, err := portList(s.plaintext)
	switch {
	case s.plaintext.IsEmpty():
	case err != nil || open == nil || len(open) > mostExceptions || spec.Selector == nil:
		spec.MTLS.Mode = "PERMISSIVE"
	default:
		spec.Ports = map[uint16]modeSpec{}
		for _, p := range open {
			spec.Ports[p] = modeSpec{"PERMISSIVE"}
		}
	}
	return r.object("security.istio.io/v1", "PeerAuthentication", name, ns, spec)
}

// mostExceptions is how many ports are named that take plaintext; with more of
// them all do.
const mostExceptions = 100

// meshConfig is what has to be merged into the mesh's own configuration.
func (r *renderer) meshConfig() document {
	d := r.object("v1", "ConfigMap", "firebreak-mesh-config", "istio-system", nil)
	d.Data = map[string]string{"mesh": "pathNormalization:\n  normalization: DECODE_AND_MERGE_SLASHES\n"}
	d.comment = "# Merge this into the ConfigMap istio (key mesh), or into meshConfig of your\n# installation: it does nothing by itself. Without it, rules about paths can be\n# gone around by other spellings of a path.\n"
	r.diags.Infof(noPlace, "mesh-config", "rules about paths hold only if the mesh rewrites ambiguous ones").
		WithHelp("merge istio-system/mesh-config.yaml into the mesh's configuration (ConfigMap istio in istio-system)")
	return d
}

func encode(docs []document) []byte {
	var b bytes.Buffer
	for i, d := range docs {
		if i > 0 {
			b.WriteString("---\n")
		}
		b.WriteString(d.comment)
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		_ = e.Encode(d) // neither texts nor a buffer can fail
		_ = e.Close()
	}
	return b.Bytes()
}
