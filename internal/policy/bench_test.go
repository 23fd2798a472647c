package policy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/policy"
)

// large is an estate of a size: apps services in 20 zones, one identity each,
// over which workloads and rules are spread. 1 rule in 50 is of the platform
// tier, 1 in 10 speaks of a selector, and there are guardrails.
func large(t testing.TB, workloads, apps, rules int) (*lang.Dir, *inventory.Snapshot) {
	var text strings.Builder
	text.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8]}\n")
	for i := range 20 {
		fmt.Fprintf(&text, "---\nkind: Zone\nmetadata: {name: z%d}\nspec: {select: zone=z%d, stage: enforce}\n", i, i)
	}
	for i := range apps {
		fmt.Fprintf(&text, "---\nkind: Service\nmetadata: {name: s%d}\nspec: {select: 'app=a%d,env', ports: [{name: http, port: %d}]}\n", i, i, 1000+i)
	}
	text.WriteString("---\nkind: External\nmetadata: {name: out}\nspec: {cidrs: [0.0.0.0/0], reason: x}\n")
	for i := range rules / 10 {
		tier := "application"
		if i%50 == 0 {
			tier = fmt.Sprintf("platform, priority: %d", i)
		}
		fmt.Fprintf(&text, "---\nkind: Policy\nmetadata: {name: p%d}\nspec:\n  stage: enforce\n  tier: %s\n  rules:\n", i, strings.ReplaceAll(tier, ", ", "\n  "))
		for j := range 10 {
			n := i*10 + j
			from := fmt.Sprintf("service: s%d", n%apps)
			if j == 0 {
				from = fmt.Sprintf("select: 'team=t%d,env=prod'", n%97)
			}
			fmt.Fprintf(&text, "  - {name: r%d, effect: allow, from: {%s}, to: {service: s%d}, ports: [http, %d/TCP], reason: x}\n", j, from, (n*7+1)%apps, 20000+n)
		}
	}
	d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text.String())}})
	if list.HasErrors() {
		t.Fatal(list)
	}
	for i := range 20 {
		d.Guardrails = append(d.Guardrails, guard(fmt.Sprint("g", i), lang.Only, many(zone(fmt.Sprint("z", i)), external("out")), many(service(fmt.Sprint("s", i)))))
		d.Exceptions = append(d.Exceptions, &lang.Exception{Meta: meta(fmt.Sprint("x", i), i), From: zone(fmt.Sprint("z", i)), To: service(fmt.Sprint("s", i)), Ports: tcp(uint16(i))})
	}
	inv := &inventory.Snapshot{}
	for i := range workloads {
		app := i % apps
		inv.Workloads = append(inv.Workloads, inventory.Workload{
			Name: fmt.Sprintf("prod/app-%06d[Pod]", i),
			Labels: map[string]string{
				"app": fmt.Sprint("a", app), "zone": fmt.Sprint("z", app%20), "env": "prod", "team": fmt.Sprint("t", app%97),
				"version": fmt.Sprint("1.", i%7), "k8s/namespace": "prod", "region": fmt.Sprint("eu-", i%3), "pod-template-hash": fmt.Sprint(i),
			},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
			Ports:     []inventory.Port{{Name: "metrics", Number: 9090}},
		})
	}
	return d, inv
}

// BenchmarkResolve resolves from nothing.
func BenchmarkResolve(b *testing.B) {
	for _, size := range [][3]int{{1_000, 200, 1_000}, {10_000, 600, 3_000}, {100_000, 2_000, 10_000}} {
		b.Run(fmt.Sprintf("workloads=%d/identities=%d/rules=%d", size[0], size[1], size[2]), func(b *testing.B) {
			d, inv := large(b, size[0], size[1], size[2])
			var p *policy.Policy
			b.ReportAllocs()
			for b.Loop() {
				p, _ = policy.Resolve(d, inv)
			}
			if p == nil || len(p.Identities) != size[1] {
				b.Fatal("no such policy")
			}
		})
	}
}

// BenchmarkResolveAgain resolves an estate of 100,000 workloads, 2,000
// identities and 10,000 rules after one change.
func BenchmarkResolveAgain(b *testing.B) {
	d, inv := large(b, 100_000, 2_000, 10_000)
	number := 0
	relabel := func(key, value string) func() (*lang.Dir, *inventory.Snapshot) {
		w := inv.Workloads[777]
		w.Labels = maps.Clone(w.Labels)
		w.Labels[key] = value
		other := inv.With(w)
		return func() (*lang.Dir, *inventory.Snapshot) {
			if number++; number%2 == 0 {
				return d, inv
			}
			return d, other
		}
	}
	for _, c := range []struct {
		name string
		next func() (*lang.Dir, *inventory.Snapshot)
	}{
		{"nothing", func() (*lang.Dir, *inventory.Snapshot) { return d, inv }},
		{"rule", func() (*lang.Dir, *inventory.Snapshot) {
			out := *d
			out.Policies = slices.Clone(d.Policies)
			number++
			p := *d.Policies[number%len(d.Policies)]
			rule := *p.Rules[3]
			rule.To = service(fmt.Sprint("s", number%2000))
			p.Rules = slices.Clone(p.Rules)
			p.Rules[3], out.Policies[number%len(d.Policies)] = &rule, &p
			return &out, inv
		}},
		{"label that no rule speaks of", relabel("version", "2")},
		{"label that makes an identity", relabel("app", "a797")},
		{"snapshot with another label", func() (*lang.Dir, *inventory.Snapshot) {
			number++
			w := inv.Workloads[number%len(inv.Workloads)]
			w.Labels = maps.Clone(w.Labels)
			w.Labels["team"] = "t1"
			return d, inv.With(w)
		}},
		{"service", func() (*lang.Dir, *inventory.Snapshot) {
			out := *d
			out.Services = slices.Clone(d.Services)
			number++
			s := *d.Services[number%2000]
			out.Services[number%2000] = &s
			return &out, inv
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r policy.Resolver
			r.Resolve(d, inv)
			runtime.GC()
			b.ReportAllocs()
			for b.Loop() {
				if p, list := r.Resolve(c.next()); p == nil {
					b.Fatal(list)
				}
			}
		})
	}
}
