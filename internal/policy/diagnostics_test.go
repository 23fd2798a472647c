package policy_test

import (
	"strings"
	"testing"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
)

func TestDiagnostics(t *testing.T) {
	const allow = "  - {name: r, effect: allow, reason: x, "
	for _, c := range []struct {
		name, text string
		workloads  []inventory.Workload
		want       string // a line of the output; empty for no output at all
	}{
		{"nothing to say", shop, three(), ""},
		{"unknown service", rules("application", allow+"from: {service: bd}, to: {zone: web}}"), three(),
			"error unknown-reference: there is no service \"bd\"\n    help: did you mean \"db\"?"},
		{"unknown zone", rules("application", allow+"from: {zone: wbe}, to: {zone: web}}"), three(), `error unknown-reference: there is no zone "wbe"`},
		{"unassigned is a zone", rules("application", allow+"from: {zone: unassigned}, to: {zone: web}}"), three(), ""},
		{"unknown external", rules("application", allow+"from: {external: internets}, to: {zone: web}}"), three(), `help: did you mean "internet"?`},
		{"unknown port name", rules("application", allow+"from: {zone: web}, to: {service: db}, ports: [postgre]}"), three(),
			"error unknown-reference: no destination of rule r has a port named \"postgre\"\n    help: did you mean \"postgres\"?"},
		{"port name at an external", rules("application", allow+"from: {zone: web}, to: {external: psp}, ports: [http]}"), three(), "error bad-port: an External has no named ports"},
		{"port name that some lack", rules("application", allow+"from: {zone: web}, to: {select: tier}, ports: [http]}"), three(), "warning port-not-everywhere: 1 of 2"},
		{"empty zone", shop, three()[:2], "warning selector-matches-nothing: zone web selects no workload"},
		{"empty service", shop, three()[2:], "warning selector-matches-nothing: service db selects no workload"},
		{"empty select", rules("application", allow+"from: {select: teir=web}, to: {zone: web}}"), three(),
			"warning selector-matches-nothing: rule r selects no workload\n    help: no workload has a label teir; did you mean tier?"},
		{"a value of a rule's list that nobody has", rules("application", allow+"from: {select: 'tier in (web,dtaa)'}, to: {zone: web}}"), three(),
			"warning selector-value-matches-nothing: rule r lists tier=dtaa, which no workload has\n    help: did you mean tier=data?"},
		{"a list of which all are there", rules("application", allow+"from: {select: 'tier in (web,data)'}, to: {zone: web}}"), three(), ""},
		{"a value that is near to another of the list", rules("application", allow+"from: {select: 'tier in (web,wbe)'}, to: {zone: web}}"), three(),
			"lists tier=wbe, which no workload has\n    help: correct the value, or remove it"},
		{"a value that the rest of the selector excludes", rules("application", allow+"from: {select: 'tier in (web,data),app=db'}, to: {zone: web}}"), three(),
			""},
		{"many values that nobody has", rules("application", allow+"from: {select: 'tier in (web,a1,b2,c3,d4)'}, to: {zone: web}}"), three(),
			"lists tier=a1, tier=b2, tier=c3 and 1 more, which no"},
		{"a value of a zone's list that nobody has", strings.Replace(shop, "tier=web", "'tier in (web,edge)'", 1), three(), "warning selector-value-matches-nothing: zone web lists tier=edge, which no"},
		{"a value of a service's list that nobody has", strings.Replace(shop, "app=db", "'app in (db,bd)'", 1), three(), "warning selector-value-matches-nothing: service db lists app=bd, which no"},
		{"absence in an allow", rules("application", allow+"from: {select: tier!=web}, to: {zone: web}}"), three(), `warning selector-matches-absence: the selector "tier!=web" also allows workloads that lack the label`},
		{"absence in a deny", strings.Replace(rules("application", allow+"from: {select: tier!=web}, to: {zone: web}}"), "allow,", "deny,", 1), three(), ""},
		{"absence excluded", rules("application", allow+"from: {select: 'tier,tier!=web'}, to: {zone: web}}"), three(), ""},
		{"two zones", shop + "---\nkind: Zone\nmetadata: {name: extra}\nspec: {select: app=db}\n", three(), "error overlapping-zones: workload db-1 is in the zones data and extra"},
		{"range and an enforcing zone", rules("application", allow+"from: {cidr: 198.51.100.0/24}, to: {service: db}}"), three(), "error cidr-in-rule: rule r names an address range"},
		{"shared address", shop, []inventory.Workload{at(three()[0], "10.0.0.1"), three()[1], at(three()[2], "10.0.0.1")}, "warning shared-address: 10.0.0.1 belongs to workload db-1 and to workload web-1"},
		{"address elsewhere", shop, []inventory.Workload{at(three()[0], "192.0.2.1"), three()[1], three()[2]}, "warning address-outside-estate: the address 192.0.2.1 of workload db-1"},
		{"built-in address", shop, []inventory.Workload{at(three()[0], "127.0.0.1"), three()[1], three()[2]}, "error invalid-inventory: workload db-1 has the address 127.0.0.1, which is the loopback's"},
		{"unknown assigned zone", shop, []inventory.Workload{three()[0], three()[2], {Name: "host", Zone: "wb"}}, `error unknown-reference: there is no zone "wb"`},
		{"case of nobody", shop + "---\nkind: Case\nmetadata: {name: c}\nspec: {expect: [{from: {workload: web1}, to: {service: db}, port: postgrs, effect: deny}]}\n", three(),
			`error unknown-reference: there is no workload "web1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, list := resolve(t, c.text, c.workloads...)
			got := text(list)
			if c.want == "" && got != "" && !strings.Contains(c.text, "cidr:") {
				t.Errorf("unexpected:\n%s", got)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("missing %q in:\n%s", c.want, got)
			}
			if (p == nil) != list.HasErrors() {
				t.Errorf("policy is nil: %v, errors: %v", p == nil, list.HasErrors())
			}
		})
	}
}

func TestPriorityTies(t *testing.T) {
	two := func(tierA, ruleA, tierB, ruleB string) string {
		pol := func(name, tier, rule string) string {
			return "---\nkind: Policy\nmetadata: {name: " + name + "}\nspec: {" + tier + ", rules: [{name: r, reason: x, " + rule + "}]}\n"
		}
		return shop + pol("one", tierA, ruleA) + pol("two", tierB, ruleB)
	}
	const p10, p20, app = "tier: platform, priority: 10", "tier: platform, priority: 20", "tier: application"
	const web = "from: {zone: web}, to: {service: db}"
	for _, c := range []struct {
		name, text string
		tie        bool
	}{
		{"opposing", two(p10, "effect: allow, "+web, p10, "effect: deny, "+web), true},
		{"pass disagrees too", two(p10, "effect: pass, "+web, p10, "effect: deny, "+web), true},
		{"any meets all", two(p10, "effect: allow, from: {any: true}, to: {any: true}", p10, "effect: deny, "+web), true},
		{"agreeing", two(p10, "effect: deny, "+web, p10, "effect: deny, "+web), false},
		{"another priority", two(p10, "effect: allow, "+web, p20, "effect: deny, "+web), false},
		{"another tier", two(app, "effect: allow, "+web, app, "effect: deny, "+web), false},
		{"other ports", two(p10, "effect: allow, ports: [1/TCP], "+web, p10, "effect: deny, ports: [2/TCP], "+web), false},
		{"named port is a number", two(p10, "effect: allow, ports: [postgres], "+web, p10, "effect: deny, ports: [5000-6000/TCP], "+web), true},
		{"other ends", two(p10, "effect: allow, "+web, p10, "effect: deny, from: {zone: data}, to: {service: db}"), false},
		{"externals that overlap", two(p10, "effect: allow, from: {external: psp}, to: {zone: data}", p10, "effect: deny, from: {external: internet}, to: {zone: data}"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list := resolve(t, c.text, three()...)
			if got := strings.Contains(text(list), "priority-tie"); got != c.tie {
				t.Errorf("tie %v, want %v:\n%s", got, c.tie, text(list))
			}
		})
	}
}

func text(list diag.List) string {
	var b strings.Builder
	for _, d := range list {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}
