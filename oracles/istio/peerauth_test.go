package istio

import (
	"math/rand/v2"
	"slices"
	"testing"
	_ "unsafe" // for the translation, which is not exported

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	security "istio.io/api/security/v1beta1"
	clientsecurity "istio.io/client-go/pkg/apis/security/v1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/kind"
	wds "istio.io/istio/pkg/workloadapi/security"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	targets "firebreak/internal/target/all"
)

//go:linkname convertPeerAuthentication istio.io/istio/pilot/pkg/serviceregistry/ambient.convertPeerAuthentication
func convertPeerAuthentication(rootns string, cfg, ns, mesh *clientsecurity.PeerAuthentication) *wds.Authorization

//go:linkname convertedSelectorPeerAuthentications istio.io/istio/pilot/pkg/serviceregistry/ambient.convertedSelectorPeerAuthentications
func convertedSelectorPeerAuthentications(rootns string, configs []*clientsecurity.PeerAuthentication) []string

// staticStrict is the policy that istiod gives to ztunnel for a workload that is
// STRICT on all ports: pilot/pkg/serviceregistry/ambient/policies.go.
var staticStrict = &wds.Authorization{Action: wds.Action_DENY, Groups: []*wds.Group{{Rules: []*wds.Rules{{Matches: []*wds.Match{{NotPrincipals: []*wds.StringMatch{{MatchType: &wds.StringMatch_Presence{}}}}}}}}}}

func asClient(c *config.Config) *clientsecurity.PeerAuthentication {
	out := &clientsecurity.PeerAuthentication{ObjectMeta: metav1.ObjectMeta{Name: c.Name, Namespace: c.Namespace, CreationTimestamp: metav1.Time{Time: c.CreationTimestamp}}}
	c.Spec.(*security.PeerAuthentication).DeepCopyInto(&out.Spec)
	return out
}

// oldest is the oldest one of a namespace that has no selector; nil if there is
// none.
func (w *world) oldest(namespace string) *clientsecurity.PeerAuthentication {
	var out *clientsecurity.PeerAuthentication
	for _, c := range w.peers {
		p := asClient(c)
		if p.Namespace == namespace && p.Spec.Selector == nil && (out == nil || p.CreationTimestamp.Before(&out.CreationTimestamp)) {
			out = p
		}
	}
	return out
}

// proofs lists what ztunnel is told for a workload by PeerAuthentications.
func (w *world) proofs(x *inventory.Workload) []*wds.Authorization {
	ns := x.Labels["k8s/namespace"]
	match := model.PolicyMatcherFor(ns, podLabels(x), false).WithRootNamespace(root)
	var mine []*clientsecurity.PeerAuthentication
	byKey := map[string]*wds.Authorization{root + "/istio_converted_static_strict": staticStrict}
	for _, c := range w.peers {
		spec := c.Spec.(*security.PeerAuthentication)
		if c.Namespace != root && c.Namespace != ns || !match.ShouldAttachPolicy(gvk.PeerAuthentication, c.NamespacedName(), targetless{spec}) {
			continue
		}
		p := asClient(c)
		mine = append(mine, p)
		key := c.Namespace + "/" + model.GetAmbientPolicyConfigName(model.ConfigKey{Name: c.Name, Namespace: c.Namespace, Kind: kind.PeerAuthentication})
		if a := convertPeerAuthentication(root, p, w.oldest(ns), w.oldest(root)); a != nil {
			byKey[key] = a
		}
	}
	var out []*wds.Authorization
	for _, key := range convertedSelectorPeerAuthentications(root, mine) {
		if a := byKey[key]; a != nil {
			out = append(out, a)
		}
	}
	return out
}

// TestAmbientPeerAuthentication compares who must prove who they are in ambient
// mode with what istiod tells ztunnel.
func TestAmbientPeerAuthentication(t *testing.T) {
	inv := ambientPeople()
	exact, unknown, refused := 0, 0, 0
	for seed := range uint64(2500) {
		d := dice{rand.New(rand.NewPCG(seed, 12))}
		var docs []string
		for i := range 1 + d.IntN(5) {
			docs = append(docs, d.peer(i))
		}
		for i := range d.IntN(2) {
			docs = append(docs, d.authorization(10+i))
		}
		w, err := newWorld(docs)
		if err != nil {
			refused++
			continue
		}
		l, _ := targets.Named("istio").Lift(&target.Source{Folder: w.folder(), Inventory: inv, Networks: networks})
		for range 30 {
			to, x := &inv.Workloads[d.IntN(len(inv.Workloads))], &inv.Workloads[d.IntN(len(inv.Workloads))]
			s := seen{port: []uint32{80, 8080}[d.IntN(2)], from: x.Addresses[0]}
			if d.one(2) {
				s.principal = "spiffe://cluster.local/ns/" + x.Namespace + "/sa/" + x.Labels["k8s/serviceaccount"]
			}
			got := l.Decide(layer.Conversation{From: layer.Party{Workload: x}, To: layer.Party{Workload: to}, Protocol: netset.TCP, Port: uint16(s.port),
				Holds: func(r *layer.Rule) bool { return holds(r.Cond, s.principal != "", nil) }}, networks)
			want := layer.Deny
			if zpass(slices.Concat(w.proofs(to), w.ambient(to)), s) {
				want = layer.Allow
			}
			if want < got.Lower || want > got.Upper {
				t.Fatalf("seed %d: %+v → %s: ztunnel says %v, the layer %v to %v (%+v)\n%s", seed, s, to.Name, want, got.Lower, got.Upper, got.Rule, w.text())
			}
			if got.Lower == got.Upper {
				exact++
			} else {
				unknown++
			}
		}
	}
	t.Logf("PeerAuthentications in ambient mode: %d cases agree exactly, %d within what is unknown; %d sets refused by Istio", exact, unknown, refused)
	if exact < 30000 {
		t.Error("too few cases are exact")
	}
}
