package nacl_test

import (
	"testing"
	"testing/fstest"

	"firebreak/internal/layer"
	"firebreak/internal/prove"
	"firebreak/internal/target/nacl"
	"firebreak/internal/target/targettest"
)

// TestRepliesOverSCTP denies what a guardrail forbids but replies over SCTP, of
// which an entry cannot name the ports.
func TestRepliesOverSCTP(t *testing.T) {
	const text = `kind: Estate
metadata: {name: e}
spec: {inventory: [{file: inventory.yaml}], networks: [10.0.0.0/8, "fd00::/16"]}
---
kind: Zone
metadata: {name: all}
spec: {select: tier, stage: enforce, default: deny}
---
kind: Guardrail
metadata: {name: g}
spec: {stage: enforce, never: {from: {select: tier=web}, to: {select: tier=data}}}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: signals, effect: allow, from: {select: tier=data}, to: {select: tier=web}, ports: [3868/SCTP]}
`
	const workloads = `kind: Workload
metadata: {name: web, labels: {tier: web, net/vpc: vpc-1, net/subnet: subnet-1-0}}
spec: {addresses: [10.1.0.10]}
---
kind: Workload
metadata: {name: data, labels: {tier: data, net/vpc: vpc-1, net/subnet: subnet-1-1}}
spec: {addresses: [10.1.1.10]}
`
	e := open(t, fstest.MapFS{"policy.yaml": {Data: []byte(text)}, "inventory.yaml": {Data: []byte(workloads)}}, networks...)
	w := e.wanted(false)
	files, diags := nacl.Target{}.Render(w)
	if diags.HasErrors() || len(files) == 0 {
		t.Fatal(len(files), diags)
	}
	l, _ := nacl.Target{}.Lift(targettest.Estate{Wanted: w}.Source(files))
	r, err := prove.Prove(prove.Intent{Policy: e.policy}, []*layer.Layer{l}, prove.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		if len(x.Under) > 0 || x.Result == prove.Unknown {
			t.Errorf("%s is %s: %s %+v", x.Point, x.Result, x.Reason, x.Under)
		}
	}
}
