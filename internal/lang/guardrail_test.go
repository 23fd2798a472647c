package lang

import (
	"testing"
	"time"
)

// Beginnings that the tests below share; they end within the spec.
const (
	guardHead     = "kind: Guardrail\nmetadata: {name: g}\nspec: {"
	exceptionHead = "kind: Exception\nmetadata: {name: e}\nspec: {from: {zone: a}, to: {zone: b}, "
)

var guardrailCases = []diagnosticCase{
	{"never", guardHead + "stage: enforce, never: {from: {select: env!=prod}, to: {zone: data}, ports: [a, 1/TCP], http: [{paths: [/admin/*]}]}, controls: [PCI-DSS-1.3.1]}", ""},
	{"only to", guardHead + "only: {to: {zone: data}, from: [{service: a}, {principal: b}]}}", ""},
	{"only from", guardHead + "only: {from: {zone: data}, to: [{external: a}], ports: [443/TCP]}}", ""},
	{"must", guardHead + "must: {rule: {to: {zone: data}}, have: [owner, reason, mtls, ports, http, when]}}", ""},
	{"must of all rules", guardHead + "must: {rule: {}, have: [owner]}}", ""},
	{"nothing demanded", guardHead + "stage: enforce}", "3:7 bad-guardrail"},
	{"two things demanded", guardHead + "never: {from: {any: true}, to: {zone: a}}, must: {rule: {}, have: [owner]}}", "3:7 bad-guardrail"},
	{"never without an end", guardHead + "never: {from: {any: true}}}", "3:15 missing-field"},
	{"never to a list", guardHead + "never: {from: {any: true}, to: [{zone: a}]}}", "3:39 bad-endpoint"},
	{"only without a list", guardHead + "only: {from: {zone: a}, to: {zone: b}}}", "3:14 bad-guardrail"},
	{"only with two lists", guardHead + "only: {from: [{zone: a}], to: [{zone: b}]}}", "3:14 bad-guardrail"},
	{"only nobody", guardHead + "only: {from: [], to: {zone: b}}}", "3:21 bad-value"},
	{"only with a broken end", guardHead + "only: {from: [{zone: a}, web], to: {zone: b}}}", "3:33 bad-endpoint"},
	{"must have nothing", guardHead + "must: {rule: {}}}", "3:14 missing-field"},
	{"must have what no rule has", guardHead + "must: {rule: {}, have: [luck]}}", "3:32 bad-guardrail"},
	{"must with ports", guardHead + "must: {rule: {ports: [1/TCP]}, have: [owner]}}", "3:22 unknown-field"},
	{"no stage of a guardrail", guardHead + "stage: off, must: {rule: {}, have: [owner]}}", "3:15 bad-stage"},
	{"a guardrail with an effect", guardHead + "effect: deny, must: {rule: {}, have: [owner]}}", "3:8 unknown-field"},
	{"a guardrail over addresses", guardHead + "never: {from: {cidr: 192.0.2.0/24}, to: {zone: a}}}", "3:29 cidr-in-rule"},

	{"exception", exceptionHead + "ports: [postgres], http: [{grpc: [a.B/*]}], ticket: CHG-42, approver: sec-lead, reason: r, expires: 2027-01-31T18:00:00Z}", ""},
	{"an exception for ever", exceptionHead + "ticket: CHG-42, approver: sec-lead}", "3:7 missing-field"},
	{"an exception of nobody", exceptionHead + "expires: 2027-01-31T18:00:00Z}", "3:7 missing-field, 3:7 missing-field"},
	{"no end", exceptionHead + "ticket: a, approver: b, expires: never}", "3:73 bad-time"},
	{"an end without zone", exceptionHead + "ticket: a, approver: b, expires: 2027-01-31 18:00:00}", "3:73 bad-time"},
	{"an end that is a day", exceptionHead + "ticket: a, approver: b, expires: 2027-01-31}", "3:73 bad-time"},
	{"an end on no day", exceptionHead + "ticket: a, approver: b, expires: 2027-02-30T00:00:00Z}", "3:73 bad-time"},
	{"an end before all time", exceptionHead + "ticket: a, approver: b, expires: 0001-01-01T00:00:00Z}", "3:73 bad-time"},
	{"an end after all time", exceptionHead + "ticket: a, approver: b, expires: 9999-12-31T23:59:59Z}", "3:73 bad-time"},
	{"an exception that denies", exceptionHead + "effect: deny, ticket: a, approver: b, expires: 2027-01-31T18:00:00Z}", "3:40 unknown-field"},

	{"one name for a policy and a guardrail", ruleHead + "{" + goodRule + "}\n---\n" + "kind: Guardrail\nmetadata: {name: p}\nspec: {must: {rule: {}, have: [owner]}}", "8:18 duplicate-name"},
	{"one name for a guardrail and an exception", guardHead + "must: {rule: {}, have: [owner]}}\n---\nkind: Exception\nmetadata: {name: g}\nspec: {from: {zone: a}, to: {zone: b}, ticket: a, approver: b, expires: 2027-01-31T18:00:00Z}", "6:18 duplicate-name"},
	{"one name for two guardrails", guardHead + "must: {rule: {}, have: [owner]}}\n---\n" + guardHead + "must: {rule: {}, have: [reason]}}", "6:18 duplicate-name"},
	{"a reserved name of an exception", "kind: Exception\nmetadata: {name: builtin}\nspec: {from: {zone: a}, to: {zone: b}, ticket: a, approver: b, expires: 2027-01-31T18:00:00Z}", "2:18 reserved-name"},
	{"one name for a guardrail and a case", expectHead + "{from: {zone: a}, to: {zone: b}, effect: deny}\n---\nkind: Guardrail\nmetadata: {name: c}\nspec: {must: {rule: {}, have: [owner]}}", ""},
}

func TestGuardrailsAreReadAsTheyAreMeant(t *testing.T) {
	d, list := parseBeside("kind: Guardrail\nmetadata: {name: a, owner: sec}\nspec: {stage: alert, never: {from: {select: env!=prod}, to: {zone: data}, ports: [1/TCP]}, controls: [x, y]}\n---\n" +
		"kind: Guardrail\nmetadata: {name: b}\nspec: {only: {to: {zone: data}, from: [{service: s}, {zone: z}]}}\n---\n" +
		"kind: Guardrail\nmetadata: {name: c}\nspec: {only: {from: {zone: data}, to: [{service: s}]}}\n---\n" +
		"kind: Guardrail\nmetadata: {name: d}\nspec: {must: {rule: {from: {zone: data}}, have: [owner, mtls]}}\n---\n" +
		"kind: Exception\nmetadata: {name: e}\nspec: {from: {zone: a}, to: {zone: b}, ticket: CHG-1, approver: me, expires: 2027-01-31T18:00:00+02:00}")
	if len(list) > 0 || len(d.Guardrails) != 4 || len(d.Exceptions) != 1 {
		t.Fatalf("%+v\n%s", d, texts(list))
	}
	if g := d.Guardrails[0]; g.Kind != Never || g.Stage != Alert || len(g.From) != 1 || g.From[0].Kind != BySelect || g.To[0].Name != "data" || len(g.Ports) != 1 || len(g.Controls) != 2 || g.Owner != "sec" {
		t.Errorf("never: %+v", g)
	}
	if g := d.Guardrails[1]; g.Kind != Only || g.GuardsFrom || len(g.From) != 2 || g.From[1].Name != "z" || len(g.To) != 1 || g.Ports != nil || g.Stage != Observe {
		t.Errorf("only to: %+v", g)
	}
	if g := d.Guardrails[2]; g.Kind != Only || !g.GuardsFrom || len(g.From) != 1 || len(g.To) != 1 {
		t.Errorf("only from: %+v", g)
	}
	if g := d.Guardrails[3]; g.Kind != Must || g.From[0].Name != "data" || g.To[0].Kind != ByAny || len(g.Have) != 2 || g.Have[1].Text != "mtls" {
		t.Errorf("must: %+v", g)
	}
	if e := d.Exceptions[0]; !e.Expires.Equal(time.Date(2027, 1, 31, 16, 0, 0, 0, time.UTC)) || e.ExpiresPos.Col != 78 || e.Ticket != "CHG-1" || e.Approver != "me" || e.Ports != nil || e.HTTP != nil {
		t.Errorf("exception: %+v", e)
	}
}

// An exception whose end or extent could not be read must allow nothing.
func TestABrokenExceptionAllowsNothing(t *testing.T) {
	for _, rest := range []string{"ticket: a, approver: b}", "ticket: a, approver: b, expires: x}", "ticket: a, approver: b, expires: 2027-01-31T18:00:00Z, http: [{}]}"} {
		d, list := parseBeside(exceptionHead + rest)
		if e := d.Exceptions[0]; !list.HasErrors() || e.Ports == nil || len(e.Ports) != 0 {
			t.Errorf("%s: ports %v", rest, e.Ports)
		}
	}
}
