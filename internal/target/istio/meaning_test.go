package istio_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/istio"
)

func workload(ns, sa, mode string) inventory.Workload {
	labels := map[string]string{"app": sa, "k8s/namespace": ns, "k8s/serviceaccount": sa}
	switch mode {
	case "sidecar":
		labels["k8s/namespace.istio-injection"] = "enabled"
	case "ambient":
		labels["k8s/namespace.istio.io.dataplane-mode"] = "ambient"
	case "waypoint":
		labels["k8s/namespace.istio.io.dataplane-mode"], labels["istio.io/use-waypoint"] = "ambient", "waypoint"
	}
	w := inventory.Workload{Name: ns + "/" + sa, Namespace: ns, Labels: labels}
	switch mode {
	case "host":
		labels["k8s/namespace.istio-injection"], labels["k8s/hostnetwork"] = "enabled", "true"
	case "mapped":
		labels["k8s/namespace.istio-injection"], labels["env"], labels["tier"] = "enabled", "prod", "data"
		w.Pod = map[string]string{"app": sa, "env": "production"}
	}
	return w
}

func read(t *testing.T, mode, text string) (*layer.Layer, *inventory.Snapshot, string) {
	t.Helper()
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{workload("shop", "db", mode), workload("shop", "web", mode)}}
	l, diags := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(text)}}), Inventory: inv, Estate: "e"})
	said := ""
	for _, d := range diags {
		said += d.String() + "\n"
	}
	for _, u := range l.Unknown {
		said += u.Why + "\n"
	}
	return l, inv, said
}

const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\n"

// What documents mean, each row from istio.io/latest/docs/concepts/security and
// the reference of AuthorizationPolicy. web, with a certificate, asks db for what
// is no HTTP on port 80.
func TestMeaning(t *testing.T) {
	for _, row := range []struct{ name, mode, spec, want, says string }{
		{"an empty spec lets nobody in", "sidecar", "spec: {}", "deny", ""},
		{"an empty rule lets everybody in", "sidecar", "spec: {rules: [{}]}", "allow", ""},
		{"by principal", "sidecar", "spec: {rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]}", "allow", ""},
		{"by another principal", "sidecar", "spec: {rules: [{from: [{source: {principals: [cluster.local/ns/bank/sa/web]}}]}]}", "deny", ""},
		{"another trust domain, that may be the mesh's own", "sidecar", "spec: {rules: [{from: [{source: {principals: [example.org/ns/shop/sa/web]}}]}]}", "deny-allow", ""},
		{"everybody but one of that domain", "sidecar", "spec: {rules: [{from: [{source: {notPrincipals: [example.org/ns/shop/sa/web]}}]}]}", "deny-allow", ""},
		{"another trust domain, by its beginning", "sidecar", "spec: {rules: [{from: [{source: {principals: ['example.org/ns/shop/*']}}]}]}", "deny-allow", ""},
		{"another trust domain", "sidecar", "spec: {rules: [{from: [{source: {principals: [example.org/ns/shop/sa/web]}}]}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'trustDomain: shop.test'}", "deny", ""},
		{"the network of its node is not the mesh's", "host", "spec: {}", "abstain", ""},
		{"a label that only the inventory has", "mapped", "spec: {selector: {matchLabels: {tier: data}}}", "allow", ""},
		{"a label that only the pod has", "mapped", "spec: {selector: {matchLabels: {env: production}}}", "deny", ""},
		{"a list in a list", "sidecar", "spec: {}\n---\nkind: List\nitems: &a [{kind: List, items: *a}]", "deny", "List"},
		{"a selector of others", "sidecar", "spec: {selector: {matchLabels: {app: web}}}", "allow", ""},
		{"an allow of requests is no allow of TCP", "sidecar", "spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}", "deny", ""},
		{"a deny of requests is one of TCP", "sidecar", "spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}", "deny", "names no ports"},
		{"a deny of requests elsewhere", "sidecar", "spec: {action: DENY, rules: [{to: [{operation: {methods: [GET], ports: ['8080']}}]}]}", "allow", ""},
		{"a deny of everybody else", "sidecar", "spec: {action: DENY, rules: [{from: [{source: {notPrincipals: [cluster.local/ns/shop/sa/web]}}]}]}", "allow", ""},
		{"an audit", "sidecar", "spec: {action: AUDIT, rules: [{}]}", "allow", ""},
		{"an external authorizer", "sidecar", "spec: {action: CUSTOM, provider: {name: x}, rules: [{}]}", "deny-allow", ""},
		{"paths that nobody rewrites", "sidecar", "spec: {rules: [{to: [{operation: {paths: [/a/*]}}]}]}", "deny", "other ways"},
		{"a field that nobody knows", "sidecar", "spec: {rulez: []}", "allow", "cannot be read"},
		{"a token", "sidecar", "spec: {action: DENY, rules: [{from: [{source: {requestPrincipals: ['*']}}]}]}", "deny-allow", ""},
		{"targetRefs do not concern sidecars", "sidecar", "spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]}", "allow", ""},
		{"ztunnel leaves out rules about requests", "ambient", "spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}", "deny", "ztunnel sees none"},
		{"ztunnel has no external authorizer", "ambient", "spec: {action: CUSTOM, provider: {name: x}, rules: [{}]}", "allow", ""},
		{"a waypoint", "ambient", "spec: {targetRefs: [{kind: Service, group: '', name: db}]}", "allow", "waypoint"},
		{"led through a waypoint", "waypoint", "spec: {}", "deny", "waypoint"},
		{"outside of the mesh", "", "spec: {}", "abstain", ""},
	} {
		l, inv, said := read(t, row.mode, head+row.spec+"\n")
		v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[1]}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80,
			Holds: func(r *layer.Rule) bool { return r.Cond.HTTP == nil }}, nil)
		got := v.Lower.String()
		if v.Upper != v.Lower {
			got += "-" + v.Upper.String()
		}
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		if row.says == "" && said != "" || !strings.Contains(said, row.says) {
			t.Errorf("%s: says %q, want %q", row.name, said, row.says)
		}
	}
}

// Who must prove who they are: the narrowest PeerAuthentication says it.
func TestProof(t *testing.T) {
	const peer = "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
	for _, row := range []struct {
		name, text, want string
		proves           bool
	}{
		{"the mesh is strict", "metadata: {name: a, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n", "deny", true},
		{"the namespace is not", "metadata: {name: a, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n" + peer + "metadata: {name: b, namespace: shop}\nspec: {mtls: {mode: PERMISSIVE}}\n", "allow", false},
		{"the workload is", "metadata: {name: b, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}\n", "deny", false},
		{"but for the port", "metadata: {name: b, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: PERMISSIVE}}}\n", "allow", false},
		{"a selector in the root namespace", "metadata: {name: b, namespace: istio-system}\nspec: {selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}\n", "allow", false},
	} {
		l, inv, _ := read(t, "sidecar", strings.TrimPrefix(peer, "---\n")+row.text)
		v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[1]}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80,
			Holds: func(r *layer.Rule) bool { return r.Cond.HTTP == nil && !r.Cond.MTLS }}, nil)
		if v.Lower != v.Upper || v.Lower.String() != row.want || l.Proves != row.proves {
			t.Errorf("%s: %v to %v, proves %v; want %s, %v", row.name, v.Lower, v.Upper, l.Proves, row.want, row.proves)
		}
	}
}

// Policies for workloads outside of the mesh do nothing, and their point says so.
func TestNobodyEnforces(t *testing.T) {
	l, _, _ := read(t, "", head+"spec: {}\n")
	if !slices.ContainsFunc(l.Points, func(p layer.Point) bool { return p.Name == "shop" && p.Missing != "" }) {
		t.Errorf("%+v", l.Points)
	}
}
