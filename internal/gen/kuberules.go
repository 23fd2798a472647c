package gen

import "fmt"

// kubeRule is a NetworkPolicy: its name and what stands in its spec.
type kubeRule struct{ name, spec string }

func (r kubeRule) manifest(w *writer, s *space, number int) {
	w.printf("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s-%d\n  namespace: %s\nspec:\n%s", r.name, number, s.name, r.spec)
}

// ruleOut shares so many NetworkPolicies out among the namespaces: first what
// closes each of them, then in turn what opens it again. Every third namespace
// has none, as in most clusters.
func (c *cluster) ruleOut(n int, r *random) {
	var ruled []*space
	for i := range c.spaces {
		if i%3 != 2 {
			ruled = append(ruled, &c.spaces[i])
		}
	}
	for i := range n {
		s := ruled[i%len(ruled)]
		if len(s.rules) == 0 {
			s.rules = append(s.rules, closed(r))
			continue
		}
		next := ruleKinds[(len(s.rules)-1)%len(ruleKinds)]
		s.rules = append(s.rules, next(c, s, r))
	}
}

// closed denies by default: what comes in, and in most namespaces also what
// goes out.
func closed(r *random) kubeRule {
	types := "[Ingress, Egress]"
	if r.chance(40) {
		types = "[Ingress]"
	}
	return kubeRule{"default-deny", "  podSelector: {}\n  policyTypes: " + types + "\n"}
}

// ruleKinds are the kinds of NetworkPolicies that people write, the usual first.
var ruleKinds = []func(c *cluster, s *space, r *random) kubeRule{
	dns, within, across, outward, fromEdge, monitoring, byExpression, toStores, portRange, partners, anyTeam, critical,
}

// dns lets everything in a namespace ask the cluster's resolver.
func dns(*cluster, *space, *random) kubeRule {
	return kubeRule{"allow-dns", `  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
    ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
`}
}

// within lets a tier of a namespace talk to one of its applications.
func within(_ *cluster, s *space, r *random) kubeRule {
	to := pick(r, s.apps)
	return kubeRule{"allow-within", fmt.Sprintf(`  podSelector:
    matchLabels:
      app: %s
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector:
        matchLabels:
          tier: %s
    ports:
    - protocol: TCP
      port: %s
`, to.name, pick(r, roles).tier, to.role.ports[0].name)}
}

// across lets one application of another namespace in: both selectors in one
// item.
func across(c *cluster, s *space, r *random) kubeRule {
	to, other := pick(r, s.apps), pick(r, c.spaces)
	return kubeRule{"allow-from-" + other.name, fmt.Sprintf(`  podSelector:
    matchLabels:
      app: %s
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: %s
      podSelector:
        matchLabels:
          app: %s
    ports:
    - protocol: TCP
      port: %d
`, to.name, other.name, pick(r, other.apps).name, pick(r, to.role.ports).number)}
}

// outward lets a tier of a namespace out to others, and to stores of its own.
func outward(c *cluster, s *space, r *random) kubeRule {
	return kubeRule{"allow-outward", fmt.Sprintf(`  podSelector:
    matchLabels:
      tier: app
  policyTypes: [Egress]
  egress:
  - to:
    - podSelector: {}
  - to:
    - namespaceSelector:
        matchExpressions:
        - {key: kubernetes.io/metadata.name, operator: In, values: [%s, %s]}
    ports:
    - protocol: TCP
      port: 8080
    - protocol: TCP
      port: 9090
`, pick(r, c.spaces).name, pick(r, c.spaces).name)}
}

// fromEdge lets the world in to what faces it, but for the company's own
// networks.
func fromEdge(_ *cluster, s *space, r *random) kubeRule {
	return kubeRule{"allow-from-world", fmt.Sprintf(`  podSelector:
    matchLabels:
      tier: edge
  policyTypes: [Ingress]
  ingress:
  - from:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
        - 10.0.0.0/8
        - 192.168.%d.0/24
    ports:
    - protocol: TCP
      port: 8443
`, r.below(256))}
}

// monitoring lets whoever measures in everywhere, by a named port.
func monitoring(*cluster, *space, *random) kubeRule {
	return kubeRule{"allow-monitoring", `  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector:
        matchLabels:
          team: team-telemetry
    ports:
    - protocol: TCP
      port: metrics
`}
}

// byExpression speaks of roles by matchExpressions, on both sides.
func byExpression(_ *cluster, _ *space, r *random) kubeRule {
	return kubeRule{"allow-roles", fmt.Sprintf(`  podSelector:
    matchExpressions:
    - {key: role, operator: In, values: [%s, %s]}
    - {key: critical, operator: DoesNotExist}
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector:
        matchExpressions:
        - {key: tier, operator: NotIn, values: [edge, data]}
        - {key: version, operator: Exists}
    - namespaceSelector:
        matchExpressions:
        - {key: env, operator: In, values: [prod, staging]}
        - {key: data-class, operator: Exists}
      podSelector:
        matchLabels:
          role: worker
    ports:
    - protocol: TCP
      port: 8080
`, pick(r, roles).name, pick(r, roles).name)}
}

// toStores lets an application out to the stores of its namespace, by number.
func toStores(_ *cluster, s *space, r *random) kubeRule {
	return kubeRule{"allow-to-stores", fmt.Sprintf(`  podSelector:
    matchLabels:
      app: %s
  policyTypes: [Egress]
  egress:
  - to:
    - podSelector:
        matchLabels:
          tier: data
    ports:
    - protocol: TCP
      port: 5432
    - protocol: TCP
      port: 6379
    - protocol: TCP
      port: 3306
`, pick(r, s.apps).name)}
}

// portRange opens a run of ports to the whole namespace.
func portRange(_ *cluster, s *space, r *random) kubeRule {
	lo := 9000 + 10*r.below(40)
	return kubeRule{"allow-range", fmt.Sprintf(`  podSelector:
    matchLabels:
      app: %s
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector: {}
    ports:
    - protocol: TCP
      port: %d
      endPort: %d
    - protocol: UDP
      port: %d
`, pick(r, s.apps).name, lo, lo+99, lo)}
}

// partners lets what faces the world out to a network that is not ours.
func partners(_ *cluster, _ *space, r *random) kubeRule {
	third := r.below(256)
	return kubeRule{"allow-partner", fmt.Sprintf(`  podSelector:
    matchExpressions:
    - {key: role, operator: In, values: [export, proxy, gateway]}
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock:
        cidr: 203.0.%d.0/24
        except:
        - 203.0.%d.128/28
    - ipBlock:
        cidr: 198.51.100.0/24
    ports:
    - protocol: TCP
      port: 443
`, third, third)}
}

// anyTeam lets every namespace of an environment in to the applications' APIs.
func anyTeam(_ *cluster, s *space, _ *random) kubeRule {
	return kubeRule{"allow-environment", fmt.Sprintf(`  podSelector:
    matchLabels:
      role: api
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector:
        matchLabels:
          env: %s
    ports:
    - protocol: TCP
      port: http
    - protocol: TCP
      port: grpc
`, s.env)}
}

// critical opens what matters most to everything in the cluster, and outward.
func critical(*cluster, *space, *random) kubeRule {
	return kubeRule{"allow-critical", `  podSelector:
    matchLabels:
      critical: "true"
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - namespaceSelector: {}
  egress:
  - {}
`}
}
