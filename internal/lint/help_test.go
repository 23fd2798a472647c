package lint_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/lint"
	"firebreak/internal/policy"
	"firebreak/internal/verify"
)

// TestAFrontendExplainsAPort: a number that was taken from the frontend's side
// is told as that, in a Service and in a rule.
func TestAFrontendExplainsAPort(t *testing.T) {
	a, err := txtar.ParseFile("testdata/service-port-unserved.txtar")
	if err != nil {
		t.Fatal(err)
	}
	fires, quiet, inv := string(a.Files[0].Data), string(a.Files[1].Data), string(a.Files[2].Data)
	const rule = "---\nkind: Policy\nmetadata: {name: p, owner: o}\nspec: {rules: [{name: r, effect: allow, reason: r, from: {any: true}, to: {service: email}, ports: [5000/TCP]}]}\n"
	for _, c := range []struct{ name, text, inv, code, want string }{
		{"a service", fires, inv, "service-port-unserved", "frontend email-lb maps 5000 to 8080"},
		{"a service of Kubernetes", fires, strings.Replace(inv, "name: email-lb", `name: "shop/email[Service]"`, 1), "service-port-unserved", "Kubernetes Service shop/email maps 5000 to 8080"},
		{"another port", strings.Replace(fires, "port: 5000", "port: 5001", 1), inv, "service-port-unserved", "write the port that they listen on"},
		{"a rule", quiet + rule, inv, "unserved-port", "frontend email-lb maps 5000 to 8080"},
		{"a rule with another port", quiet + strings.Replace(rule, "5000/TCP", "5001/TCP", 1), inv, "unserved-port", "remove the port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := only(t, check(t, c.text, c.inv), c.code); !strings.HasPrefix(d.Help, c.want) {
				t.Errorf("help %q, want %q", d.Help, c.want)
			}
		})
	}
}

// TestAFrontendExplainsThePortOfAnotherSource: a Service selects workloads that
// another source holds, by labels and namespace.
func TestAFrontendExplainsThePortOfAnotherSource(t *testing.T) {
	for namespace, want := range map[string]string{"shop": "Kubernetes Service shop/email maps 5000 to 8080", "other": "write the port"} {
		dir, diags := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(`
kind: Estate
metadata: {name: e}
spec: {}
---
kind: Service
metadata: {name: email}
spec: {select: app=email, ports: [{port: 5000}]}
`)}})
		inv, more := inventory.Join(
			&inventory.Snapshot{Workloads: []inventory.Workload{{Name: "e1", Namespace: "shop", Labels: map[string]string{"app": "email"}, Ports: []inventory.Port{{Number: 8080}}}}},
			&inventory.Snapshot{Frontends: []inventory.Frontend{{
				Name: "shop/email[Service]", Namespace: namespace, Selector: map[string]string{"app": "email"}, Ports: []inventory.FrontendPort{{Number: 5000, Target: 8080}},
			}}})
		p, resolved := policy.Resolve(dir, inv)
		if diags = slices.Concat(diags, more, resolved); p == nil {
			t.Fatal(diags)
		}
		e, err := verify.New(p, verify.Options{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if d := only(t, lint.Check(dir, e), "service-port-unserved"); !strings.HasPrefix(d.Help, want) {
			t.Errorf("%s: help %q, want %q", namespace, d.Help, want)
		}
	}
}

func TestZonesWithoutDNSAreToldOnceAndAccepted(t *testing.T) {
	a, err := txtar.ParseFile("testdata/no-dns.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text, inv := string(a.Files[0].Data), string(a.Files[2].Data)
	if d := only(t, check(t, text, inv), "no-dns"); !strings.Contains(d.Message, "zones web, cluster enforce") {
		t.Errorf("%s", d.Message)
	}
	accepted := strings.Replace(text, "{name: web, owner: a}", `{name: web, owner: a, annotations: {firebreak.dev/accept: "no-dns: addresses only"}}`, 1)
	if d := only(t, check(t, accepted, inv), "no-dns"); !strings.Contains(d.Message, "zone cluster enforces") {
		t.Errorf("%s", d.Message)
	}
}

// TestAnUndeclaredUnassigned is told where the Estate is, which may accept it.
func TestAnUndeclaredUnassigned(t *testing.T) {
	a, err := txtar.ParseFile("testdata/unassigned-workloads.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(a.Files[0].Data), "---\nkind: Zone # want")
	inv := string(a.Files[2].Data)
	if d := only(t, check(t, text, inv), "unassigned-workloads"); d.Pos.Line != 1 || !strings.HasSuffix(d.Message, ": d") {
		t.Errorf("%s", d)
	}
	text = strings.Replace(text, "{name: e}", `{name: e, annotations: {firebreak.dev/accept: "unassigned-workloads: later"}}`, 1)
	if got := lines(check(t, text, inv), "unassigned-workloads"); got != nil {
		t.Errorf("told at %v though accepted", got)
	}
}

func TestUnknownCodes(t *testing.T) {
	for code, want := range map[string]string{
		"expired": "", "selector-matches-nothing": "", "exired": "did you mean expired?", "bananas": "codes stand in what check says, behind the severity",
	} {
		message, help := lint.Unknown(code)
		if help != want || (message == "") != (want == "") {
			t.Errorf("%s: %q, %q", code, message, help)
		}
	}
}

func only(t *testing.T, found diag.List, code string) diag.Diagnostic {
	t.Helper()
	var out diag.List
	for _, d := range found {
		if d.Code == code {
			out = append(out, d)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d findings %s, want one: %v", len(out), code, found)
	}
	return out[0]
}
