package verify_test

import (
	"fmt"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// bigEstate has as many identities as services, in twenty zones, and rules of
// all widths.
func bigEstate(workloads, services, rules int) (*lang.Dir, *inventory.Snapshot) {
	d := newDice(7)
	dir := &lang.Dir{Estate: &lang.Estate{Meta: named("big")}}
	for z := range 20 {
		dir.Zones = append(dir.Zones, &lang.Zone{Meta: named(fmt.Sprint("zone", z)), Select: sel(fmt.Sprint("zone=z", z)), Stage: lang.Enforce, Default: lang.Deny})
	}
	for s := range services {
		dir.Services = append(dir.Services, &lang.Service{Meta: named(fmt.Sprint("s", s)), Select: sel(fmt.Sprint("app=a", s)), Ports: []lang.ServicePort{{Name: "main", Number: uint16(1000 + s%500)}}})
	}
	service := func() lang.Endpoint {
		return lang.Endpoint{Kind: lang.ByService, Name: fmt.Sprint("s", d.IntN(services))}
	}
	zone := func() lang.Endpoint { return lang.Endpoint{Kind: lang.ByZone, Name: fmt.Sprint("zone", d.IntN(20))} }
	const perPolicy = 40
	for i := range rules {
		if i%perPolicy == 0 {
			dir.Policies = append(dir.Policies, &lang.Policy{Meta: named(fmt.Sprint("p", i/perPolicy)), Tier: lang.Application})
		}
		p := dir.Policies[len(dir.Policies)-1]
		r := &lang.Rule{Name: fmt.Sprint("r", i), Stage: lang.Enforce, From: service(), To: service(), Ports: []lang.Port{{Name: "main"}}, Pos: named("").Pos}
		switch n := d.IntN(1000); {
		case n < 3:
			r.From = lang.Endpoint{Kind: lang.ByAny}
		case n < 10:
			r.From, r.To, r.Ports = zone(), zone(), []lang.Port{{Traffic: netset.Of(netset.TCP, uint16(2000+d.IntN(20)), uint16(2050))}}
		case n < 80:
			r.From = zone()
		case n < 100:
			r.HTTP = []lang.HTTP{{Methods: []string{"POST"}, Paths: []string{fmt.Sprint("/api/v", d.IntN(9), "/*")}}}
		case n < 110:
			r.MTLS = true
		}
		p.Rules = append(p.Rules, r)
	}
	for g := range 10 {
		dir.Guardrails = append(dir.Guardrails, &lang.Guardrail{Meta: named(fmt.Sprint("g", g)), Stage: lang.Enforce, Kind: lang.Never,
			From: []lang.Endpoint{zone()}, To: []lang.Endpoint{zone()}, Ports: []lang.Port{{Traffic: netset.Of(netset.TCP, 22, 22)}}})
	}
	snap := &inventory.Snapshot{}
	for w := range workloads {
		s := w
		if w >= services {
			s = int(float64(services) * d.Float64() * d.Float64())
		}
		snap.Workloads = append(snap.Workloads, inventory.Workload{Name: fmt.Sprintf("w%07d", w), Labels: map[string]string{"app": fmt.Sprint("a", s), "zone": fmt.Sprint("z", s%20), "team": fmt.Sprint(w % 30)}})
	}
	return dir, snap
}

func resolved(b *testing.B, dir *lang.Dir, inv *inventory.Snapshot) *policy.Policy {
	b.Helper()
	p, diags := policy.Resolve(dir, inv)
	if p == nil {
		b.Fatal(diags[0])
	}
	return p
}

func engine(b *testing.B, p *policy.Policy) *verify.Engine {
	b.Helper()
	e, err := verify.New(p, verify.Options{At: noon})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func BenchmarkDecide(b *testing.B) {
	dir, inv := bigEstate(2000, 2000, 10000)
	e := engine(b, resolved(b, dir, inv))
	d := newDice(1)
	type question struct {
		from, to verify.Peer
		port     uint16
	}
	var q [4096]question
	for i := range q {
		q[i] = question{e.OfWorkload(d.IntN(2000)), e.OfWorkload(d.IntN(2000)), uint16(1000 + d.IntN(1100))}
	}
	at := e.Locate(flow.Circumstances{At: noon, MTLS: true})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x := &q[i%len(q)]
		e.Decide(x.from, x.to, netset.TCP, x.port, at)
	}
}

func BenchmarkAll(b *testing.B) {
	dir, inv := bigEstate(100000, 2000, 10000)
	p := resolved(b, dir, inv)
	b.Run("resolve", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			resolved(b, dir, inv)
		}
	})
	b.Run("pairs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			engine(b, p).Guardrails()
		}
	})
	b.Run("rule", func(b *testing.B) {
		e := engine(b, p)
		next := *dir
		next.Policies = append([]*lang.Policy(nil), dir.Policies...)
		changed := *dir.Policies[7]
		changed.Rules = append([]*lang.Rule(nil), changed.Rules...)
		r := *changed.Rules[3]
		r.Ports = []lang.Port{{Traffic: netset.Of(netset.TCP, 77, 77)}}
		changed.Rules[3] = &r
		next.Policies[7] = &changed
		both := []*policy.Policy{resolved(b, &next, inv), p}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := e.Update(both[i%2]); err != nil {
				b.Fatal(err)
			}
			e.Guardrails()
		}
	})
}
