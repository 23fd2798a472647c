package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// The resolved policy, evaluated by the few lines below, must say what the
// reference evaluator says about the text it came from.

func drawText(t *rapid.T) string {
	pick := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	var b strings.Builder
	fmt.Fprintf(&b, "kind: Estate\nmetadata: {name: e}\nspec: {networks: [%s]}\n", pick("10.0.0.0/8", "10.0.0.0/30, 10.0.0.0/24", "0.0.0.0/0", "fd00::/8"))
	zoneSpec := func() string {
		return "stage: " + pick("observe", "alert", "enforce") + ", default: " + pick("allow", "deny")
	}
	fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: web}\nspec: {select: tier=web, %s}\n", zoneSpec())
	fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: data}\nspec: {select: '%s', %s}\n", pick("tier=data", "tier in (data,x)", "tier,tier!=web"), zoneSpec())
	if rapid.Bool().Draw(t, "declared") {
		fmt.Fprintf(&b, "---\nkind: Zone\nmetadata: {name: unassigned}\nspec: {%s}\n", zoneSpec())
	}
	fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: s}\nspec: {select: %s, ports: [{name: http, port: 80}, {name: alt, port: 8080}]}\n", pick("env=prod", "tier=web"))
	fmt.Fprintf(&b, "---\nkind: Service\nmetadata: {name: u}\nspec: {select: env, ports: [{name: http, port: 53, protocol: UDP}]}\n")
	fmt.Fprintf(&b, "---\nkind: External\nmetadata: {name: x}\nspec: {cidrs: [%s], reason: r}\n", pick("203.0.113.0/24", "0.0.0.0/0", "126.0.0.0/7, 10.0.0.0/25", "'::/0'"))
	fmt.Fprintf(&b, "---\nkind: External\nmetadata: {name: y}\nspec: {cidrs: [203.0.113.128/25, 'fc00::/7'], reason: r}\n")
	for i := range rapid.IntRange(1, 3).Draw(t, "policies") {
		tier, effects := pick("tier: application", "tier: baseline", fmt.Sprintf("tier: platform, priority: %d", i+1)), []string{"allow", "deny"}
		if strings.Contains(tier, "platform") { // rules of one priority may not disagree
			effects = []string{pick("allow", "deny", "pass")}
		}
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d}\nspec: {%s, rules: [\n", i, tier)
		for j := range rapid.IntRange(1, 3).Draw(t, "rules") {
			fmt.Fprintf(&b, "  {name: r%d, effect: %s, stage: %s, from: {%s}, to: {%s}, reason: r%s},\n", j, pick(effects...), pick("observe", "alert", "enforce", "enforce"),
				drawEnd(pick), drawEnd(pick), pick("", "", ", ports: [80/TCP]", ", ports: [http]", ", ports: [http, alt]", ", ports: [icmp, 50-100/TCP]", ", ports: [http, 53/UDP]"))
		}
		b.WriteString("]}\n")
	}
	drawGuardrails(t, &b, pick)
	return b.String()
}

func drawGuardrails(t *rapid.T, b *strings.Builder, pick func(...string) string) {
	ports := func() string {
		return pick("", "", ", ports: [80/TCP]", ", ports: [http]", ", ports: [http, 53/UDP]")
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "guardrails") {
		says := "never: {from: {" + drawEnd(pick) + "}, to: {" + drawEnd(pick) + "}"
		switch pick("never", "guards to", "guards from") {
		case "guards to":
			says = "only: {to: {" + drawEnd(pick) + "}, from: [{" + drawEnd(pick) + "}, {" + drawEnd(pick) + "}]"
		case "guards from":
			says = "only: {from: {" + drawEnd(pick) + "}, to: [{" + drawEnd(pick) + "}, {" + drawEnd(pick) + "}]"
		}
		fmt.Fprintf(b, "---\nkind: Guardrail\nmetadata: {name: g%d}\nspec: {stage: %s, %s%s}}\n", i, pick("observe", "enforce"), says, ports())
	}
	if rapid.Bool().Draw(t, "exception") {
		fmt.Fprintf(b, "---\nkind: Exception\nmetadata: {name: e, owner: o}\nspec: {from: {%s}, to: {%s}%s, ticket: T-1, approver: a, reason: r, expires: 2030-01-01T00:00:00Z}\n", drawEnd(pick), drawEnd(pick), ports())
	}
}

func drawEnd(pick func(...string) string) string {
	return pick("any: true", "zone: web", "zone: data", "zone: unassigned", "service: s", "service: u", "external: x", "external: y",
		"select: env!=prod", "select: tier", "select: '!env'", "principal: id/a", "principal: 'system:serviceaccount:n:a'")
}

var addressPool = []string{"10.0.0.1", "10.0.0.2", "10.0.0.200", "203.0.113.200", "fd00::1"}

func drawInventory(t *rapid.T) *inventory.Snapshot {
	snap := &inventory.Snapshot{}
	for i := range rapid.IntRange(1, 4).Draw(t, "workloads") {
		w := inventory.Workload{Name: fmt.Sprintf("w%d", i), Labels: map[string]string{}}
		if v := rapid.SampledFrom([]string{"", "web", "data", "x"}).Draw(t, "tier"); v != "" {
			w.Labels["tier"] = v
		}
		if v := rapid.SampledFrom([]string{"", "prod", "dev"}).Draw(t, "env"); v != "" {
			w.Labels["env"] = v
		}
		w.Labels["irrelevant"] = w.Name
		if of := rapid.SampledFrom([]string{"", "", "spiffe/id", "aws/role"}).Draw(t, "other principal"); of != "" {
			w.Labels[of] = "id/a"
		}
		if rapid.Bool().Draw(t, "account") {
			w.Labels["k8s/serviceaccount"], w.Labels["k8s/namespace"] = "a", rapid.SampledFrom([]string{"n", "m"}).Draw(t, "namespace")
		}
		w.Principal = rapid.SampledFrom([]string{"", "id/a"}).Draw(t, "principal")
		w.Zone = rapid.SampledFrom([]string{"", "", "", "web"}).Draw(t, "zone")
		for range rapid.IntRange(0, 2).Draw(t, "addresses") {
			a := netip.MustParseAddr(rapid.SampledFrom(addressPool).Draw(t, "address"))
			if !slices.Contains(w.Addresses, a) {
				w.Addresses = append(w.Addresses, a)
			}
		}
		for range rapid.IntRange(0, 1).Draw(t, "ports") {
			w.Ports = append(w.Ports, inventory.Port{Name: "http", Number: rapid.SampledFrom([]uint16{80, 81}).Draw(t, "number")})
		}
		snap.Workloads = append(snap.Workloads, w)
	}
	return snap
}

// end is one party as the resolved policy sees it: identities that may be
// behind it, or what its longest prefix says.
type end struct {
	identities []int
	prefix     policy.PrefixPeer
}

func endOf(p *policy.Policy, table []policy.PrefixPeer, a netip.Addr) end {
	var e end
	for i, w := range p.Inventory.Workloads {
		if slices.Contains(w.Addresses, a) {
			e.identities = append(e.identities, p.IdentityOf[i])
		}
	}
	for _, x := range table {
		if x.Prefix.Contains(a) && (!e.prefix.Prefix.IsValid() || x.Prefix.Bits() > e.prefix.Prefix.Bits()) {
			e.prefix = x
		}
	}
	return e
}

func speaks(p policy.Peers, identity int, prefix policy.PrefixPeer) bool {
	if identity >= 0 {
		return p.Identity(identity)
	}
	return p.Address(prefix.Externals)
}

// tiny evaluates one pair, at the end that is in the zone.
func tiny(p *policy.Policy, from, to int, fromPrefix, toPrefix policy.PrefixPeer, zone int, proto netset.Protocol, port uint16, inForce bool) (bool, flow.Rule) {
	var allow *policy.Rule
	passed, tier := false, policy.Platform
	for i := range p.Rules {
		r := &p.Rules[i]
		if allow != nil && r.Tier != tier {
			break
		}
		if inForce && r.Stage != policy.Enforce || passed && r.Tier == policy.Platform || !speaks(r.From, from, fromPrefix) ||
			!slices.ContainsFunc(r.Grants, func(g policy.Grant) bool { return g.Traffic.Contains(proto, port) && speaks(g.To, to, toPrefix) }) {
			continue
		}
		switch {
		case r.Effect == policy.Pass:
			passed = true
		case r.Effect == policy.Deny:
			return false, r.Ref
		case r.Tier == policy.Platform:
			return true, r.Ref
		case allow == nil:
			allow, tier = r, r.Tier
		}
	}
	if allow != nil {
		return true, allow.Ref
	}
	z := p.Zones[zone]
	if z.DefaultAllow || inForce && z.Stage != policy.Enforce {
		return true, flow.Rule{Rule: "default-allow", File: z.Pos.File, Line: z.Pos.Line}
	}
	return false, flow.Rule{Rule: "default-deny", File: z.Pos.File, Line: z.Pos.Line}
}

// verdict asks every managed end about every owner of the other.
func verdict(p *policy.Policy, from, to end, proto netset.Protocol, port uint16, inForce bool) (managed, passes bool) {
	passes = true
	or := func(ids []int) []int {
		if len(ids) == 0 {
			return []int{-1}
		}
		return ids
	}
	for _, f := range or(from.identities) {
		for _, t := range or(to.identities) {
			for _, local := range []int{f, t} {
				if local >= 0 {
					ok, _ := tiny(p, f, t, from.prefix, to.prefix, p.Identities[local].Zone, proto, port, inForce)
					managed, passes = true, passes && ok
				}
			}
		}
	}
	return managed, managed && passes
}

func TestResolvedPolicyAgreesWithTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, inv := drawText(t), drawInventory(t)
		d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
		if list.HasErrors() {
			t.Fatalf("the generator wrote bad text: %v\n%s", list, text)
		}
		p, list := policy.Resolve(d, inv)
		if p == nil {
			t.Skip(list)
		}
		e, table := semantics.New(d, inv), p.Prefixes()
		addrs := append([]string{"127.0.0.1", "169.254.169.254", "10.0.0.3", "10.9.0.1", "203.0.113.5", "203.0.113.129", "8.8.8.8", "2001:db8::1", "fd00::2", "fc00::1"}, addressPool...)
		for range 60 {
			a, b := netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "a")), netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "b"))
			proto := netset.Protocol(rapid.IntRange(0, int(netset.NumProtocols)-1).Draw(t, "proto"))
			port := rapid.SampledFrom([]uint16{0, 49, 50, 53, 80, 81, 100, 101, 8080, 65535}).Draw(t, "port")
			from, to := endOf(p, table, a), endOf(p, table, b)
			want := e.Decide(e.Address(a), e.Address(b), proto, port, flow.Circumstances{})
			summary := e.Summarize(e.Address(a), e.Address(b), false, flow.Circumstances{})
			if got := summary.Permitted.Contains(proto, port); got != (want.ToCome == flow.Forwarded) {
				t.Fatalf("%s → %s %s %d: the summary says %v, the decision %v\n%s", a, b, proto, port, got, want.ToCome, text)
			}
			if len(from.identities) == 0 && from.prefix.Builtin != "" || len(to.identities) == 0 && to.prefix.Builtin != "" {
				if want.InForceRule.Policy != "builtin" {
					t.Fatalf("%s → %s: %+v", a, b, want)
				}
				continue
			}
			managed, passes := verdict(p, from, to, proto, port, false)
			_, now := verdict(p, from, to, proto, port, true)
			if managed != (want.ToCome != flow.Unjudged) || passes != (want.ToCome == flow.Forwarded) || now != (want.InForce == flow.Forwarded || want.InForce == flow.Audited) {
				t.Fatalf("%s → %s %s %d: resolved: managed %v, to come %v, in force %v; semantics: %+v\n%s", a, b, proto, port, managed, passes, now, want, text)
			}
		}
	})
}

// The rule that is named must be the same too, at each end of two workloads.
func TestResolvedPolicyNamesTheSameRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, inv := drawText(t), drawInventory(t)
		d, _ := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
		p, list := policy.Resolve(d, inv)
		if p == nil {
			t.Skip(list)
		}
		e := semantics.New(d, inv)
		for i, a := range inv.Workloads {
			for j, b := range inv.Workloads {
				from, _ := e.Workload(a.Name)
				to, _ := e.Workload(b.Name)
				got := e.Decide(from, to, netset.TCP, 80, flow.Circumstances{})
				for k, id := range []int{i, j} {
					for _, inForce := range []bool{false, true} {
						permits, rule := tiny(p, p.IdentityOf[i], p.IdentityOf[j], policy.PrefixPeer{}, policy.PrefixPeer{}, p.ZoneOf[id], netset.TCP, 80, inForce)
						said := got.Ends[k].ToCome
						if inForce {
							said = got.Ends[k].InForce
						}
						if said.Permits != permits || said.Rule != rule {
							t.Fatalf("%s → %s at end %d, in force %v: resolved %v by %v, semantics %v by %v\n%s", a.Name, b.Name, k, inForce, permits, rule, said.Permits, said.Rule, text)
						}
					}
				}
			}
		}
	})
}
