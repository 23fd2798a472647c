package ebpf

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// estate makes identities of one workload each: number 0 is the host's own.
func estate(identities int) *policy.Policy {
	p := &policy.Policy{
		Networks:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Zones:     []policy.Zone{{Name: "unassigned", Stage: policy.Enforce}},
		Inventory: &inventory.Snapshot{},
	}
	for i := range identities {
		w := inventory.Workload{Name: fmt.Sprintf("w%d", i)}
		if i == 0 {
			w.Name = HostWorkload("unassigned")
		} else {
			w.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		}
		p.Inventory.Workloads = append(p.Inventory.Workloads, w)
		p.Identities = append(p.Identities, policy.Identity{Key: w.Name, Workloads: []int{i}})
		p.IdentityOf = append(p.IdentityOf, i)
	}
	return p
}

func rule(i int, from, to policy.Peers, traffic netset.Traffic) policy.Rule {
	return policy.Rule{
		Ref:  flow.Rule{Policy: "p", Rule: fmt.Sprintf("r%d", i), File: "p.yaml", Line: 7 * i},
		Tier: policy.Application, Stage: policy.Enforce, From: from, To: to,
		Grants: []policy.Grant{{To: to, Traffic: traffic}},
	}
}

func one(i int) policy.Peers { return policy.Peers{Identities: []int{i}} }

func upTo(n int) policy.Peers {
	var p policy.Peers
	for i := 1; i < n; i++ {
		p.Identities = append(p.Identities, i)
	}
	return p
}

func hostOf(identities ...int) Host {
	h := Host{Zone: "unassigned"}
	for i, id := range identities {
		h.Cgroups = append(h.Cgroups, Cgroup{ID: uint64(1000 + i), Workload: fmt.Sprintf("w%d", id)})
	}
	return h
}

func TestTooManyEntriesNameTheRule(t *testing.T) {
	p := estate(2001)
	var ports netset.Traffic
	for i := range 150 {
		ports = ports.Union(netset.Of(netset.TCP, uint16(1000+2*i), uint16(1000+2*i)))
	}
	p.Rules = []policy.Rule{rule(1, one(1), one(2), ports)}
	for i := range 150 { // one class per port, so that the wide rule needs 150 entries a peer
		p.Rules = append(p.Rules, rule(2+i, one(1), one(3), netset.Of(netset.TCP, uint16(1000+2*i), uint16(1000+2*i))))
	}
	p.Rules = append(p.Rules, rule(900, one(1), upTo(2001), ports))
	tables, diags := Render(p, hostOf(1), monday, &Numbers{})
	if tables != nil || len(diags) != 1 || diags[0].Code != "capacity" {
		t.Fatalf("got %v, %v", tables, diags)
	}
	for _, want := range []string{"p/r900 (p.yaml:6300)", fmt.Sprint(layout.MaxPolicy), "30"} {
		if !strings.Contains(diags[0].Message, want) {
			t.Errorf("no %q in %q", want, diags[0].Message)
		}
	}
}

// everySecond is n single ports, which cannot be merged into ranges.
func everySecond(p netset.Protocol, from, n int) netset.Traffic {
	if n == 1 {
		return netset.Of(p, uint16(from), uint16(from))
	}
	return everySecond(p, from, n/2).Union(everySecond(p, from+2*(n/2), n-n/2))
}

func TestTooManyRangesNameTheRule(t *testing.T) {
	p := estate(3)
	p.Rules = []policy.Rule{rule(1, one(1), one(2), everySecond(netset.TCP, 0, 32768))}
	for i := range 40 {
		p.Rules = append(p.Rules, rule(2+i, one(1), one(2), netset.Of(netset.UDP, uint16(i*100), uint16(i*100+i))))
	}
	if _, diags := Render(p, hostOf(1), monday, &Numbers{}); diags.HasErrors() {
		t.Fatalf("refused although it fits: %v", diags)
	}
	p.Rules = append(p.Rules,
		rule(500, one(1), one(2), everySecond(netset.SCTP, 0, 32000)),
		rule(501, one(1), one(2), everySecond(netset.UDP, 20000, 22000)))
	tables, diags := Render(p, hostOf(1), monday, &Numbers{})
	if tables != nil || len(diags) != 1 || diags[0].Code != "capacity" || !strings.Contains(diags[0].Message, "p/r50") {
		t.Fatalf("got %v", diags)
	}
}

func TestTooManyAddressesAreRefused(t *testing.T) {
	p := estate(3)
	for i := range layout.MaxAddresses {
		p.Inventory.Workloads[2].Addresses = append(p.Inventory.Workloads[2].Addresses, netip.AddrFrom4([4]byte{10, 200 + byte(i>>16), byte(i >> 8), byte(i)}))
	}
	_, diags := Render(p, hostOf(1), monday, &Numbers{})
	if len(diags) != 1 || diags[0].Code != "capacity" {
		t.Fatalf("got %v", diags)
	}
}

func TestAnUnknownWorkloadOfACgroupIsNamed(t *testing.T) {
	p := estate(3)
	h := hostOf(1)
	h.Cgroups[0].Workload = "w11"
	_, diags := Render(p, h, monday, &Numbers{})
	if len(diags) != 1 || diags[0].Code != "unknown-reference" || !strings.Contains(diags[0].String(), `did you mean "w1"?`) {
		t.Fatalf("got %v", diags)
	}
}

// TestASmallChangeStaysSmall checks that what a change does not touch keeps
// its numbers and entries, so that filling a slot by difference is cheap.
func TestASmallChangeStaysSmall(t *testing.T) {
	p := estate(200)
	for i := range 190 {
		p.Rules = append(p.Rules, rule(i, one(1+i%150), one(2+i%150), netset.Of(netset.TCP, uint16(2000+10*i), uint16(2000+10*i))))
	}
	n := &Numbers{}
	before, diags := Render(p, hostOf(1, 2, 3, 4), monday, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	again, _ := Render(p, hostOf(1, 2, 3, 4), monday, n)
	if !reflect.DeepEqual(before, again) {
		t.Fatal("the same policy rendered twice differs")
	}
	p.Rules = append(p.Rules, rule(999, one(1), one(150), netset.Of(netset.TCP, 5, 5)))
	after, _ := Render(p, hostOf(1, 2, 3, 4), monday, n)
	changed := 0
	for key, v := range after.Policy {
		if before.Policy[key] != v {
			changed++
		}
	}
	if changed == 0 || changed > 2 || len(after.Policy)-len(before.Policy) > 2 {
		t.Fatalf("one new rule changed %d of %d entries", changed, len(after.Policy))
	}
	maps.DeleteFunc(after.Policy, func(k layout.PolicyKey, v layout.PolicyValue) bool { return before.Policy[k] == v })
	t.Logf("changed: %v", after.Policy)
}

// BenchmarkRender renders 10,000 rules over 2,000 identities for a host with
// 10 of them.
func BenchmarkRender(b *testing.B) {
	p := estate(2001)
	for i := range 9900 {
		from, to := 1+(i*7919)%2000, 1+(i*104729)%2000
		p.Rules = append(p.Rules, rule(i, one(from), one(to), netset.Of(netset.TCP, uint16(1000+i%200), uint16(1000+i%200))))
	}
	for i := range 100 { // and zone-wide ones
		p.Rules = append(p.Rules, rule(9900+i, upTo(200), upTo(400), netset.Of(netset.UDP, uint16(i%5), uint16(i%5))))
	}
	h, n := hostOf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), &Numbers{}
	b.ReportAllocs()
	for b.Loop() {
		tables, diags := Render(p, h, monday, n)
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		b.ReportMetric(float64(len(tables.Policy)), "entries")
	}
}

// BenchmarkRenderPairs does so where each rule speaks of single pairs only.
func BenchmarkRenderPairs(b *testing.B) {
	p := estate(2001)
	for i := range 10000 {
		from, to := 1+(i*7919)%2000, 1+(i*104729)%2000
		if i%50 == 0 {
			from = 1 + i%10
		}
		p.Rules = append(p.Rules, rule(i, one(from), one(to), netset.Of(netset.TCP, uint16(1000+i%200), uint16(1000+i%200))))
	}
	h, n := hostOf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), &Numbers{}
	b.ReportAllocs()
	for b.Loop() {
		tables, diags := Render(p, h, monday, n)
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		b.ReportMetric(float64(len(tables.Policy)), "entries")
	}
}
