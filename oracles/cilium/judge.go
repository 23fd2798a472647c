// Package cilium asks Cilium's own code what NetworkPolicies permit: its
// translation of them, its policy repository, and the map that it computes for
// each endpoint. An ipBlock never matches pods there.
package cilium

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/k8s"
	slim "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	slimmeta "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
	"k8s.io/apimachinery/pkg/util/yaml"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// Judge evaluates some NetworkPolicies for some parties.
type Judge struct {
	ids  map[string]*identity.Identity // by name or address
	maps map[string]*policy.EndpointPolicy
}

// New translates the manifests and computes the maps of all pods among the
// parties. Documents of other kinds are passed over.
func New(manifests string, parties []layer.Party, spaces map[string]map[string]string) (*Judge, error) {
	option.Config.EnableIPv4, option.Config.EnableIPv6 = true, true
	logger := slog.New(slog.DiscardHandler)
	j := &Judge{ids: map[string]*identity.Identity{}, maps: map[string]*policy.EndpointPolicy{}}
	all := identity.IdentityMap{}
	names := types.NewNamedPortMultiMap()
	for i, p := range parties {
		id := identityOf(i, p, spaces)
		j.ids[nameOf(p)] = id
		all[id.ID] = id.LabelArray
		if isPod(p) {
			names.Update(id.ID, nil, namedPorts(p.Workload))
		}
	}
	manager := identitymanager.NewIDManager(logger)
	repo := policy.NewPolicyRepository(logger, all, nil, nil, manager, testpolicy.NewPolicyMetricsNoop())
	repo.SetNamedPortsGetter(portsGetter{names})
	repo.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	manager.Subscribe(testpolicy.SelectorCacheObserver{Cache: repo.GetSubjectSelectorCache()})
	list, err := read(manifests)
	if err != nil {
		return nil, err
	}
	for _, np := range list {
		entries, err := k8s.ParseNetworkPolicy(logger, cmtypes.PolicyAnyCluster, np)
		if err != nil {
			return nil, err
		}
		repo.MustAddPolicyEntries(entries)
	}
	for _, p := range parties {
		if !isPod(p) {
			continue
		}
		id := j.ids[nameOf(p)]
		manager.Add(id)
		sel, _, err := repo.ComputeSelectorPolicy(id)
		if err != nil {
			return nil, err
		}
		ep := sel.DistillPolicy(logger, owner{p.Workload, uint64(id.ID)}, map[string]uint16{policy.FallbackRedirectID: math.MaxUint16})
		ep.Ready()
		ep.Detach(logger)
		j.maps[nameOf(p)] = ep
	}
	return j, nil
}

// read decodes NetworkPolicies. Cilium v1.20.2 also takes the rules of a
// direction that policyTypes does not list (ParseNetworkPolicy reads Ingress and
// Egress whatever the types say); the API says that they have no effect, so that
// it is not given them.
func read(manifests string) ([]*slim.NetworkPolicy, error) {
	var out []*slim.NetworkPolicy
	dec := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		var raw map[string]any
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if raw["kind"] != "NetworkPolicy" {
			continue
		}
		text, err := json.Marshal(raw)
		if err != nil {
			return nil, err
		}
		np := &slim.NetworkPolicy{}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(np); err != nil {
			return nil, err
		}
		if t := np.Spec.PolicyTypes; len(t) > 0 {
			if !slices.Contains(t, slim.PolicyTypeIngress) {
				np.Spec.Ingress = nil
			}
			if !slices.Contains(t, slim.PolicyTypeEgress) {
				np.Spec.Egress = nil
			}
		}
		for i := range np.Spec.Ingress {
			inSomeNamespace(np.Spec.Ingress[i].From)
		}
		for i := range np.Spec.Egress {
			inSomeNamespace(np.Spec.Egress[i].To)
		}
		out = append(out, np)
	}
}

// inSomeNamespace makes namespaceSelectors demand a namespace. In Cilium v1.20.2
// one that is met by the absence of a label (NotIn, DoesNotExist) also matches
// identities of the world, which are in no namespace (processNamespaceSelector
// adds no such demand unless the selector is empty); the API speaks of
// namespaces only.
func inSomeNamespace(peers []slim.NetworkPolicyPeer) {
	for i := range peers {
		if s := peers[i].NamespaceSelector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
			s.MatchExpressions = append(s.MatchExpressions, slimmeta.LabelSelectorRequirement{Key: "kubernetes.io/metadata.name", Operator: slimmeta.LabelSelectorOpExists})
		}
	}
}

// Allows reports whether a conversation between two of the parties passes.
func (j *Judge) Allows(from, to layer.Party, proto netset.Protocol, port uint16) (bool, error) {
	x, y := j.ids[nameOf(from)], j.ids[nameOf(to)]
	if x == nil || y == nil {
		return false, fmt.Errorf("%s or %s is no party", nameOf(from), nameOf(to))
	}
	number := [...]u8proto.U8proto{netset.TCP: u8proto.TCP, netset.UDP: u8proto.UDP, netset.SCTP: u8proto.SCTP}[proto]
	if ep := j.maps[nameOf(from)]; ep != nil {
		if e, _, _ := ep.Lookup(policy.EgressKey().WithIdentity(y.ID).WithPortProto(number, port)); e.IsDeny() {
			return false, nil
		}
	}
	if ep := j.maps[nameOf(to)]; ep != nil {
		if e, _, _ := ep.Lookup(policy.IngressKey().WithIdentity(x.ID).WithPortProto(number, port)); e.IsDeny() {
			return false, nil
		}
	}
	return true, nil
}

// identityOf gives every pod an identity of its own, with the labels that
// Cilium's agent would give it, and everything else that of its address.
func identityOf(i int, p layer.Party, spaces map[string]map[string]string) *identity.Identity {
	if !isPod(p) {
		a := p.Addr
		if p.Workload != nil {
			a = p.Workload.Addresses[0]
		}
		list := labels.GetCIDRLabels(netip.PrefixFrom(a, a.BitLen()))
		return identity.NewIdentity(identity.IdentityScopeLocal+identity.NumericIdentity(i+1), list)
	}
	space := p.Workload.Labels["k8s/namespace"]
	list := labels.Labels{}
	add := func(k, v string) { l := labels.NewLabel(k, v, labels.LabelSourceK8s); list[l.Key] = l }
	for k, v := range p.Workload.Pod {
		add(k, v)
	}
	add("io.kubernetes.pod.namespace", space)
	add("io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", space)
	add("io.cilium.k8s.namespace.labels.always", "there")
	for k, v := range spaces[space] {
		add("io.cilium.k8s.namespace.labels."+k, v)
	}
	return identity.NewIdentity(identity.NumericIdentity(1000+i), list)
}

func nameOf(p layer.Party) string {
	if p.Workload != nil {
		return p.Workload.Name
	}
	return p.Addr.String()
}

func isPod(p layer.Party) bool {
	if p.Workload == nil {
		return false
	}
	_, ok := p.Workload.Labels["k8s/namespace"]
	return ok
}

func namedPorts(w *inventory.Workload) types.NamedPortMap {
	out := types.NamedPortMap{}
	for _, p := range w.Ports {
		if err := out.AddPort(p.Name, int(p.Number), p.Protocol.String()); err != nil {
			panic(err) // our own ports have good names
		}
	}
	return out
}

type portsGetter struct{ m types.NamedPortMultiMap }

// GetNamedPorts returns the named ports of all pods.
func (g portsGetter) GetNamedPorts() types.NamedPortMultiMap { return g.m }

// owner is a pod for whom a map is computed.
type owner struct {
	w  *inventory.Workload
	id uint64
}

func (o owner) GetID() uint64 { return o.id }
func (o owner) GetIngressNamedPort(name string, proto u8proto.U8proto) uint16 {
	n, _ := namedPorts(o.w).GetNamedPort(name, proto)
	return n
}
func (o owner) PolicyDebug(string, ...any)                  {}
func (o owner) IsHost() bool                                { return false }
func (o owner) PreviousMapStateSizes() policy.MapStateSizes { return policy.MapStateSizes{} }
func (o owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	ch := make(chan bool)
	close(ch)
	return ch
}
