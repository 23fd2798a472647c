package istio

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	tcprbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"
	security "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/security/authn"
	"istio.io/istio/pilot/pkg/security/authz/builder"
	"istio.io/istio/pilot/pkg/security/trustdomain"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/validation"
	"istio.io/istio/pkg/util/protomarshal"
	wds "istio.io/istio/pkg/workloadapi/security"
	"sigs.k8s.io/yaml"

	"firebreak/internal/inventory"
	"firebreak/internal/live"
)

const root = "istio-system"

// world is a set of manifests as Istio itself understands them.
type world struct {
	authz *model.AuthorizationPolicies
	peers []*config.Config
	files fstest.MapFS
	built map[string]*chains
	ztuns map[string][]*wds.Authorization // by workload
}

// chains are the filters of one workload.
type chains struct {
	http, tcp []*rbac.RBAC
	peers     authn.MergedPeerAuthentication
}

// newWorld reads manifests, each a YAML document, and validates them with
// Istio's own code.
func newWorld(docs []string) (*world, error) {
	w := &world{authz: &model.AuthorizationPolicies{NamespaceToPolicies: map[string][]model.AuthorizationPolicy{}, RootNamespace: root}, files: fstest.MapFS{}, built: map[string]*chains{}, ztuns: map[string][]*wds.Authorization{}}
	for i, d := range docs {
		w.files[fmt.Sprintf("%04d.yaml", i)] = &fstest.MapFile{Data: []byte(d)}
		if err := w.add(d); err != nil {
			return nil, fmt.Errorf("%v in\n%s", err, d)
		}
	}
	return w, nil
}

func (w *world) add(doc string) error {
	var o struct {
		Kind     string
		Metadata struct {
			Name, Namespace   string
			CreationTimestamp time.Time
			Annotations       map[string]string
		}
		Spec json.RawMessage
	}
	if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
		return err
	}
	if o.Spec == nil {
		o.Spec = json.RawMessage("{}")
	}
	meta := config.Meta{Name: o.Metadata.Name, Namespace: o.Metadata.Namespace, CreationTimestamp: o.Metadata.CreationTimestamp, Annotations: o.Metadata.Annotations}
	switch o.Kind {
	case "AuthorizationPolicy":
		spec := &security.AuthorizationPolicy{}
		if err := protomarshal.ApplyJSONStrict(string(o.Spec), spec); err != nil {
			return err
		}
		meta.GroupVersionKind = gvk.AuthorizationPolicy
		if _, err := validation.ValidateAuthorizationPolicy(config.Config{Meta: meta, Spec: spec}); err != nil {
			return err
		}
		w.authz.NamespaceToPolicies[meta.Namespace] = append(w.authz.NamespaceToPolicies[meta.Namespace],
			model.AuthorizationPolicy{Name: meta.Name, Namespace: meta.Namespace, Annotations: meta.Annotations, Spec: spec})
	case "PeerAuthentication":
		spec := &security.PeerAuthentication{}
		if err := protomarshal.ApplyJSONStrict(string(o.Spec), spec); err != nil {
			return err
		}
		meta.GroupVersionKind = gvk.PeerAuthentication
		c := config.Config{Meta: meta, Spec: spec}
		if _, err := validation.ValidatePeerAuthentication(c); err != nil {
			return err
		}
		w.peers = append(w.peers, &c)
	}
	return nil
}

// podLabels are the labels of a workload that its pods have.
func podLabels(x *inventory.Workload) map[string]string {
	out := map[string]string{}
	for k, v := range x.Labels {
		if !strings.HasPrefix(k, "k8s/") {
			out[k] = v
		}
	}
	return out
}

// of builds the filters of a workload with a sidecar.
func (w *world) of(x *inventory.Workload) *chains {
	if c := w.built[x.Name]; c != nil {
		return c
	}
	match := model.PolicyMatcherFor(x.Labels["k8s/namespace"], podLabels(x), false).WithRootNamespace(root)
	c := &chains{}
	b := builder.New(trustdomain.NewBundle("cluster.local", nil), nil, w.authz.ListAuthorizationPolicies(match), builder.Option{})
	if b != nil {
		for _, f := range b.BuildHTTP() {
			c.http = append(c.http, unpack(f.GetTypedConfig(), &httprbac.RBAC{}))
		}
		for _, f := range b.BuildTCP() {
			c.tcp = append(c.tcp, unpack(f.GetTypedConfig(), &tcprbac.RBAC{}))
		}
	}
	var mine []*config.Config
	for _, p := range w.peers {
		spec := p.Spec.(*security.PeerAuthentication)
		if (p.Namespace == root || p.Namespace == match.WorkloadNamespace) && match.ShouldAttachPolicy(gvk.PeerAuthentication, p.NamespacedName(), targetless{spec}) {
			mine = append(mine, p)
		}
	}
	c.peers = authn.ComposePeerAuthentication(root, mine)
	w.built[x.Name] = c
	return c
}

type rules interface{ GetRules() *rbac.RBAC }

func unpack[T interface {
	rules
	anyMessage
}](a *anypb.Any, into T) *rbac.RBAC {
	if err := a.UnmarshalTo(into); err != nil {
		panic(err)
	}
	return into.GetRules()
}

// passes is what Istio does about a conversation that arrives at a workload.
func (w *world) passes(x *inventory.Workload, s seen) bool {
	c := w.of(x)
	mode := c.peers.Mode
	if m, ok := c.peers.PerPort[s.port]; ok {
		mode = m
	}
	if mode == model.MTLSStrict && s.principal == "" {
		return false
	}
	if s.request != nil {
		return pass(c.http, s)
	}
	return pass(c.tcp, s)
}

// plain reports whether nobody can prove anything at a port of a workload.
func (w *world) disabled(x *inventory.Workload, port uint32) bool {
	c := w.of(x)
	mode := c.peers.Mode
	if m, ok := c.peers.PerPort[port]; ok {
		mode = m
	}
	return mode == model.MTLSDisable
}

func (w *world) folder() *live.Folder { return live.Open(w.files) }

func TestValidationRefuses(t *testing.T) {
	if _, err := newWorld([]string{"kind: AuthorizationPolicy\nmetadata: {name: x, namespace: a}\nspec: {rules: [{to: [{operation: {ports: ['99999']}}]}]}\n"}); err == nil {
		t.Error("the port 99999 is taken")
	}
}
