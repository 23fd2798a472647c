package policy_test

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// guard makes guardrails out of few words: kind, ends, and what else.
func guard(name string, kind lang.GuardrailKind, from, to []lang.Endpoint, more ...func(*lang.Guardrail)) *lang.Guardrail {
	g := &lang.Guardrail{Meta: meta(name, len(name)), Kind: kind, From: from, To: to}
	for _, m := range more {
		m(g)
	}
	return g
}

func guardsFrom(g *lang.Guardrail) { g.GuardsFrom = true }

func onPort(number uint16) func(*lang.Guardrail) {
	return func(g *lang.Guardrail) { g.Ports = tcp(number) }
}

func onHTTP(h ...lang.HTTP) func(*lang.Guardrail) {
	return func(g *lang.Guardrail) { g.HTTP = h }
}

func tcp(number uint16) []lang.Port {
	return []lang.Port{{Traffic: netset.Of(netset.TCP, number, number)}}
}

func TestContradictoryGuardrails(t *testing.T) {
	web, data, db, psp := many(zone("web")), many(zone("data")), many(service("db")), many(external("psp"))
	anyEnd := many(lang.Endpoint{Kind: lang.ByAny})
	get, post := lang.HTTP{Methods: []string{"GET"}}, lang.HTTP{Methods: []string{"POST"}}
	for _, c := range []struct {
		name  string
		rails []*lang.Guardrail
		want  string
	}{
		{"forbidden by a never", []*lang.Guardrail{guard("o", lang.Only, many(zone("data"), zone("web")), data), guard("nn", lang.Never, web, anyEnd)},
			"guardrail o leaves a way for zone web, and guardrail nn forbids all of it\n    help: never from zone web to any: take zone web off the list, or narrow the other guardrail\n    see: g.yaml:2"},
		{"the other way round", []*lang.Guardrail{guard("nn", lang.Never, web, data), guard("o", lang.Only, web, data)}, "guardrail o leaves a way for zone web, and guardrail nn"},
		{"two lists without a common peer", []*lang.Guardrail{guard("o", lang.Only, web, data), guard("p", lang.Only, db, data)}, "guardrail o leaves a way for zone web, and guardrail p"},
		{"two lists with the same peer", []*lang.Guardrail{guard("o", lang.Only, db, data), guard("p", lang.Only, data, data)}, ""},
		{"guarded source", []*lang.Guardrail{guard("o", lang.Only, web, many(zone("data"), external("psp")), guardsFrom), guard("n", lang.Never, anyEnd, psp)}, "guardrail o leaves a way for external psp, and guardrail n"},
		{"an external in a wider one", []*lang.Guardrail{guard("o", lang.Only, web, psp, guardsFrom), guard("n", lang.Never, web, many(external("internet")))}, "for external psp"},
		{"an external in a narrower one", []*lang.Guardrail{guard("o", lang.Only, web, many(external("internet")), guardsFrom), guard("n", lang.Never, web, psp)}, ""},
		{"some ports are left", []*lang.Guardrail{guard("o", lang.Only, web, data), guard("n", lang.Never, web, data, onPort(1))}, ""},
		{"no port is left", []*lang.Guardrail{guard("o", lang.Only, web, data, onPort(1)), guard("n", lang.Never, web, data, onPort(1))}, "guardrail o leaves a way"},
		{"other requests are left", []*lang.Guardrail{guard("o", lang.Only, web, data, onHTTP(get)), guard("n", lang.Never, web, data, onHTTP(post))}, ""},
		{"the same requests", []*lang.Guardrail{guard("o", lang.Only, web, data, onHTTP(get)), guard("n", lang.Never, web, data, onHTTP(get))}, "guardrail o leaves a way"},
		{"a never without http", []*lang.Guardrail{guard("o", lang.Only, web, data, onHTTP(get)), guard("n", lang.Never, web, data)}, "guardrail o leaves a way"},
		{"only a part of a peer", []*lang.Guardrail{guard("o", lang.Only, many(selects(t, "tier")), data), guard("n", lang.Never, web, data)}, ""},
		{"a list of nobody", []*lang.Guardrail{guard("o", lang.Only, many(selects(t, "tier=none")), data), guard("n", lang.Never, anyEnd, data)}, ""},
		{"two nevers", []*lang.Guardrail{guard("o", lang.Never, web, data), guard("n", lang.Never, web, data)}, ""},
		{"a must", []*lang.Guardrail{guard("o", lang.Only, web, data), guard("m", lang.Must, anyEnd, anyEnd)}, ""},
	} {
		_, said := resolveTree(t, edited(t, func(d *lang.Dir) { d.Guardrails = c.rails }), three()...)
		if found := strings.Count(said, "error contradictory-guardrails"); (c.want != "") != (found == 1) || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s", c.name, said)
		}
	}
}

func TestExceptionsThatPierceGuardrails(t *testing.T) {
	web, data := many(zone("web")), many(zone("data"))
	get, post := lang.HTTP{Methods: []string{"GET"}}, lang.HTTP{Methods: []string{"POST"}}
	never := guard("n", lang.Never, web, data, onPort(5432))
	for _, c := range []struct {
		name     string
		rail     *lang.Guardrail
		from, to lang.Endpoint
		ports    []lang.Port
		http     []lang.HTTP
		want     bool
	}{
		{"right through", never, zone("web"), service("db"), nil, nil, true},
		{"by a named port", never, zone("web"), service("db"), postgres, nil, true},
		{"another port", never, zone("web"), service("db"), tcp(80), nil, false},
		{"another source", never, zone("data"), service("db"), nil, nil, false},
		{"another destination", never, zone("web"), zone("web"), nil, nil, false},
		{"from anywhere", never, lang.Endpoint{Kind: lang.ByAny}, service("db"), nil, nil, true},
		{"not on the list", guard("o", lang.Only, data, data), zone("web"), service("db"), nil, nil, true},
		{"on the list", guard("o", lang.Only, web, data), zone("web"), service("db"), nil, nil, false},
		{"an external that is not on the list", guard("o", lang.Only, web, data), external("psp"), service("db"), nil, nil, true},
		{"an external on the list", guard("o", lang.Only, many(external("internet")), data), external("psp"), service("db"), nil, nil, false},
		{"some requests", never, zone("web"), service("db"), nil, []lang.HTTP{get}, true},
		{"other requests", guard("n", lang.Never, web, data, onHTTP(get)), zone("web"), service("db"), nil, []lang.HTTP{post}, false},
		{"the same requests", guard("n", lang.Never, web, data, onHTTP(get)), zone("web"), service("db"), nil, []lang.HTTP{post, get}, true},
		{"all requests", guard("n", lang.Never, web, data, onHTTP(get)), zone("web"), service("db"), nil, nil, true},
		{"a must", guard("m", lang.Must, web, data), zone("web"), service("db"), nil, nil, false},
	} {
		_, said := resolveTree(t, edited(t, func(d *lang.Dir) {
			d.Guardrails = []*lang.Guardrail{c.rail}
			d.Exceptions = []*lang.Exception{{Meta: meta("x", 7), From: c.from, To: c.to, Ports: c.ports, HTTP: c.http}}
		}), three()...)
		want := "g.yaml:7: error exception-pierces-guardrail: exception x would let through what guardrail " + c.rail.Name + " forbids"
		if strings.Contains(said, want) != c.want || strings.Contains(said, "see: g.yaml:1") != c.want || strings.Contains(said, "pierces") != c.want {
			t.Errorf("%s: %s", c.name, said)
		}
	}
}

func TestWhatGuardrailsAndExceptionsNameMustExist(t *testing.T) {
	web, data := many(zone("web")), many(zone("data"))
	for _, c := range []struct {
		name string
		edit func(*lang.Dir)
		want string
	}{
		{"never", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Never, many(zone("wbe")), data))
		}, `error unknown-reference: there is no zone "wbe"`},
		{"only", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Only, many(service("db"), service("bd")), data))
		}, `error unknown-reference: there is no service "bd"`},
		{"must", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Must, web, many(external("pps"))))
		}, `error unknown-reference: there is no external "pps"`},
		{"exception", func(d *lang.Dir) {
			d.Exceptions = append(d.Exceptions, &lang.Exception{From: zone("x"), To: zone("web")})
		}, `error unknown-reference: there is no zone "x"`},
		{"port of a never", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Never, web, data, func(g *lang.Guardrail) { g.Ports = []lang.Port{{Name: "postgre"}} }))
		}, `error unknown-reference: no destination of guardrail g has a port named "postgre"`},
		{"port that nothing but the spared has", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Only, data, many(service("db")), guardsFrom, func(g *lang.Guardrail) { g.Ports = postgres }))
		}, ""},
		{"port that nothing has", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Only, data, many(service("db")), guardsFrom, func(g *lang.Guardrail) { g.Ports = []lang.Port{{Name: "nix"}} }))
		}, `error unknown-reference: no destination of guardrail g has a port named "nix"`},
		{"empty selector", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Only, many(zone("data"), selects(t, "teir=web")), data))
		}, "warning selector-matches-nothing: guardrail g selects no workload\n    help: no workload has a label teir"},
		{"empty selector of an exception", func(d *lang.Dir) {
			d.Exceptions = append(d.Exceptions, &lang.Exception{Meta: meta("x", 1), From: selects(t, "tier=wbe"), To: zone("web")})
		}, "warning selector-matches-nothing: exception x selects no workload"},
		{"principal of nobody", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Must, many(lang.Endpoint{Kind: lang.ByPrincipal, Name: "id/z"}), data))
		}, "warning selector-matches-nothing: guardrail g: no workload has the principal id/z"},
		{"absence in a guardrail", func(d *lang.Dir) {
			d.Guardrails = append(d.Guardrails, guard("g", lang.Never, many(selects(t, "tier!=data")), data))
		}, ""},
		{"absence in an exception", func(d *lang.Dir) {
			d.Exceptions = append(d.Exceptions, &lang.Exception{Meta: meta("x", 1), From: selects(t, "tier!=data"), To: zone("web"), Expires: time.Unix(1, 0)})
		}, "warning selector-matches-absence"},
	} {
		_, said := resolveTree(t, edited(t, c.edit), three()...)
		if !strings.Contains(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%s: missing %q in:\n%s", c.name, c.want, said)
		}
	}
}

func TestPriorityTiesTakeConditionsIntoAccount(t *testing.T) {
	get, post := []lang.HTTP{{Methods: []string{"GET"}}}, []lang.HTTP{{Methods: []string{"POST"}}}
	hours := func(lo, hi int) *lang.Window { return &lang.Window{Lo: lo, Hi: hi, Days: 2, Location: time.UTC} }
	for _, c := range []struct {
		name string
		a, b lang.Rule
		tie  bool
	}{
		{"other methods", lang.Rule{HTTP: get}, lang.Rule{HTTP: post}, false},
		{"the same methods", lang.Rule{HTTP: get}, lang.Rule{HTTP: get}, true},
		{"one without", lang.Rule{HTTP: get}, lang.Rule{}, true},
		{"patterns", lang.Rule{HTTP: []lang.HTTP{{Paths: []string{"/a/*"}}}}, lang.Rule{HTTP: []lang.HTTP{{Paths: []string{"/b/*"}}}}, true},
		{"literal paths", lang.Rule{HTTP: []lang.HTTP{{Paths: []string{"/a"}}}}, lang.Rule{HTTP: []lang.HTTP{{Paths: []string{"/b"}}}}, false},
		{"hosts", lang.Rule{HTTP: []lang.HTTP{{Hosts: []string{"a.x"}}}}, lang.Rule{HTTP: []lang.HTTP{{Hosts: []string{"b.x"}}}}, false},
		{"wild hosts", lang.Rule{HTTP: []lang.HTTP{{Hosts: []string{"*.x"}}}}, lang.Rule{HTTP: []lang.HTTP{{Hosts: []string{"b.x"}}}}, true},
		{"headers", lang.Rule{HTTP: []lang.HTTP{{Headers: []lang.Header{{Name: "h", Values: []string{"1"}}}}}}, lang.Rule{HTTP: []lang.HTTP{{Headers: []lang.Header{{Name: "h", Values: []string{"2"}}}}}}, false},
		{"other hours", lang.Rule{When: hours(0, 60)}, lang.Rule{When: hours(60, 120)}, false},
		{"common hours", lang.Rule{When: hours(0, 61)}, lang.Rule{When: hours(60, 120)}, true},
		{"across midnight", lang.Rule{When: hours(60, 30)}, lang.Rule{When: hours(40, 50)}, true},
		{"mtls", lang.Rule{MTLS: true}, lang.Rule{}, true},
	} {
		a, b := c.a, c.b
		for i, r := range []*lang.Rule{&a, &b} {
			r.Name, r.Effect, r.From, r.To = []string{"a", "b"}[i], []lang.Effect{lang.Allow, lang.Deny}[i], zone("web"), zone("data")
		}
		_, said := resolveTree(t, edited(t, func(d *lang.Dir) {
			d.Policies = []*lang.Policy{{Meta: meta("p", 1), Tier: lang.Platform, Rules: []*lang.Rule{&a, &b}}}
		}), three()...)
		if strings.Contains(said, "priority-tie") != c.tie {
			t.Errorf("%s: %s", c.name, said)
		}
	}
}

func TestFrontendsStandBeforeSomething(t *testing.T) {
	d := edited(t, func(*lang.Dir) {})
	for name, c := range map[string]struct {
		f    inventory.Frontend
		want string
	}{
		"service":           {inventory.Frontend{ToService: "db"}, ""},
		"workloads":         {inventory.Frontend{Workloads: []string{"db-1", "web-1"}}, ""},
		"missing service":   {inventory.Frontend{ToService: "bd"}, `error unknown-reference: there is no service "bd"`},
		"missing workloads": {inventory.Frontend{Workloads: []string{"db-1", "wbe-1"}}, `error unknown-reference: there is no workload "wbe-1"`},
	} {
		_, list := resolveIn(d, &inventory.Snapshot{Workloads: three(), Frontends: []inventory.Frontend{c.f}})
		if !strings.Contains(list, c.want) || c.want == "" && list != "" {
			t.Errorf("%s: %s", name, list)
		}
	}
}
