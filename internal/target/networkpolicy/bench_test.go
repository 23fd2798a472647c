package networkpolicy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/networkpolicy"
)

// BenchmarkLift reads 300 NetworkPolicies over 1,000 workloads; the YAML has been
// read before.
func BenchmarkLift(b *testing.B) {
	inv := &inventory.Snapshot{}
	for i := range 1000 {
		space := fmt.Sprint("team-", i%20)
		app := fmt.Sprint("app-", i%150)
		inv.Workloads = append(inv.Workloads, inventory.Workload{
			Name: fmt.Sprintf("%s/w%04d[Deployment]", space, i), Namespace: space, Pod: map[string]string{"app": app, "tier": "web"},
			Labels:    map[string]string{"k8s/namespace": space, "k8s/namespace.team": space, "app": app, "tier": "web"},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})},
			Ports:     []inventory.Port{{Name: "http", Number: 8080, Protocol: netset.TCP}},
		})
	}
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p%d, namespace: team-%d}
spec:
  podSelector: {matchLabels: {app: app-%d}}
  policyTypes: [Ingress, Egress]
  ingress:
  - {from: [{podSelector: {matchLabels: {app: app-%d}}}, {namespaceSelector: {matchLabels: {team: team-%d}}, podSelector: {matchLabels: {tier: web}}}], ports: [{port: 8080}]}
  egress:
  - {to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 443}]}
  - {to: [{namespaceSelector: {}}], ports: [{port: http}]}
`, i, i%20, i%150, (i+7)%150, (i+3)%20)
	}
	f := folder(map[string]string{"all.yaml": text.String()})
	if docs, diags := f.Manifests(); len(docs) != 300 || len(diags) > 0 {
		b.Fatal(len(docs), diags)
	}
	src := &target.Source{Folder: f, Inventory: inv, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Estate: "e"}
	for b.Loop() {
		if l, _ := (networkpolicy.Target{}).Lift(src); len(l.Tables) != 2 || len(l.Unknown) > 0 {
			b.Fatal(l.Unknown)
		}
	}
}
