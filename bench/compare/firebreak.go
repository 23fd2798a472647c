package main

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// engine writes the estate as policy text and gives it to Firebreak.
func engine(e *estate) (*verify.Engine, error) {
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: compare}\nspec: {networks: [10.0.0.0/8]}\n")
	for z := range zones {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: %s}\nspec: {select: zone=%[1]s, stage: enforce}\n", zoneName(z))
	}
	inv := &inventory.Snapshot{}
	for s := range services {
		fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: %s}\nspec: {select: app=%[1]s, ports: [{port: %d}]}\n", serviceName(s), port(s))
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: serviceName(s), Labels: map[string]string{"app": serviceName(s), "zone": zoneName(zoneOf(s))}})
	}
	b.WriteString("---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n")
	for i, x := range e.rules {
		effect := "allow"
		if !x.allow {
			effect = "deny"
		}
		fmt.Fprintf(&b, "  - {name: r%d, effect: %s, from: {%s}, to: {%s}, ports: [%d/TCP]}\n", i, effect, end(x.from, x.fromZone), end(x.to, x.toZone), x.port)
	}
	dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(b.String())}})
	p, more := policy.Resolve(dir, inv)
	if diags = append(diags, more...); diags.HasErrors() {
		return nil, fmt.Errorf("the policy is wrong: %v", diags[0])
	}
	return verify.New(p, verify.Options{At: noon})
}

func end(i int, zone bool) string {
	if zone {
		return "zone: " + zoneName(i)
	}
	return "service: " + serviceName(i)
}

// byFirebreak asks with peers that are known, as a data path does.
func byFirebreak(e *estate) (*judge, error) {
	v, err := engine(e)
	if err != nil {
		return nil, err
	}
	at := v.Locate(flow.Circumstances{At: noon})
	byName := workloads(v)
	froms, tos := make([]verify.Peer, len(e.questions)), make([]verify.Peer, len(e.questions))
	for i, q := range e.questions {
		froms[i], tos[i] = v.OfWorkload(byName[serviceName(q.from)]), v.OfWorkload(byName[serviceName(q.to)])
	}
	return &judge{
		name: "Firebreak", about: "verdict in force and to come, and the rule of each; ends known as peers",
		ask: func(i int) bool {
			return v.Decide(froms[i], tos[i], netset.TCP, uint16(e.questions[i].port), at).ToCome == flow.Forwarded
		},
	}, nil
}

// byFirebreakNames looks both ends up by their names first, and prepares the
// circumstances for each question anew.
func byFirebreakNames(e *estate) (*judge, error) {
	v, err := engine(e)
	if err != nil {
		return nil, err
	}
	byName := workloads(v)
	type named struct{ from, to string }
	names := make([]named, len(e.questions))
	for i, q := range e.questions {
		names[i] = named{serviceName(q.from), serviceName(q.to)}
	}
	return &judge{
		name: "Firebreak, by name", about: "the same, both ends looked up by name first",
		ask: func(i int) bool {
			from, to := v.OfWorkload(byName[names[i].from]), v.OfWorkload(byName[names[i].to])
			at := v.Locate(flow.Circumstances{At: noon})
			return v.Decide(from, to, netset.TCP, uint16(e.questions[i].port), at).ToCome == flow.Forwarded
		},
	}, nil
}

func workloads(v *verify.Engine) map[string]int {
	byName := map[string]int{}
	for i, w := range v.Policy().Inventory.Workloads {
		byName[w.Name] = i
	}
	return byName
}
