package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/cli"
	"firebreak/internal/lang"
	"firebreak/internal/scaffold"
)

// edit is one change of one file after which a guardrail does not hold.
type edit struct{ template, guardrail, file, old, new string }

// edits has one for each guardrail of each template.
var edits = []edit{
	{"three-tier-aws", "production-is-apart", "policy.yaml", "to: {service: staging-db}", "to: {service: orders-db}"},
	{"three-tier-aws", "sessions-are-for-orders", "policy.yaml", "from: {service: orders}\n    to: {service: sessions}", "from: {service: storefront}\n    to: {service: sessions}"},
	{"three-tier-aws", "data-is-never-public", "policy.yaml", "to: {service: storefront}\n    ports: [https]", "to: {service: orders-db}\n    ports: [postgres]"},
	{"three-tier-aws", "no-remote-login-from-outside", "policy.yaml", "to: {service: storefront}\n    ports: [https]", "to: {service: storefront}"},
	{"three-tier-aws", "data-is-accounted-for", "policy.yaml", "    reason: reports are made while nobody shops\n", ""},
	{"multi-account-shop", "development-reaches-nothing-in-production", "policy.yaml", "to: {service: development-payment}", "to: {service: order}"},
	{"multi-account-shop", "payment-is-for-order", "policy.yaml", "to: {service: fraud-detection}\n    ports: [grpc]\n    http: [{grpc: [shop.risk.v1.FraudDetection/ReportStock]}]", "to: {service: payment}\n    ports: [https]"},
	{"multi-account-shop", "payments-are-only-posted", "policy.yaml", "methods: [POST]", "methods: [GET, POST]"},
	{"multi-account-shop", "fraud-detection-is-for-inventory-and-payment", "policy.yaml", "from: {service: inventory}\n    to: {service: fraud-detection}", "from: {service: order}\n    to: {service: fraud-detection}"},
	{"multi-account-shop", "cards-are-proven-and-accounted-for", "policy.yaml", "    require: mtls\n    reason: an order is paid", "    reason: an order is paid"},
	{"kubernetes", "development-reaches-nothing-in-production", "policy.yaml", "from: {service: prometheus}\n    to: {service: frontend}", "from: {service: development-frontend}\n    to: {service: frontend}"},
	{"kubernetes", "payment-is-for-checkout", "policy.yaml", "system:serviceaccount:shop:checkout", "system:serviceaccount:shop:frontend"},
	{"kubernetes", "only-the-ingress-is-public", "policy.yaml", "to: {service: ingress}\n    ports: [https]", "to: {service: frontend}\n    ports: [http]"},
	{"kubernetes", "payments-are-proven-and-accounted-for", "policy.yaml", "    require: mtls\n", ""},
	{"empty", "every-rule-is-accounted-for", "policy.yaml", "# What may talk to what.\n", "kind: Policy\nmetadata: {name: p}\nspec: {rules: [{name: r, effect: allow, from: {any: true}, to: {any: true}}]}\n"},
}

type checked struct {
	Diagnostics []struct{ Code, Severity, Message string }
	Cases       []struct{ Name, Want, Got string }
}

// check runs the verb as people do and reads what it says.
func check(t *testing.T, dir string) (checked, int) {
	t.Helper()
	var out, err strings.Builder
	code := cli.Main(t.Context(), []string{"check", dir, "--format", "json"}, &out, &err)
	var c checked
	if e := json.Unmarshal([]byte(out.String()), &c); e != nil {
		t.Fatalf("%v\n%s%s", e, out.String(), err.String())
	}
	return c, code
}

func taken(t *testing.T, template string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policy")
	run(t, 0, "init", dir, "--template", template)
	return dir
}

func TestTemplatesCheckClean(t *testing.T) {
	for _, tpl := range scaffold.Templates() {
		dir := taken(t, tpl.Name)
		c, code := check(t, dir)
		if code != 0 || len(c.Diagnostics) > 0 {
			t.Errorf("%s: exit code %d, %v", tpl.Name, code, c.Diagnostics)
		}
		for _, line := range c.Cases {
			if line.Want != line.Got {
				t.Errorf("%s: Case %s wants %s, got %s", tpl.Name, line.Name, line.Want, line.Got)
			}
		}
		tree, _ := lang.Parse(os.DirFS(dir))
		least := 2
		if tpl.Name == "empty" {
			least = 0
		}
		if len(tree.Guardrails) < least || len(tree.Cases) < least {
			t.Errorf("%s has %d guardrails, %d Cases", tpl.Name, len(tree.Guardrails), len(tree.Cases))
		}
		for _, g := range tree.Guardrails {
			if !slices.ContainsFunc(edits, func(e edit) bool { return e.template == tpl.Name && e.guardrail == g.Name }) {
				t.Errorf("no edit makes %s of %s fail", g.Name, tpl.Name)
			}
		}
	}
}

func TestEveryGuardrailOfATemplateCanFail(t *testing.T) {
	for _, e := range edits {
		t.Run(e.template+"/"+e.guardrail, func(t *testing.T) {
			dir := taken(t, e.template)
			name := filepath.Join(dir, e.file)
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(text), e.old) < 1 {
				t.Fatalf("%s has no %q", e.file, e.old)
			}
			if err := os.WriteFile(name, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			c, code := check(t, dir)
			found := false
			for _, d := range c.Diagnostics {
				found = found || d.Code == "guardrail-violated" && strings.Contains(d.Message, e.guardrail)
				if d.Severity == "error" && d.Code != "guardrail-violated" {
					t.Errorf("something else is wrong: %s %s", d.Code, d.Message)
				}
			}
			if !found || code != 1 {
				t.Errorf("exit code %d, %v", code, c.Diagnostics)
			}
		})
	}
}
