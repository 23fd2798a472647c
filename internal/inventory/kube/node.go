package kube

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/manifest"
)

// roleAnnotation on a service account gives its pods a role of AWS.
// https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
const roleAnnotation = "eks.amazonaws.com/role-arn"

func (c *collector) identities() []inventory.Identity {
	var out []inventory.Identity
	for i := range c.accounts {
		o := &c.accounts[i]
		if role := o.annotation(roleAnnotation); role != "" {
			out = append(out, inventory.Identity{Cluster: c.cluster, Namespace: o.namespace(), ServiceAccount: o.Metadata.Name, Role: role, Source: o.pos})
		}
	}
	return out
}

func (o *object) annotation(key string) string {
	n := manifest.Resolve(&o.Metadata.Annotations)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return manifest.Resolve(n.Content[i+1]).Value
		}
	}
	return ""
}

// nodesOf are the cluster's nodes. Of AWS's the last part of the provider's id is
// the instance. https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/instances.go
func (c *collector) nodesOf() []inventory.Node {
	var out []inventory.Node
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		o := c.nodes[name]
		n := inventory.Node{Name: name, Source: o.pos}
		if strings.HasPrefix(o.Spec.ProviderID, "aws:") {
			n.Instance = o.Spec.ProviderID[strings.LastIndex(o.Spec.ProviderID, "/")+1:]
		}
		out = append(out, n)
	}
	return out
}

// addressesOf are a pod's: of one in its node's network that does not say its
// own, the node's.
func (c *collector) addressesOf(o *object) []netip.Addr {
	out := c.addresses(o)
	node := c.nodes[o.Spec.NodeName]
	if len(out) > 0 || node == nil || !o.Spec.HostNetwork || o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" {
		return out
	}
	var texts []string
	for _, a := range node.Status.Addresses {
		if a.Type == "InternalIP" {
			texts = append(texts, a.Address)
		}
	}
	return c.parse(node, texts)
}
