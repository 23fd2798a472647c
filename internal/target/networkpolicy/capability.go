// Package networkpolicy is Kubernetes' own NetworkPolicy: rendered, one object
// for each group of pods, and read back, whoever wrote it. The network plugin of
// a cluster enforces it.
package networkpolicy

import "firebreak/internal/target"

// Target is the kind of enforcement. It has no state.
type Target struct{}

// Name returns "networkpolicy".
func (Target) Name() string { return "networkpolicy" }

const concepts = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"

// Capability says what NetworkPolicies can express.
func (Target) Capability() target.Capability {
	return target.Capability{
		Peers: "labels", Ports: true, SCTP: true, Stateful: true, Egress: true,
		Judge: "cyclonus, Cilium, kube-apiserver",
		Notes: []target.Note{
			{Text: "A rule without ports speaks of every protocol; a rule with ports of TCP, UDP and SCTP only. What a plugin does with ICMP and other protocols is undefined; it is read by that letter.", Source: concepts + "#networkpolicy-resource"},
			{Text: "A node always reaches its own pods, whatever policies say.", Source: concepts + "#what-you-can-t-do-with-network-policies-at-least-not-yet"},
			{Text: "Pods in the network of their node are the node to most plugins: unknown.", Source: concepts + "#networkpolicy-and-hostnetwork-pods"},
			{Text: "Whether an ipBlock matches pods, and whether before or after translation of addresses, is undefined: unknown where it makes a difference.", Source: concepts + "#behavior-of-to-and-from-selectors"},
			{Text: "Connections that are there already when a policy changes may go on.", Source: concepts + "#networkpolicy-and-existing-connections"},
			{Text: "There is no deny: what is denied is subtracted. A pod that a policy selects is closed but for what policies open; replies pass.", Source: concepts + "#the-two-sorts-of-pod-isolation"},
		},
	}
}
