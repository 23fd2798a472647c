package istio_test

import (
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

func pods(kind, notes string) string {
	return "---\napiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: db, namespace: shop}\nspec: {template: {metadata: {annotations: {" + notes + "}}}}\n"
}

// What names of ports, annotations and DestinationRules change, from
// istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection
// and …/reference/config/annotations: web asks db on 80.
func TestPorts(t *testing.T) {
	const deny, allow = "spec: {action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}\n", "spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}\n"
	for _, row := range []struct{ name, port, text, method, want, says string }{
		{"a port without a protocol", "web", head + allow, "GET", "allow", ""},
		{"requests are not seen there", "tcp-web", head + allow, "GET", "deny", ""},
		{"nor there", "mysql", head + allow, "GET", "deny", ""},
		{"appProtocol beats the name", "http-web", head + allow + "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {ports: [{port: 80, appProtocol: tcp}]}\n", "GET", "deny", ""},
		{"a deny of requests", "http", head + deny, "POST", "deny", "names no ports"},
		{"a deny of others", "http", head + deny, "GET", "allow", "names no ports"},
		{"what is no HTTP is denied with them", "web", head + deny, "", "deny", "names no ports"},
		{"but where nothing else comes in", "http", head + deny, "", "allow", "names no ports"},
		{"a deny where no request is seen denies all", "tcp", head + deny, "GET", "deny", "names no ports"},
		{"past the sidecar", "", head + "spec: {}\n" + pods("Deployment", "traffic.sidecar.istio.io/excludeInboundPorts: '9, 80'"), "", "abstain", "past its sidecar"},
		{"other ports past it", "", head + "spec: {}\n" + pods("Deployment", "traffic.sidecar.istio.io/excludeInboundPorts: '81'"), "", "deny", "past its sidecar"},
		{"not led to it", "", head + "spec: {}\n" + pods("Deployment", "traffic.sidecar.istio.io/includeInboundPorts: '81'"), "", "abstain", "past its sidecar"},
		{"led to it", "", head + "spec: {}\n" + pods("Deployment", "traffic.sidecar.istio.io/includeInboundPorts: '*'"), "", "deny", ""},
		{"pods that nobody knows", "", head + "spec: {}\n" + pods("StatefulSet", "traffic.sidecar.istio.io/excludeInboundPorts: '80'"), "", "deny", "does not name"},
		{"nothing is led", "", head + "spec: {}\n" + pods("Deployment", "sidecar.istio.io/interceptionMode: NONE"), "", "deny", "interceptionMode"},
		{"no port", "", head + "spec: {}\n" + pods("Deployment", "traffic.sidecar.istio.io/excludeInboundPorts: x"), "", "deny", "is no port"},
		{"no certificates", "", head + "spec: {}\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: shop}\nspec: {host: db.shop, trafficPolicy: {portLevelSettings: [{tls: {mode: DISABLE}}]}}\n", "", "deny", "no certificate"},
		{"TLS elsewhere", "", head + "spec: {}\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: shop}\nspec: {host: api.example.com, trafficPolicy: {tls: {mode: SIMPLE}}}\n", "", "deny", ""},
	} {
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{workload("shop", "db", "sidecar"), workload("shop", "web", "sidecar")}}
		inv.Workloads[0].Name = "shop/db[Deployment]"
		if row.port != "" {
			inv.Frontends = []inventory.Frontend{{Name: "shop/db[Service]", Namespace: "shop", Workloads: []string{"shop/db[Deployment]"}, Ports: []inventory.FrontendPort{{Name: row.port, Number: 80, Target: 80, Protocol: netset.TCP}}}}
		}
		l, diags := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(row.text)}}), Inventory: inv, Estate: "e"})
		said := ""
		for _, d := range diags {
			said += d.String() + "\n"
		}
		for _, u := range l.Unknown {
			said += u.Why + "\n"
		}
		v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[1]}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80, Holds: func(r *layer.Rule) bool {
			return r.Cond.HTTP == nil || row.method != "" && methodMeant(r.Cond.HTTP, row.method)
		}}, nil)
		if v.Lower != v.Upper || v.Upper.String() != row.want {
			t.Errorf("%s: %v to %v, want %s (%+v)", row.name, v.Lower, v.Upper, row.want, v.Rule)
		}
		if row.says == "" && said != "" || !strings.Contains(said, row.says) {
			t.Errorf("%s: says %q, want %q", row.name, said, row.says)
		}
	}
}

// Where somebody is told to show no certificate, nobody's is taken for granted
// where everybody may come in.
func TestPlainInitiators(t *testing.T) {
	const rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: shop}\nspec: {host: db, trafficPolicy: {tls: {mode: DISABLE}}}\n"
	for text, want := range map[string]bool{head + "spec: {rules: [{}]}\n": true, head + "spec: {rules: [{}]}\n" + rule: false, head + "spec: {}\n" + rule: true} {
		if l, _, _ := read(t, "sidecar", text); l.Proves != want {
			t.Errorf("proves %v in\n%s", l.Proves, text)
		}
	}
}

// What the inventory knows of Services counts where they are not among what was
// read.
func TestServicesOfTheInventory(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(f *inventory.Frontend)
		want string
	}{
		{"no label", func(f *inventory.Frontend) {}, "deny"},
		{"a waypoint", func(f *inventory.Frontend) { f.Labels = map[string]string{"istio.io/use-waypoint": "wp"} }, "allow"},
		{"none", func(f *inventory.Frontend) { f.Labels = map[string]string{"istio.io/use-waypoint": "none"} }, "deny"},
		{"headless", func(f *inventory.Frontend) {
			f.Labels, f.Headless = map[string]string{"istio.io/use-waypoint": "wp"}, true
		}, "deny"},
	} {
		inv := waypointWorld("")
		c.edit(&inv.Frontends[0])
		text := head + "spec: {" + getByWeb + "}\n" + gatewayText + only
		l, _ := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(text)}}), Inventory: inv, Estate: "e"})
		v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[3]}, To: layer.Party{Workload: &inv.Workloads[1]}, Protocol: netset.TCP, Port: 8080,
			Holds: func(r *layer.Rule) bool { return r.Cond.HTTP == nil || methodMeant(r.Cond.HTTP, "GET") }}, nil)
		if v.Upper.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, v.Upper, c.want)
		}
	}
	inv := &inventory.Snapshot{Workloads: []inventory.Workload{workload("shop", "db", "sidecar"), workload("shop", "web", "sidecar")}}
	inv.Frontends = []inventory.Frontend{{Name: "shop/db[Service]", Namespace: "shop", Workloads: []string{"shop/db"}, Ports: []inventory.FrontendPort{{Name: "http", Number: 80, Target: 80, Protocol: netset.TCP, Application: "tcp"}}}}
	text := head + "spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}\n"
	l, _ := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(text)}}), Inventory: inv, Estate: "e"})
	v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[1]}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80, Holds: func(*layer.Rule) bool { return true }}, nil)
	if v.Upper != layer.Deny {
		t.Errorf("a port that the inventory says speaks no HTTP sees requests: %s", v.Upper)
	}
}

// Exceptions of ports in ambient mode that istiod does not heed as they read.
func TestUnheededPorts(t *testing.T) {
	const peer = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: b, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, "
	for text, want := range map[string]string{
		"portLevelMtls: {80: {mode: DISABLE}}}\n":                              "deny-allow",
		"portLevelMtls: {80: {mode: PERMISSIVE}}}\n":                           "allow-allow",
		"portLevelMtls: {80: {mode: DISABLE}, 81: {mode: PERMISSIVE}}}\n":      "allow-allow",
		"mtls: {mode: PERMISSIVE}, portLevelMtls: {80: {mode: STRICT}}}\n":     "deny-allow",
		"portLevelMtls: {80: {mode: STRICT}, 81: {mode: PERMISSIVE}}}\n":       "deny-deny",
		"mtls: {mode: STRICT}, portLevelMtls: {80: {mode: DISABLE}}}\n":        "allow-allow",
		"mtls: {mode: PERMISSIVE}, portLevelMtls: {81: {mode: STRICT}}}\n":     "allow-allow",
		"mtls: {mode: STRICT}, portLevelMtls: {81: {mode: PERMISSIVE}}}\n":     "deny-deny",
		"mtls: {mode: UNSET}, portLevelMtls: {81: {mode: DISABLE}}}\n":         "deny-deny",
		"mtls: {mode: DISABLE}, portLevelMtls: {80: {mode: PERMISSIVE}}}\n":    "allow-allow",
		"mtls: {mode: UNSET}, portLevelMtls: {80: {mode: UNSET}}}\n":           "deny-deny",
		"mtls: {mode: PERMISSIVE}, portLevelMtls: {80: {mode: PERMISSIVE}}}\n": "allow-allow",
	} {
		l, inv, _ := read(t, "ambient", peer+text)
		v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[1]}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80,
			Holds: func(r *layer.Rule) bool { return r.Cond.HTTP == nil && !r.Cond.MTLS }}, nil)
		if got := v.Lower.String() + "-" + v.Upper.String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
