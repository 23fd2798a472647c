package agent

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/internal/load"
	"firebreak/internal/target/ebpf"
)

// BenchmarkConsider is what a change of one rule costs before the kernel is
// told: reading and rendering 10,000 rules over 2,000 workloads, each with an
// identity of its own, for a host with two of them. First is a fresh agent's
// reading, change one by an agent that has read them before.
func BenchmarkConsider(b *testing.B) {
	r := newTrial(b)
	const workloads, rules = 2000, 10000
	var hosts, text strings.Builder
	text.WriteString("kind: Estate\nmetadata: {name: big}\nspec:\n  inventory: [{file: ../hosts.yaml}]\n  networks: [10.0.0.0/8]\n---\n" +
		"kind: Zone\nmetadata: {name: all}\nspec: {select: app, stage: enforce}\n---\n")
	for i := range workloads {
		fmt.Fprintf(&hosts, "kind: Workload\nmetadata: {name: w%d, labels: {app: a%d}}\nspec: {addresses: [10.1.%d.%d]}\n---\n", i, i, i/256, i%256)
		fmt.Fprintf(&text, "kind: Service\nmetadata: {name: s%d}\nspec: {select: app=a%d, ports: [{name: main, port: %d}]}\n---\n", i, i, 1000+i%200)
	}
	text.WriteString("kind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n")
	for i := range rules {
		from := i * 7919 % workloads
		if i%100 == 0 {
			from = i % 2
		}
		fmt.Fprintf(&text, "  - {name: r%d, effect: allow, from: {service: s%d}, to: {service: s%d}, ports: [main]}\n", i, from, i*104729%workloads)
	}
	r.write("hosts.yaml", hosts.String())
	r.write("policy/policy.yaml", text.String())
	r.write("agent.yaml", `{policy: policy, state: state, cgroups: [{path: web-1, workload: w0}, {path: web-2, workload: w1}]}`)
	cfg, _ := ReadConfig(r.path("agent.yaml"))
	before := considered(b, r, &ebpf.Numbers{}).numbers
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, diags := consider(cfg, new(load.Cache), before, r.system()); diags.HasErrors() {
				b.Fatal(diags)
			}
		}
	})
	b.Run("change", func(b *testing.B) {
		var files load.Cache
		n := 0
		for b.Loop() {
			n++
			b.StopTimer()
			r.write("policy/policy.yaml", strings.Replace(text.String(), "{name: r500, effect: allow", "{name: r500, effect: "+[]string{"allow", "deny"}[n%2], 1))
			b.StartTimer()
			c, diags := consider(cfg, &files, before, r.system())
			if diags.HasErrors() {
				b.Fatal(diags)
			}
			b.ReportMetric(float64(len(c.tables.Policy)), "entries")
		}
	})
}
