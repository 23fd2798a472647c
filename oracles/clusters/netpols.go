package clusters

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Namespaces returns the manifests of the cluster's namespaces.
func (c *Cluster) Namespaces() string {
	var b strings.Builder
	for _, name := range []string{"data", "ops", "shop"} {
		labels := []string{"kubernetes.io/metadata.name: " + name, "always: there"}
		for k, v := range c.Spaces[name] {
			labels = append(labels, k+": "+v)
		}
		slices.Sort(labels)
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {%s}}\n", name, strings.Join(labels, ", "))
	}
	return b.String()
}

// NetworkPolicies makes random ones, as somebody could have written them.
func (c *Cluster) NetworkPolicies() string {
	var b strings.Builder
	for i := range 1 + c.dice.IntN(6) {
		c.netpol(&b, i)
	}
	return b.String()
}

func (c *Cluster) netpol(b *strings.Builder, i int) {
	d := c.dice
	space := pick(d, "shop", "data", "ops")
	fmt.Fprintf(b, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: n%d, namespace: %s}\nspec:\n  podSelector: %s\n", i, space, selector(d))
	b.WriteString(pick(d, "", "", "  policyTypes: [Ingress]\n", "  policyTypes: [Egress]\n", "  policyTypes: [Ingress, Egress]\n", "  policyTypes: [Ingress, Egress]\n"))
	for _, dir := range []string{"ingress", "egress"} {
		switch d.IntN(4) {
		case 0: // absent
		case 1:
			fmt.Fprintf(b, "  %s: []\n", dir)
		default:
			fmt.Fprintf(b, "  %s:\n", dir)
			for range 1 + d.IntN(2) {
				c.netpolRule(b, dir)
			}
		}
	}
}

func (c *Cluster) netpolRule(b *strings.Builder, dir string) {
	d := c.dice
	word := "from"
	if dir == "egress" {
		word = "to"
	}
	var fields []string
	switch d.IntN(5) {
	case 0:
	case 1:
		fields = append(fields, word+": []")
	default:
		var peers []string
		for range 1 + d.IntN(3) {
			peers = append(peers, peer(d))
		}
		fields = append(fields, word+": ["+strings.Join(peers, ", ")+"]")
	}
	switch d.IntN(4) {
	case 0:
	case 1:
		fields = append(fields, "ports: []")
	default:
		var ports []string
		for range 1 + d.IntN(2) {
			ports = append(ports, pick(d, "{port: 80}", "{protocol: UDP, port: 53}", "{protocol: TCP}", "{port: http}", "{protocol: UDP, port: http}",
				"{port: 8000, endPort: 8100}", "{protocol: SCTP, port: 1000, endPort: 2000}", "{port: 443}", "{port: 1, endPort: 79}", "{protocol: SCTP}"))
		}
		fields = append(fields, "ports: ["+strings.Join(ports, ", ")+"]")
	}
	fmt.Fprintf(b, "  - {%s}\n", strings.Join(fields, ", "))
}

func selector(d *rand.Rand) string {
	return pick(d, "{}", "{}", "{matchLabels: {app: a}}", "{matchLabels: {tier: web}}", "{matchLabels: {app: b, tier: data}}", "{matchExpressions: [{key: env, operator: Exists}]}",
		"{matchExpressions: [{key: env, operator: DoesNotExist}]}", "{matchExpressions: [{key: app, operator: In, values: [a, c]}]}",
		"{matchLabels: {tier: web}, matchExpressions: [{key: env, operator: NotIn, values: [dev]}]}", "{matchLabels: {role: made}}")
}

func spaceSelector(d *rand.Rand) string {
	return pick(d, "{}", "{matchLabels: {team: a}}", "{matchLabels: {kubernetes.io/metadata.name: data}}", "{matchExpressions: [{key: team, operator: DoesNotExist}]}",
		"{matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [shop]}]}", "{matchExpressions: [{key: env, operator: Exists}]}", "{matchLabels: {tier: web}}")
}

func peer(d *rand.Rand) string {
	switch d.IntN(5) {
	case 0, 1:
		return "{podSelector: " + selector(d) + "}"
	case 2:
		return "{namespaceSelector: " + spaceSelector(d) + "}"
	case 3:
		return "{namespaceSelector: " + spaceSelector(d) + ", podSelector: " + selector(d) + "}"
	}
	return "{ipBlock: " + pick(d, `{cidr: 0.0.0.0/0}`, `{cidr: 203.0.113.0/24, except: [203.0.113.128/25]}`, `{cidr: 10.1.0.0/24}`, `{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}`,
		`{cidr: "::/0", except: ["2001:db8::/32"]}`, `{cidr: 8.8.8.8/32}`, `{cidr: 10.9.0.1/32}`) + "}"
}
