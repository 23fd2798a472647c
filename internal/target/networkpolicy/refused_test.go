package networkpolicy_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/live"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
)

// TestRefused reads objects that a cluster refuses, and some that look as if. A
// real API server is asked about the same files in oracles/kubernetes.
func TestRefused(t *testing.T) {
	dir := os.DirFS("testdata/refused")
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		l, diags := networkpolicy.Target{}.Lift(&target.Source{Folder: folder(map[string]string{name: string(text)}), Inventory: &inventory.Snapshot{}, Estate: "e"})
		if takes := strings.HasPrefix(name, "taken-"); takes != (len(l.Unknown) == 0) {
			t.Errorf("%s: %v %v", name, l.Unknown, diags)
		}
		if diags.HasErrors() {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

// TestAround reads what stands beside NetworkPolicies.
func TestAround(t *testing.T) {
	const policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {podSelector: {}}\n"
	cases := map[string]struct{ text, unknown, missing, point, said string }{
		"nothing":         {text: ""},
		"cilium":          {text: "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\n", unknown: "CiliumNetworkPolicy"},
		"calico":          {text: "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: c}\n", unknown: "GlobalNetworkPolicy"},
		"admin":           {text: "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: c}\n", unknown: "AdminNetworkPolicy", said: "ClusterNetworkPolicy"},
		"flannel":         {text: "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: kube-flannel-ds, namespace: kube-flannel}\n", missing: "flannel"},
		"calico enforces": {text: "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: calico-node, namespace: kube-system}\n"},
		"aws":             {text: "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: aws-node, namespace: kube-system}\n", point: "aws-node"},
		"twice":           {text: policy, unknown: "two objects", said: "two NetworkPolicies"},
		"old":             {text: strings.Replace(policy, "networking.k8s.io/v1", "extensions/v1beta1", 1), unknown: "extensions/v1beta1", said: "no cluster serves"},
		"no egress rule":  {text: strings.Replace(strings.Replace(policy, "name: p", "name: q", 1), "podSelector: {}", "podSelector: {}, policyTypes: [Egress]", 1), said: "the cluster's DNS neither"},
		"unknown policy":  {text: "apiVersion: policy.example.org/v1\nkind: ZoneNetworkPolicy\nmetadata: {name: c, namespace: shop}\n", unknown: "ZoneNetworkPolicy"},
		"no apiVersion":   {text: strings.Replace(strings.Replace(policy, "apiVersion: networking.k8s.io/v1\n", "", 1), "name: p", "name: q", 1), unknown: "NetworkPolicy"},
		"staged":          {text: "apiVersion: projectcalico.org/v3\nkind: StagedNetworkPolicy\nmetadata: {name: c, namespace: shop}\n"},
		"list in a list":  {text: "kind: List\nitems: &a [{kind: List, items: *a}]\n", unknown: "List"},
		"octal":           {text: strings.Replace(strings.Replace(policy, "name: p", "name: q", 1), "podSelector: {}", "podSelector: {}, ingress: [{ports: [{port: 010}]}]", 1), unknown: "no port", said: "no port"},
		"namespace twice": {text: strings.Replace(policy, "name: p,", "name: q, namespace: bank,", 1), unknown: "twice", said: "twice"},
		"merged":          {text: strings.Replace(policy, "metadata: {name: p, namespace: shop}", "x-base: &b {namespace: bank}\nmetadata: {<<: *b, name: q}", 1), unknown: "metadata", said: "metadata"},
		"empty from":      {text: strings.Replace(strings.Replace(policy, "name: p", "name: q", 1), "podSelector: {}", "podSelector: {}, ingress: [{from: []}]", 1), said: "everybody pass, not nobody"},
	}
	for name, c := range cases {
		l, diags := networkpolicy.Target{}.Lift(&target.Source{Folder: folder(map[string]string{"a.yaml": policy, "b.yaml": c.text}), Inventory: &inventory.Snapshot{}, Estate: "e"})
		why := ""
		for _, u := range l.Unknown {
			why += u.Why
		}
		for _, x := range []struct{ got, want string }{{why, c.unknown}, {l.Points[0].Missing, c.missing}, {l.Points[0].Unknown, c.point}} {
			if !strings.Contains(x.got, x.want) || x.want == "" && x.got != "" {
				t.Errorf("%s: %q, want %q", name, x.got, x.want)
			}
		}
		all := ""
		for _, d := range diags {
			all += d.Message + d.Help
		}
		if !strings.Contains(all, c.said) {
			t.Errorf("%s: %v", name, diags)
		}
	}
	if l, _ := (networkpolicy.Target{}).Lift(&target.Source{Folder: live.Open(os.DirFS("testdata/refused")), Inventory: &inventory.Snapshot{}}); len(l.Points) != 1 {
		t.Error("one cluster is one point")
	}
}
