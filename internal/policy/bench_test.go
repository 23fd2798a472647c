package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// BenchmarkResolve resolves 10,000 rules over workloads that the rules can all
// tell apart.
func BenchmarkResolve(b *testing.B) {
	for _, size := range []struct{ workloads, apps int }{{200, 200}, {20_000, 2_000}} {
		b.Run(fmt.Sprintf("workloads=%d/identities=%d/rules=10000", size.workloads, size.apps), func(b *testing.B) {
			var text strings.Builder
			text.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8]}\n")
			for i := range 20 {
				fmt.Fprintf(&text, "---\nkind: Zone\nmetadata: {name: z%d}\nspec: {select: zone=z%d, stage: enforce}\n", i, i)
			}
			for i := range size.apps {
				fmt.Fprintf(&text, "---\nkind: Service\nmetadata: {name: s%d}\nspec: {select: app=a%d, ports: [{name: http, port: %d}]}\n", i, i, 1000+i)
			}
			text.WriteString("---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n")
			for i := range 10_000 {
				fmt.Fprintf(&text, "  - {name: r%d, effect: allow, from: {service: s%d}, to: {service: s%d}, ports: [http, %d/TCP], reason: x}\n", i, i%size.apps, (i*7+1)%size.apps, 20000+i)
			}
			inv := &inventory.Snapshot{}
			for i := range size.workloads {
				inv.Workloads = append(inv.Workloads, workload(fmt.Sprintf("w%06d", i), fmt.Sprintf("app=a%d,zone=z%d", i%size.apps, i%size.apps%20)))
			}
			d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text.String())}})
			if list.HasErrors() {
				b.Fatal(list)
			}
			for b.Loop() {
				if p, list := policy.Resolve(d, inv); p == nil {
					b.Fatal(list)
				}
			}
		})
	}
}
