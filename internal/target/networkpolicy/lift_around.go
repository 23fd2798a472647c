package networkpolicy

import (
	"slices"
	"strings"

	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
)

// foreign is an object of another kind that decides about packets.
type foreign struct {
	manifest.Document
	kind, namespace, name string // no namespace: the whole cluster
}

// strangerKinds are the kinds of other APIs that can permit what NetworkPolicies
// deny, or deny what they permit, by API group. A kind that is not in its
// group's list only prepares or reports (tiers, sets, staged policies).
var strangerKinds = map[string][]string{
	"cilium.io":                {"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "CiliumLocalRedirectPolicy", "CiliumEgressGatewayPolicy"}, // https://docs.cilium.io/en/stable/security/policy/
	"crd.projectcalico.org":    {"NetworkPolicy", "GlobalNetworkPolicy"},                                                                            // https://docs.tigera.io/calico/latest/network-policy/
	"projectcalico.org":        {"NetworkPolicy", "GlobalNetworkPolicy"},
	"crd.antrea.io":            {"NetworkPolicy", "ClusterNetworkPolicy"}, // https://antrea.io/docs/main/docs/antrea-network-policy/
	"policy.networking.k8s.io": {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"},
	"networking.k8s.aws":       {"ClusterNetworkPolicy", "ApplicationNetworkPolicy"}, // https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html
	"networking.gke.io":        {"FQDNNetworkPolicy"},
	"k8s.ovn.org":              {"EgressFirewall"}, // https://ovn-kubernetes.io/features/network-security-controls/egress-firewall/
}

// stranger notes an object that is no NetworkPolicy.
func (l *lifter) stranger(d manifest.Document, group, kind string) {
	known, listed := strangerKinds[group]
	if !slices.Contains(known, kind) && (listed || !strings.HasSuffix(kind, "NetworkPolicy")) {
		return
	}
	meta := child(d.Root, "metadata")
	f := foreign{d, kind, text(child(meta, "namespace")), text(child(meta, "name"))}
	clusterwide := strings.HasPrefix(kind, "Cluster") || strings.HasPrefix(kind, "Global") || strings.Contains(kind, "Clusterwide") ||
		strings.Contains(kind, "Admin") || strings.Contains(kind, "EgressGateway")
	if !clusterwide && f.namespace == "" {
		f.namespace = "default"
	}
	if clusterwide {
		f.namespace = ""
	}
	l.foreign = append(l.foreign, f)
	if strings.Contains(kind, "AdminNetworkPolicy") {
		// https://github.com/kubernetes-sigs/network-policy-api
		l.diags.Warnf(d.Pos(d.Root), "networkpolicy-misread", "%s became ClusterNetworkPolicy: no current controller reads this kind", kind).
			WithHelp("write it as a ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2")
	}
}

// strangers makes unknown what other kinds of policy speak of: they can overrule
// NetworkPolicies, and are not read here. Pods in the network of their node
// are unknown, too, where there is any policy.
func (l *lifter) strangers() {
	for _, f := range l.foreign {
		q := label.Requirement{Key: namespaceKey, Op: label.Exists}
		if f.namespace != "" {
			q = label.Requirement{Key: namespaceKey, Op: label.In, Values: []string{f.namespace}}
		}
		p := netpol{Document: f.Document, namespace: f.namespace, name: f.name}
		l.layer.Unknown = append(l.layer.Unknown, layer.Unknown{
			Where: p.ref(f.kind, f.Root), Why: "a " + f.kind + " decides beside NetworkPolicies, and is not read", Concerns: layer.Selected(l.estate.selector(q)),
		})
	}
	if len(l.layer.Points) == 0 {
		return
	}
	l.onNodes()
}

// hostNetwork is why it is not known what becomes of pods with hostNetwork.
const hostNetwork = "pods in the network of their node (hostNetwork): most network plugins take them for the node, some for pods"

// onNodes makes unknown what policies say of pods in the network of their node:
// of those that they select, and of those that they let in or out as peers. Those
// that no policy selects are open at their own end, whatever a plugin takes them for.
func (l *lifter) onNodes() {
	var selected, peers []string
	for _, w := range l.estate.pods {
		if w.Labels[hostNetworkKey] != "true" {
			continue
		}
		peers = append(peers, w.Name)
		for i := range l.layer.Tables {
			if l.layer.Tables[i].Governs.Matches(layer.Party{Workload: w}, nil) != layer.No {
				selected = append(selected, w.Name)
				break
			}
		}
	}
	if selected != nil {
		slices.Sort(selected)
		l.layer.Unknown = append(l.layer.Unknown, layer.Unknown{Why: hostNetwork, Concerns: layer.Named(slices.Compact(selected)...)})
	}
	if peers == nil {
		return
	}
	slices.Sort(peers)
	for i := range l.layer.Tables {
		t := &l.layer.Tables[i]
		perhaps := layer.Rule{Effect: layer.Deny, Subject: layer.Everything(), Peer: layer.Named(slices.Compact(peers)...), Traffic: netset.All(), Unknown: hostNetwork}
		t.Tiers = append([][]layer.Rule{{perhaps}}, t.Tiers...)
	}
}

// daemon is a DaemonSet of the cluster's own, or what configures one.
type daemon struct {
	name     string
	enforces tri
}

type tri uint8

const (
	unsaid tri = iota
	no
	yes
)

// plugins are network plugins by the names of their DaemonSets.
var plugins = map[string]tri{
	"calico-node":     yes, // https://docs.tigera.io/calico/latest/network-policy/get-started/kubernetes-policy/
	"canal":           yes,
	"rke2-canal":      yes,
	"cilium":          yes, // https://docs.cilium.io/en/stable/network/kubernetes/policy/
	"anetd":           yes, // GKE Dataplane V2
	"antrea-agent":    yes, // https://antrea.io/docs/main/
	"ovnkube-node":    yes, // https://ovn-kubernetes.io/
	"kube-router":     yes, // https://www.kube-router.io/
	"weave-net":       yes,
	"azure-npm":       yes, // https://learn.microsoft.com/azure/aks/use-network-policies
	"kube-flannel-ds": no,  // https://github.com/flannel-io/flannel: "does not ... enforce network policy"
	"kube-flannel":    no,
	"kindnet":         unsaid, // since kind 0.24 it does
	"aws-node":        unsaid, // only with enable-network-policy
}

// daemon notes what shows whether the cluster enforces NetworkPolicies.
func (l *lifter) daemon(d manifest.Document, kind string) {
	meta := child(d.Root, "metadata")
	name := text(child(meta, "name"))
	enforces, isPlugin := plugins[name]
	if kind != "DaemonSet" || !isPlugin {
		return
	}
	if name == "aws-node" && awsEnforces(d) {
		enforces = yes
	}
	l.daemons = append(l.daemons, daemon{name, enforces})
}

// awsEnforces reports whether the agent beside Amazon's plugin has been told to
// enforce: https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
func awsEnforces(d manifest.Document) bool {
	containers := child(child(child(child(d.Root, "spec"), "template"), "spec"), "containers")
	if containers == nil {
		return false
	}
	for _, c := range containers.Content {
		if args := child(manifest.Resolve(c), "args"); args != nil {
			for _, a := range args.Content {
				if text(manifest.Resolve(a)) == "--enable-network-policy=true" {
					return true
				}
			}
		}
	}
	return false
}

// enforcement makes the cluster a point, and says whether anything there
// enforces NetworkPolicies. A folder that shows no network plugin at all holds
// an application, not a cluster; that one enforces is then taken for granted.
func (l *lifter) enforcement() {
	if l.layer.Ours+l.layer.Foreign == 0 {
		return
	}
	p := layer.Point{Name: "cluster", Governs: layer.Selected(l.estate.selector(label.Requirement{Key: namespaceKey, Op: label.Exists}))}
	if !l.source.Alone {
		best := unsaid
		var names []string
		for _, d := range l.daemons {
			best = max(best, d.enforces)
			names = append(names, d.name)
		}
		switch {
		case best == yes:
		case best == no:
			p.Missing = "the cluster's network plugin (" + strings.Join(names, ", ") + ") does not enforce NetworkPolicies"
		case len(names) > 0:
			p.Unknown = "it is not known whether the cluster's network plugin (" + strings.Join(names, ", ") + ") enforces NetworkPolicies"
		}
	}
	l.layer.Points = []layer.Point{p}
	l.unsaid()
}

// unsaid lists what no NetworkPolicy could let pass: one with ports speaks of TCP,
// UDP and SCTP, one without of everything. Who begins and who answers each need a
// policy to let it.
// https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec
func (l *lifter) unsaid() {
	portless := netset.All()
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		portless = portless.Subtract(netset.Of(p, 0, 65535))
	}
	pods := l.layer.Points[0].Governs
	const why = "speaks of ports, or of everything: not of what has no ports alone"
	l.layer.Shut = append(l.layer.Shut,
		layer.Shut{Subject: pods, Peer: layer.Everything(), Traffic: portless, Of: layer.NotAll, Why: why},
		layer.Shut{Subject: layer.Everything(), Peer: pods, Traffic: portless, Of: layer.NotAll, Why: why})
}
