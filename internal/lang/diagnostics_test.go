package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/diag"
)

// Beginnings that the tests below share.
const (
	zoneHead   = "kind: Zone\nmetadata: {name: web}\n"
	estateHead = "kind: Estate\nmetadata: {name: e}\nspec: "
	ruleHead   = "kind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - "
	goodRule   = "name: r, effect: allow, from: {service: a}, to: {service: b}"
	expectHead = "kind: Case\nmetadata: {name: c}\nspec:\n  expect:\n  - "
)

type diagnosticCase struct{ name, text, want string }

// diagnosticCases has, per code, texts that bring it out and one beside each
// that must not. want is "line:col code"; more than one diagnostic is
// separated by a comma, and the list must be exactly that.
var diagnosticCases = []diagnosticCase{
	{"clean zone", zoneHead + "spec: {select: a=b}", ""},

	{"unknown field", zoneHead + "spec: {select: a=b, stagee: enforce}", "3:21 unknown-field"},
	{"unknown field of a document", zoneHead + "spec: {select: a=b}\nstatus: {}", "4:1 unknown-field"},
	{"unknown field of metadata", "kind: Zone\nmetadata: {name: web, namespace: x}\nspec: {select: a=b}", "2:23 unknown-field"},
	{"unknown field of a rule", ruleHead + "{" + goodRule + ", prots: [80/TCP]}", "5:68 unknown-field"},
	{"unknown field of an end", ruleHead + "{name: r, effect: allow, from: {servce: a}, to: {service: b}}", "5:37 unknown-field"},
	{"merge key", "kind: Zone\nmetadata: &m {name: web}\nspec: {<<: *m, select: a=b}", "3:8 unknown-field"},

	{"unknown kind", "kind: Polcy\nmetadata: {name: p}", "1:7 unknown-kind"},
	{"unknown kind of another system", "apiVersion: v1\nkind: Polcy", ""},
	{"inventory", "kind: Workload\nmetadata: {name: w}", ""},
	{"inventory in flow style", "{kind: Frontend, metadata: {name: w}}", ""},
	{"kind missing", "metadata: {name: p}", "1:1 missing-field"},
	{"neither kind nor version", "policy: ./p\nzone: web", "1:1 not-a-document"},
	{"a list", "- a\n- b", "1:1 not-a-document"},
	{"a word", "Polic", "1:1 not-a-document"},
	{"nothing", "\n---\n# nothing\n---\n\n", ""},
	{"our version", "apiVersion: firebreak.dev/v1alpha1\n" + zoneHead + "spec: {select: a=b}", ""},
	{"another version of ours", "apiVersion: firebreak.dev/v2\n" + zoneHead + "spec: {select: a=b}", "1:13 bad-api-version"},
	{"a slip in the version", "apiVersion: firebrake.dev/v1alpha1\n" + zoneHead + "spec: {select: a=b}", "1:13 bad-api-version"},
	{"an empty version", "apiVersion:\n" + zoneHead + "spec: {select: a=b}", "1:1 bad-value"},
	{"a version that is a list", "apiVersion: [v1]\n" + zoneHead + "spec: {select: a=b}", "1:13 bad-value"},

	{"a cluster of a file", "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{file: ./p.yaml, cluster: shop}]}", "3:46 bad-inventory"},
	{"two sources in one", "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{terraform: ./p.json, aws: shop}]}", "3:20 bad-inventory"},

	{"quotas", estateHead + "{quotas: {awssg: {rules-per-group: 200, groups-per-interface: \"5\"}, nacl: {entries-per-acl: 40}}}", ""},
	{"quotas that are a list", estateHead + "{quotas: [awssg]}", "3:16 bad-value"},
	{"no quotas", estateHead + "{quotas: {}}", "3:16 bad-value"},
	{"a quota without a word", estateHead + "{quotas: {awssg: 200}}", "3:24 bad-value"},
	{"a target without quotas", estateHead + "{quotas: {awssg: {}}}", "3:24 bad-value"},
	{"a quota without a number", estateHead + "{quotas: {awssg: {rules-per-group: }, nacl: }}", "3:25 bad-value, 3:45 bad-value"},
	{"a quota of nothing", estateHead + "{quotas: {awssg: {rules-per-group: 0}}}", "3:42 bad-quota"},
	{"a quota that is no number", estateHead + "{quotas: {awssg: {rules-per-group: many}}}", "3:42 bad-quota"},
	{"a quota that is too large", estateHead + "{quotas: {awssg: {rules-per-group: 2147483648}}}", "3:42 bad-quota"},
	{"a quota that is no name", estateHead + "{quotas: {awssg: {rules per group: 200}}}", "3:25 bad-name"},
	{"a quota twice", estateHead + "{quotas: {awssg: {a: 200, a: 300}, awssg: {b: 1}}}", "3:33 duplicate-key, 3:42 duplicate-key"},

	{"missing spec", zoneHead, "1:1 missing-field"},
	{"missing name", "kind: Zone\nmetadata: {owner: x}\nspec: {select: a=b}", "2:11 missing-field"},
	{"missing metadata", "kind: Zone\nspec: {select: a=b}", "1:1 missing-field"},
	{"zone without selector", zoneHead + "spec: {stage: enforce}", "1:1 missing-field"},
	{"unassigned without selector", "kind: Zone\nmetadata: {name: unassigned}\nspec: {stage: enforce}", ""},
	{"rule with nothing", ruleHead + "{name: r}", "5:5 missing-field, 5:5 missing-field, 5:5 missing-field"},
	{"external without cidrs", "kind: External\nmetadata: {name: x}\nspec: {reason: none}", "3:7 missing-field"},
	{"platform without priority", "kind: Policy\nmetadata: {name: p}\nspec:\n  tier: platform\n  rules: [{" + goodRule + "}]", "4:3 missing-field"},

	{"priority elsewhere", "kind: Policy\nmetadata: {name: p}\nspec:\n  priority: 5\n  rules: [{" + goodRule + "}]", "4:13 bad-priority"},
	{"priority that is none", "kind: Policy\nmetadata: {name: p}\nspec:\n  tier: platform\n  priority: -1\n  rules: [{" + goodRule + "}]", "5:13 bad-priority"},
	{"priority", "kind: Policy\nmetadata: {name: p}\nspec:\n  tier: platform\n  priority: 0\n  rules: [{" + goodRule + "}]", ""},
	{"pass elsewhere", ruleHead + "{name: r, effect: pass, from: {any: true}, to: {any: true}}", "5:23 bad-effect"},

	{"no tier", "kind: Policy\nmetadata: {name: p}\nspec:\n  tier: platfrom\n  priority: 5\n  rules: [{" + goodRule + "}]", "4:9 bad-tier"},
	{"no effect", ruleHead + "{name: r, effect: permit, from: {any: true}, to: {any: true}}", "5:23 bad-effect"},
	{"no stage", zoneHead + "spec: {select: a=b, stage: enforced}", "3:28 bad-stage"},
	{"no stage of a rule", ruleHead + "{" + goodRule + ", stage: on}", "5:75 bad-stage"},
	{"no default", zoneHead + "spec: {select: a=b, default: pass}", "3:30 bad-default"},
	{"no sensitivity", zoneHead + "spec: {select: a=b, sensitivity: secret}", "3:34 bad-sensitivity"},
	{"no authority", "kind: Estate\nmetadata: {name: e}\nspec: {labels: [{from: a, to: b, authority: me}]}", "3:45 bad-authority"},
	{"no protocol", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{port: 1, protocol: TPC}]}", "3:49 bad-protocol"},
	{"protocol without ports", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{port: 1, protocol: ICMP}]}", "3:49 bad-protocol"},
	{"words in any case", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{port: 1, protocol: udp}]}", ""},
	{"pass in a Case", expectHead + "{from: {zone: a}, to: {zone: b}, effect: pass}", "5:46 bad-effect"},

	{"duplicate names", zoneHead + "spec: {select: a=b}\n---\n" + zoneHead + "spec: {select: a=c}", "6:18 duplicate-name"},
	{"one name, two kinds", zoneHead + "spec: {select: a=b}\n---\nkind: Service\nmetadata: {name: web}\nspec: {select: a=b}", ""},
	{"duplicate rules", ruleHead + "{" + goodRule + "}\n  - {" + goodRule + "}", "6:12 duplicate-name"},
	{"duplicate port names", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{name: a, port: 1}, {name: a, port: 2}]}", "3:49 duplicate-name"},
	{"duplicate ports", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{name: a, port: 1}, {port: 1, protocol: TCP}]}", "3:49 duplicate-name"},
	{"one port, two protocols", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{name: a, port: 1}, {port: 1, protocol: UDP}]}", ""},
	{"second estate", estate + "---\n" + estate, "5:1 duplicate-estate"},

	{"duplicate key", zoneHead + "spec: {select: a=b, select: c=d}", "3:21 duplicate-key"},
	{"duplicate key of a document", "kind: Zone\nkind: Zone\nmetadata: {name: web}\nspec: {select: a=b}", "2:1 duplicate-key"},
	{"duplicate value of a map", "kind: Estate\nmetadata: {name: e}\nspec: {labels: [{from: a, to: b, map: {x: y, x: z}}]}", "3:46 duplicate-key"},

	{"bad name", "kind: Zone\nmetadata: {name: \"a b\"}\nspec: {select: a=b}", "2:18 bad-name"},
	{"long name", "kind: Zone\nmetadata: {name: " + strings.Repeat("a", 64) + "}\nspec: {select: a=b}", "2:18 bad-name"},
	{"name that is a number", "kind: Zone\nmetadata: {name: 007}\nspec: {select: a=b}", ""},
	{"reserved name", "kind: Zone\nmetadata: {name: world}\nspec: {select: a=b}", "2:18 reserved-name"},
	{"reserved name of a policy", "kind: Policy\nmetadata: {name: builtin}\nspec: {rules: [{" + goodRule + "}]}", "2:18 reserved-name"},
	{"reserved name of a case", "kind: Case\nmetadata: {name: world}\nspec: {expect: [{from: {zone: a}, to: {zone: b}, effect: deny}]}", ""},
	{"unassigned with a selector", "kind: Zone\nmetadata: {name: unassigned}\nspec: {select: a=b}", "2:18 reserved-name"},

	{"bad selector", zoneHead + "spec: {select: \"a in b\"}", "3:16 bad-selector"},
	{"empty selector", zoneHead + "spec: {select: \"\"}", "3:16 bad-value"},
	{"absence is a selector", zoneHead + "spec: {select: \"!a,b notin (c)\"}", ""},

	{"no cidr", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [a.example]}", "3:16 bad-cidr"},
	{"host bits", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [192.0.2.1/24]}", "3:16 bad-cidr"},
	{"bare address", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [192.0.2.1]}", "3:16 bad-cidr"},
	{"mapped address", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [\"::ffff:192.0.2.0/120\"]}", "3:16 bad-cidr"},
	{"every cidr", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [0.0.0.0/0, \"::/0\", 192.0.2.1/32]}", ""},
	{"inside the estate", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [10.1.0.0/16]}", "3:16 external-inside-estate"},
	{"around the estate", "kind: External\nmetadata: {name: x}\nspec: {cidrs: [0.0.0.0/1]}", ""},

	{"cidr in a rule", ruleHead + "{name: r, effect: allow, from: {service: a}, to: {cidr: 192.0.2.0/24}}", "5:61 cidr-in-rule"},
	{"bad cidr in a rule", ruleHead + "{name: r, effect: allow, from: {service: a}, to: {cidr: 192.0.2.0}}", "5:61 bad-cidr"},

	{"bad port", ruleHead + "{" + goodRule + ", ports: [5432]}", "5:76 bad-port"},
	{"port zero", ruleHead + "{" + goodRule + ", ports: [0/TCP]}", "5:76 bad-port"},
	{"port too high", ruleHead + "{" + goodRule + ", ports: [65536/TCP]}", "5:76 bad-port"},
	{"ports upside down", ruleHead + "{" + goodRule + ", ports: [90-80/TCP]}", "5:76 bad-port"},
	{"port of a class without", ruleHead + "{" + goodRule + ", ports: [80/ICMP]}", "5:76 bad-port"},
	{"port with a sign", ruleHead + "{" + goodRule + ", ports: [+80/TCP]}", "5:76 bad-port"},
	{"bad port name", ruleHead + "{" + goodRule + ", ports: [HTTP]}", "5:76 bad-port"},
	{"good ports", ruleHead + "{" + goodRule + ", ports: [http, 80/TCP, 0-65535/SCTP, 1-2/udp, ICMP]}", ""},
	{"no ports", ruleHead + "{" + goodRule + ", ports: []}", "5:75 bad-value"},
	{"null ports", ruleHead + "{" + goodRule + ", ports: }", "5:68 bad-value"},
	{"null port", ruleHead + "{" + goodRule + ", ports: [null]}", "5:76 bad-value"},
	{"name of a service's port", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{name: icmp, port: 1}]}", "3:36 bad-port"},
	{"number of a service's port", "kind: Service\nmetadata: {name: s}\nspec: {select: a=b, ports: [{port: 65536}]}", "3:36 bad-port"},

	{"end that is a word", ruleHead + "{name: r, effect: allow, from: web, to: {any: true}}", "5:36 bad-endpoint"},
	{"end with two", ruleHead + "{name: r, effect: allow, from: {zone: a, service: b}, to: {any: true}}", "5:36 bad-endpoint"},
	{"end with none", ruleHead + "{name: r, effect: allow, from: {}, to: {any: true}}", "5:36 bad-endpoint"},
	{"any false", ruleHead + "{name: r, effect: allow, from: {any: false}, to: {any: true}}", "5:42 bad-endpoint"},
	{"any that is a word", ruleHead + "{name: r, effect: allow, from: {any: yes}, to: {any: true}}", "5:42 bad-value"},
	{"workload in a rule", ruleHead + "{name: r, effect: allow, from: {workload: a}, to: {any: true}}", "5:37 bad-endpoint"},
	{"address in a rule", ruleHead + "{name: r, effect: allow, from: {ip: 10.0.0.1}, to: {any: true}}", "5:37 bad-endpoint"},
	{"workload and address in a Case", expectHead + "{from: {workload: a}, to: {ip: 10.0.0.1}, effect: deny}", ""},
	{"no address", expectHead + "{from: {workload: a}, to: {ip: 10.0.0.0/8}, effect: deny}", "5:36 bad-address"},
	{"cidr in a Case", expectHead + "{from: {cidr: 10.0.0.0/8}, to: {any: true}, effect: deny}", "5:13 unknown-field"},

	{"two sources in one", "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{kube: ./a, file: ./b}]}", "3:20 bad-inventory"},
	{"no source", "kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{}]}", "3:20 bad-inventory"},
	{"bad label", "kind: Estate\nmetadata: {name: e}\nspec: {labels: [{from: a, to: \"b c\"}]}", "3:31 bad-label"},
	{"built-in label", "kind: Estate\nmetadata: {name: e}\nspec: {labels: [{from: a, to: k8s/namespace}]}", "3:31 bad-label"},

	{"text for a mapping", zoneHead + "spec: nothing", "3:7 bad-value"},
	{"list for a mapping", zoneHead + "spec: [select]", "3:7 bad-value"},
	{"mapping for a text", zoneHead + "spec: {select: {a: b}}", "3:16 bad-value"},
	{"mapping for a list", "kind: Policy\nmetadata: {name: p}\nspec: {rules: {a: b}}", "3:15 bad-value"},
	{"a tag of its own", zoneHead + "spec: {select: !x a=b}", "3:16 bad-value"},
	{"bytes", zoneHead + "spec: {select: !!binary YT1i}", "3:16 bad-value"},
	{"no value", zoneHead + "spec:\n  select:", "4:3 bad-value"},
	{"a key that is a list", zoneHead + "spec: {select: a=b, [x]: y}", "3:21 bad-value"},
	{"a long text", ruleHead + "{" + goodRule + ", reason: " + strings.Repeat("x", 5000) + "}", "5:76 bad-value"},
	{"a text that clears the screen", ruleHead + "{" + goodRule + ", reason: \"\\e[2J\"}", "5:76 bad-value"},
	{"a text of two lines", ruleHead + "{" + goodRule + ", reason: \"a\\nb\"}", ""},

	{"half a line", zoneHead + "spec: {select: a=b, sta", "3:1 yaml-syntax"},
	{"half a document", "kind: Zone\nmetadata: {name: web}\nspec:\n  select: a=b\n  sta", "5:1 yaml-syntax"},
	{"half a document of many", "kind: Zoned\n---\n" + zoneHead + "spec:\n  select: [a", "1:7 unknown-kind, 6:1 yaml-syntax"},
	{"a byte that is no text", zoneHead + "spec: {select: a=\xffb}", "3:18 yaml-syntax"},
	{"a control character", zoneHead + "spec: {select: a=\x00b}", "3:18 yaml-syntax"},
	{"tab", "kind: Zone\nmetadata:\n\tname: web", "3:1 yaml-syntax"},
	{"tab in a mapping", zoneHead + "spec:\n  select: a=b\n\tstage: enforce", "5:1 yaml-syntax"},
	{"tab behind spaces", zoneHead + "spec:\n  select: a=b\n  \tstage: enforce", "5:3 yaml-syntax"},
	{"tab behind a blank line", zoneHead + "spec:\n  select: a=b\n\n\tstage: enforce", "6:1 yaml-syntax"},
	{"tab at the top", "kind: Zone\n\tmetadata: {name: a}", "2:1 yaml-syntax"},
	{"tab behind a dash", "kind: Policy\nmetadata: {name: a}\nspec:\n  rules:\n  -\tname: x", "5:4 yaml-syntax"},
	{"no tab", zoneHead + "spec:\n  select: @foo\n  stage: enforce", "4:1 yaml-syntax"},
	{"unknown anchor", zoneHead + "spec: *none", "3:7 yaml-syntax"},
	{"one broken, one not", "kind: [\n---\nkind: Zoned\n---\n" + zoneHead + "spec: {select: a=b}", "1:1 yaml-syntax, 3:7 unknown-kind"},
	{"windows", "\ufeff" + strings.ReplaceAll(zoneHead+"spec: {select: a=b, x: y}", "\n", "\r\n"), "3:21 unknown-field"},
	{"json", `{"kind": "Zone", "metadata": {"name": "web"}, "spec": {"select": "a=b", "x": 1}}`, "1:73 unknown-field"},
	{"alias", "kind: Service\nmetadata: {name: a}\nspec: &s {select: a=b}\n---\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n  - {name: r, effect: allow, from: &e {service: a}, to: *e}", ""},
}

// allDiagnosticCases are those of every table.
func allDiagnosticCases() []diagnosticCase {
	return slices.Concat(diagnosticCases, conditionCases, guardrailCases, templateCases)
}

func TestDiagnostics(t *testing.T) {
	for _, c := range allDiagnosticCases() {
		t.Run(c.name, func(t *testing.T) {
			_, list := parseBeside(c.text)
			var got []string
			for _, d := range list {
				got = append(got, fmt.Sprintf("%d:%d %s", d.Pos.Line, d.Pos.Col, d.Code))
				if d.Pos.File != "p.yaml" {
					t.Errorf("in the wrong file: %s", d)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got  %s\nwant %s\n%s", s, c.want, texts(list))
			}
		})
	}
}

func TestSeverities(t *testing.T) {
	warnings := []string{"unusual-method", "cidr-in-rule", "external-inside-estate", "not-a-document"}
	for _, c := range allDiagnosticCases() {
		_, list := parseBeside(c.text)
		for _, d := range list {
			warns := slices.Contains(warnings, d.Code) && !(d.Code == "not-a-document" && !strings.Contains(d.Message, "is ignored"))
			if want := map[bool]diag.Severity{false: diag.Error, true: diag.Warning}[warns]; d.Severity != want {
				t.Errorf("%s: %s, want %s", c.name, d, want)
			}
		}
	}
}

func TestSuggestions(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{zoneHead + "spec: {select: a=b, stagee: enforce}", `did you mean "stage"?`},
		{zoneHead + "spec: {selector: a=b, select: a=b}", `did you mean "select"?`},
		{zoneHead + "spec: {select: a=b, Stage: enforce}", `did you mean "stage"?`},
		{zoneHead + "spec: {select: a=b, wholly-else: 1}", "one of: select, sensitivity, scope, stage, default"},
		{"kind: Polcy", `did you mean "Policy"?`},
		{"kind: policy", `did you mean "Policy"?`},
		{"kind: ZONE", `did you mean "Zone"?`},
		{"kind: Exeption", `did you mean "Exception"?`},
		{ruleHead + "{" + goodRule + ", http: [{methods: [post]}]}", `did you mean "POST"?`},
		{ruleHead + "{" + goodRule + ", http: [{methods: [PSOT]}]}", `did you mean "POST"?`},
		{ruleHead + "{" + goodRule + ", http: [{headers: {x-a: b}}]}", "{x-a: true}"},
		{ruleHead + "{" + goodRule + ", require: tls}", `did you mean "mtls"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [Monday]}}", `did you mean "mon"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: Europe/Berln}}", `did you mean "Europe/Berlin"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: europe/berlin}}", `did you mean "Europe/Berlin"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: new york}}", `did you mean "America/New_York"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: local}}", "another one on each machine"},
		{guardHead + "must: {rule: {}, have: [owners]}}", `did you mean "owner"?`},
		{guardHead + "nevr: {from: {any: true}, to: {any: true}}}", `did you mean "never"?`},
		{exceptionHead + "ticket: a, approver: b, expires: 2027-01-31T18:00:00}", "put Z (UTC)"},
		{expectHead + "{from: {zone: a}, to: {zone: b}, http: \"GET /a?b\", effect: deny}", "write /a;"},
		{ruleHead + "{" + goodRule + ", templat: three-tiers}", `did you mean "template"?`},
		{ruleHead + "{name: r, template: three-tier, with: {}}", `did you mean "three-tiers"?`},
		{templated("database-access", "clients: {zone: a}, database: {zone: b}, ports: [a], mtl: true"), `did you mean "mtls"?`},
		{"kind: Gurdrail", `did you mean "Guardrail"?`},
		{zoneHead + "spec: {select: a=b, stage: enforced}", `did you mean "enforce"?`},
		{ruleHead + "{name: r, effect: alow, from: {any: true}, to: {any: true}}", `did you mean "allow"?`},
		{ruleHead + "{name: r, effect: allow, from: {services: a}, to: {any: true}}", `did you mean "service"?`},
		{"apiVersion: firebreak.dev/v1\nkind: Zone", "write firebreak.dev/v1alpha1"},
		{ruleHead + "{" + goodRule + ", ports: [tcp:3550]}", "write 3550/TCP"},
		{ruleHead + "{" + goodRule + ", ports: [tcp/3550]}", "write 3550/TCP"},
		{ruleHead + "{" + goodRule + ", ports: [80-90 udp]}", "write 80-90/UDP"},
		{ruleHead + "{" + goodRule + ", ports: [tcp:70000]}", "a port is a name"},
		{ruleHead + "{" + goodRule + ", when: {days: mon-fri}}", "write [mon, tue, wed, thu, fri]"},
		{ruleHead + "{" + goodRule + ", when: {days: [fri-mon]}}", "write fri, sat, sun, mon"},
		{ruleHead + "{" + goodRule + ", when: {days: weekend}}", "write [sat, sun]"},
		{ruleHead + "{" + goodRule + ", when: {days: \"Monday, Tuesday\"}}", "write [mon, tue]"},
		{ruleHead + "{" + goodRule + ", http: GET /x}", "write http: [{methods: [GET], paths: [/x]}]"},
		{ruleHead + "{" + goodRule + ", http: [get /x]}", "write {methods: [GET], paths: [/x]}"},
		{ruleHead + "{name: r, effect: permit, from: {any: true}, to: {any: true}}", `did you mean "allow"?`},
		{ruleHead + "{name: r, effect: ACCEPT, from: {any: true}, to: {any: true}}", `did you mean "allow"?`},
		{ruleHead + "{name: r, effect: block, from: {any: true}, to: {any: true}}", `did you mean "deny"?`},
		{zoneHead + "spec: {select: a=b, default: drop}", `did you mean "deny"?`},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: CEST}}", "write Europe/Berlin"},
		{ruleHead + "{" + goodRule + ", when: {days: [mon], timeZone: pst}}", "write America/Los_Angeles"},
		{"kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{kubernetes: ./m}]}", `did you mean "kube"?`},
		{"kind: Estate\nmetadata: {name: e}\nspec: {inventory: [{nomad: ./m}]}", "one of: file, kube"},
		{ruleHead + "{" + goodRule + ", ports: [80]}", "80/TCP or 80/UDP"},
		{ruleHead + "{" + goodRule + ", ports: [80/TPC]}", `did you mean "TCP"?`},
		{"kind: External\nmetadata: {name: x}\nspec: {cidrs: [192.0.2.1/24]}", "write 192.0.2.0/24, or 192.0.2.1/32"},
	} {
		_, list := parseBeside(c.text)
		if len(list) == 0 || !strings.Contains(list[0].Help, c.want) {
			t.Errorf("%s\nno help with %q in:\n%s", c.text, c.want, texts(list))
		}
	}
}

// TestAMisspeltFieldIsNotMissedToo demands one finding for one slip.
func TestAMisspeltFieldIsNotMissedToo(t *testing.T) {
	for text, want := range map[string]string{
		ruleHead + "{name: r, efect: allow, from: {any: true}, to: {any: true}}":  "5:15 unknown-field",
		ruleHead + "{name: r, wholly: allow, from: {any: true}, to: {any: true}}": "5:5 missing-field, 5:15 unknown-field",
		zoneHead + "spec: {selct: a=b}":                                           "3:8 unknown-field",
	} {
		_, list := parseBeside(text)
		var got []string
		for _, d := range list {
			got = append(got, fmt.Sprintf("%d:%d %s", d.Pos.Line, d.Pos.Col, d.Code))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\ngot %v, want %s", text, got, want)
		}
	}
}

func TestNoEstate(t *testing.T) {
	d, list := parseText(zoneHead + "spec: {select: a=b}")
	if len(list) != 1 || list[0].Code != "no-estate" || d.Estate != nil {
		t.Errorf("got %s", texts(list))
	}
	// What could not be read may have been the Estate.
	_, list = parseText("kind: Estate\nmetadata: {name: [")
	if len(list) != 1 || list[0].Code != "yaml-syntax" {
		t.Errorf("got %s", texts(list))
	}
}

func TestCIDRInRuleStandsForAnExternal(t *testing.T) {
	rules := ruleHead + "{name: r, effect: allow, from: {cidr: 192.0.2.0/24}, to: {zone: web}}\n" +
		"  - {name: s, effect: deny, from: {zone: lax}, to: {cidr: 192.0.2.0/24}}"
	d, list := parseBeside(rules)
	if len(list) != 2 || list.HasErrors() {
		t.Errorf("want two warnings:\n%s", texts(list))
	}
	if len(d.Externals) != 1 || d.Externals[0].Name != "cidr:192.0.2.0/24" || d.Externals[0].CIDRs[0].Prefix.String() != "192.0.2.0/24" {
		t.Errorf("externals: %+v", d.Externals)
	}
	if e := d.Policies[0].Rules[1].To; e.Kind != ByExternal || e.Name != d.Externals[0].Name || !e.CIDR {
		t.Errorf("endpoint: %+v", e)
	}
}

// A tree with errors is used to find what else is wrong; should it ever be
// used for more, it must not say more than what is written.
func TestWhatWasWrongSaysLess(t *testing.T) {
	d, list := parseBeside(ruleHead + "{name: r, effect: alow, from: {servce: a}, to: {service: b}, ports: [x/y]}\n---\n" +
		"kind: Service\nmetadata: {name: b}\nspec: {select: \"((\"}\n---\nkind: Zone\nmetadata: {name: z}\nspec: {stage: enforce}")
	if !list.HasErrors() || len(d.Policies) != 1 || len(d.Policies[0].Rules) != 1 {
		t.Fatalf("got %+v\n%s", d, texts(list))
	}
	r := d.Policies[0].Rules[0]
	if r.Effect != Deny || r.From.Kind != ByNothing || r.To.Kind != ByService || r.Ports == nil || len(r.Ports) != 0 {
		t.Errorf("rule %+v", r)
	}
	if d.Incomplete {
		t.Error("every document was read and has a name")
	}
	if d, _ := parseBeside("kind: Zone\nmetadata: {name: \"a b\"}\nspec: {select: a=b}"); !d.Incomplete {
		t.Error("a document without a name is missing")
	}
	for _, sel := range []*Select{d.Services[0].Select, d.Zones[0].Select} {
		if sel == nil || sel.Selector.IsZero() || sel.Selector.Matches(nil) || sel.Selector.Matches(map[string]string{"none": ""}) {
			t.Errorf("selector %v", sel)
		}
	}
}
