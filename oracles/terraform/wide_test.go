package terraform

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/target/all"
)

// wide writes an estate of one service with many workloads, some of which are
// instances, and a caller in another VPC.
func wide(addresses, instances int) fstest.MapFS {
	text := `kind: Estate
metadata: {name: e}
spec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: all}
spec: {select: tier, stage: enforce, default: deny}
---
kind: Service
metadata: {name: orders}
spec: {select: tier=app, ports: [{name: http, port: 8080}]}
---
kind: Policy
metadata: {name: p}
spec:
  tier: application
  stage: enforce
  rules:
  - {name: r, effect: allow, from: {select: tier=web}, to: {service: orders}, ports: [8080/TCP]}
`
	var inv strings.Builder
	inv.WriteString("kind: Workload\nmetadata: {name: web, labels: {tier: web, cloud/provider: aws, net/vpc: vpc-2, aws/role: \"arn:aws:iam::111122223333:role/web\"}}\nspec: {addresses: [10.2.0.1]}\n")
	for i := range addresses + instances {
		at := fmt.Sprintf("{addresses: [10.1.%d.%d]}", i/250, 1+i%250)
		if i >= addresses {
			at = fmt.Sprintf("{host: i-%017x}", i)
		}
		fmt.Fprintf(&inv, "---\nkind: Workload\nmetadata: {name: w%d, labels: {tier: app, cloud/provider: aws, net/vpc: vpc-1}}\nspec: %s\n", i, at)
	}
	return fstest.MapFS{"policy.yaml": {Data: []byte(text)}, "inventory.yaml": {Data: []byte(inv.String())}}
}

var manyIDs = regexp.MustCompile(`((?m:^    "[^"]+",\n){2})(?m:^    "[^"]+",\n)+`)

// TestTerraformAcceptsManyTargets plans a service whose targets fill two target
// groups and a part of a third, of another kind, behind one forward action. Two
// targets of each group are planned.
func TestTerraformAcceptsManyTargets(t *testing.T) {
	out, diags := all.Named("lattice").Render(wanted(t, wide(1001, 2)))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	of := pointsOf(out)
	text := of["e"]["service-e-orders.tf"]
	if n := bytes.Count(text, []byte("weight")); n != 3 || bytes.Count(text, []byte("\",\n")) != 1003 {
		t.Fatalf("%d weights:\n%.2000s", n, text)
	}
	of["e"]["service-e-orders.tf"] = manyIDs.ReplaceAll(text, []byte("$1"))
	n := judge(t, laid(t, together(of)))
	t.Log(n)
}

// TestTerraformAcceptsRegions plans an estate in two Regions, each of which has a
// folder of its own.
func TestTerraformAcceptsRegions(t *testing.T) {
	files := wide(3, 1)
	var inv strings.Builder
	inv.Write(bytes.ReplaceAll(bytes.ReplaceAll(files["inventory.yaml"].Data, []byte("vpc-2,"), []byte("vpc-2, cloud/region: eu-west-1,")), []byte("vpc-1}"), []byte("vpc-1, cloud/region: eu-west-1}")))
	for i, tier := range []string{"web", "app"} {
		fmt.Fprintf(&inv, "---\nkind: Workload\nmetadata: {name: us-%s, labels: {tier: %s, cloud/provider: aws, cloud/region: us-east-1, net/vpc: vpc-%d, aws/role: \"arn:aws:iam::111122223333:role/us-%s\"}}\nspec: {addresses: [10.%d.0.1]}\n", tier, tier, 3+i, tier, 3+i)
	}
	files["inventory.yaml"].Data = []byte(inv.String())
	out, diags := all.Named("lattice").Render(wanted(t, files))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	of := pointsOf(out)
	if len(of) != 2 || of["e-eu-west-1"] == nil || of["e-us-east-1"] == nil {
		t.Fatalf("%d folders: %v", len(of), diags)
	}
	if eu, us := of["e-eu-west-1"]["network.tf"], of["e-us-east-1"]["network.tf"]; bytes.Contains(eu, []byte("vpc-3")) || bytes.Contains(us, []byte("vpc-2")) || !bytes.Contains(us, []byte("vpc-3")) {
		t.Fatalf("%s\n%s", eu, us)
	}
	t.Log(judge(t, laid(t, together(of))))
}
