package cyclonus

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cyclonus v0.5.6 takes NotIn not to match what lacks the label. Kubernetes
// does match it (Requirement.Matches in k8s.io/apimachinery/pkg/labels), so
// that the matcher is given each such selector twice: once with the label there
// and in none of the values, once without it.

// spread writes policies without a NotIn that could match absence.
func spread(list []*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, np := range list {
		for i := range np.Spec.Ingress {
			np.Spec.Ingress[i].From = spreadPeers(np.Spec.Ingress[i].From)
		}
		for i := range np.Spec.Egress {
			np.Spec.Egress[i].To = spreadPeers(np.Spec.Egress[i].To)
		}
		for _, s := range variants(&np.Spec.PodSelector) {
			one := np.DeepCopy()
			one.Spec.PodSelector = *s
			out = append(out, one)
		}
	}
	return out
}

func spreadPeers(list []networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, p := range list {
		for _, pods := range variants(p.PodSelector) {
			for _, spaces := range variants(p.NamespaceSelector) {
				out = append(out, networkingv1.NetworkPolicyPeer{PodSelector: pods, NamespaceSelector: spaces, IPBlock: p.IPBlock})
			}
		}
	}
	return out
}

// variants are selectors that together match what s matches; nil stays nil.
func variants(s *metav1.LabelSelector) []*metav1.LabelSelector {
	out := []*metav1.LabelSelector{s}
	if s == nil {
		return out
	}
	for i, e := range s.MatchExpressions {
		if e.Operator != metav1.LabelSelectorOpNotIn {
			continue
		}
		for _, v := range slices.Clone(out) {
			absent := v.DeepCopy()
			absent.MatchExpressions[i] = metav1.LabelSelectorRequirement{Key: e.Key, Operator: metav1.LabelSelectorOpDoesNotExist}
			out = append(out, absent)
		}
	}
	return out
}
