package lang

import (
	"fmt"
	"strings"
	"testing"
)

// templated is a policy with one entry that a template makes into rules. The
// parameters begin behind "with: {".
func templated(template, with string) string {
	return ruleHead + "{name: n, template: " + template + ", with: {" + with + "}}"
}

var templateCases = []diagnosticCase{
	{"three tiers", templated("three-tiers", "web: {zone: w}, app: {service: a}, data: {select: d=e}, appPorts: [http], dataPorts: [1/TCP]"), ""},
	{"database access", templated("database-access", "clients: [{service: a}, {select: b=c}], database: {service: d}, ports: [1/TCP], mtls: true"), ""},
	{"shared logging", templated("shared-logging", "from: {any: true}, to: {service: l}, ports: [514/UDP]"), ""},
	{"egress by name", templated("egress-by-name", "from: [{zone: a}], to: {external: x}"), ""},
	{"no template", templated("two-tiers", "a: b"), "5:25 bad-template"},
	{"a template without parameters", ruleHead + "{name: n, template: three-tiers}", "5:5 missing-field"},
	{"a template without name", ruleHead + "{template: egress-by-name, with: {from: {zone: a}, to: {external: x}}}", "5:5 missing-field"},
	{"a template with an effect", ruleHead + "{name: n, effect: allow, template: egress-by-name, with: {from: {zone: a}, to: {external: x}}}", "5:15 unknown-field"},
	{"missing parameters", templated("three-tiers", "web: {zone: w}, app: {zone: a}, appPorts: [http]"), "5:44 missing-field, 5:44 missing-field"},
	{"unknown parameter", templated("shared-logging", "form: {zone: w}, from: {zone: w}, to: {zone: a}, ports: [a]"), "5:48 unknown-field"},
	{"a parameter that is no end", templated("shared-logging", "from: w, to: {zone: a}, ports: [a]"), "5:54 bad-endpoint"},
	{"a parameter that is no port", templated("shared-logging", "from: {zone: a}, to: {zone: a}, ports: [1]"), "5:88 bad-port"},
	{"egress to a zone", templated("egress-by-name", "from: {zone: a}, to: {zone: b}"), "5:69 bad-template"},
	{"egress to addresses", templated("egress-by-name", "from: {zone: a}, to: {cidr: 192.0.2.0/24}"), "5:76 cidr-in-rule"},
	{"nobody", templated("database-access", "clients: [], database: {zone: b}, ports: [a]"), "5:58 bad-value"},
	{"one client twice", templated("database-access", "clients: [{zone: a}, {zone: a}], database: {zone: b}, ports: [a]"), "5:12 duplicate-name"},
	{"a name too long", strings.Replace(templated("egress-by-name", "from: {zone: a}, to: {external: x}"), "name: n,", "name: "+strings.Repeat("n", 62)+",", 1), "5:12 bad-name"},
	{"a name that is taken", templated("egress-by-name", "from: {zone: a}, to: {external: x}") + "\n  - {name: n-a, effect: allow, from: {zone: a}, to: {zone: b}}", "6:12 duplicate-name"},
	{"a key by alias", ruleHead + "{name: &t template, *t : three-tiers, effect: allow, from: {zone: a}, to: {zone: b}}", "5:12 bad-template"},
}

func TestTemplatesMakeRules(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
	}{
		{templated("three-tiers", "web: {zone: w}, app: {service: a}, data: {select: d=e}, appPorts: [http], dataPorts: [1/TCP]"),
			"n-web-to-app allow w a [http] false, n-app-to-data allow a select d=e [TCP 1] false, n-web-to-data deny w select d=e all false"},
		{templated("database-access", "clients: [{service: a}, {select: b=c}], database: {service: d}, ports: [1/TCP], mtls: true"),
			"n-a allow a d [TCP 1] true, n-2 allow select b=c d [TCP 1] true"},
		{templated("database-access", "clients: {service: a}, database: {service: d}, ports: [1/TCP]"), "n-a allow a d [TCP 1] false"},
		{templated("shared-logging", "from: {any: true}, to: {service: l}, ports: [514/UDP]"), "n-1 allow any l [UDP 514] false"},
		{templated("egress-by-name", "from: [{zone: a}], to: {external: x}"), "n-a allow a x [TCP 443] false"},
		{templated("egress-by-name", "from: [{zone: a}], to: {external: x}, ports: [80/TCP]"), "n-a allow a x [TCP 80] false"},
	} {
		d, list := parseBeside(c.text)
		if len(list) > 0 {
			t.Errorf("%s\n%s", texts(list), c.text)
			continue
		}
		var got []string
		for _, r := range d.Policies[0].Rules {
			got = append(got, fmt.Sprintf("%s %s %s %s %s %t", r.Name, r.Effect, shortEnd(r.From), shortEnd(r.To), shortPorts(r.Ports), r.MTLS))
			if r.Template == "" || r.Pos.Line != 5 || r.Pos.Col != 5 || r.NamePos.Col != 12 {
				t.Errorf("rule %+v", r)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("got  %s\nwant %s", s, c.want)
		}
	}
}

func TestTemplatedRulesInherit(t *testing.T) {
	d, list := parseBeside("kind: Policy\nmetadata: {name: p, owner: o}\nspec:\n  stage: alert\n  rules:\n" +
		"  - {name: a, template: egress-by-name, with: {from: {zone: z}, to: {external: x}}}\n" +
		"  - {name: b, template: egress-by-name, with: {from: {zone: z}, to: {external: x}}, stage: enforce, reason: why, owner: me}")
	if len(list) > 0 || len(d.Policies[0].Rules) != 2 {
		t.Fatal(texts(list))
	}
	if r := d.Policies[0].Rules[0]; r.Stage != Alert || r.Owner != "o" || r.Reason != "" {
		t.Errorf("rule %+v", r)
	}
	if r := d.Policies[0].Rules[1]; r.Stage != Enforce || r.Owner != "me" || r.Reason != "why" {
		t.Errorf("rule %+v", r)
	}
}

func shortEnd(e Endpoint) string {
	switch e.Kind {
	case BySelect:
		return "select " + e.Selector.String()
	case ByAny:
		return "any"
	default:
		return e.Name
	}
}

func shortPorts(ports []Port) string {
	if ports == nil {
		return "all"
	}
	var out []string
	for _, p := range ports {
		if p.Name != "" {
			out = append(out, p.Name)
		} else {
			out = append(out, p.Traffic.String())
		}
	}
	return fmt.Sprint(out)
}
