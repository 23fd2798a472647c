package kube

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// object is one manifest of a known kind.
type object struct {
	fields
	kind string
	pos  diag.Pos
}

func (o *object) namespace() string {
	if o.Metadata.Namespace == "" {
		return "default"
	}
	return o.Metadata.Namespace
}

func (o *object) name() string {
	if o.Metadata.Name == "" {
		return o.Metadata.GenerateName + "*"
	}
	return o.Metadata.Name
}

func (o *object) key() string {
	return key(o.namespace(), o.name(), o.kind)
}

func key(namespace, name, kind string) string {
	return fmt.Sprintf("%s/%s[%s]", namespace, name, kind)
}

// pod returns the labels and the pod specification behind the object: its own
// for a Pod, its template's for what makes pods.
func (o *object) pod() (labels, podSpec) {
	switch {
	case o.kind == "Pod":
		return o.Metadata.Labels, o.Spec.podSpec
	case o.kind == "CronJob":
		t := o.Spec.JobTemplate.Spec.Template
		return t.Metadata.Labels, t.Spec
	default:
		return o.Spec.Template.Metadata.Labels, o.Spec.Template.Spec
	}
}

// fields holds the fields that are read, of all known kinds together; their
// names do not collide in meaning, but for a Service's selector, which is a
// plain mapping where a controller's is not, and its ports.
type fields struct {
	Metadata metadata `yaml:"metadata"`
	Spec     spec     `yaml:"spec"`
	Status   struct {
		Phase  string `yaml:"phase"`
		PodIP  string `yaml:"podIP"`
		PodIPs []struct {
			IP string `yaml:"ip"`
		} `yaml:"podIPs"`
		Addresses []struct { // of a node
			Type    string `yaml:"type"`
			Address string `yaml:"address"`
		} `yaml:"addresses"`
		LoadBalancer struct {
			Ingress []struct {
				IP string `yaml:"ip"`
			} `yaml:"ingress"`
		} `yaml:"loadBalancer"`
	} `yaml:"status"`
}

type metadata struct {
	Name            string    `yaml:"name"`
	GenerateName    string    `yaml:"generateName"`
	Namespace       string    `yaml:"namespace"`
	Labels          labels    `yaml:"labels"`
	Annotations     yaml.Node `yaml:"annotations"`
	OwnerReferences []owner   `yaml:"ownerReferences"`
}

type owner struct {
	Kind       string `yaml:"kind"`
	Name       string `yaml:"name"`
	Controller bool   `yaml:"controller"`
}

type template struct {
	Metadata metadata `yaml:"metadata"`
	Spec     podSpec  `yaml:"spec"`
}

type spec struct {
	podSpec     `yaml:",inline"`
	Template    template `yaml:"template"`
	JobTemplate struct {
		Spec struct {
			Template template `yaml:"template"`
		} `yaml:"spec"`
	} `yaml:"jobTemplate"`

	Selector       yaml.Node     `yaml:"selector"`
	Ports          []servicePort `yaml:"ports"`
	ClusterIP      string        `yaml:"clusterIP"`
	ClusterIPs     []string      `yaml:"clusterIPs"`
	ExternalIPs    []string      `yaml:"externalIPs"`
	LoadBalancerIP string        `yaml:"loadBalancerIP"`
	ExternalPolicy string        `yaml:"externalTrafficPolicy"`
	Type           string        `yaml:"type"`
	ProviderID     string        `yaml:"providerID"` // of a node: "aws:///eu-west-1a/i-0a1b2c3d"
}

type podSpec struct {
	ServiceAccountName string      `yaml:"serviceAccountName"`
	ServiceAccount     string      `yaml:"serviceAccount"` // the old name of the same
	NodeName           string      `yaml:"nodeName"`
	HostNetwork        bool        `yaml:"hostNetwork"`
	Containers         []container `yaml:"containers"`
	InitContainers     []container `yaml:"initContainers"`
}

func (p podSpec) account() string {
	switch {
	case p.ServiceAccountName != "":
		return p.ServiceAccountName
	case p.ServiceAccount != "":
		return p.ServiceAccount
	default:
		return "default"
	}
}

type container struct {
	Ports []struct {
		Name     string    `yaml:"name"`
		Number   yaml.Node `yaml:"containerPort"`
		Protocol string    `yaml:"protocol"`
	} `yaml:"ports"`
}

type servicePort struct {
	Name       string    `yaml:"name"`
	Number     yaml.Node `yaml:"port"`
	TargetPort intOrName `yaml:"targetPort"`
	App        string    `yaml:"appProtocol"`
	Protocol   string    `yaml:"protocol"`
}

// intOrName is a port by number or by name; both empty if absent.
type intOrName struct {
	number uint16
	name   string
}

// UnmarshalYAML tells numbers from names as Kubernetes does: by the type in
// the text, not by what the text looks like.
func (p *intOrName) UnmarshalYAML(n *yaml.Node) error {
	if n.Tag != "!!int" {
		return n.Decode(&p.name)
	}
	v, err := strconv.ParseUint(n.Value, 10, 16)
	if err != nil || v == 0 {
		return fmt.Errorf("line %d: %q is not a port number", n.Line, n.Value)
	}
	p.number = uint16(v)
	return nil
}

// labels are strings; Kubernetes refuses a label whose value YAML reads as
// something else, and so does this.
type labels map[string]string

// UnmarshalYAML implements the above.
func (l *labels) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: labels must be a mapping", n.Line)
	}
	*l = labels{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
			return fmt.Errorf("line %d: the value of label %s must be a string: put it in quotes", v.Line, k.Value)
		}
		(*l)[k.Value] = v.Value
	}
	return nil
}
