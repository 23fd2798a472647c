package istio

import (
	"fmt"
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
	text := strings.Join(parts, ",")
	if m, known := l.chosen[text]; known {
		return m, nil
	}
	s, err := label.Parse(text)
	if err != nil {
		return nil, err
	}
	m := layer.AnyWorkload()
	if !s.IsZero() {
		m = l.ofPods(s, labels)
	}
	if l.chosen == nil {
		l.chosen = map[string]layer.Match{}
	}
	l.chosen[text] = m
	return m, nil
}

// ofPods matches the workloads whose pods a selector matches. Where the inventory
// has labels that pods have not, and the other way round, they are named.
func (l *lifter) ofPods(s label.Selector, labels map[string]string) layer.Match {
	if l.hidden == nil {
		l.hidden = hidden(l.kinds)
	}
	var wrong, missed []string
	add := func(list *[]string, k *kind) {
		l.each(k, func(w *inventory.Workload) { *list = append(*list, w.Name) })
	}
	requirements := s.Requirements()
	for key := range labels {
		for _, k := range l.hidden[key] {
			switch says, is := s.Matches(k.of.Labels), carries(k.of, requirements); {
			case says && !is:
				add(&wrong, k)
			case is && !says:
				add(&missed, k)
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

// carries reports whether a workload's pods, in their namespace, have labels.
func carries(w *inventory.Workload, labels []label.Requirement) bool {
	for _, q := range labels {
		v, has := w.Pod[q.Key]
		if q.Key == "k8s/namespace" {
			v, has = w.Labels[q.Key], true
		}
		if !has || !slices.Contains(q.Values, v) {
			return false
		}
	}
	return true
}

// hidden lists by key the pods on which a label is not what the inventory says.
func hidden(kinds []*kind) map[string][]*kind {
	out := map[string][]*kind{}
	for _, k := range kinds {
		if k.of.Pod == nil {
			continue
		}
		for key, v := range k.of.Labels {
			if has, ok := k.of.Pod[key]; !label.IsBuiltin(key) && (!ok || has != v) {
				out[key] = append(out[key], k)
			}
		}
		for key := range k.of.Pod {
			if _, ok := k.of.Labels[key]; !ok {
				out[key] = append(out[key], k)
			}
		}
	}
	return out
}
