package networkpolicy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/label"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/verify"
)

// Render writes one file for each group of pods that are treated alike, with one
// object for each namespace that they are in, all in the folder of the one
// cluster. Pods that may do everything in a direction are not isolated in it, nor
// are those of a zone that observes, if that would shut out more than is denied.
// What is not from Kubernetes is not governed.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) {
	r := newRenderer(w)
	if len(r.pods) == 0 {
		return nil, nil
	}
	if err := label.CheckValue("firebreak.dev/estate", w.Policy.Estate); err != nil {
		r.diags.Errorf(diag.Pos{}, "not-expressible", "networkpolicy: the estate's name is no label value, and would not mark what is ours: %v", err)
	}
	r.oneCluster()
	for i := range w.Subjects {
		r.subject(&w.Subjects[i])
	}
	r.defaults()
	r.sayLost()
	r.sayDNS()
	r.sayBuiltins()
	r.sayHostNetwork()
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	slices.SortFunc(r.files, func(a, b target.File) int { return strings.Compare(a.Path, b.Path) })
	return r.files, r.diags
}

// oneCluster refuses pods of several clusters: their namespaces could not be
// told apart.
func (r *renderer) oneCluster() {
	found := map[string]string{}
	for _, w := range r.pods {
		found[w.Labels["k8s/cluster"]] = w.Name
	}
	if len(found) > 1 {
		r.diags.Errorf(diag.Pos{}, "not-expressible", "networkpolicy: the inventory has pods of %d clusters, and objects are rendered for one", len(found)).
			WithHelp("render each cluster with an inventory of its own")
	}
}

// subject writes the policies of one group of pods.
func (r *renderer) subject(s *plan.Subject) {
	ids := s.Identities
	isolates := [2]bool{flow.Ingress: !r.w.Everything(s, flow.Ingress), flow.Egress: !r.w.Everything(s, flow.Egress)}
	if !r.hasPods(ids) || isolates == [2]bool{} {
		return
	}
	var objects []object
	var spec strings.Builder
	if r.w.Observes(s) {
		objects = r.observed(&spec, s, &isolates)
		if isolates == [2]bool{} {
			return
		}
	} else {
		r.noteIsolated(s, ids, isolates)
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			if isolates[dir] {
				r.direction(&spec, s, dir)
			}
		}
		objects = r.objects(s)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# Firebreak rendered this for the estate %s. Change the policy and render again.\n", comment(r.w.Policy.Estate))
	name := r.unique(objectName(s.Name))
	for i, o := range objects {
		full := name
		if i > 0 {
			full = r.unique(fmt.Sprintf("%s-%d", name, i+1))
		}
		var doc strings.Builder
		r.header(&doc, full, o.namespace, isolates)
		fmt.Fprintf(&doc, "  podSelector: %s%s\n%s", o.selector, trailing(o.text), spec.String())
		r.size(doc.Len(), full)
		out.WriteString(doc.String())
	}
	r.file(name, out.String())
}

// header writes an object as far as its podSelector.
func (r *renderer) header(b *strings.Builder, name, namespace string, isolates [2]bool) {
	var types []string
	for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
		if isolates[dir] {
			types = append(types, typeOf(dir))
		}
	}
	fmt.Fprintf(b, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n  namespace: %s\n  labels:\n"+
		"    app.kubernetes.io/managed-by: firebreak\n    firebreak.dev/estate: %s\nspec:\n  policyTypes: [%s]\n",
		quote(name), quote(namespace), quote(r.w.Policy.Estate), strings.Join(types, ", "))
}

func typeOf(d flow.Direction) string {
	if d == flow.Ingress {
		return "Ingress"
	}
	return "Egress"
}

// direction writes what may come in, or go out: one entry for each grant.
func (r *renderer) direction(b *strings.Builder, s *plan.Subject, dir flow.Direction) {
	var entries strings.Builder
	for i := range s.Grants(dir) {
		r.grant(&entries, s, dir, &s.Grants(dir)[i])
	}
	r.relayed(&entries, s, dir)
	if entries.Len() == 0 {
		fmt.Fprintf(b, "  %s: []  # nobody\n", dir)
		return
	}
	fmt.Fprintf(b, "  %s:\n%s", dir, entries.String())
}

func (r *renderer) grant(b *strings.Builder, s *plan.Subject, dir flow.Direction, g *plan.Grant) {
	peers, everyone := r.peers(s, dir, g)
	ports, all := r.ports(s, dir, g)
	if !everyone && len(peers) == 0 || !all && len(ports) == 0 {
		return
	}
	for _, line := range r.reasons(s, dir, g) {
		fmt.Fprintf(b, "  # %s\n", comment(line))
	}
	if everyone && all {
		b.WriteString("  - {}  # everybody, everything\n")
		return
	}
	first := "  - "
	if !everyone {
		word := "from"
		if dir == flow.Egress {
			word = "to"
		}
		fmt.Fprintf(b, "%s%s:\n", first, word)
		first = "    "
		for _, p := range peers {
			b.WriteString(p)
		}
	}
	if !all {
		fmt.Fprintf(b, "%sports:\n", first)
		for _, p := range ports {
			b.WriteString(p)
		}
	}
}

// reasons names what the text says of a grant, for comments.
func (r *renderer) reasons(s *plan.Subject, dir flow.Direction, g *plan.Grant) []string {
	const most = 6
	e, seen, asked := r.w.Engine, map[string]bool{}, map[int]bool{}
	self := e.OfIdentity(s.Identities[0])
	var out []string
	for _, x := range g.Peers {
		from, to := self, x
		if dir == flow.Ingress {
			from, to = x, self
		}
		class := e.Class(from, to)
		if asked[class] {
			continue
		}
		asked[class] = true
		for _, line := range r.permitting(class, from, to) {
			if !seen[line] {
				seen[line] = true
				out = append(out, line)
			}
		}
	}
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more rules", len(out)-most))
	}
	return out
}

// permitting names the rules that permit something between two peers of a class.
func (r *renderer) permitting(class int, from, to verify.Peer) []string {
	if lines, known := r.said[class]; known {
		return lines
	}
	var out []string
	for _, part := range r.w.Engine.Parts(from, to, !r.w.ToCome) {
		if part.Permits {
			out = append(out, r.w.Engine.Ref(part.By).String())
		}
	}
	r.said[class] = out
	return out
}

// defaults closes what comes to be in a namespace and nobody has thought of,
// where the policy wants that: the zone of what no zone selects enforces and
// denies. A namespace with pods that are open today is left as it is.
func (r *renderer) defaults() {
	last := r.w.Policy.Zones[len(r.w.Policy.Zones)-1]
	closes := !last.DefaultAllow && (r.w.ToCome || last.Stage == policy.Enforce)
	if !closes || len(r.files) == 0 {
		return
	}
	r.settle()
	name := r.unique(objectName("default"))
	var out strings.Builder
	fmt.Fprintf(&out, "# Firebreak rendered this for the estate %s: pods of which the policy does not speak are closed.\n", comment(r.w.Policy.Estate))
	found := false
	for _, space := range sortedNames(r.isolated) {
		isolates := r.isolated[space]
		if isolates == [2]bool{} {
			continue
		}
		found = true
		r.header(&out, name, space, isolates)
		out.WriteString("  podSelector: {}\n")
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			if isolates[dir] {
				fmt.Fprintf(&out, "  %s: []  # nobody\n", dir)
			}
		}
	}
	if found {
		r.file(name, out.String())
	}
}

func (r *renderer) file(name, content string) {
	r.files = append(r.files, target.File{Path: path.Join("cluster", strings.TrimPrefix(name, "firebreak-")+".yaml"), Data: []byte(content)})
}

func (r *renderer) size(n int, name string) {
	if n > mostBytes {
		r.diags.Errorf(diag.Pos{}, "over-quota", "networkpolicy: the NetworkPolicy %s has %d bytes, and etcd takes %d", name, n, mostBytes).
			WithHelp("let rules name zones, services or prefixes instead of many single peers")
	}
}
