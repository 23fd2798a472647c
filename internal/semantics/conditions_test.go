package semantics_test

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// pair is a tiny estate built by hand: workload a in zone a, b in zone b, both
// enforced and closed.
func pair(t testing.TB) *lang.Dir {
	return &lang.Dir{Zones: []*lang.Zone{zone(t, "a", "de"), zone(t, "b", "de")}}
}

func byZone(name string) lang.Endpoint { return lang.Endpoint{Kind: lang.ByZone, Name: name} }

// with adds a policy of one rule.
func with(d *lang.Dir, tier lang.Tier, r lang.Rule) *lang.Dir {
	if r.From.Kind == lang.ByNothing {
		r.From, r.To = byZone("a"), byZone("b")
	}
	p := &lang.Policy{Tier: tier, Rules: []*lang.Rule{&r}}
	p.Name = "p"
	d.Policies = append(d.Policies, p)
	return d
}

// decide asks about a to b, TCP 80.
func decide(d *lang.Dir, c flow.Circumstances) semantics.Decision {
	e := semantics.New(d, &inventory.Snapshot{Workloads: ab})
	from, _ := e.Workload("a")
	to, _ := e.Workload("b")
	return e.Decide(from, to, netset.TCP, 80, c)
}

func tcp(port uint16) []lang.Port {
	return []lang.Port{{Traffic: netset.Of(netset.TCP, port, port)}}
}

// A hand-written table: which rules mean a request? The rule allows in a
// closed estate (A), and denies after an allow of everything (D).
func TestWhatARequestIs(t *testing.T) {
	for _, c := range []struct {
		http    lang.HTTP
		request string // METHOD PATH [HOST [name=value]...]
		means   string // "AD" both, "D" only the deny, "" none
	}{
		{lang.HTTP{}, "GET /", "AD"},
		{lang.HTTP{Methods: []string{"GET", "POST"}}, "POST /x", "AD"},
		{lang.HTTP{Methods: []string{"GET"}}, "POST /x", ""},
		{lang.HTTP{Methods: []string{"GET"}}, "get /x", ""},
		{lang.HTTP{Paths: []string{"/a/*"}}, "GET /a/", "AD"},
		{lang.HTTP{Paths: []string{"/a/*"}}, "GET /a/b/c", "AD"},
		{lang.HTTP{Paths: []string{"/a/*"}}, "GET /a", ""},
		{lang.HTTP{Paths: []string{"/a/*"}}, "GET /A/b", ""},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /", "AD"},
		{lang.HTTP{Paths: []string{"/"}}, "GET /a", ""},
		{lang.HTTP{Paths: []string{"/a/*/c"}}, "GET /a/b/c", "AD"},
		{lang.HTTP{Paths: []string{"/a/*/c"}}, "GET /a/b/x/c", ""},
		{lang.HTTP{Paths: []string{"/v*/item-*"}}, "GET /v1/item-", "AD"},
		{lang.HTTP{Paths: []string{"/v*/item-*"}}, "GET /v1/item-2/3", ""},
		{lang.HTTP{Paths: []string{"/a*b*c"}}, "GET /axbbycc", "AD"},
		{lang.HTTP{Paths: []string{"/a*b*c"}}, "GET /axbbycd", ""},
		{lang.HTTP{Paths: []string{"/o/{id}"}}, "GET /o/7", "AD"},
		{lang.HTTP{Paths: []string{"/o/{id}"}}, "GET /o/", ""},
		{lang.HTTP{Paths: []string{"/o/{id}"}}, "GET /o/7/8", ""},
		{lang.HTTP{Paths: []string{"/o/{id}/*"}}, "GET /o/7/", "AD"},
		{lang.HTTP{Paths: []string{"/x", "/y"}}, "GET /y", "AD"},
		{lang.HTTP{Paths: []string{"/x"}}, "GET /y%2fz", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /y%2Fz", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /y//z", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /y/../z", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /y/%2E.", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /%2e/y", "D"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /...", "AD"},
		{lang.HTTP{Paths: []string{"/*"}}, "GET /.y", "AD"},
		{lang.HTTP{}, "GET /y/../z", "D"},
		{lang.HTTP{Methods: []string{"POST"}}, "GET /y/../z", ""},
		{lang.HTTP{Hosts: []string{"api.x"}}, "GET / api.x", "AD"},
		{lang.HTTP{Hosts: []string{"api.x"}}, "GET / v.api.x", ""},
		{lang.HTTP{Hosts: []string{"*.api.x"}}, "GET / v.api.x", "AD"},
		{lang.HTTP{Hosts: []string{"*.api.x"}}, "GET / u.v.api.x", "AD"},
		{lang.HTTP{Hosts: []string{"*.api.x"}}, "GET / api.x", ""},
		{lang.HTTP{Hosts: []string{"*.api.x"}}, "GET / vapi.x", ""},
		{lang.HTTP{Headers: []lang.Header{{Name: "k", Values: []string{"v", "w"}}}}, "GET / h k=w", "AD"},
		{lang.HTTP{Headers: []lang.Header{{Name: "k", Values: []string{"v", "w"}}}}, "GET / h k=W", ""},
		{lang.HTTP{Headers: []lang.Header{{Name: "k"}}}, "GET / h k=", "AD"},
		{lang.HTTP{Headers: []lang.Header{{Name: "k"}}}, "GET / h j=1", ""},
		{lang.HTTP{Headers: []lang.Header{{Name: "j"}, {Name: "k"}}}, "GET / h j=1", ""},
		{lang.HTTP{}, "", ""},
	} {
		in := flow.Circumstances{HTTP: parseRequest(c.request)}
		allow := decide(with(pair(t), lang.Application, lang.Rule{Name: "r", HTTP: []lang.HTTP{{Methods: []string{"NONE"}}, c.http}}), in)
		deny := decide(with(with(pair(t), lang.Baseline, lang.Rule{Name: "all"}), lang.Application, lang.Rule{Name: "r", Effect: lang.Deny, HTTP: []lang.HTTP{c.http}}), in)
		pass := decide(with(with(pair(t), lang.Platform, lang.Rule{Name: "r", Effect: lang.Pass, HTTP: []lang.HTTP{c.http}}), lang.Application, lang.Rule{Name: "all"}), in)
		got := ""
		if allow.ToCome == flow.Forwarded {
			got += "A"
		}
		if deny.ToCome == flow.Dropped {
			got += "D"
		}
		if got != c.means {
			t.Errorf("%+v means %q: %q, want %q", c.http, c.request, got, c.means)
		}
		if passed := pass.Ends[0].ToCome.Steps[1].Effect == "pass"; passed != strings.Contains(c.means, "A") {
			t.Errorf("%+v passes %q: %v", c.http, c.request, passed)
		}
	}
}

func parseRequest(s string) *flow.Request {
	words := strings.Fields(s)
	if len(words) == 0 {
		return nil
	}
	r := &flow.Request{Method: words[0], Path: words[1]}
	for i, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case i == 0:
			r.Host = w
		case r.Headers == nil:
			r.Headers = map[string]string{name: value}
		default:
			r.Headers[name] = value
		}
	}
	return r
}

func TestWhenAWindowIsOpen(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const monday, allDays = 1 << time.Monday, 1<<7 - 1
	for _, c := range []struct {
		lo, hi int // hours
		days   uint8
		in     *time.Location
		at     string
		open   bool
	}{
		{6, 22, allDays, nil, "2027-01-04T05:59:59Z", false}, // a Monday
		{6, 22, allDays, nil, "2027-01-04T06:00:00Z", true},
		{6, 22, allDays, nil, "2027-01-04T21:59:59Z", true},
		{6, 22, allDays, nil, "2027-01-04T22:00:00Z", false},
		{0, 24, monday, nil, "2027-01-04T00:00:00Z", true},
		{0, 24, monday, nil, "2027-01-04T23:59:59Z", true},
		{0, 24, monday, nil, "2027-01-05T00:00:00Z", false},
		{22, 6, monday, nil, "2027-01-04T05:00:00Z", false}, // that was Sunday's
		{22, 6, monday, nil, "2027-01-04T22:00:00Z", true},
		{22, 6, monday, nil, "2027-01-05T05:59:59Z", true},
		{22, 6, monday, nil, "2027-01-05T06:00:00Z", false},
		{22, 6, monday, nil, "2027-01-05T22:00:00Z", false},
		{6, 7, allDays, berlin, "2027-01-04T05:00:00Z", true}, // winter: one hour ahead
		{6, 7, allDays, berlin, "2027-07-05T05:00:00Z", false},
		{6, 7, allDays, berlin, "2027-07-05T04:00:00Z", true}, // summer: two
		{0, 1, monday, berlin, "2027-01-03T23:30:00Z", true},  // already Monday there
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := &lang.Window{Lo: 60 * c.lo, Hi: 60 * c.hi, Days: c.days, Location: c.in, Text: "w"}
		d := decide(with(pair(t), lang.Application, lang.Rule{Name: "r", When: w}), flow.Circumstances{At: at})
		if got := d.ToCome == flow.Forwarded; got != c.open {
			t.Errorf("%02d:00-%02d:00 on %b at %s: %v", c.lo, c.hi, c.days, c.at, got)
		}
		near := d.Ends[0].ToCome.Steps[3].Near
		if !c.open && (len(near) != 1 || near[0].Why != "outside the window w" || near[0].Rule.Rule != "r") {
			t.Errorf("at %s nothing says that the window is closed: %+v", c.at, near)
		}
	}
}

func TestMTLSMustBeProven(t *testing.T) {
	d := with(pair(t), lang.Application, lang.Rule{Name: "r", MTLS: true, Effect: lang.Allow})
	if got := decide(d, flow.Circumstances{MTLS: true}); got.ToCome != flow.Forwarded {
		t.Errorf("proven: %+v", got)
	}
	if got := decide(d, flow.Circumstances{}); got.ToCome != flow.Dropped || got.Ends[0].ToCome.Steps[3].Near[0].Why != "demands mTLS" {
		t.Errorf("not proven: %+v", got)
	}
}

func TestExceptionsAreBetweenPlatformAndApplication(t *testing.T) {
	end := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	build := func(tier lang.Tier) *lang.Dir {
		d := with(pair(t), tier, lang.Rule{Name: "no", Effect: lang.Deny, Stage: lang.Enforce})
		d.Exceptions = []*lang.Exception{{Meta: lang.Meta{Name: "x"}, From: byZone("a"), To: byZone("b"), Ports: tcp(80), Expires: end}}
		return d
	}
	for _, c := range []struct {
		tier lang.Tier
		at   time.Time
		want string
	}{
		{lang.Platform, end.Add(-1), "dropped p/no"},
		{lang.Application, end.Add(-1), "forwarded x/exception"},
		{lang.Baseline, end.Add(-1), "forwarded x/exception"},
		{lang.Application, end, "dropped p/no"},
	} {
		got := decide(build(c.tier), flow.Circumstances{At: c.at})
		if s := got.InForce.String() + " " + got.InForceRule.String(); s != c.want || got.InForce != got.ToCome {
			t.Errorf("%v at %v: %s, want %s", c.tier, c.at, s, c.want)
		}
	}
}

func TestGuardrailsDecideFirst(t *testing.T) {
	never := &lang.Guardrail{Meta: lang.Meta{Name: "g", Pos: diag.Pos{Line: 3}}, Stage: lang.Enforce, From: []lang.Endpoint{byZone("a")}, To: []lang.Endpoint{byZone("b")}}
	build := func(g *lang.Guardrail) *lang.Dir {
		d := with(pair(t), lang.Platform, lang.Rule{Name: "yes", Stage: lang.Enforce})
		d.Guardrails = []*lang.Guardrail{g}
		return d
	}
	got := decide(build(never), flow.Circumstances{})
	if want := (flow.Rule{Policy: "g", Rule: "never", Line: 3}); got.InForce != flow.Dropped || got.InForceRule != want || got.ToComeRule != want {
		t.Errorf("never: %+v", got)
	}
	observed := *never
	observed.Stage = lang.Alert
	if got := decide(build(&observed), flow.Circumstances{}); got.InForce != flow.Audited || got.ToCome != flow.Dropped {
		t.Errorf("a guardrail that only alerts: %+v", got)
	}
	elsewhere := *never
	elsewhere.Ports = tcp(81)
	if got := decide(build(&elsewhere), flow.Circumstances{}); got.InForce != flow.Forwarded {
		t.Errorf("a guardrail about another port: %+v", got)
	}
	musts := *never
	musts.Kind, musts.Have = lang.Must, []lang.Word{{Text: "owner"}}
	if got := decide(build(&musts), flow.Circumstances{}); got.InForce != flow.Forwarded {
		t.Errorf("a must is checked, and denies nothing: %+v", got)
	}
}

// Of an only, the guarded end and the list are told apart: a hand-written
// table of what it denies.
func TestOnlyGuardsOneEnd(t *testing.T) {
	for _, c := range []struct {
		from, to   []lang.Endpoint
		guardsFrom bool
		denied     bool // a to b
	}{
		{[]lang.Endpoint{byZone("a")}, []lang.Endpoint{byZone("b")}, false, false},
		{[]lang.Endpoint{byZone("b")}, []lang.Endpoint{byZone("b")}, false, true},
		{[]lang.Endpoint{byZone("b"), byZone("a")}, []lang.Endpoint{byZone("b")}, false, false},
		{[]lang.Endpoint{byZone("b")}, []lang.Endpoint{byZone("a")}, false, false}, // guards a, which is not reached
		{[]lang.Endpoint{byZone("a")}, []lang.Endpoint{byZone("a")}, true, true},
		{[]lang.Endpoint{byZone("a")}, []lang.Endpoint{byZone("b"), byZone("c")}, true, false},
		{[]lang.Endpoint{byZone("b")}, []lang.Endpoint{byZone("a")}, true, false},
	} {
		d := with(pair(t), lang.Application, lang.Rule{Name: "yes"})
		d.Guardrails = []*lang.Guardrail{{Meta: lang.Meta{Name: "g"}, Kind: lang.Only, From: c.from, To: c.to, GuardsFrom: c.guardsFrom}}
		if got := decide(d, flow.Circumstances{}); (got.ToCome == flow.Dropped) != c.denied || c.denied && got.ToComeRule.Rule != "only" {
			t.Errorf("%+v: %v by %v", c, got.ToCome, got.ToComeRule)
		}
	}
}

func TestPrincipalsInEveryForm(t *testing.T) {
	const account = "system:serviceaccount:shop:web"
	for name, w := range map[string]inventory.Workload{
		"principal":                  {Principal: "n"},
		"SPIFFE ID":                  {Labels: map[string]string{"spiffe/id": "n"}},
		"IAM role":                   {Labels: map[string]string{"aws/role": "n"}},
		"service account":            {Labels: map[string]string{"k8s/namespace": "shop", "k8s/serviceaccount": "web"}},
		"service account, namespace": {Namespace: "shop", Labels: map[string]string{"k8s/serviceaccount": "web"}},
		"no: another label":          {Labels: map[string]string{"role": "n", "k8s/namespace": "shop"}},
		"no: nothing":                {},
	} {
		wanted := "n"
		if strings.HasPrefix(name, "service") {
			wanted = account
		}
		w.Name = "w"
		d := with(pair(t), lang.Application, lang.Rule{Name: "r", From: lang.Endpoint{Kind: lang.ByPrincipal, Name: wanted}, To: byZone("b")})
		e := semantics.New(d, &inventory.Snapshot{Workloads: []inventory.Workload{ab[1], w}})
		from, _ := e.Workload("w")
		to, _ := e.Workload("b")
		if got := e.Decide(from, to, netset.TCP, 1, flow.Circumstances{}).ToCome == flow.Forwarded; got == strings.HasPrefix(name, "no") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An External that is known by name is reached by rules to it alone; no address
// is it.
func TestExternalsByName(t *testing.T) {
	psp := &lang.External{Meta: lang.Meta{Name: "psp"}, FQDNs: []lang.Word{{Text: "api.psp.example"}}}
	d := with(pair(t), lang.Application, lang.Rule{Name: "r", From: byZone("a"), To: lang.Endpoint{Kind: lang.ByExternal, Name: "psp"}})
	d.Externals = []*lang.External{psp, {Meta: lang.Meta{Name: "other"}, FQDNs: []lang.Word{{Text: "x.example"}}}}
	e := semantics.New(d, &inventory.Snapshot{Workloads: ab})
	from, _ := e.Workload("a")
	for _, c := range []struct {
		end  lang.Endpoint
		want flow.Verdict
	}{
		{lang.Endpoint{Kind: lang.ByExternal, Name: "psp"}, flow.Forwarded},
		{lang.Endpoint{Kind: lang.ByExternal, Name: "other"}, flow.Dropped},
		{lang.Endpoint{Kind: lang.ByIP, IP: addr("8.8.8.8")}, flow.Dropped},
	} {
		parties := e.Parties(c.end)
		if len(parties) != 1 {
			t.Fatalf("%v is %d parties", c.end, len(parties))
		}
		if got := e.Decide(from, parties[0], netset.TCP, 443, flow.Circumstances{}); got.ToCome != c.want {
			t.Errorf("%s: %v", parties[0].Name(), got.ToCome)
		}
	}
}
