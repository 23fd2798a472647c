package istio

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/target"
)

// Lift implements target.Target.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) {
	docs, diags := s.Folder.Manifests()
	l := &lifter{source: s, out: &layer.Layer{Target: "istio", Timeless: true, Nameless: true}, gateways: map[string]*gateway{}, services: map[string]service{}, mesh: mesh{root: "istio-system", domains: []string{"cluster.local"}}}
	for _, d := range docs {
		l.take(d, d.Root, false)
	}
	l.members()
	for _, d := range diags {
		if d.Severity == diag.Error {
			l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: flow.Rule{File: d.Pos.File, Line: d.Pos.Line}, Why: "the file cannot be read, and what the mesh is told may stand in it", Concerns: l.mesh.all})
		}
	}
	l.sort()
	for _, f := range l.later {
		f()
	}
	if len(l.authz)+len(l.peers) > 0 {
		for _, f := range l.pods {
			f()
		}
		l.protocols()
		l.findWays()
		l.policies()
		l.points()
		l.unattached()
		l.misread()
		l.unsaid()
	}
	return l.out, append(diags, l.diags...)
}

// lifter reads one folder.
type lifter struct {
	source *target.Source
	out    *layer.Layer
	mesh   mesh
	authz  []*authorization
	peers  []*peerAuth
	near   map[string][]*peerAuth // by namespace, without the ignored
	hidden map[string][]*kind     // by label
	chosen map[string]layer.Match // by what subjectOf makes of labels
	diags  diag.List

	gateways map[string]*gateway // waypoints, and Services, by namespace/name
	services map[string]service
	ways     []*way
	pods     []func()       // manifests of pods, read if there are policies
	byName   map[string]int // index into the inventory

	kinds  []*kind
	kindOf []*kind // by workload
	// Of the mesh: all, those by address, and of each kind one without any. Nil before
	// they are asked for.
	inside, nowhere []*inventory.Workload
	places          []place

	past   []layer.Rule                   // what goes past sidecars
	plain  bool                           // some initiators are told to show no certificate
	spoken map[string]map[uint16][]string // "http" and "tcp": the workloads by the port that speaks it
	later  []func()                       // what waits for the mesh's configuration
}

// object is what all Kubernetes objects have.
type object struct {
	manifest.Document
	node                  *yaml.Node
	kind, namespace, name string
	annotations           map[string]string
	created               string // RFC 3339; empty if it does not say
	ref                   flow.Rule
}

// header reads what all objects have; false if it is none.
func header(d manifest.Document, n *yaml.Node) (o object, spec *manifest.Object, ok bool) {
	var ignored diag.List
	top := manifest.NewObject(d, n, "the object", &ignored)
	if top == nil || top.Text("kind") == "" {
		return o, nil, false
	}
	o = object{Document: d, node: n, kind: top.Text("kind"), namespace: "default"}
	o.ref = flow.Rule{File: d.File, Line: n.Line}
	if meta := top.Object("metadata"); meta != nil {
		o.name, o.created = meta.Text("name"), meta.Text("creationTimestamp")
		if ns := meta.Text("namespace"); ns != "" {
			o.namespace = ns
		}
		o.annotations = annotations(meta)
	}
	o.ref.Policy = o.namespace + "/" + o.name
	return o, top, true
}

// group is the API group of an object.
func group(top *manifest.Object) string {
	g, _, _ := strings.Cut(top.Text("apiVersion"), "/")
	return g
}

// take reads one object, or those in a list. Lists do not nest: one that held
// itself would have no end.
func (l *lifter) take(d manifest.Document, n *yaml.Node, inList bool) {
	n = manifest.Resolve(n)
	o, top, ok := header(d, n)
	if !ok {
		return
	}
	if strings.HasSuffix(o.kind, "List") {
		if inList {
			l.unknown(o, layer.AnyWorkload(), "a List within a List is not read")
			return
		}
		for _, item := range top.Items("items") {
			l.take(d, item, true)
		}
		return
	}
	switch group(top) + "/" + o.kind {
	case "security.istio.io/AuthorizationPolicy":
		l.count(top)
		l.authz = append(l.authz, l.readAuthorization(o))
	case "security.istio.io/PeerAuthentication":
		l.count(top)
		l.peers = append(l.peers, l.readPeerAuth(o))
	case "gateway.networking.k8s.io/Gateway":
		l.readGateway(o, top)
	case "v1/Service":
		l.readService(o, top)
	case "v1/Pod", "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job", "batch/CronJob":
		l.pods = append(l.pods, func() { l.readPods(o, top) })
	case "v1/Namespace":
		if !l.source.Alone {
			l.readNamespace(o, top)
		}
	case "v1/ConfigMap":
		l.readConfig(o, top)
	default:
		l.later = append(l.later, func() { l.other(o, top) })
	}
}

// count tells ours from others'.
func (l *lifter) count(top *manifest.Object) {
	if meta := top.Object("metadata"); meta != nil {
		labels := meta.Labels("labels")
		if labels["app.kubernetes.io/managed-by"] == "firebreak" && labels["firebreak.dev/estate"] == l.source.Estate {
			l.out.Ours++
			return
		}
	}
	l.out.Foreign++
}

// unknown says that an object could not be understood, and of which workloads
// it makes the verdict unknown.
func (l *lifter) unknown(o object, concerns layer.Match, why string) {
	l.out.Unknown = append(l.out.Unknown, layer.Unknown{Where: o.ref, Why: why, Concerns: concerns})
}

// other is about the mesh's other kinds. Those that only say how requests are
// led (VirtualService, ServiceEntry, WorkloadEntry, WorkloadGroup), measured
// (Telemetry) or how proxies run (ProxyConfig) change no decision at the
// responder's proxy; a RequestAuthentication only denies requests with tokens
// that are not valid: istio.io/latest/docs/reference/config/.
func (l *lifter) other(o object, top *manifest.Object) {
	g := group(top)
	if !strings.HasSuffix(g, "istio.io") {
		return
	}
	concerned := inNamespace(o.namespace)
	if o.namespace == l.mesh.root {
		concerned = layer.AnyWorkload()
	}
	switch o.kind {
	case "DestinationRule":
		l.readDestination(o, top)
	case "EnvoyFilter", "WasmPlugin", "TrafficExtension":
		l.unknown(o, concerned, "a "+o.kind+" may change any decision of the proxies that it applies to")
	case "Sidecar":
		if spec := top.Object("spec"); spec != nil && spec.Field("ingress") != nil {
			l.unknown(o, concerned, "a Sidecar with ingress listeners may end TLS by itself")
		}
	}
}
