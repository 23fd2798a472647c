package istio

import (
	"cmp"
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
)

const pastPrefix = "traffic.sidecar.istio.io/"

// readPods finds what annotations of pods lead past their sidecars:
// istio.io/latest/docs/reference/config/annotations/.
func (l *lifter) readPods(o object, top *manifest.Object) {
	notes, at := o.annotations, top.Object("spec")
	if o.kind == "CronJob" && at != nil {
		if at = at.Object("jobTemplate"); at != nil {
			at = at.Object("spec")
		}
	}
	if o.kind != "Pod" {
		notes = nil
		if at != nil {
			at = at.Object("template")
		}
		if at != nil {
			if meta := at.Object("metadata"); meta != nil {
				notes = annotations(meta)
			}
		}
	}
	if pod := at; !l.source.Alone {
		if o.kind == "Pod" {
			pod = top
		}
		l.joined(o, pod)
	}
	past, why := past(notes)
	if past.IsEmpty() && why == "" {
		return
	}
	name := o.namespace + "/" + o.name + "[" + o.kind + "]"
	w, k := l.named(name)
	switch {
	case w == nil && why == "":
		l.unknown(o, inNamespace(o.namespace), "its annotations lead ports past the sidecars of pods that the inventory does not name")
	case w == nil || why != "":
		concerned := inNamespace(o.namespace)
		if w != nil {
			concerned = layer.Named(name)
		}
		l.unknown(o, concerned, why)
	case k.sidecar:
		l.past = append(l.past, layer.Rule{Effect: layer.Abstain, Subject: layer.Named(name), Peer: layer.Everything(), Traffic: past, Ref: flow.Rule{Policy: name, Rule: "annotations", File: o.File, Line: o.ref.Line}})
		l.diags.Warnf(diag.Pos{File: o.File, Line: o.ref.Line}, "istio-misread", "%s comes to %s past its sidecar: no policy of the mesh holds there", past, name).
			WithHelp("take the annotation %sexcludeInboundPorts or includeInboundPorts away; see https://istio.io/latest/docs/reference/config/annotations/", pastPrefix)
	}
}

// annotations reads those of an object; unlike labels they may hold any text.
func annotations(meta *manifest.Object) map[string]string {
	n := manifest.Resolve(orEmpty(meta.Field("annotations")))
	if n.Kind != yaml.MappingNode {
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[n.Content[i].Value] = manifest.Resolve(n.Content[i+1]).Value
	}
	return out
}

// named finds a workload and its kind; nil if there is none of that name.
func (l *lifter) named(name string) (*inventory.Workload, *kind) {
	list := l.source.Inventory.Workloads
	if l.byName == nil {
		l.byName = make(map[string]int, len(list))
		for i := range list {
			l.byName[list[i].Name] = i
		}
	}
	i, known := l.byName[name]
	if !known {
		return nil, nil
	}
	return &list[i], l.kindOf[i]
}

// past says which ports annotations lead past the sidecar.
func past(notes map[string]string) (out netset.Traffic, why string) {
	all := netset.Of(netset.TCP, 0, 65535)
	if notes["sidecar.istio.io/interceptionMode"] == "NONE" {
		return out, "nothing is led to its sidecar (sidecar.istio.io/interceptionMode: NONE)"
	}
	if notes[pastPrefix+"excludeInterfaces"] != "" {
		return out, "what comes by some interfaces goes past its sidecar (" + pastPrefix + "excludeInterfaces)"
	}
	if v, ok := notes[pastPrefix+"includeInboundPorts"]; ok && v != "*" {
		in, bad := listed(v)
		if out, why = all.Subtract(in), bad; why != "" {
			return out, why
		}
	}
	more, why := listed(notes[pastPrefix+"excludeInboundPorts"])
	return out.Union(more), why
}

func listed(v string) (out netset.Traffic, why string) {
	if strings.TrimSpace(v) == "" {
		return out, ""
	}
	var list []string
	for _, p := range strings.Split(v, ",") {
		list = append(list, strings.TrimSpace(p))
	}
	return ports(list)
}

// readDestination finds initiators that are told not to show certificates.
func (l *lifter) readDestination(o object, top *manifest.Object) {
	spec := top.Object("spec")
	if spec == nil {
		return
	}
	mode := plainMode(o.node)
	host := spec.Text("host")
	if mode == "" || !l.inMesh(host) {
		return
	}
	l.plain = true
	l.diags.Warnf(diag.Pos{File: o.File, Line: o.ref.Line}, "istio-misread", "%s makes peers of %s show no certificate of the mesh (tls mode %s): they are let in only where anybody is", o.ref.Policy, host, mode).
		WithHelp("leave the mode out, or use ISTIO_MUTUAL; see https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings-TLSmode")
}

// plainMode finds a mode of TLS that is not the mesh's own anywhere in an object.
func plainMode(n *yaml.Node) string {
	n = manifest.Resolve(n)
	if n == nil {
		return ""
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "tls" {
			if t := manifest.Resolve(c); t != nil && t.Kind == yaml.MappingNode {
				for j := 0; j+1 < len(t.Content); j += 2 {
					if m := t.Content[j+1].Value; t.Content[j].Value == "mode" && m != "ISTIO_MUTUAL" {
						return m
					}
				}
			}
		}
		if c.Kind == yaml.MappingNode || c.Kind == yaml.SequenceNode {
			if m := plainMode(c); m != "" {
				return m
			}
		}
	}
	return ""
}

// inMesh reports whether a host may be a Service of the cluster.
func (l *lifter) inMesh(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || last == "svc" || last == "*" ||
		slices.ContainsFunc(l.kinds, func(k *kind) bool { return k.of.Labels["k8s/namespace"] == last })
}

// protocols finds ports whose Services say by name or appProtocol what is spoken
// there: istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/.
// Elsewhere the proxy finds out by itself.
func (l *lifter) protocols() {
	type end struct {
		name string
		port uint16
	}
	said := map[end]string{}
	for i := range l.source.Inventory.Frontends {
		f := &l.source.Inventory.Frontends[i]
		service, ok := serviceName(f)
		if !ok {
			continue
		}
		for _, name := range f.Workloads {
			w, k := l.named(name)
			if w == nil || !k.sidecar {
				continue
			}
			for _, p := range f.Ports {
				e := end{name, targetOf(w, p.Target, p.TargetName)}
				kind := spoken(p, l.serviceOf(f, service).protocols[p.Number])
				if other, known := said[e]; known && other != kind {
					kind = "" // who says otherwise
				}
				if said[e] = kind; p.Protocol != netset.TCP {
					delete(said, e)
				}
			}
		}
	}
	l.spoken = map[string]map[uint16][]string{"http": {}, "tcp": {}}
	for e, kind := range said {
		if kind != "" {
			l.spoken[kind][e.port] = append(l.spoken[kind][e.port], e.name)
		}
	}
	for _, byPort := range l.spoken {
		for _, names := range byPort {
			slices.Sort(names)
		}
	}
}

// spoken is "http", "tcp", or "" where the proxy looks what it is.
func spoken(p inventory.FrontendPort, app string) string {
	name := strings.ToLower(cmp.Or(app, p.Application, p.Name))
	switch name {
	case "kubernetes.io/h2c", "kubernetes.io/ws":
		return "http"
	case "kubernetes.io/wss":
		return "tcp"
	}
	name, _, _ = strings.Cut(name, "-")
	switch name {
	case "http", "http2", "grpc", "http_proxy":
		return "http"
	case "tcp", "https", "tls", "mongo", "redis", "mysql":
		return "tcp"
	}
	if slices.Contains([]uint16{25, 53, 3306, 27017}, p.Number) { // well known: github.com/istio/istio, pkg/config/kube.ConvertProtocol
		return "tcp"
	}
	return ""
}

// onPlain takes apart a rule about requests: on ports that are said to be no HTTP
// no request is seen.
func (l *lifter) onPlain(r layer.Rule) []layer.Rule {
	var out []layer.Rule
	for _, port := range slices.Sorted(maps.Keys(l.spoken["tcp"])) {
		if !r.Traffic.Contains(netset.TCP, port) {
			continue
		}
		part := r
		part.Traffic = netset.Of(netset.TCP, port, port)
		part.Subject = without(r.Subject, layer.Named(l.spoken["tcp"][port]...))
		r.Traffic = r.Traffic.Subtract(part.Traffic)
		out = append(out, part)
	}
	if !r.Traffic.IsEmpty() {
		out = append(out, r)
	}
	return out
}

// onPorts lists a rule for each port of which something is said.
func (l *lifter) onPorts(kind string, r layer.Rule) []layer.Rule {
	var out []layer.Rule
	for _, port := range slices.Sorted(maps.Keys(l.spoken[kind])) {
		if r.Traffic.Contains(netset.TCP, port) {
			part := r
			part.Traffic = netset.Of(netset.TCP, port, port)
			part.Subject = and(layer.Named(l.spoken[kind][port]...), r.Subject)
			out = append(out, part)
		}
	}
	return out
}

// readProtocols reads the appProtocols of a Service's ports.
func readProtocols(spec *manifest.Object, diags *diag.List) map[uint16]string {
	out := map[uint16]string{}
	for _, n := range spec.Items("ports") {
		p := sub(spec, n, "a port", diags)
		if p == nil {
			continue
		}
		number, err := strconv.ParseUint(p.Text("port"), 10, 16)
		if app := p.Text("appProtocol"); err == nil && app != "" {
			out[uint16(number)] = app
		}
	}
	return out
}
