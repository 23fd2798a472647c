package networkpolicy

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/target"
)

// Lift reads every NetworkPolicy in the folder, and what else there says whether
// and how they take effect. It follows the API's reference and its defaulting
// and validation (k8s.io/kubernetes pkg/apis/networking), and the page
// https://kubernetes.io/docs/concepts/services-networking/network-policies/ for
// what is undefined.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) {
	docs, diags := s.Folder.Manifests()
	l := &lifter{source: s, diags: diags, layer: &layer.Layer{Target: "networkpolicy", Nameless: true, Timeless: true}, estate: survey(s.Inventory)}
	for _, d := range docs {
		l.document(d, "", false)
	}
	for _, d := range diags {
		if d.Severity == diag.Error {
			l.everybody(manifest.Document{File: d.Pos.File, Root: &yaml.Node{Line: d.Pos.Line}}, unreadable)
		}
	}
	for _, d := range l.pending { // now that the namespaces' labels are known
		l.networkPolicy(d)
	}
	l.tables()
	l.enforcement()
	l.strangers()
	return l.layer, l.diags
}

// unreadable is why nobody knows what stands in a file.
const unreadable = "the file cannot be read, and NetworkPolicies may stand in it"

// lifter collects what the documents of a folder say.
type lifter struct {
	source   *target.Source
	diags    diag.List
	layer    *layer.Layer
	estate   *estate
	pending  []manifest.Document // NetworkPolicies
	policies []*netpol
	foreign  []foreign // other objects that decide about packets
	daemons  []daemon
}

// netpol is one NetworkPolicy.
type netpol struct {
	manifest.Document
	namespace, name string
	subject         layer.Match
	isolates        [2]bool // by flow.Direction
	rules           []layer.Rule
}

func (p *netpol) ref(statement string, n *yaml.Node) flow.Rule {
	return flow.Rule{Policy: p.namespace + "/" + p.name, Rule: statement, File: p.File, Line: n.Line}
}

// document takes in one object, or each object of a List; kind and inList are
// what the list says of its items.
func (l *lifter) document(d manifest.Document, kind string, inList bool) {
	root := manifest.Resolve(d.Root)
	if root.Kind != yaml.MappingNode {
		return
	}
	d.Root = root
	version := text(child(root, "apiVersion"))
	kind = cmp.Or(text(child(root, "kind")), kind)
	if inList && (kind == "List" || strings.HasSuffix(kind, "List") && child(root, "items") != nil) {
		l.everybody(d, "a List within a List is not read") // one that held itself would have no end
		return
	}
	if of, isList := strings.CutSuffix(kind, "List"); isList && !inList && (kind == "List" || child(root, "items") != nil) {
		if items := child(root, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, n := range items.Content {
				l.document(manifest.Document{File: d.File, Root: n}, of, true)
			}
		} else if items != nil {
			l.everybody(d, "what the List holds cannot be read")
		}
		return
	}
	group, _, _ := strings.Cut(version, "/")
	switch {
	case kind == "NetworkPolicy" && (group == "networking.k8s.io" || group == "extensions" || version == "" && inList):
		l.pending = append(l.pending, d)
	case kind == "Namespace" && (version == "v1" || version == ""):
		l.namespace(d)
	case kind == "DaemonSet" || kind == "Deployment" || kind == "ConfigMap":
		l.daemon(d, kind)
	default:
		l.stranger(d, group, kind)
	}
}

// everybody makes unknown what the whole cluster may do.
func (l *lifter) everybody(d manifest.Document, why string) {
	l.layer.Unknown = append(l.layer.Unknown, layer.Unknown{
		Where: flow.Rule{File: d.File, Line: d.Root.Line}, Why: why,
		Concerns: layer.Selected(l.estate.selector(label.Requirement{Key: namespaceKey, Op: label.Exists})),
	})
}

// networkPolicy reads one object. What cannot be read as the API server reads
// it makes unknown what its pods may do.
func (l *lifter) networkPolicy(d manifest.Document) {
	version := text(child(d.Root, "apiVersion"))
	if version != "networking.k8s.io/v1" && version != "" {
		l.diags.Warnf(d.Pos(d.Root), "networkpolicy-refused", "no cluster serves a NetworkPolicy of apiVersion %q any more", version).
			WithHelp("write networking.k8s.io/v1")
		l.count(d)
		p := l.begin(d)
		l.unreadable(p, "its apiVersion "+version+" is served by no cluster")
		return
	}
	l.count(d)
	p := l.begin(d)
	r := reader{lifter: l, policy: p}
	if r.metadata(); len(r.refused) > 0 { // nor is it known of which namespace it is
		l.everybody(d, "its metadata cannot be read: "+r.refused[0].Message)
	}
	r.read()
	if len(r.refused) == 0 {
		l.policies = append(l.policies, p)
		return
	}
	for _, f := range r.refused {
		f.Severity = diag.Warning
		l.diags = append(l.diags, f)
	}
	l.unreadable(p, "it cannot be read: "+r.refused[0].Message)
}

func (l *lifter) begin(d manifest.Document) *netpol {
	meta := child(d.Root, "metadata")
	return &netpol{
		Document:  d,
		name:      cmp.Or(text(child(meta, "name")), text(child(meta, "generateName"))+"*"),
		namespace: cmp.Or(text(child(meta, "namespace")), "default"),
	}
}

// unreadable makes unknown what the pods of a policy may do: those that it
// selects if that much is known, else all of its namespace.
func (l *lifter) unreadable(p *netpol, why string) {
	concerns := p.subject
	if concerns == nil {
		concerns = layer.Selected(l.estate.selector(label.Requirement{Key: namespaceKey, Op: label.In, Values: []string{p.namespace}}))
	}
	l.layer.Unknown = append(l.layer.Unknown, layer.Unknown{Where: p.ref("", p.Root), Why: why, Concerns: concerns})
}

// count tells our own objects from all others.
func (l *lifter) count(d manifest.Document) {
	labels := child(child(d.Root, "metadata"), "labels")
	if text(child(labels, "app.kubernetes.io/managed-by")) == "firebreak" && text(child(labels, "firebreak.dev/estate")) == l.source.Estate {
		l.layer.Ours++
	} else {
		l.layer.Foreign++
	}
}

// tables puts the policies together: one table for each direction. A pod is
// governed in a direction if some policy selects it for that; what any policy
// allows is allowed.
func (l *lifter) tables() {
	l.duplicates()
	if l.layer.Ours+l.layer.Foreign == 0 {
		return
	}
	for _, dir := range []flow.Direction{flow.Egress, flow.Ingress} {
		t := layer.Table{Name: "NetworkPolicies for " + dir.String(), Direction: dir, Default: layer.Deny}
		var rules []layer.Rule
		seen := map[string]bool{}
		for _, p := range l.policies {
			if !p.isolates[dir] {
				continue
			}
			for i := range p.subject {
				if s := &p.subject[i]; s.Select != nil && s.Workloads == nil && s.Not == nil {
					key := s.Select.String()
					if seen[key] {
						continue
					}
					seen[key] = true
				}
				t.Governs = append(t.Governs, p.subject[i])
			}
			for _, r := range p.rules {
				if strings.HasPrefix(r.Ref.Rule, dir.String()) {
					rules = append(rules, r)
				}
			}
		}
		t.Tiers = [][]layer.Rule{rules}
		l.layer.Tables = append(l.layer.Tables, t)
	}
}

// duplicates finds objects of one name. A cluster has one of them, and it
// cannot be said which.
func (l *lifter) duplicates() {
	first := map[string]*netpol{}
	twice := map[*netpol]bool{}
	for _, p := range l.policies {
		old := first[p.namespace+"/"+p.name]
		if old == nil || strings.HasSuffix(p.name, "*") {
			first[p.namespace+"/"+p.name] = p
			continue
		}
		twice[p], twice[old] = true, true
		l.diags.Warnf(p.Pos(p.Root), "networkpolicy-refused", "there are two NetworkPolicies %s/%s: a cluster has one of them", p.namespace, p.name).
			WithHelp("keep one").WithSee(old.Pos(old.Root))
	}
	if len(twice) == 0 {
		return
	}
	for _, p := range l.policies {
		if twice[p] {
			l.unreadable(p, "there are two objects of this name")
		}
	}
	l.policies = slices.DeleteFunc(l.policies, func(p *netpol) bool { return twice[p] })
}

// namespace notes what labels a namespace has.
func (l *lifter) namespace(d manifest.Document) {
	meta := child(d.Root, "metadata")
	name, labels := text(child(meta, "name")), map[string]string{}
	if n := child(meta, "labels"); n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			labels[n.Content[i].Value] = manifest.Resolve(n.Content[i+1]).Value
		}
	}
	l.estate.seen[name] = labels
}

// child returns the value of a field of a mapping; nil if there is none, or null
// stands there.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			if v := manifest.Resolve(n.Content[i+1]); v.Tag != "!!null" {
				return v
			}
			return nil
		}
	}
	return nil
}

// text returns a scalar as written; empty for anything else.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
