package istio

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
)

// authorization is an AuthorizationPolicy.
type authorization struct {
	object
	action  string
	targets []targetRef
	labels  map[string]string // of the selector; nil without one
	subject layer.Match       // whom it selects; nil if it has targetRefs
	rules   []rule
	dryRun  bool
	proven  bool   // nobody comes to where it holds who has not proven who it is
	broken  string // why it could not be read
}

type targetRef struct{ group, kind, name, namespace string }

// rule is a rule of one: any of from, any of to, all of when.
type rule struct {
	line int
	from []source
	to   []operation
	when []when
}

// source, operation and when have their fields by name; a name that begins with
// "not" is turned round.
type (
	source    map[string][]string
	operation map[string][]string
	when      struct {
		key         string
		values, not []string
	}
)

var (
	sourceFields = []string{"principals", "requestPrincipals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks", "remoteIpBlocks",
		"notPrincipals", "notRequestPrincipals", "notNamespaces", "notServiceAccounts", "notTrustDomains", "notIpBlocks", "notRemoteIpBlocks"}
	operationFields = []string{"hosts", "ports", "methods", "paths", "notHosts", "notPorts", "notMethods", "notPaths"}
)

// readAuthorization reads a policy. Every field must be known; otherwise it is
// broken.
func (l *lifter) readAuthorization(o object) *authorization {
	a := &authorization{object: o, action: "ALLOW"}
	var diags diag.List
	top := manifest.NewObject(o.Document, o.node, "the policy", &diags)
	if spec := top.Object("spec"); spec != nil {
		if t := spec.Text("action"); t != "" {
			a.action = t
		}
		spec.Field("provider") // whom a CUSTOM asks
		a.labels = readSelector(spec)
		for _, n := range spec.Items("targetRefs") {
			a.targets = append(a.targets, readTarget(manifest.NewObject(o.Document, n, "a targetRef", &diags)))
		}
		if one := spec.Object("targetRef"); one != nil {
			a.targets = append(a.targets, readTarget(one))
		}
		for _, n := range spec.Items("rules") {
			a.rules = append(a.rules, readRule(manifest.NewObject(o.Document, n, "a rule", &diags), &diags))
		}
		spec.Done()
	}
	a.dryRun = slices.Contains([]string{"1", "t", "T", "true", "TRUE", "True"}, o.annotations["istio.io/dry-run"])
	if !slices.Contains([]string{"ALLOW", "DENY", "AUDIT", "CUSTOM"}, a.action) {
		a.broken = fmt.Sprintf("the action %q is none of ALLOW, DENY, AUDIT, CUSTOM", a.action)
	}
	if len(diags) > 0 {
		a.broken = diags[0].Message
	}
	return a
}

func readSelector(spec *manifest.Object) map[string]string {
	s := spec.Object("selector")
	if s == nil {
		return nil
	}
	labels := s.Labels("matchLabels")
	if labels == nil {
		labels = map[string]string{}
	}
	s.Done()
	return labels
}

func readTarget(o *manifest.Object) targetRef {
	if o == nil {
		return targetRef{}
	}
	defer o.Done()
	return targetRef{o.Text("group"), o.Text("kind"), o.Text("name"), o.Text("namespace")}
}

func readRule(o *manifest.Object, diags *diag.List) rule {
	var r rule
	if o == nil {
		return r
	}
	r.line = o.Node.Line
	for _, n := range o.Items("from") {
		r.from = append(r.from, readFields(o, n, "source", sourceFields, diags))
	}
	for _, n := range o.Items("to") {
		r.to = append(r.to, readFields(o, n, "operation", operationFields, diags))
	}
	for _, n := range o.Items("when") {
		w := sub(o, n, "a condition", diags)
		if w == nil {
			continue
		}
		r.when = append(r.when, when{w.Text("key"), w.Texts("values"), w.Texts("notValues")})
		w.Done()
	}
	o.Done()
	return r
}

func sub(o *manifest.Object, n *yaml.Node, what string, diags *diag.List) *manifest.Object {
	return manifest.NewObject(o.Document, n, what, diags)
}

// readFields reads {source: {…}} or {operation: {…}}: lists of texts by name.
func readFields(o *manifest.Object, n *yaml.Node, name string, fields []string, diags *diag.List) map[string][]string {
	out := map[string][]string{}
	outer := sub(o, n, "a "+name, diags)
	if outer == nil {
		return out
	}
	if inner := outer.Object(name); inner != nil {
		for _, f := range fields {
			if list := inner.Texts(f); len(list) > 0 {
				out[f] = list
			}
		}
		inner.Done()
	}
	outer.Done()
	return out
}

// subjectOf matches the workloads that a selector means in a namespace; all
// namespaces for the root.
func (l *lifter) subjectOf(o object, labels map[string]string) (layer.Match, error) {
	var parts []string
	if o.namespace != l.mesh.root {
		parts = append(parts, "k8s/namespace="+o.namespace)
	}
	for k, v := range labels {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	s, err := label.Parse(strings.Join(parts, ","))
	if err != nil {
		return nil, err
	}
	if s.IsZero() {
		return layer.AnyWorkload(), nil
	}
	return l.ofPods(s, labels), nil
}

// ofPods matches the workloads whose pods a selector matches. Where the inventory
// has labels that pods have not, and the other way round, they are named.
func (l *lifter) ofPods(s label.Selector, labels map[string]string) layer.Match {
	if l.hidden == nil {
		l.hidden = hidden(l.source.Inventory)
	}
	var wrong, missed []string
	for k := range labels {
		for _, w := range l.hidden[k] {
			pod := maps.Clone(w.Pod)
			pod["k8s/namespace"] = w.Labels["k8s/namespace"]
			switch says, is := s.Matches(w.Labels), s.Matches(pod); {
			case says && !is:
				wrong = append(wrong, w.Name)
			case is && !says:
				missed = append(missed, w.Name)
			}
		}
	}
	out := layer.Selected(s)
	if wrong != nil {
		slices.Sort(wrong)
		out[0].Not = layer.Named(slices.Compact(wrong)...)
	}
	if missed != nil {
		slices.Sort(missed)
		out = append(out, layer.Named(slices.Compact(missed)...)...)
	}
	return out
}

// hidden lists by key the pods on which a label is not what the inventory says.
func hidden(inv *inventory.Snapshot) map[string][]*inventory.Workload {
	out := map[string][]*inventory.Workload{}
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		if w.Pod == nil {
			continue
		}
		for k, v := range w.Labels {
			if has, ok := w.Pod[k]; !label.IsBuiltin(k) && (!ok || has != v) {
				out[k] = append(out[k], w)
			}
		}
		for k := range w.Pod {
			if _, ok := w.Labels[k]; !ok {
				out[k] = append(out[k], w)
			}
		}
	}
	return out
}
