package policy_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

const shop = `
kind: Estate
metadata: {name: shop}
spec: {networks: [10.0.0.0/8, 10.1.0.0/16]}
---
kind: Zone
metadata: {name: web}
spec: {select: tier=web}
---
kind: Zone
metadata: {name: unassigned}
spec: {default: allow}
---
kind: Zone
metadata: {name: data}
spec: {select: tier=data, stage: enforce}
---
kind: Service
metadata: {name: db}
spec: {select: app=db, ports: [{name: postgres, port: 5432}]}
---
kind: External
metadata: {name: psp, owner: payments}
spec: {cidrs: [203.0.113.0/24, 203.0.113.7/32], reason: cards}
---
kind: External
metadata: {name: internet, owner: net}
spec: {cidrs: [0.0.0.0/0], reason: world}
`

func workload(name, labels string, ports ...inventory.Port) inventory.Workload {
	w := inventory.Workload{Name: name, Labels: map[string]string{}, Ports: ports}
	for pair := range strings.SplitSeq(labels, ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			w.Labels[k] = v
		}
	}
	return w
}

func at(w inventory.Workload, addrs ...string) inventory.Workload {
	for _, a := range addrs {
		w.Addresses = append(w.Addresses, netip.MustParseAddr(a))
	}
	return w
}

func three() []inventory.Workload {
	http := inventory.Port{Name: "http", Number: 8080}
	return []inventory.Workload{
		workload("db-1", "tier=data,app=db,noise=1"),
		workload("db-2", "tier=data,app=db,noise=2"),
		workload("web-1", "tier=web", http),
	}
}

func resolve(t *testing.T, text string, workloads ...inventory.Workload) (*policy.Policy, diag.List) {
	t.Helper()
	d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if list.HasErrors() {
		t.Fatalf("the text itself is wrong: %v", list)
	}
	return policy.Resolve(d, &inventory.Snapshot{Workloads: workloads})
}

func mustResolve(t *testing.T, text string, workloads ...inventory.Workload) *policy.Policy {
	t.Helper()
	p, list := resolve(t, text, workloads...)
	if p == nil {
		t.Fatalf("refused: %v", list)
	}
	return p
}

func rules(tier, rules string) string {
	return shop + "---\nkind: Policy\nmetadata: {name: p}\nspec:\n  tier: " + tier + "\n  rules:\n" + rules
}

func TestResolveGroupsWorkloadsByWhatRulesCanTell(t *testing.T) {
	p := mustResolve(t, shop, three()...)
	if len(p.Identities) != 2 || !slices.Equal(p.Identities[0].Workloads, []int{0, 1}) {
		t.Fatalf("identities: %+v", p.Identities)
	}
	if names := []string{p.Zones[0].Name, p.Zones[1].Name, p.Zones[2].Name}; !slices.Equal(names, []string{"web", "data", "unassigned"}) {
		t.Errorf("zones are %v: unassigned must be last", names)
	}
	if !p.Zones[2].Declared || !p.Zones[2].DefaultAllow {
		t.Errorf("unassigned: %+v", p.Zones[2])
	}
	if !slices.Equal(p.ZoneOf, []int{1, 1, 0}) || !slices.Equal(p.Services[0].Workloads, []int{0, 1}) || p.ServicesOf[2] != nil {
		t.Errorf("zones %v, services %v", p.ZoneOf, p.ServicesOf)
	}
	// One more label in a selector divides what was one identity.
	split := mustResolve(t, rules("application", "  - {name: r, effect: allow, from: {select: noise=1}, to: {zone: web}, ports: [http], reason: x}\n"), three()...)
	if len(split.Identities) != 3 || split.Identities[0].Key == p.Identities[0].Key {
		t.Errorf("identities: %+v", split.Identities)
	}
	if web, before := split.Identities[2].Key, p.Identities[1].Key; web == before {
		t.Errorf("a named port is part of the identity, but the key is still %q", web)
	}
}

func TestPrincipalsDivideIdentitiesOnlyWhereARuleMentionsOne(t *testing.T) {
	ws := three()
	ws[0].Principal = "id/one"
	if p := mustResolve(t, shop, ws...); p.IdentityOf[0] != p.IdentityOf[1] {
		t.Error("no rule mentions a principal, and yet it divides")
	}
	p := mustResolve(t, rules("application", "  - {name: r, effect: allow, from: {principal: id/one}, to: {zone: web}, reason: x}\n"), ws...)
	if p.IdentityOf[0] == p.IdentityOf[1] || !slices.Equal(p.Rules[0].From.Identities, []int{p.IdentityOf[0]}) {
		t.Errorf("identities %v, from %v", p.IdentityOf, p.Rules[0].From)
	}
}

func TestIdentityKeysDependOnNothingElse(t *testing.T) {
	a := mustResolve(t, shop, three()...)
	w := three()
	w = append([]inventory.Workload{workload("another", "tier=web,app=x")}, w...)
	b := mustResolve(t, shop, w...)
	if got, want := b.Identities[b.IdentityOf[1]].Key, a.Identities[a.IdentityOf[0]].Key; got != want {
		t.Errorf("the key changed from %q to %q because of another workload", want, got)
	}
}

func TestResolveEnds(t *testing.T) {
	ws := three()
	ws[2].Principal = "spiffe://shop/web"
	p := mustResolve(t, rules("application", `
  - {name: a, effect: allow, from: {any: true}, to: {service: db}, ports: [postgres], reason: x}
  - {name: b, effect: deny, from: {external: psp}, to: {zone: data}, reason: x}
  - {name: c, effect: allow, from: {principal: "spiffe://shop/web"}, to: {any: true}, ports: [53/UDP, http], reason: x, stage: enforce}
`), ws...)
	a, b, c := p.Rules[0], p.Rules[1], p.Rules[2]
	pg := netset.Of(netset.TCP, 5432, 5432)
	if !a.From.Any || len(a.Grants) != 1 || !a.Grants[0].Traffic.Equal(pg) || !slices.Equal(a.Grants[0].To.Identities, []int{0}) {
		t.Errorf("a: %+v", a)
	}
	if !slices.Equal(b.From.Externals, []int{0}) || b.Effect != policy.Deny || !b.Grants[0].Traffic.IsAll() {
		t.Errorf("b: %+v", b)
	}
	if !slices.Equal(c.From.Identities, []int{1}) || c.Stage != policy.Enforce || c.PortsText != "http; UDP 53" || c.ToText != "any" {
		t.Errorf("c: %+v", c)
	}
	want := []policy.Grant{
		{To: policy.Peers{Any: true}, Traffic: netset.Of(netset.UDP, 53, 53)},
		{To: policy.Peers{Identities: []int{1}}, Traffic: netset.Of(netset.TCP, 8080, 8080)},
	}
	if !reflect.DeepEqual(c.Grants, want) {
		t.Errorf("grants of c: %+v", c.Grants)
	}
	if a.Ref.File != "p.yaml" || a.Ref.Line == 0 || a.Ref.Policy != "p" || a.Ref.Rule != "a" {
		t.Errorf("ref: %+v", a.Ref)
	}
}

func TestRulesAreSortedByTierAndPriority(t *testing.T) {
	text := shop
	for _, p := range []struct{ name, tier string }{{"base", "baseline"}, {"late", "platform, priority: 20"}, {"app", "application"}, {"early", "platform, priority: 10"}} {
		text += "---\nkind: Policy\nmetadata: {name: " + p.name + "}\nspec: {tier: " + p.tier +
			", rules: [{name: r, effect: allow, from: {zone: web}, to: {zone: data}, reason: x}]}\n"
	}
	var got []string
	for _, r := range mustResolve(t, text, three()...).Rules {
		got = append(got, r.Ref.Policy)
	}
	if want := []string{"early", "late", "app", "base"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestPrefixesGiveEveryAddressOneMeaning(t *testing.T) {
	text := strings.Replace(shop, "10.1.0.0/16]", "10.1.0.0/16, 127.5.0.0/16]", 1) + `
---
kind: External
metadata: {name: inside}
spec: {cidrs: [10.2.0.0/16, 127.0.0.0/16, 198.51.100.0/24], reason: x}
`
	p := mustResolve(t, text, three()...)
	find := func(a string) policy.PrefixPeer {
		var best policy.PrefixPeer
		for _, x := range p.Prefixes() {
			if x.Prefix.Contains(netip.MustParseAddr(a)) && (!best.Prefix.IsValid() || x.Prefix.Bits() > best.Prefix.Bits()) {
				best = x
			}
		}
		return best
	}
	for _, c := range []struct {
		addr      string
		unknown   bool
		builtin   string
		externals []int
	}{
		{"203.0.113.7", false, "", []int{0, 1}},
		{"203.0.113.8", false, "", []int{0, 1}},
		{"8.8.8.8", false, "", []int{1}},
		{"198.51.100.1", false, "", []int{1, 2}},
		{"10.2.0.1", true, "", nil},
		{"10.1.0.1", true, "", nil},
		{"127.0.0.1", false, "loopback", nil},
		{"127.5.0.1", false, "loopback", nil},
		{"169.254.169.254", false, "metadata", nil},
		{"169.254.169.253", false, "resolver", nil},
		{"169.254.169.252", false, "", []int{1}},
		{"2001:db8::1", false, "", nil},
		{"::1", false, "loopback", nil},
	} {
		got := find(c.addr)
		if !got.Prefix.IsValid() || got.Unknown != c.unknown || got.Builtin != c.builtin || !slices.Equal(got.Externals, c.externals) {
			t.Errorf("%s is %+v, want %+v", c.addr, got, c)
		}
	}
}

// TestPrefixesOfManyRanges: the published ranges of a cloud, compared each with
// each, would take a hundred times as long.
func TestPrefixesOfManyRanges(t *testing.T) {
	const n = 60000
	p := &policy.Policy{Externals: []policy.External{{Name: "all", CIDRs: []netip.Prefix{netip.MustParsePrefix("64.0.0.0/2")}}, {Name: "cloud"}}}
	for i := range n {
		a := netip.AddrFrom4([4]byte{100, byte(i >> 8), byte(i), 0})
		p.Externals[1].CIDRs = append(p.Externals[1].CIDRs, netip.PrefixFrom(a, 24))
	}
	found := 0
	for _, x := range p.Prefixes() {
		if slices.Equal(x.Externals, []int{0, 1}) {
			found++
		}
	}
	if found != n {
		t.Errorf("%d ranges are in both Externals, want %d", found, n)
	}
}
