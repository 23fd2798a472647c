package istio_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/target"
	"firebreak/internal/target/istio"
)

// waypointWorld is db behind the Service db (80 leads to 8080), and web and api
// beside it, all in ambient mode, and old with a sidecar.
func waypointWorld(nsLabel string) *inventory.Snapshot {
	inv := &inventory.Snapshot{}
	for _, name := range []string{"api", "db", "old", "web"} {
		w := workload("shop", name, "ambient")
		if name == "old" {
			w.Labels["sidecar.istio.io/inject"] = "true"
		}
		if nsLabel != "" {
			w.Labels["k8s/namespace.istio.io.use-waypoint"] = nsLabel
		}
		inv.Workloads = append(inv.Workloads, w)
	}
	inv.Frontends = []inventory.Frontend{{Name: "shop/db[Service]", Namespace: "shop", Workloads: []string{"shop/db"}, Ports: []inventory.FrontendPort{{Number: 80, Target: 8080, Protocol: netset.TCP}}}}
	return inv
}

const (
	gatewayText = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: shop}\nspec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}\n"
	only        = "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: z, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/wp]}}]}]}\n"
	getByWeb    = "targetRefs: [{kind: Service, group: '', name: db}], rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {methods: [GET], ports: ['80']}}]}]"
)

// What waypoints do, from istio.io/latest/docs/ambient/usage/waypoint and
// …/l7-features: one of web, api, old and nobody asks db on 8080.
func TestWaypoint(t *testing.T) {
	for _, row := range []struct{ name, label, text, asks, method, want, says string }{
		{"web may get", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "web", "GET", "allow", ""},
		{"web may not post", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "web", "POST", "deny", ""},
		{"api may not get", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "api", "GET", "deny", ""},
		{"what is no HTTP", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "web", "", "deny", ""},
		{"sidecars go around", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "old", "GET", "deny", ""},
		{"a port of the workload is none of the Service", "wp", head + "spec: {" + strings.Replace(getByWeb, "'80'", "'8080'", 1) + "}\n" + gatewayText + only, "web", "GET", "deny", ""},
		{"nobody forces through", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText, "api", "POST", "allow", "gone around"},
		{"no label", "", head + "spec: {" + getByWeb + "}\n" + gatewayText + only, "web", "GET", "deny", "decides nothing"},
		{"the Service's label", "", head + "spec: {" + getByWeb + "}\n" + gatewayText + only + "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop, labels: {istio.io/use-waypoint: wp}}\n", "web", "GET", "allow", ""},
		{"the Service opts out", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only + "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop, labels: {istio.io/use-waypoint: none}}\n", "web", "GET", "deny", "decides nothing"},
		{"a headless Service", "wp", head + "spec: {" + getByWeb + "}\n" + gatewayText + only + "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {clusterIP: None}\n", "web", "GET", "deny", "decides nothing"},
		{"the waypoint without policies", "wp", head + "spec: {targetRefs: [{kind: Service, group: '', name: other}]}\n" + gatewayText + only, "api", "POST", "allow", "not among"},
		{"the whole waypoint", "wp", head + "spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: wp}]}\n" + gatewayText + only, "web", "GET", "deny", ""},
		{"another waypoint", "wp", head + "spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: pw}]}\n" + gatewayText + only, "web", "GET", "allow", "not among"},
		{"the class, not in the root namespace", "wp", head + "spec: {targetRefs: [{kind: GatewayClass, group: gateway.networking.k8s.io, name: istio-waypoint}]}\n" + gatewayText + only, "web", "GET", "allow", ""},
		{"the class", "wp", strings.Replace(head, "shop", "istio-system", 1) + "spec: {targetRefs: [{kind: GatewayClass, group: gateway.networking.k8s.io, name: istio-waypoint}]}\n" + gatewayText + only, "web", "GET", "deny", ""},
		{"a selector is not for waypoints", "wp", head + "spec: {action: DENY, rules: [{to: [{operation: {ports: ['80']}}]}]}\n" + gatewayText + only, "web", "POST", "allow", ""},
		{"a deny at the waypoint", "wp", head + "spec: {action: DENY, targetRefs: [{kind: Service, group: '', name: db}], rules: [{to: [{operation: {methods: [POST]}}]}]}\n" + gatewayText + only, "web", "POST", "deny", ""},
		{"a deny of others at the waypoint", "wp", head + "spec: {action: DENY, targetRefs: [{kind: Service, group: '', name: db}], rules: [{to: [{operation: {methods: [POST]}}]}]}\n" + gatewayText + only, "web", "GET", "allow", ""},
		{"ztunnel denies the waypoint", "wp", head + "spec: {action: DENY, rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/wp]}}]}]}\n" + gatewayText + only, "web", "GET", "deny", ""},
		{"a waypoint for workloads, too", "wp", head + "spec: {" + getByWeb + "}\n" + strings.Replace(gatewayText, "namespace: shop", "namespace: shop, labels: {istio.io/waypoint-for: all}", 1) + only, "web", "GET", "deny", "more than Services"},
		{"a waypoint that nobody has read", "wp", head + "spec: {" + getByWeb + "}\n" + only, "web", "GET", "deny", "not among"},
	} {
		inv := waypointWorld(row.label)
		l, diags := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(row.text)}}), Inventory: inv, Estate: "e"})
		said := ""
		for _, d := range diags {
			said += d.String() + "\n"
		}
		for _, u := range l.Unknown {
			said += u.Why + "\n"
		}
		var from layer.Party
		for i := range inv.Workloads {
			if inv.Workloads[i].Name == "shop/"+row.asks {
				from.Workload = &inv.Workloads[i]
			}
		}
		v := l.Decide(layer.Conversation{From: from, To: layer.Party{Workload: &inv.Workloads[1]}, Protocol: netset.TCP, Port: 8080, Holds: func(r *layer.Rule) bool {
			if r.Cond.HTTP == nil {
				return true
			}
			return row.method != "" && !strings.Contains(row.name, "no HTTP") && methodMeant(r.Cond.HTTP, row.method)
		}}, nil)
		got := v.Lower.String()
		if v.Upper != v.Lower {
			got += "-" + v.Upper.String()
		}
		if got != row.want {
			t.Errorf("%s: %s, want %s (%+v)", row.name, got, row.want, v.Rule)
		}
		if row.says == "" && said != "" || !strings.Contains(said, row.says) {
			t.Errorf("%s: says %q, want %q", row.name, said, row.says)
		}
	}
}

func methodMeant(list []policy.HTTP, method string) bool {
	for _, h := range list {
		if h.Methods == nil || len(h.Methods) == 1 && h.Methods[0] == method {
			return true
		}
	}
	return false
}
