package policy_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// edited is the shop's tree after an edit that the text would make.
func edited(t *testing.T, edit func(*lang.Dir)) *lang.Dir {
	t.Helper()
	d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(rules("application", "  - {name: r, effect: allow, from: {zone: web}, to: {service: db}, ports: [postgres], reason: x}\n"))}})
	if list.HasErrors() {
		t.Fatal(list)
	}
	edit(d)
	return d
}

func resolveTree(t *testing.T, d *lang.Dir, workloads ...inventory.Workload) (*policy.Policy, string) {
	t.Helper()
	return resolveIn(d, &inventory.Snapshot{Workloads: workloads})
}

func resolveIn(d *lang.Dir, inv *inventory.Snapshot) (*policy.Policy, string) {
	p, list := policy.Resolve(d, inv)
	return p, text(list)
}

func zone(name string) lang.Endpoint     { return lang.Endpoint{Kind: lang.ByZone, Name: name} }
func service(name string) lang.Endpoint  { return lang.Endpoint{Kind: lang.ByService, Name: name} }
func external(name string) lang.Endpoint { return lang.Endpoint{Kind: lang.ByExternal, Name: name} }

func selects(t *testing.T, s string) lang.Endpoint {
	t.Helper()
	sel, err := label.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return lang.Endpoint{Kind: lang.BySelect, Selector: sel}
}

func meta(name string, line int) lang.Meta {
	return lang.Meta{Name: name, Owner: "sec", Pos: diag.Pos{File: "g.yaml", Line: line}}
}

func many(e ...lang.Endpoint) []lang.Endpoint { return e }

var postgres = []lang.Port{{Name: "postgres"}}

func TestGuardrailsBecomeDeniesOfTheFirstTier(t *testing.T) {
	get := []lang.HTTP{{Methods: []string{"GET"}, Pos: diag.Pos{File: "g.yaml", Line: 3}}}
	p, said := resolveTree(t, edited(t, func(d *lang.Dir) {
		d.Guardrails = []*lang.Guardrail{
			{Meta: meta("guarded-to", 1), Kind: lang.Only, Stage: lang.Enforce, From: many(service("db"), external("psp")), To: many(zone("data")), Controls: []string{"PCI-1"}},
			{Meta: meta("documented", 2), Kind: lang.Must, From: many(lang.Endpoint{Kind: lang.ByAny}), To: many(zone("data")), Have: []lang.Word{{Text: "owner"}, {Text: "reason"}}},
			{Meta: meta("apart", 3), Kind: lang.Never, From: many(selects(t, "tier!=data")), To: many(external("internet")), Ports: postgres[:0:0], HTTP: get},
			{Meta: meta("guarded-from", 4), Kind: lang.Only, GuardsFrom: true, From: many(zone("data")), To: many(service("db")), Ports: postgres},
		}
	}), three()...)
	if p == nil {
		t.Fatal(said)
	}
	if len(p.Guardrails) != 4 || len(p.Rules) != 4 {
		t.Fatalf("%d guardrails, %d rules", len(p.Guardrails), len(p.Rules))
	}
	if got := []int{p.Guardrails[0].Rule, p.Guardrails[1].Rule, p.Guardrails[2].Rule, p.Guardrails[3].Rule}; !slices.Equal(got, []int{0, -1, 1, 2}) {
		t.Errorf("rules of the guardrails: %v", got)
	}
	to, must, never, from := p.Rules[0], p.Guardrails[1], p.Rules[1], p.Rules[2]
	if to.Tier != policy.Guardrails || to.Effect != policy.Deny || to.Stage != policy.Enforce || to.Ref.String() != "guarded-to/only (g.yaml:1)" || to.FromText != "any but service db, external psp" {
		t.Errorf("guarded-to: %+v", to)
	}
	if want := (policy.Peers{Not: true, Identities: []int{0}, Externals: []int{0}}); !reflect.DeepEqual(to.From, want) || to.From.Identity(0) || !to.From.Identity(1) || to.From.Address([]int{0, 1}) || !to.From.Address(nil) {
		t.Errorf("guarded-to is from %+v", to.From)
	}
	if g := p.Guardrails[0]; g.Text != "to zone data only from service db, external psp" || g.Kind != "only" || !slices.Equal(g.Controls, []string{"PCI-1"}) || g.Owner != "sec" {
		t.Errorf("guarded-to: %+v", g)
	}
	if must.Kind != "must" || !must.From.Any || !slices.Equal(must.To.Identities, []int{0}) || !slices.Equal(must.Have, []string{"owner", "reason"}) || must.Text != "must from any to zone data have owner, reason" {
		t.Errorf("documented: %+v", must)
	}
	if never.Ref.Rule != "never" || never.Stage != policy.Observe || never.Cond == nil || len(never.Cond.HTTP) != 1 || never.Cond.HTTP[0].Pos != (diag.Pos{}) || len(never.Grants) != 0 {
		t.Errorf("apart: %+v", never)
	}
	if get[0].Pos.Line != 3 {
		t.Error("the text was changed")
	}
	// Nothing but db has a port named postgres, and the deny spares db.
	if from.ToText != "any but service db" || !from.To.Not || len(from.Grants) != 0 || p.Guardrails[3].Text != "from zone data only to service db on postgres" {
		t.Errorf("guarded-from: %+v", from)
	}
}

func TestAnOnlyThatListsAllForbidsNothingAndOneThatListsNobodyAll(t *testing.T) {
	for _, c := range []struct {
		name string
		list []lang.Endpoint
		want policy.Peers
	}{
		{"any", many(zone("web"), lang.Endpoint{Kind: lang.ByAny}), policy.Peers{}},
		{"nobody", many(selects(t, "tier=none")), policy.Peers{Any: true}},
		{"overlapping", many(zone("data"), service("db")), policy.Peers{Not: true, Identities: []int{0}}},
	} {
		p, said := resolveTree(t, edited(t, func(d *lang.Dir) {
			d.Guardrails = []*lang.Guardrail{{Meta: meta("g", 1), Kind: lang.Only, From: c.list, To: many(zone("data"))}}
		}), three()...)
		if p == nil || !reflect.DeepEqual(p.Rules[0].From, c.want) {
			t.Errorf("%s: %+v\n%s", c.name, p, said)
		}
	}
}

func TestExceptionsBecomeAllowsOfTheirTier(t *testing.T) {
	until := time.Date(2027, 1, 31, 19, 0, 0, 0, time.FixedZone("", 3600))
	p, said := resolveTree(t, edited(t, func(d *lang.Dir) {
		d.Exceptions = []*lang.Exception{
			{Meta: meta("migration", 9), From: zone("web"), To: service("db"), Ports: postgres, Reason: "CHG-42", Expires: until},
			{Meta: meta("other", 12), From: zone("web"), To: zone("data"), Expires: until.UTC()},
		}
	}), three()...)
	if p == nil {
		t.Fatal(said)
	}
	x, y, r := p.Rules[0], p.Rules[1], p.Rules[2]
	if x.Tier != policy.Exceptions || x.Effect != policy.Allow || x.Stage != policy.Enforce || x.Ref.String() != "migration/exception (g.yaml:9)" || x.Reason != "CHG-42" || x.Owner != "sec" || x.PortsText != "postgres" {
		t.Errorf("%+v", x)
	}
	if x.Cond == nil || !x.Cond.Expires.Equal(until) || x.Cond != y.Cond {
		t.Errorf("conditions %+v and %+v: equal ones must be one", x.Cond, y.Cond)
	}
	if !slices.Equal(x.Grants[0].To.Identities, []int{0}) || !x.Grants[0].Traffic.Equal(netset.Of(netset.TCP, 5432, 5432)) {
		t.Errorf("grants: %+v", x.Grants)
	}
	if r.Tier != policy.Application || r.Cond != nil {
		t.Errorf("%+v", r)
	}
}

func TestWhatGuardrailsAndExceptionsMentionDividesIdentities(t *testing.T) {
	plain, _ := resolveTree(t, edited(t, func(*lang.Dir) {}), three()...)
	if len(plain.Identities) != 2 {
		t.Fatalf("%d identities", len(plain.Identities))
	}
	for name, edit := range map[string]func(*lang.Dir){
		"label": func(d *lang.Dir) {
			d.Guardrails = []*lang.Guardrail{{Meta: meta("g", 1), From: many(selects(t, "noise=1")), To: many(zone("web"))}}
		},
		"label of an exception": func(d *lang.Dir) {
			d.Exceptions = []*lang.Exception{{Meta: meta("x", 1), From: selects(t, "noise=1"), To: zone("web")}}
		},
		"principal": func(d *lang.Dir) {
			d.Guardrails = []*lang.Guardrail{{Meta: meta("g", 1), From: many(lang.Endpoint{Kind: lang.ByPrincipal, Name: "id/a"}), To: many(zone("web"))}}
		},
		"port": func(d *lang.Dir) {
			d.Exceptions = []*lang.Exception{{Meta: meta("x", 1), From: zone("web"), To: zone("data"), Ports: []lang.Port{{Name: "debug"}}}}
		},
	} {
		ws := three()
		ws[0].Principal = "id/a"
		ws[1].Ports = []inventory.Port{{Name: "debug", Number: 1}}
		if p, said := resolveTree(t, edited(t, edit), ws...); p == nil || len(p.Identities) != 3 {
			t.Errorf("%s: %+v\n%s", name, p, said)
		}
	}
}

func TestAPrincipalIsWrittenInAnyOfItsForms(t *testing.T) {
	ws := []inventory.Workload{
		{Name: "a", Principal: "id/a"},
		{Name: "b", Labels: map[string]string{"spiffe/id": "spiffe://shop/b"}},
		{Name: "c", Labels: map[string]string{"aws/role": "arn:aws:iam::1:role/c"}},
		{Name: "d", Labels: map[string]string{"k8s/serviceaccount": "d", "k8s/namespace": "shop"}},
		{Name: "e", Labels: map[string]string{"k8s/serviceaccount": "e"}},
		{Name: "f", Namespace: "dev", Labels: map[string]string{"k8s/serviceaccount": "d"}},
	}
	for want, name := range []string{"id/a", "spiffe://shop/b", "arn:aws:iam::1:role/c", "system:serviceaccount:shop:d", "", "system:serviceaccount:dev:d"} {
		if name == "" {
			continue
		}
		p, said := resolveTree(t, edited(t, func(d *lang.Dir) {
			d.Guardrails = []*lang.Guardrail{{Meta: meta("g", 1), From: many(lang.Endpoint{Kind: lang.ByPrincipal, Name: name}), To: many(zone("web"))}}
		}), append(slices.Clone(ws), workload("db", "app=db"))...)
		if p == nil || len(p.Rules[0].From.Identities) != 1 || !slices.Equal(p.Identities[p.Rules[0].From.Identities[0]].Workloads, []int{want}) {
			t.Errorf("%s: %+v\n%s", name, p, said)
		}
	}
}

func TestFQDNsAreKept(t *testing.T) {
	p, said := resolveTree(t, edited(t, func(d *lang.Dir) {
		d.Externals = append(d.Externals, &lang.External{Meta: meta("api", 1), FQDNs: []lang.Word{{Text: "b.example"}, {Text: "*.a.example"}, {Text: "b.example"}}})
	}), three()...)
	if p == nil || !slices.Equal(p.Externals[2].FQDNs, []string{"*.a.example", "b.example"}) {
		t.Errorf("%+v\n%s", p, said)
	}
	if strings.Contains(said, "api") {
		t.Error(said)
	}
}
