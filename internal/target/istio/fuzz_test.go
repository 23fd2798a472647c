package istio_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/live"
	"firebreak/internal/target"
	"firebreak/internal/target/istio"
)

// Whatever stands in a file, reading it ends, and does not panic; what has a
// policy and is understood has tables and points.
func FuzzLift(f *testing.F) {
	const peer = "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: q, namespace: shop}\nspec: {mtls: {mode: STRICT}, portLevelMtls: {80: {mode: DISABLE}}}\n"
	f.Add([]byte(head + "spec: {rules: [{from: [{source: {principals: ['*/sa/web'], notIpBlocks: [10.0.0.0/8]}}], to: [{operation: {paths: ['/a/{*}'], hosts: [a, 'a:*']}}], when: [{key: 'request.headers[x]', notValues: [y]}]}]}\n" + peer))
	f.Add([]byte(head + "spec: {" + getByWeb + "}\n" + gatewayText + only))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {mesh: 'trustDomain: x'}}]\n"))
	inv := waypointWorld("wp")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, alone := range []bool{false, true} {
			l, diags := istio.Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"p.yaml": {Data: data}}), Inventory: inv, Estate: "e", Alone: alone})
			if l == nil || l.Target != "istio" {
				t.Fatalf("%+v", l)
			}
			if !diags.HasErrors() && len(l.Points) > 0 && len(l.Tables) == 0 {
				t.Error("points without tables")
			}
		}
	})
}
