package ebpf

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// kernel looks decisions up exactly as the programs do.
type kernel struct {
	t       *layout.Tables
	matcher *matcher
}

func (k kernel) class(proto netset.Protocol, port uint16) uint16 {
	switch proto {
	case netset.ICMP:
		return layout.ClassICMP
	case netset.Other:
		return layout.ClassOther
	}
	for _, r := range k.t.Classes {
		if r.Protocol == uint8(proto) && r.Lo <= port && port <= r.Hi {
			return r.Class
		}
	}
	return layout.ClassAny
}

func (k kernel) decide(local, peer uint32, d flow.Direction, class uint16) (layout.PolicyValue, bool) {
	for _, key := range []layout.PolicyKey{
		{Local: local, Peer: peer, Class: class, Direction: d},
		{Local: local, Peer: peer, Class: layout.ClassAny, Direction: d},
		{Local: local, Peer: layout.AnyPeer, Class: class, Direction: d},
		{Local: local, Peer: layout.AnyPeer, Class: layout.ClassAny, Direction: d},
	} {
		if v, ok := k.t.Policy[key]; ok {
			return v, true
		}
	}
	return layout.PolicyValue{}, false
}

var addressPool = []netip.Addr{
	netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"),
	netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2"),
	netip.MustParseAddr("203.0.113.77"), // a workload may live outside the estate's networks
}

var strangers = []netip.Addr{
	netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("fd00::99"), netip.MustParseAddr("8.8.8.8"),
	netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("203.0.113.200"), netip.MustParseAddr("2001:db8::5"),
}

var portPool = []uint16{0, 1, 79, 80, 81, 443, 8000, 8040, 8080, 65535}

func drawTraffic(t *rapid.T) netset.Traffic {
	tr := netset.None()
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return netset.All()
		case 1:
			tr = tr.Union(netset.Of(netset.ICMP, 0, 0))
		case 2:
			tr = tr.Union(netset.Of(netset.Other, 0, 0))
		case 3:
			tr = tr.Union(netset.Of(netset.TCP, 0, 65535))
		default:
			a, b := rapid.SampledFrom(portPool).Draw(t, "lo"), rapid.SampledFrom(portPool).Draw(t, "hi")
			proto := rapid.SampledFrom([]netset.Protocol{netset.TCP, netset.UDP, netset.SCTP}).Draw(t, "proto")
			tr = tr.Union(netset.Of(proto, min(a, b), max(a, b)))
		}
	}
	return tr
}

func drawPeers(t *rapid.T, identities, externals int) policy.Peers {
	if rapid.IntRange(0, 4).Draw(t, "any") == 0 {
		return policy.Peers{Any: true}
	}
	p := policy.Peers{Not: rapid.IntRange(0, 2).Draw(t, "not") == 0}
	for i := range identities {
		if rapid.IntRange(0, 2).Draw(t, "in") == 0 {
			p.Identities = append(p.Identities, i)
		}
	}
	for i := range externals {
		if rapid.IntRange(0, 3).Draw(t, "x") == 0 {
			p.Externals = append(p.Externals, i)
		}
	}
	return p
}

func drawPolicy(t *rapid.T) *policy.Policy {
	p := &policy.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/16")}}
	for i, name := range []string{"a", "b", "unassigned"} {
		p.Zones = append(p.Zones, policy.Zone{
			Name: name, Stage: policy.Stage(rapid.IntRange(0, 2).Draw(t, "stage")),
			DefaultAllow: rapid.Bool().Draw(t, "default"), Pos: diag.Pos{File: "zones.yaml", Line: 10 * (i + 1)},
		})
	}
	p.Externals = []policy.External{
		{Name: "psp", CIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
		{Name: "half", CIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.128/25"), netip.MustParsePrefix("2001:db8::/32")}},
	}
	inv := &inventory.Snapshot{}
	idents := rapid.IntRange(2, 5).Draw(t, "identities")
	for i := range idents {
		id := policy.Identity{Key: fmt.Sprintf("app=%d", i), Zone: rapid.IntRange(0, 2).Draw(t, "zone")}
		for range rapid.IntRange(1, 2).Draw(t, "workloads") {
			w := inventory.Workload{Name: fmt.Sprintf("w%d", len(inv.Workloads))}
			if i == 0 {
				w.Name = HostWorkload("unassigned")
				id.Zone = 2
			} else {
				w.Addresses = rapid.SliceOfNDistinct(rapid.SampledFrom(addressPool), 0, 3, rapid.ID).Draw(t, "addresses")
			}
			id.Workloads = append(id.Workloads, len(inv.Workloads))
			p.IdentityOf = append(p.IdentityOf, i)
			inv.Workloads = append(inv.Workloads, w)
			if i == 0 {
				break
			}
		}
		p.Identities = append(p.Identities, id)
	}
	p.Inventory = inv
	for i := range rapid.IntRange(0, 9).Draw(t, "rules") {
		r := policy.Rule{
			Ref:    flow.Rule{Policy: "p", Rule: fmt.Sprint("r", i), File: "rules.yaml", Line: i + 1},
			Tier:   policy.Tier(rapid.IntRange(0, 4).Draw(t, "tier")),
			Effect: policy.Effect(rapid.IntRange(0, 1).Draw(t, "effect")),
			Stage:  policy.Stage(rapid.IntRange(0, 2).Draw(t, "rulestage")),
			From:   drawPeers(t, idents, len(p.Externals)),
		}
		if r.Tier == policy.Platform {
			r.Priority = i // ties are refused before a policy is resolved
			r.Effect = policy.Effect(rapid.IntRange(0, 2).Draw(t, "platformeffect"))
		}
		switch r.Tier {
		case policy.Guardrails:
			r.Effect = policy.Deny
		case policy.Exceptions:
			r.Effect = policy.Allow
		}
		r.Cond = drawCond(t, r.Effect, r.Tier)
		for range rapid.IntRange(1, 2).Draw(t, "grants") {
			r.Grants = append(r.Grants, policy.Grant{To: drawPeers(t, idents, len(p.Externals)), Traffic: drawTraffic(t)})
		}
		p.Rules = append(p.Rules, r)
	}
	slices.SortStableFunc(p.Rules, func(a, b policy.Rule) int { return int(a.Tier) - int(b.Tier) })
	return p
}

func drawHost(t *rapid.T, p *policy.Policy) Host {
	h := Host{Zone: "unassigned"}
	for i, w := range p.Inventory.Workloads[1:] {
		if rapid.Bool().Draw(t, "cgroup") {
			h.Cgroups = append(h.Cgroups, Cgroup{ID: uint64(100 + i), Workload: w.Name})
		}
	}
	h.OwnAddresses = rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(addressPool), strangers...)), 0, 4, rapid.ID).Draw(t, "own")
	return h
}

// TestTablesSayWhatThePolicySays compares, for random policies and hosts, what
// the kernel would look up with an evaluation of every rule, for every end on
// the host, every kind of far end and the ports around every border.
func TestTablesSayWhatThePolicySays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		h := drawHost(t, p)
		n := &Numbers{}
		tables, diags := Render(p, h, monday, n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		k := kernel{tables, newMatcher(tables.Addresses)}
		rules := Rules(p, n)
		for local, idents := range ends(t, p, h, k) {
			for _, a := range append(slices.Clone(addressPool), strangers...) {
				far, _ := k.matcher.find(a)
				checkEnd(t, p, k, rules, local, idents, far.Peer, farOf(p, a))
			}
		}
	})
}

// ends lists the local numbers in use and the identities behind each, worked
// out from the host, not from the tables.
func ends(t *rapid.T, p *policy.Policy, h Host, k kernel) map[uint32][]int {
	out := map[uint32][]int{k.t.HostIdentity: {p.IdentityOf[0]}}
	here := map[int]bool{}
	for i, w := range p.Inventory.Workloads {
		for _, c := range h.Cgroups {
			if c.Workload == w.Name {
				here[i] = true
				at := slices.IndexFunc(k.t.Cgroups, func(x layout.Cgroup) bool { return x.ID == c.ID })
				out[k.t.Cgroups[at].Local] = []int{p.IdentityOf[i]}
			}
		}
		for _, a := range h.OwnAddresses {
			here[i] = here[i] || slices.Contains(w.Addresses, a)
		}
	}
	for _, a := range append(slices.Clone(addressPool), strangers...) {
		e, _ := k.matcher.find(a)
		owned, mine, own := 0, []int(nil), slices.Contains(h.OwnAddresses, a)
		for i, w := range p.Inventory.Workloads {
			if slices.Contains(w.Addresses, a) {
				owned++
				if here[i] {
					mine = append(mine, p.IdentityOf[i])
				}
			}
		}
		if (e.Flags&layout.Workload != 0) != (owned > 0) || (e.Flags&layout.Shared != 0) != (owned > 1) || (e.Flags&layout.Own != 0) != own {
			t.Fatalf("%s: flags %b with %d owners, own=%v", a, e.Flags, owned, own)
		}
		switch {
		case mine != nil:
			out[e.Local] = mine
		case own && owned == 0:
			if e.Local != k.t.HostIdentity {
				t.Fatalf("%s is the host's own but has local identity %d", a, e.Local)
			}
		case e.Local != 0:
			t.Fatalf("%s is not on this host but has local identity %d", a, e.Local)
		}
	}
	return out
}

func checkEnd(t *rapid.T, p *policy.Policy, k kernel, rules map[uint32]flow.Rule, local uint32, idents []int, peer uint32, far farEnd) {
	for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
		for proto := range netset.NumProtocols {
			for _, port := range portPool {
				v, ok := k.decide(local, peer, d, k.class(proto, port))
				if !ok {
					t.Fatalf("no entry for local %d %s", local, d)
				}
				checkVerdict(t, says{v.AllowInForce, rules[v.InForceRule]}, v.InForceUntil, p, idents, d, far, proto, port, true)
				checkVerdict(t, says{v.AllowToCome, rules[v.ToComeRule]}, v.ToComeUntil, p, idents, d, far, proto, port, false)
			}
		}
	}
}

func checkVerdict(t *rapid.T, got says, until int64, p *policy.Policy, idents []int, d flow.Direction, far farEnd, proto netset.Protocol, port uint16, inForce bool) {
	describe := func() string {
		return fmt.Sprintf("%s of identities %v, far end %+v, %s %d, in force %v", d, idents, far, proto, port, inForce)
	}
	want, by := slowAddress(p, idents, d, far, proto, port, asked{inForce: inForce, at: monday})
	if got.allow != want {
		t.Fatalf("%s:\n got %+v\nwant %v by one of %v", describe(), got, want, by)
	}
	if !slices.Contains(by, got.ref) && !hasRequests(p) { // of requests, several rules may be named
		t.Fatalf("%s: named is %v, want one of %v", describe(), got.ref, by)
	}
	if !timed(p) || !got.allow {
		if until != 0 {
			t.Fatalf("%s: ends at %s", describe(), time.Unix(0, until).UTC())
		}
		return
	}
	ends := time.Unix(0, until).UTC()
	allowed := func(at time.Time) bool {
		is, _ := slowAddress(p, idents, d, far, proto, port, asked{inForce: inForce, at: at})
		return is
	}
	for i, at := range sampleTimes {
		if (i+int(port)+int(proto))%9 == 0 && !allowed(at) && (until == 0 || at.Before(ends)) {
			t.Fatalf("%s: not allowed at %s, and ends at %v %s", describe(), at, until != 0, ends)
		}
	}
	if until != 0 && len(idents) == 1 && !ends.Equal(horizonOf(monday)) && allowed(ends) {
		t.Fatalf("%s: ends at %s, and is allowed then", describe(), ends)
	}
}

func hasRequests(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Cond != nil && r.Cond.HTTP != nil })
}

func timed(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
		return r.Cond != nil && (r.Cond.When != nil || !r.Cond.Expires.IsZero())
	})
}

func horizonOf(at time.Time) time.Time { return at.Add(Horizon).Truncate(24 * time.Hour) }

// monday is when most tests render: a Monday at 10:30.
var monday = time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC)

// The times that are drawn are of these; sampleTimes has one between each two.
var (
	minutePool  = []int{0, 600, 630, 660, 720, 1440}
	expiryPool  = []time.Duration{-time.Hour, 0, 45 * time.Minute, 30 * time.Hour, 30 * 24 * time.Hour}
	sampleTimes = func() (out []time.Time) {
		for day := range 11 {
			for _, minute := range []int{0, 300, 610, 640, 670, 800, 1000} {
				if at := monday.Truncate(24 * time.Hour).Add(time.Duration(day*24*60+minute) * time.Minute); at.After(monday) {
					out = append(out, at)
				}
			}
		}
		return append(out, monday.AddDate(0, 0, 29), monday.AddDate(0, 0, 31))
	}()
)

// drawCond draws what a rule demands; mostly nothing.
func drawCond(t *rapid.T, effect policy.Effect, tier policy.Tier) *policy.Condition {
	var c policy.Condition
	switch rapid.IntRange(0, 7).Draw(t, "cond") {
	case 0:
		c.HTTP = []policy.HTTP{{Methods: []string{"GET"}}}
	case 1:
		c.MTLS = effect == policy.Allow
	case 2, 3:
		lo := rapid.SampledFrom(minutePool[:5]).Draw(t, "lo")
		hi := rapid.SampledFrom(minutePool[1:]).Filter(func(m int) bool { return m != lo }).Draw(t, "hi")
		c.When = &policy.Window{Lo: lo, Hi: hi, Days: rapid.SampledFrom([]uint8{everyDay, 0b10, 0b1110, 0b1000001}).Draw(t, "days"), Location: time.UTC}
	}
	if tier == policy.Exceptions {
		c.When, c.Expires = nil, monday.Add(rapid.SampledFrom(expiryPool).Draw(t, "expires"))
	}
	if c.HTTP == nil && !c.MTLS && c.When == nil && c.Expires.IsZero() {
		return nil
	}
	return &c
}
