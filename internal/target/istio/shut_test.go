package istio_test

import (
	"fmt"
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

// What no policy could let in, from who is in the mesh, and behind what: each row
// asks about who asks whom on which port.
func TestShut(t *testing.T) {
	inv := waypointWorld("wp")
	vm := inventory.Workload{Name: "vm", Labels: map[string]string{"app": "vm"}}
	inv.Workloads = append(inv.Workloads, vm)
	inv.Frontends = append(inv.Frontends,
		inventory.Frontend{Name: "shop/old[Service]", Namespace: "shop", Workloads: []string{"shop/old"}, Ports: []inventory.FrontendPort{{Name: "tcp-x", Number: 99, Target: 99, Protocol: netset.TCP}}},
		inventory.Frontend{Name: "shop/web[Service]", Namespace: "shop", Workloads: []string{"shop/web"}, Ports: []inventory.FrontendPort{{Number: 80, Target: 80, Protocol: netset.TCP}}})
	const headless = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: None}\n"
	l, _ := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: []byte(head + "spec: {}\n" + headless)}}), Inventory: inv, Estate: "e"})
	who := func(name string) layer.Party {
		for i := range inv.Workloads {
			if inv.Workloads[i].Name == name {
				return layer.Party{Workload: &inv.Workloads[i]}
			}
		}
		t.Fatal(name)
		return layer.Party{}
	}
	for _, row := range []struct {
		from, to string
		port     uint16
		want     string
	}{
		{"shop/web", "shop/db", 8080, "NoRequest"},
		{"shop/web", "shop/db", 80, "NoRequest SomeRequests(no Service)"},
		{"shop/old", "shop/db", 8080, "NoRequest SomeRequests(goes around)"},
		{"shop/db", "shop/api", 80, "NoRequest SomeRequests(no Service)"},
		{"shop/db", "shop/web", 80, "NoRequest SomeRequests(no Service)"}, // a headless one leads nowhere
		{"shop/db", "shop/old", 80, "NoRequest"},
		{"shop/db", "shop/old", 99, "NoRequest SomeRequests(speak no HTTP)"},
		{"vm", "shop/old", 80, "NoRequest Whatever(none is known)"},
		{"vm", "shop/db", 8080, "NoRequest Whatever(none is known) SomeRequests(goes around)"},
		{"shop/db", "vm", 80, ""},
	} {
		got := ""
		for _, s := range l.Shut {
			if s.Subject.Matches(who(row.to), nil) != layer.Yes || s.Peer.Matches(who(row.from), nil) != layer.Yes || !s.Traffic.Contains(netset.TCP, row.port) {
				continue
			}
			got += " " + [...]string{layer.Whatever: "Whatever", layer.SomeRequests: "SomeRequests", layer.NoRequest: "NoRequest"}[s.Of]
			for _, why := range []string{"no Service", "goes around", "speak no HTTP", "none is known"} {
				if strings.Contains(s.Why, why) {
					got += fmt.Sprintf("(%s)", why)
				}
			}
		}
		if strings.TrimSpace(got) != row.want {
			t.Errorf("%s to %s on %d: %s, want %s", row.from, row.to, row.port, got, row.want)
		}
	}
}
