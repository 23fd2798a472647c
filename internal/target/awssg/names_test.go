package awssg_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/target/awssg"
	"firebreak/internal/target/targettest"
)

// TestGroupsOfOneName: a service may have groups in two VPCs, one of them known
// by a look-up only, and be called like something else that rules name. No rule
// takes another's place in the state.
func TestGroupsOfOneName(t *testing.T) {
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(`kind: Estate
metadata: {name: e}
spec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8]}
---
{kind: Zone, metadata: {name: all}, spec: {select: tier, stage: enforce, default: deny}}
---
{kind: Service, metadata: {name: lattice}, spec: {select: tier=app, ports: [{name: main, port: 80}]}}
---
{kind: Service, metadata: {name: db}, spec: {select: tier=db, ports: [{name: main, port: 5432}]}}
---
kind: Policy
metadata: {name: p}
spec: {stage: enforce, rules: [{name: r, effect: allow, from: {service: lattice}, to: {service: db}, ports: [5432/TCP]}]}
`)}, "inventory.yaml": {Data: []byte(`{kind: Workload, metadata: {name: near, labels: {tier: app, net/vpc: vpc-1}}, spec: {addresses: [10.1.0.1]}}
---
{kind: Workload, metadata: {name: far, labels: {tier: app, net/vpc: vpc-2}}, spec: {}}
---
{kind: Workload, metadata: {name: apart, labels: {tier: app, net/vpc: vpc-3}}, spec: {addresses: [10.3.0.1]}}
---
{kind: Workload, metadata: {name: db, labels: {tier: db, net/vpc: vpc-1}}, spec: {addresses: [10.1.0.2]}}
`)}}, networks...)
	w := e.wanted(false)
	w.Targets = append(w.Targets, "lattice")
	files, diags := awssg.Target{}.Render(w)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, peer := range []string{`"lattice" = aws_security_group.lattice.id`, `"vpc-2/lattice" = data.aws_security_group.vpc-2_lattice.id`} {
		if count(files, peer) == 0 {
			t.Errorf("no rule is about %s", peer)
		}
	}
	l, _ := awssg.Target{}.Lift(targettest.Estate{Wanted: w}.Source(files))
	r, err := prove.Prove(prove.Intent{Policy: w.Policy}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		for _, u := range x.Under {
			if u.From != "apart" && u.To != "apart" {
				t.Errorf("%s: %s → %s is cut off: %s", x.Point, u.From, u.To, u.Traffic)
			}
		}
	}
}
