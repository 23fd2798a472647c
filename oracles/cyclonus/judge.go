// Package cyclonus asks the evaluator of NetworkPolicies that the conformance
// tester Cyclonus has, so that our own reading has a judge that we did not
// write. An ipBlock matches pods there, by their addresses.
package cyclonus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// Judge evaluates some NetworkPolicies.
type Judge struct {
	policy *matcher.Policy
	spaces map[string]map[string]string
}

// New reads manifests. Documents of other kinds are passed over. The matcher
// needs policyTypes, which the API server adds where they are absent.
func New(manifests string, spaces map[string]map[string]string) (*Judge, error) {
	var list []*networkingv1.NetworkPolicy
	dec := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		var raw map[string]any
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			break
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
		var np networkingv1.NetworkPolicy
		if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096).Decode(&np); err != nil {
			return nil, err
		}
		list = append(list, defaulted(&np))
	}
	j := &Judge{spaces: map[string]map[string]string{}}
	for name, labels := range spaces {
		j.spaces[name] = map[string]string{"kubernetes.io/metadata.name": name, "always": "there"}
		for k, v := range labels {
			j.spaces[name][k] = v
		}
	}
	return j, j.build(list)
}

// build turns the matcher's panics about objects that no cluster takes into
// errors.
func (j *Judge) build(list []*networkingv1.NetworkPolicy) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cyclonus refuses: %v", r)
		}
	}()
	j.policy = matcher.BuildNetworkPolicies(false, spread(list))
	return nil
}

// defaulted does what SetDefaults_NetworkPolicy in the API server's
// pkg/apis/networking/v1/defaults.go does.
func defaulted(np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	if len(np.Spec.PolicyTypes) == 0 {
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(np.Spec.Egress) > 0 {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	return np
}

// Allows reports whether a conversation passes. The error is of one about which
// the matcher has no answer.
func (j *Judge) Allows(from, to layer.Party, proto netset.Protocol, port uint16) (allowed bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cyclonus has no answer: %v", r)
		}
	}()
	t := &matcher.Traffic{
		Source: j.peer(from), Destination: j.peer(to), ResolvedPort: int(port), ResolvedPortName: portName(to.Workload, proto, port),
		Protocol: corev1.Protocol(proto.String()),
	}
	return j.policy.IsTrafficAllowed(t).IsAllowed(), nil
}

func (j *Judge) peer(p layer.Party) *matcher.TrafficPeer {
	if p.Workload == nil {
		return &matcher.TrafficPeer{IP: p.Addr.String()}
	}
	out := &matcher.TrafficPeer{IP: p.Workload.Addresses[0].String()}
	if space, isPod := p.Workload.Labels["k8s/namespace"]; isPod {
		out.Internal = &matcher.InternalPeer{PodLabels: p.Workload.Pod, NamespaceLabels: j.spaces[space], Namespace: space}
	}
	return out
}

func portName(w *inventory.Workload, proto netset.Protocol, port uint16) string {
	if w == nil {
		return ""
	}
	if _, isPod := w.Labels["k8s/namespace"]; !isPod {
		return ""
	}
	for _, p := range w.Ports {
		if p.Number == port && p.Protocol == proto {
			return p.Name
		}
	}
	return ""
}
