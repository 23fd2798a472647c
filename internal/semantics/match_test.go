package semantics_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

const estate = `
kind: Estate
metadata: {name: e}
spec: {networks: [10.0.0.0/8]}
---
kind: Zone
metadata: {name: web}
spec: {select: tier=web, stage: enforce}
---
kind: Zone
metadata: {name: data}
spec: {select: tier=data, stage: enforce}
---
kind: Zone
metadata: {name: unassigned}
spec: {stage: enforce}
---
kind: Service
metadata: {name: db}
spec: {select: app=db, ports: [{name: sql, port: 5432}, {name: both, port: 1}]}
---
kind: External
metadata: {name: psp, owner: o}
spec: {cidrs: [203.0.113.0/24, 10.7.0.0/16], reason: r}
---
kind: External
metadata: {name: internet, owner: o}
spec: {cidrs: [0.0.0.0/0], reason: r}
`

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// The inhabitants: web, db (in data and in the service), stray (in no zone,
// lacks every label), and one address that web2 and stray share.
var inhabitants = &inventory.Snapshot{Workloads: []inventory.Workload{
	{Name: "db", Labels: map[string]string{"tier": "data", "app": "db"}, Addresses: []netip.Addr{addr("10.0.0.2")},
		Ports: []inventory.Port{{Name: "both", Number: 2}, {Name: "own", Number: 3, Protocol: netset.UDP}}},
	{Name: "stray", Addresses: []netip.Addr{addr("10.0.0.9")}},
	{Name: "web", Labels: map[string]string{"tier": "web"}, Principal: "id/web", Addresses: []netip.Addr{addr("10.0.0.1")}},
	{Name: "web2", Labels: map[string]string{"tier": "web"}, Addresses: []netip.Addr{addr("10.0.0.9")}},
}}

func evaluator(t *testing.T, text string) *semantics.Evaluator {
	t.Helper()
	d, list := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(estate + text)}})
	if list.HasErrors() {
		t.Fatalf("%v", list)
	}
	return semantics.New(d, inhabitants)
}

func party(t *testing.T, e *semantics.Evaluator, s string) semantics.Party {
	t.Helper()
	if a, err := netip.ParseAddr(s); err == nil {
		return e.Address(a)
	}
	p, ok := e.Workload(s)
	if !ok {
		t.Fatalf("no workload %s", s)
	}
	return p
}

const policyHead = "---\nkind: Policy\nmetadata: {name: p}\nspec:\n  stage: enforce\n  rules:\n"

// A hand-written table: does the end of a rule, against any at the other end,
// let the party talk to (or be talked to by) the workload db?
func TestWhatAnEndOfARuleMeans(t *testing.T) {
	parties := []string{"web", "db", "stray", "10.9.9.9", "10.7.0.1", "203.0.113.1", "8.8.8.8", "2001:db8::1", "10.0.0.9"}
	for _, row := range []struct{ end, yes string }{
		//                         web db stray unknown unknown+psp psp world(v4) world(v6) shared
		{"service: db", "         n   y  n     n       n           n   n         n         n"},
		{"zone: web", "           y   n  n     n       n           n   n         n         n"},
		{"zone: unassigned", "    n   n  y     n       n           n   n         n         n"},
		{"select: tier", "        y   y  n     n       n           n   n         n         n"},
		{"select: tier!=data", "  y   n  y     n       n           n   n         n         y"},
		{"select: '!tier'", "     n   n  y     n       n           n   n         n         n"},
		{"principal: id/web", "   y   n  n     n       n           n   n         n         n"},
		{"external: psp", "       n   n  n     n       n           y   n         n         n"},
		{"external: internet", "  n   n  n     n       n           y   y         n         n"},
		{"any: true", "           y   y  y     y       y           y   y         y         y"},
	} {
		answers := strings.Fields(row.yes)
		from := evaluator(t, policyHead+"  - {name: r, effect: allow, from: {"+row.end+"}, to: {any: true}, reason: x}\n")
		to := evaluator(t, policyHead+"  - {name: r, effect: allow, from: {any: true}, to: {"+row.end+"}, reason: x}\n")
		for i, name := range parties {
			want := flow.Dropped
			if answers[i] == "y" {
				want = flow.Forwarded
			}
			if got := from.Decide(party(t, from, name), party(t, from, "db"), netset.TCP, 7, flow.Circumstances{}); got.ToCome != want || got.InForce != want {
				t.Errorf("from %s: %s → db is %v, want %v", row.end, name, got.ToCome, want)
			}
			if got := to.Decide(party(t, to, "db"), party(t, to, name), netset.TCP, 7, flow.Circumstances{}); got.ToCome != want || got.InForce != want {
				t.Errorf("to %s: db → %s is %v, want %v", row.end, name, got.ToCome, want)
			}
		}
	}
}

func TestWhatPortsMean(t *testing.T) {
	for _, c := range []struct{ to, ports, at, want string }{
		{"service: db", "", "db", "all"},
		{"service: db", "ports: [80/TCP, 8000-8080/TCP, 53/UDP, icmp]", "db", "TCP 80,8000-8080; UDP 53; ICMP"},
		{"service: db", "ports: [sql]", "db", "TCP 5432"},
		{"service: db", "ports: [both]", "db", "TCP 1"},  // the service that was named says it
		{"zone: data", "ports: [both]", "db", "TCP 1-2"}, // everyone who knows the workload does
		{"any: true", "ports: [own, sql]", "db", "TCP 5432; UDP 3"},
		{"any: true", "ports: [sql]", "stray", "none"},
		{"any: true", "ports: [sql, 9/TCP]", "8.8.8.8", "TCP 9"},
	} {
		ports := c.ports
		if ports != "" {
			ports = ", " + ports
		}
		e := evaluator(t, policyHead+"  - {name: r, effect: allow, from: {any: true}, to: {"+c.to+"}, reason: x"+ports+"}\n")
		if got := e.Summarize(party(t, e, "web"), party(t, e, c.at), false, flow.Circumstances{}).Permitted.String(); got != c.want {
			t.Errorf("to %s, %s at %s: %s, want %s", c.to, c.ports, c.at, got, c.want)
		}
	}
}

func TestBothEndsMustLetItPass(t *testing.T) {
	open := strings.Replace(estate, "spec: {select: tier=data, stage: enforce}", "spec: {select: tier=data, stage: enforce, default: allow}", 1)
	d, _ := lang.Parse(fstest.MapFS{"p.yaml": {Data: []byte(open)}})
	e := semantics.New(d, inhabitants)
	got := e.Decide(party(t, e, "web"), party(t, e, "db"), netset.TCP, 1, flow.Circumstances{})
	if got.ToCome != flow.Dropped || len(got.Ends) != 2 || got.Ends[0].ToCome.Permits || !got.Ends[1].ToCome.Permits {
		t.Errorf("web denies, data allows: %+v", got)
	}
	if got := e.Decide(party(t, e, "8.8.8.8"), party(t, e, "db"), netset.TCP, 1, flow.Circumstances{}); got.ToCome != flow.Forwarded || len(got.Ends) != 1 {
		t.Errorf("only data is asked: %+v", got)
	}
	if got := e.Decide(party(t, e, "8.8.8.8"), party(t, e, "10.9.9.9"), netset.TCP, 1, flow.Circumstances{}); got.ToCome != flow.Unjudged || got.InForce != flow.Unjudged {
		t.Errorf("nobody is asked: %+v", got)
	}
}

// 10.0.0.9 may be stray or web2: at the other end, both must be permitted.
func TestEveryOwnerOfAnAddressMustBePermitted(t *testing.T) {
	rule := policyHead + "  - {name: r, effect: allow, from: {FROM}, to: {service: db}, reason: x}\n"
	for from, want := range map[string]bool{"zone: web": false, "zone: unassigned": false, "any: true": true, "select: tier!=data": true} {
		e := evaluator(t, strings.Replace(rule, "FROM", from, 1))
		ends := e.Decide(party(t, e, "10.0.0.9"), party(t, e, "db"), netset.TCP, 1, flow.Circumstances{}).Ends
		if db := ends[len(ends)-1]; db.Workload != "db" || db.InForce.Permits != want || db.ToCome.Permits != want {
			t.Errorf("from %s: %+v", from, db)
		}
	}
}

func TestBuiltinsAreNeverJudged(t *testing.T) {
	e := evaluator(t, policyHead+"  - {name: r, effect: deny, from: {any: true}, to: {any: true}, reason: x}\n")
	for address, name := range map[string]string{"127.0.0.9": "loopback", "::1": "loopback", "169.254.169.254": "metadata", "fd00:ec2::253": "resolver"} {
		got := e.Decide(party(t, e, "db"), party(t, e, address), netset.TCP, 80, flow.Circumstances{})
		if got.InForce != flow.Forwarded || got.InForceRule != (flow.Rule{Policy: "builtin", Rule: name}) {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// Spans must cover every address once, and every address of one must be what
// the first is.
func TestSpansCoverEverything(t *testing.T) {
	e := evaluator(t, "")
	spans := e.Spans()
	next := netip.IPv4Unspecified()
	for _, s := range spans {
		if s.Lo != next {
			t.Fatalf("a span begins at %s, want %s", s.Lo, next)
		}
		for _, a := range []netip.Addr{s.Lo, s.Hi} {
			p := e.Address(a)
			p.Addr = s.Party.Addr
			if p.Name() != s.Party.Name() {
				t.Errorf("%s is %s, but its span is %s", a, p.Name(), s.Party.Name())
			}
		}
		if next = s.Hi.Next(); !next.IsValid() && s.Hi.Is4() {
			next = netip.IPv6Unspecified()
		}
	}
	if next.IsValid() {
		t.Errorf("the last span ends before %s", next)
	}
}

func TestCases(t *testing.T) {
	text := policyHead + `
  - {name: sql, effect: allow, from: {zone: web}, to: {service: db}, ports: [sql], reason: x}
  - {name: soon, effect: allow, stage: observe, from: {zone: web}, to: {service: db}, ports: [9/TCP], reason: x}
  - {name: out, effect: allow, from: {service: db}, to: {external: psp}, reason: x}
---
kind: Case
metadata: {name: c}
spec:
  expect:
  - {from: {zone: web}, to: {service: db}, port: sql, effect: allow}
  - {from: {zone: web}, to: {service: db}, port: 5432/TCP, effect: deny}
  - {from: {zone: web}, to: {service: db}, effect: allow}
  - {from: {zone: web}, to: {service: db}, effect: deny}
  - {from: {workload: stray}, to: {service: db}, effect: deny}
  - {from: {workload: web}, to: {service: db}, port: 9/TCP, effect: allow}
  - {from: {workload: web}, to: {service: db}, port: 9/TCP, effect: deny, inForce: true}
  - {from: {select: app=none}, to: {service: db}, effect: deny}
  - {from: {external: psp}, to: {ip: 8.8.8.8}, effect: deny}
  - {from: {service: db}, to: {external: internet}, effect: deny}
  - {from: {service: db}, to: {external: psp}, effect: allow}
  - {from: {any: true}, to: {workload: stray}, effect: deny}
  - {from: {ip: 10.0.0.9}, to: {service: db}, port: sql, effect: deny}
`
	want := []string{
		"allow allow p/sql", "deny allow p/sql", "allow deny default-deny", "deny allow p/soon", "deny deny default-deny",
		"allow allow p/soon", "deny deny default-deny", "deny unknown", "deny unknown", "deny allow p/out", "allow allow p/out",
		"deny deny default-deny", "deny deny default-deny",
	}
	outcomes := evaluator(t, text).Cases(time.Time{})
	if len(outcomes) != len(want) {
		t.Fatalf("%d outcomes, want %d", len(outcomes), len(want))
	}
	for i, o := range outcomes {
		rule, _, _ := strings.Cut(o.Rule.String(), " ")
		if got := strings.TrimSpace(o.Want + " " + o.Got + " " + rule); got != want[i] || o.Index != i {
			t.Errorf("line %d: %q, want %q (%s → %s, %s) %s", i, got, want[i], o.From, o.To, o.Traffic, o.Why)
		}
	}
}

// A line without a request is about all of them and about what is no HTTP; one
// without a time is about the time that is given.
func TestCasesInCircumstances(t *testing.T) {
	text := policyHead + `
  - {name: pay, effect: allow, from: {zone: web}, to: {service: db}, ports: [80/TCP], http: [{methods: [POST], paths: [/pay/*]}], reason: x}
  - {name: all, effect: allow, from: {zone: web}, to: {service: db}, ports: [81/TCP], reason: x}
  - {name: no-admin, effect: deny, from: {zone: web}, to: {service: db}, ports: [81/TCP], http: [{paths: [/admin/*]}], reason: x}
  - {name: day, effect: allow, from: {zone: web}, to: {service: db}, ports: [82/TCP], when: {hours: "06:00-22:00"}, reason: x}
  - {name: tls, effect: allow, from: {zone: web}, to: {service: db}, ports: [83/TCP], require: mtls, reason: x}
  - {name: both, effect: allow, from: {zone: web}, to: {service: db}, ports: [84/TCP], http: [{methods: [GET]}], reason: x}
  - {name: rest, effect: allow, from: {zone: web}, to: {service: db}, ports: [84/TCP], reason: x}
---
kind: Case
metadata: {name: c}
spec:
  expect:
`
	for _, c := range []struct{ line, got string }{
		{"port: 80/TCP, http: POST /pay/1, effect: allow", "allow p/pay"},
		{"port: 80/TCP, http: GET /pay/1, effect: deny", "deny default-deny"},
		{"port: 80/TCP, effect: allow", "deny default-deny"},
		{"port: 80/TCP, effect: deny", "allow p/pay"}, // some are permitted
		{"port: 81/TCP, effect: allow", "deny p/no-admin"},
		{"port: 81/TCP, http: GET /, effect: allow", "allow p/all"},
		{"port: 81/TCP, http: GET /admin/, effect: deny", "deny p/no-admin"},
		{"port: 84/TCP, effect: allow", "allow p/rest"}, // the first that was asked
		{"port: 82/TCP, effect: allow", "allow p/day"},
		{"port: 82/TCP, at: 2027-01-04T22:00:00Z, effect: deny", "deny default-deny"},
		{"port: 83/TCP, effect: allow", "allow p/tls"},
		{"port: 83/TCP, mtls: false, effect: deny", "deny default-deny"},
	} {
		e := evaluator(t, text+"  - {from: {zone: web}, to: {service: db}, "+c.line+"}\n")
		o := e.Cases(monday)[0]
		rule, _, _ := strings.Cut(o.Rule.String(), " ")
		if got := o.Got + " " + rule; got != c.got {
			t.Errorf("%s: %q, want %q (%+v)", c.line, got, c.got, o.Circumstances.HTTP)
		}
		if late := e.Cases(monday.Add(11 * time.Hour))[0]; strings.HasPrefix(c.line, "port: 82/TCP, effect") && late.Got != "deny" {
			t.Errorf("at night: %+v", late)
		}
	}
}
