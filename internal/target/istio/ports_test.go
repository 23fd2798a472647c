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
