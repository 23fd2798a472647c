package gen_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/gen"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// TestBothEvaluatorsAgreeOnAnEstate asks both about conversations in an estate
// of the usual shape, half of them such that some rule speaks of the two ends.
func TestBothEvaluatorsAgreeOnAnEstate(t *testing.T) {
	for seed := range uint64(3) {
		tree, _, p, _ := estate(t, gen.Options{Workloads: 400, Identities: 150, Rules: 700, Seed: seed})
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday
		fast, err := verify.New(p, verify.Options{At: now})
		if err != nil {
			t.Fatal(err)
		}
		slow := semantics.New(tree, p.Inventory)
		r := rand.New(rand.NewPCG(seed, 1))
		ports := []uint16{8080, 8443, 5432, 6379, 9092, 9102, 8081, 23, 443, 2222}
		passed := 0
		for range 1500 {
			from, to := r.IntN(len(p.Inventory.Workloads)), r.IntN(len(p.Inventory.Workloads))
			port := ports[r.IntN(len(ports))]
			if rule := p.Rules[r.IntN(len(p.Rules))]; r.IntN(2) == 0 && len(rule.From.Identities) > 0 && len(rule.Grants) > 0 && len(rule.Grants[0].To.Identities) > 0 {
				a, b := p.Identities[rule.From.Identities[r.IntN(len(rule.From.Identities))]], p.Identities[rule.Grants[0].To.Identities[0]]
				from, to = a.Workloads[r.IntN(len(a.Workloads))], b.Workloads[r.IntN(len(b.Workloads))]
				if ranges := rule.Grants[0].Traffic.Ranges(netset.TCP); len(ranges) > 0 {
					port = ranges[0].Lo
				}
			}
			c := flow.Circumstances{At: now.Add(time.Duration(r.IntN(7*24)) * time.Hour), MTLS: r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				c.HTTP = &flow.Request{Method: []string{"GET", "DELETE"}[r.IntN(2)], Path: []string{"/api/v1/orders/1", "/", "/api/v1//x"}[r.IntN(3)]}
			}
			a, _ := slow.Workload(p.Inventory.Workloads[from].Name)
			b, _ := slow.Workload(p.Inventory.Workloads[to].Name)
			want := slow.Decide(a, b, netset.TCP, port, c)
			got := fast.Decide(fast.OfWorkload(from), fast.OfWorkload(to), netset.TCP, port, fast.Locate(c))
			if got.ToCome != want.ToCome || got.InForce != want.InForce || fast.Ref(got.ToComeBy) != want.ToComeRule {
				t.Fatalf("seed %d: %s to %s %d %+v: %v by %s, want %v by %s", seed, p.Inventory.Workloads[from].Name, p.Inventory.Workloads[to].Name, port, c,
					got, fast.Ref(got.ToComeBy), want.ToCome, want.ToComeRule)
			}
			if got.ToCome == flow.Forwarded {
				passed++
			}
		}
		if passed < 100 || passed > 1400 {
			t.Errorf("seed %d: %d of 1500 pass: the questions tell nothing", seed, passed)
		}
	}
}
