package networkpolicy_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
	"firebreak/internal/prove"
	"firebreak/internal/target/networkpolicy"
	"firebreak/internal/target/targettest"
	"firebreak/internal/verify"
)

// TestPortless: ICMP beside ports cannot be said, which is no fault; what could
// have been said still is.
func TestPortless(t *testing.T) {
	const head = "kind: Estate\nmetadata: {name: e}\n---\nkind: Zone\nmetadata: {name: z}\nspec: {select: app, stage: enforce}\n" +
		"---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec: {stage: enforce, rules: [{name: r, effect: allow, from: {select: app=a}, to: {select: app=b}, reason: r"
	at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	inv := &inventory.Snapshot{}
	for _, app := range []string{"a", "b"} {
		labels := map[string]string{"app": app, "k8s/namespace": "shop"}
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: "shop/" + app + "[Deployment]", Namespace: "shop", Labels: labels, Pod: map[string]string{"app": app, "of": app}})
	}
	for _, c := range []struct {
		name, ports, old, new string
		want                  prove.Word
	}{
		{name: "beside a port", ports: ", ports: [80/TCP, icmp]", want: prove.Approximate},
		{name: "beside another port", ports: ", ports: [80/TCP, icmp]", old: "port: 80", new: "port: 81", want: prove.Wrong},
		{name: "everything", want: prove.Exact},
		{name: "everything, by a label that only pods have", old: "matchLabels: {app: a}", new: "matchLabels: {of: a}", want: prove.Exact},
		{name: "everything, and only ports are let in", old: "{}\n      podSelector: {matchLabels: {app: a}}  # select app=a\n", new: "{}\n      podSelector: {matchLabels: {app: a}}\n    ports: [{protocol: TCP}, {protocol: UDP}, {protocol: SCTP}]\n", want: prove.Wrong},
	} {
		tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(head + c.ports + "}]}\n")}})
		p, more := policy.Resolve(tree, inv)
		if p == nil {
			t.Fatal(diags, more)
		}
		engine, err := verify.New(p, verify.Options{At: at})
		if err != nil {
			t.Fatal(err)
		}
		e := targettest.Estate{Wanted: plan.Make(tree, p, engine, plan.Options{At: at, Targets: []string{"networkpolicy"}})}
		files, _ := networkpolicy.Target{}.Render(e.Wanted)
		for i := range files {
			files[i].Data = []byte(strings.ReplaceAll(string(files[i].Data), c.old, c.new))
		}
		l, _ := networkpolicy.Target{}.Lift(e.Source(files))
		report, err := prove.Prove(prove.Intent{Policy: p}, []*layer.Layer{l}, prove.Options{At: at})
		if err != nil {
			t.Fatal(err)
		}
		if r := report.Results[0]; r.Result != c.want || r.Result == prove.Approximate && !strings.Contains(r.Reason, "what has no ports") {
			t.Errorf("%s: %s (%s), want %s", c.name, r.Result, r.Reason, c.want)
		}
	}
}
