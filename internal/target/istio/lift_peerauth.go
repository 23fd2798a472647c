package istio

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// peerAuth is a PeerAuthentication.
type peerAuth struct {
	object
	labels  map[string]string
	mode    string            // "" inherits
	ports   map[uint16]string // "" inherits the mode
	subject layer.Match
	unknown string // why it is not known what holds
	ignored bool
}

// A PeerAuthentication's levels; the narrowest that says something holds.
const (
	workloadLevel = iota
	namespaceLevel
	meshLevel
)

func (l *lifter) readPeerAuth(o object) *peerAuth {
	p := &peerAuth{object: o, ports: map[uint16]string{}}
	var diags diag.List
	top := manifest.NewObject(o.Document, o.node, "the policy", &diags)
	if spec := top.Object("spec"); spec != nil {
		p.labels = readSelector(spec)
		if m := spec.Object("mtls"); m != nil {
			p.mode = readMode(m)
		}
		p.readPorts(spec.Field("portLevelMtls"), &diags)
		spec.Done()
	}
	for _, mode := range append([]string{p.mode}, values(p.ports)...) {
		if !slices.Contains([]string{"", "STRICT", "PERMISSIVE", "DISABLE"}, mode) {
			p.unknown = fmt.Sprintf("the mode %q is none of UNSET, DISABLE, PERMISSIVE, STRICT", mode)
		}
	}
	if len(diags) > 0 {
		p.unknown = diags[0].Message
	}
	return p
}

func values(m map[uint16]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func (p *peerAuth) readPorts(n *yaml.Node, diags *diag.List) {
	if n = manifest.Resolve(orEmpty(n)); n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		port, err := strconv.ParseUint(n.Content[i].Value, 10, 16)
		if err != nil {
			diags.Errorf(p.Pos(n.Content[i]), "bad-port", "%q is no port", n.Content[i].Value)
			continue
		}
		if m := manifest.NewObject(p.Document, n.Content[i+1], "a mode", diags); m != nil {
			p.ports[uint16(port)] = readMode(m)
		}
	}
}

func orEmpty(n *yaml.Node) *yaml.Node {
	if n == nil {
		return &yaml.Node{}
	}
	return n
}

func readMode(o *manifest.Object) string {
	mode := o.Text("mode")
	o.Done()
	if mode == "UNSET" {
		return ""
	}
	return mode
}

func (l *lifter) level(p *peerAuth) int {
	switch {
	case len(p.labels) > 0:
		return workloadLevel
	case p.namespace == l.mesh.root:
		return meshLevel
	}
	return namespaceLevel
}

// settle finds whom each PeerAuthentication is about. Of two that are about a
// workload at one level the older one holds: istio.io/latest/docs/concepts/security/#peer-authentication.
// In the root namespace one with a selector is about nobody.
func (l *lifter) settle() {
	slices.SortStableFunc(l.peers, func(a, b *peerAuth) int { return strings.Compare(a.created, b.created) })
	for _, p := range l.peers {
		level := l.level(p)
		if p.ignored = level == workloadLevel && p.namespace == l.mesh.root; p.ignored {
			continue
		}
		subject, err := l.subjectOf(p.object, p.labels)
		if err != nil {
			p.unknown, subject = err.Error(), inNamespace(p.namespace)
		}
		p.subject = subject
		if p.unknown != "" {
			l.unknown(p.object, subject, "the PeerAuthentication cannot be read: "+p.unknown)
			p.ignored = true
			continue
		}
	}
	l.near = map[string][]*peerAuth{}
	for _, p := range l.peers {
		if !p.ignored {
			l.near[p.namespace] = append(l.near[p.namespace], p)
		}
	}
	l.overlaps()
}

// overlaps leaves to the older one what two select.
func (l *lifter) overlaps() {
	type pair struct{ older, younger *peerAuth }
	seen := map[pair]bool{}
	for _, k := range l.kinds {
		for _, ns := range l.asked(k.of) {
			var first [meshLevel + 1]*peerAuth
			for _, p := range l.near[ns] {
				if l.matches(p.subject, k.of) == layer.No {
					continue
				}
				older := first[l.level(p)]
				if older == nil {
					first[l.level(p)] = p
				} else if !seen[pair{older, p}] {
					seen[pair{older, p}] = true
				}
			}
		}
	}
	for _, p := range l.peers {
		for _, older := range l.near[p.namespace] {
			if !seen[pair{older, p}] {
				continue
			}
			if older.created == p.created && !(older.mode == p.mode && maps.Equal(older.ports, p.ports)) {
				l.unknown(p.object, and(older.subject, p.subject), "two PeerAuthentications select the same workload, and it is not known which is older: "+older.ref.String())
			}
			p.subject = without(p.subject, older.subject)
		}
	}
}

// asked lists the namespaces whose PeerAuthentications may be about a workload.
func (l *lifter) asked(w *inventory.Workload) []string {
	ns := w.Labels["k8s/namespace"]
	if ns == l.mesh.root {
		return []string{ns}
	}
	return []string{ns, l.mesh.root}
}

// peerTables make peers prove themselves where they must.
func (l *lifter) peerTables() {
	l.settle()
	for _, kind := range []struct {
		name    string
		governs layer.Match
		ambient bool
	}{{"sidecars: PeerAuthentication", l.mesh.sidecar, false}, {"ztunnel: PeerAuthentication", l.mesh.ambient, true}} {
		t := layer.Table{Name: kind.name, Direction: flow.Ingress, Governs: kind.governs, Default: layer.Allow, Tiers: [][]layer.Rule{l.around()}}
		for level := range meshLevel + 1 {
			var first, then []layer.Rule
			for _, p := range l.peers {
				if !p.ignored && l.level(p) == level {
					a, d := l.demands(p, kind.ambient)
					first, then = append(first, a...), append(then, d...)
				}
			}
			if first != nil {
				t.Tiers = append(t.Tiers, first, then)
			}
		}
		if len(t.Tiers) > 1 && (!kind.ambient || l.ambient()) {
			l.out.Tables = append(l.out.Tables, t)
		}
	}
}

// unheeded is what becomes of DISABLE on a port in ambient mode where the mode is
// inherited: by its documentation the port is open, but istiod looks for PERMISSIVE
// ports alone before it lets ztunnel know of exceptions from STRICT
// (convertedSelectorPeerAuthentications in pilot/pkg/serviceregistry/ambient).
const unheeded = "in ambient mode DISABLE on a port is heeded only beside a mode of the policy's own or a PERMISSIVE port: write PERMISSIVE"

// leftOut is what becomes of STRICT on a port in ambient mode, beside a mode that is
// not, in a mesh that is: istiod takes the port to be closed by the mesh, whose
// policy it then does not give to ztunnel (convertPeerAuthentication).
const leftOut = "in ambient mode STRICT on a port beside the mode PERMISSIVE or DISABLE is left out where the mesh is STRICT: leave the mode out, and name the ports that take plaintext"

// strictMesh reports whether the whole mesh is STRICT, but for what says otherwise.
func (l *lifter) strictMesh() bool {
	return slices.ContainsFunc(l.peers, func(p *peerAuth) bool { return !p.ignored && l.level(p) == meshLevel && p.mode == "STRICT" })
}

// demands are the rules of one PeerAuthentication: those that let pass, and
// those that do not let pass what is left. ztunnel takes DISABLE for PERMISSIVE:
// istio.io/latest/docs/ambient/usage/l4-policy/#peer-authentication.
func (l *lifter) demands(p *peerAuth, ambient bool) (first, then []layer.Rule) {
	rest := netset.Of(netset.TCP, 0, 65535)
	add := func(mode, name string, t netset.Traffic) {
		r := layer.Rule{Ref: p.ref, Effect: layer.Allow, Subject: p.subject, Peer: layer.Everything(), Traffic: t}
		r.Ref.Rule = name
		proven := &policy.Condition{MTLS: true}
		switch mode {
		case "STRICT":
			deny := r
			deny.Effect = layer.Deny
			then = append(then, deny)
			if open := r; ambient && name == "portLevelMtls" && (p.mode == "PERMISSIVE" || p.mode == "DISABLE") && l.strictMesh() {
				open.Unknown = leftOut
				first = append(first, open)
			}
			r.Peer, r.Cond = l.mesh.all, proven
			first = append(first, r)
		case "PERMISSIVE":
			first = append(first, r)
		case "DISABLE":
			if ambient && name == "portLevelMtls" && p.mode == "" && !slices.Contains(values(p.ports), "PERMISSIVE") {
				r.Unknown = unheeded
			}
			first = append(first, r)
			if !ambient { // nothing is proven to whoever speaks plaintext
				r.Effect, r.Cond = layer.Deny, proven
				first = append(first, r)
			}
		}
	}
	for port, mode := range p.ports {
		one := netset.Of(netset.TCP, port, port)
		if mode == "" {
			mode = p.mode
		}
		if mode != p.mode || mode == "" {
			add(mode, "portLevelMtls", one)
			if mode != "" {
				rest = rest.Subtract(one)
			}
		}
	}
	add(p.mode, "mtls", rest)
	return first, then
}
