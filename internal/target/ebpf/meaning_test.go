package ebpf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
)

// meaningText draws a policy over two zones, two services, which overlap, and
// two Externals, of which one contains the other.
func meaningText(t *rapid.T) string {
	pick := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	end := func() string {
		return pick("any: true", "zone: front", "zone: back", "zone: unassigned", "service: api", "service: log",
			"external: net", "external: half", "select: team=x", "select: team!=x")
	}
	var b strings.Builder
	b.WriteString("kind: Estate\nmetadata: {name: e}\nspec: {networks: [10.0.0.0/8, 'fd00::/16']}\n")
	for _, z := range []string{"metadata: {name: front}\nspec: {select: side=front", "metadata: {name: back}\nspec: {select: side=back", "metadata: {name: unassigned}\nspec: {sensitivity: internal"} {
		fmt.Fprintf(&b, "---\nkind: Zone\n%s, stage: %s, default: %s}\n", z, pick("observe", "enforce"), pick("deny", "allow"))
	}
	b.WriteString("---\nkind: Service\nmetadata: {name: api}\nspec: {select: app=api, ports: [{name: main, port: 8080}]}\n")
	b.WriteString("---\nkind: Service\nmetadata: {name: log}\nspec: {select: side=back, ports: [{name: main, port: 514, protocol: UDP}]}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: net, owner: o}\nspec: {cidrs: [0.0.0.0/0], reason: r}\n")
	b.WriteString("---\nkind: External\nmetadata: {name: half, owner: o}\nspec: {cidrs: [203.0.113.0/25, 'fd00::/8'], reason: r}\n")
	for i := range rapid.IntRange(1, 5).Draw(t, "policies") {
		tier, effect := pick("application", "baseline"), pick("allow", "allow", "deny")
		if pick("y", "n", "n") == "y" {
			tier, effect = fmt.Sprintf("platform, priority: %d", i+1), pick("allow", "deny", "pass")
		}
		fmt.Fprintf(&b, "---\nkind: Policy\nmetadata: {name: p%d}\nspec:\n  tier: %s\n  stage: %s\n  rules:\n", i, strings.Replace(tier, ", ", "\n  ", 1), pick("enforce", "observe"))
		for j := range rapid.IntRange(1, 2).Draw(t, "rules") {
			to, ports := end(), pick("", "", ", ports: [8000-8080/TCP]", ", ports: [icmp, 514/UDP]")
			if strings.HasPrefix(to, "service") { // of others, not all have a port of that name
				ports = pick(ports, ", ports: [main]", ", ports: [8080/TCP, main]")
			}
			when := pick("", "", "", ", when: {hours: '10:30-11:00'}", ", when: {hours: '06:00-10:30', days: [mon]}", ", when: {hours: '22:00-11:31', timeZone: Europe/Berlin}")
			fmt.Fprintf(&b, "  - {name: r%d, effect: %s, from: {%s}, to: {%s}%s%s}\n", j, effect, end(), to, ports, when)
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "guardrails") {
		what := fmt.Sprintf("never: {from: {%s}, to: {%s}%s}", end(), end(), pick("", ", ports: [8000-8080/TCP]"))
		if pick("y", "n") == "y" {
			what = pick(fmt.Sprintf("only: {to: {%s}, from: [{%s}, {%s}]}", end(), end(), end()), fmt.Sprintf("only: {from: {%s}, to: [{%s}], ports: [8080/TCP]}", end(), end()))
		}
		fmt.Fprintf(&b, "---\nkind: Guardrail\nmetadata: {name: g%d}\nspec: {stage: %s, %s}\n", i, pick("enforce", "observe"), what)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "exceptions") {
		expires := pick("2026-11-23T10:30:00Z", "2026-11-23T11:30:01+01:00", "2027-01-01T00:00:00Z")
		fmt.Fprintf(&b, "---\nkind: Exception\nmetadata: {name: x%d, owner: o}\nspec: {from: {%s}, to: {%s}%s, ticket: t, approver: a, expires: '%s'}\n", i, end(), end(), pick("", ", ports: [514/UDP, 8080/TCP]"), expires)
	}
	return b.String()
}

func meaningInventory(t *rapid.T) *inventory.Snapshot {
	snap := &inventory.Snapshot{Workloads: []inventory.Workload{{Name: HostWorkload("unassigned"), Zone: "unassigned"}}}
	for i := range rapid.IntRange(1, 4).Draw(t, "workloads") {
		w := inventory.Workload{Name: fmt.Sprintf("w%d", i), Labels: map[string]string{}}
		for key, values := range map[string][]string{"side": {"front", "back"}, "app": {"api", "other"}, "team": {"x", "y"}} {
			if v := rapid.SampledFrom(append(values, "")).Draw(t, key); v != "" {
				w.Labels[key] = v
			}
		}
		w.Addresses = rapid.SliceOfNDistinct(rapid.SampledFrom(addressPool), 0, 2, rapid.ID).Draw(t, "addresses")
		slices.SortFunc(w.Addresses, netip.Addr.Compare)
		if rapid.Bool().Draw(t, "ports") {
			w.Ports = []inventory.Port{{Name: "main", Number: 7999}}
		}
		snap.Workloads = append(snap.Workloads, w)
	}
	for i, a := range vips[:rapid.IntRange(0, 2).Draw(t, "frontends")] {
		f := inventory.Frontend{Name: fmt.Sprintf("f%d", i), Addresses: []netip.Addr{a}, Rewrites: "destination"}
		switch rapid.IntRange(0, 2).Draw(t, "to") {
		case 0:
			f.ToService = "api"
		case 1:
			f.ToService = "log"
		default:
			f.Workloads = []string{"w0"}
		}
		f.Ports = []inventory.FrontendPort{{Number: 8080, TargetName: "main"}, {Number: 8081, Target: 8080}, {Number: 513, Target: 514, Protocol: netset.UDP}}[:rapid.IntRange(1, 3).Draw(t, "served")]
		snap.Frontends = append(snap.Frontends, f)
	}
	return snap
}

// TestTablesMeanWhatTheTextMeans compares what the kernel would look up with
// the reference evaluator, which reads the text itself: for the host's own
// processes and every workload, as each end, towards every kind of address.
func TestTablesMeanWhatTheTextMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(meaningText(t))}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		inv := meaningInventory(t)
		p, diags := policy.Resolve(tree, inv)
		if slices.ContainsFunc(diags, func(d diag.Diagnostic) bool {
			return d.Code == "exception-pierces-guardrail" || d.Code == "contradictory-guardrails"
		}) {
			t.Skip("what is drawn contradicts itself")
		}
		if p == nil {
			t.Fatal(diags)
		}
		h := Host{Zone: "unassigned"}
		for i, w := range p.Inventory.Workloads[1:] {
			h.Cgroups = append(h.Cgroups, Cgroup{ID: uint64(i + 1), Workload: w.Name})
		}
		n := &Numbers{}
		tables, diags := Render(p, h, monday, n)
		if tables == nil {
			t.Fatal(diags)
		}
		k, rules := kernel{tables, newMatcher(tables.Addresses)}, Rules(p, n)
		reference := semantics.New(tree, inv)
		for i := range p.Inventory.Workloads {
			local := tables.HostIdentity
			if i > 0 {
				local = tables.Cgroups[i-1].Local
			}
			for _, a := range slices.Concat(addressPool, strangers, vips) {
				compareEnd(t, reference, k, rules, p.Inventory.Workloads[i].Name, local, a)
			}
		}
	})
}

// vips are addresses of frontends, one among unknown ones and one in Externals.
var vips = []netip.Addr{netip.MustParseAddr("10.8.0.1"), netip.MustParseAddr("203.0.113.8")}

// compareFrontend wants what all ends say that judge a conversation with what
// is behind a frontend, one for each.
func compareFrontend(t *rapid.T, ends []semantics.End, k kernel, rules map[uint32]flow.Rule, local, peer uint32, proto netset.Protocol, port uint16) {
	got, ok := k.decide(local, peer, flow.Egress, k.class(proto, port))
	inForce, toCome := says{allow: got.AllowInForce, ref: rules[got.InForceRule]}, says{allow: got.AllowToCome, ref: rules[got.ToComeRule]}
	refuses, willRefuse, named, willBeNamed := false, false, false, false
	for _, e := range ends {
		refuses, willRefuse = refuses || !e.InForce.Permits, willRefuse || !e.ToCome.Permits
		named = named || (says{e.InForce.Permits, e.InForce.Rule}) == inForce
		willBeNamed = willBeNamed || (says{e.ToCome.Permits, e.ToCome.Rule}) == toCome
	}
	if !ok || inForce.allow == refuses || toCome.allow == willRefuse || !named || !willBeNamed {
		t.Fatalf("to a frontend, %s %d: got %+v and %+v, want what all of %+v say", proto, port, inForce, toCome, ends)
	}
}

func compareEnd(t *rapid.T, reference *semantics.Evaluator, k kernel, rules map[uint32]flow.Rule, name string, local uint32, a netip.Addr) {
	here, _ := reference.Workload(name)
	there := reference.Address(a)
	entry, _ := k.matcher.find(a)
	for proto := range netset.NumProtocols {
		for _, port := range []uint16{0, 513, 514, 515, 7999, 8000, 8080, 8081, 65535} {
			for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
				from, to := here, there
				if d == flow.Ingress {
					from, to = there, here
				}
				ends := reference.Decide(from, to, proto, port, flow.Circumstances{At: monday}).Ends
				ends = slices.DeleteFunc(ends, func(e semantics.End) bool { return e.Direction != d || e.Workload != name })
				if there.Frontend != nil && d == flow.Egress {
					compareFrontend(t, ends, k, rules, local, entry.Peer, proto, port)
					continue
				}
				at := len(ends) - 1
				got, ok := k.decide(local, entry.Peer, d, k.class(proto, port))
				if at < 0 || !ok {
					t.Fatalf("%s %s %s: no answer (%v, %v)", d, name, a, ends, ok)
				}
				want, shared := ends[at], len(there.Owners) > 1
				if got.AllowInForce != want.InForce.Permits || got.AllowToCome != want.ToCome.Permits ||
					!shared && (rules[got.InForceRule] != want.InForce.Rule || rules[got.ToComeRule] != want.ToCome.Rule) {
					t.Fatalf("%s %s %s, %s %d:\n got %+v by %v and %v\nwant %+v", d, name, a, proto, port, got, rules[got.InForceRule], rules[got.ToComeRule], want)
				}
			}
		}
	}
}
