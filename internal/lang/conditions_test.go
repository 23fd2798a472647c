package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// withField, withHTTP and withWhen are a good rule with one field more.
func withField(field string) string { return ruleHead + "{" + goodRule + ", " + field + "}" }
func withHTTP(one string) string    { return withField("http: [" + one + "]") }
func withWhen(when string) string   { return withField("when: {" + when + "}") }

// conditionCases are about what a rule or Case says of requests, time and
// proof. The field begins at 5:68.
var conditionCases = []diagnosticCase{
	{"every field of http", withHTTP("{methods: [POST, GET, M-SEARCH], paths: [/, /*, /a/*, \"/v*/{id}\", /a%20b, /~a/], hosts: [a, \"*.b.example\", 192.0.2.1], headers: {X-A: [b, \"c d\"], x-b: true}}, {grpc: [a.B/C, a.B/*, B/c], hosts: [a]}"), ""},
	{"http that is a mapping", withField("http: {methods: [GET]}"), "5:74 bad-value"},
	{"http that is empty", withField("http: []"), "5:74 bad-value"},
	{"an alternative that says nothing", withHTTP("{}"), "5:75 bad-http"},
	{"an alternative with a slip", withHTTP("{path: [/]}"), "5:76 unknown-field"},
	{"a method in lower case", withHTTP("{methods: [get]}"), "5:86 bad-method"},
	{"a method of two words", withHTTP("{methods: [GET POST]}"), "5:86 bad-method"},
	{"every method", withHTTP("{methods: [\"*\"]}"), "5:86 bad-method"},
	{"a method nobody takes", withHTTP("{methods: [DELTE]}"), "5:86 unusual-method"},
	{"a method of one's own", withHTTP("{methods: [REINDEX]}"), ""},
	{"methods that are a word", withHTTP("{methods: GET}"), "5:85 bad-value"},
	{"a path without slash", withHTTP("{paths: [a]}"), "5:84 bad-path"},
	{"a path with a query", withHTTP("{paths: [\"/a?b\"]}"), "5:84 bad-path"},
	{"an encoded slash", withHTTP("{paths: [/a%2fb]}"), "5:84 bad-path"},
	{"an ambiguous path", withHTTP("{paths: [/a//b, /a/./b, /.., /%2E./a]}"), "5:84 bad-path, 5:91 bad-path, 5:99 bad-path, 5:104 bad-path"},
	{"two stars", withHTTP("{paths: [/a/**]}"), "5:84 bad-path"},
	{"half a variable", withHTTP("{paths: [\"/a/{b\", \"/{a}b\", \"/{}\", \"/{a.b}\"]}"), "5:84 bad-path, 5:93 bad-path, 5:102 bad-path, 5:109 bad-path"},
	{"a byte that no path has", withHTTP("{paths: [/a b, /ü, \"/a%\", '/a\\b']}"), "5:84 bad-path, 5:90 bad-path, 5:94 bad-path, 5:101 bad-path"},
	{"a URL for a host", withHTTP("{hosts: [\"https://a.example\"]}"), "5:84 bad-host"},
	{"a host with its port", withHTTP("{hosts: [\"a.example:443\"]}"), "5:84 bad-host"},
	{"a star in the middle", withHTTP("{hosts: [a.*.example, \"*\", \"*a.example\"]}"), "5:84 bad-host, 5:97 bad-host, 5:102 bad-host"},
	{"hosts with empty labels", withHTTP("{hosts: [a..b, -a.b, münchen.example]}"), "5:84 bad-host, 5:90 bad-host, 5:96 bad-host"},
	{"no name of a header", withHTTP("{headers: {\"a b\": [c]}}"), "5:86 bad-header"},
	{"the host as a header", withHTTP("{headers: {Host: [c]}}"), "5:86 bad-header"},
	{"a header with a bare value", withHTTP("{headers: {a: b}}"), "5:89 bad-header"},
	{"a header that is absent", withHTTP("{headers: {a: false}}"), "5:89 bad-header"},
	{"a header without values", withHTTP("{headers: {a: []}}"), "5:89 bad-value"},
	{"a header with an empty value", withHTTP("{headers: {a: [\"\"]}}"), "5:90 bad-value"},
	{"a header of two lines", withHTTP("{headers: {a: [\"b\\nc: d\"]}}"), "5:90 bad-header"},
	{"one header twice", withHTTP("{headers: {x-a: [b], X-A: [c]}}"), "5:96 duplicate-key"},
	{"headers that are a list", withHTTP("{headers: [a]}"), "5:85 bad-value"},
	{"no headers", withHTTP("{headers: {}}"), "5:85 bad-value"},
	{"no gRPC method", withHTTP("{grpc: [a.B, /a.B/C, a.B/C/d, a..B/C, \"a-b/C\", \"*/C\", a.B/]}"), "5:83 bad-grpc, 5:88 bad-grpc, 5:96 bad-grpc, 5:105 bad-grpc, 5:113 bad-grpc, 5:122 bad-grpc, 5:129 bad-grpc"},
	{"grpc with methods", withHTTP("{grpc: [a.B/C], methods: [GET]}"), "5:82 bad-grpc"},

	{"mtls", withField("require: mtls"), ""},
	{"something else required", withField("require: vpn"), "5:77 bad-require"},
	{"a list required", withField("require: [mtls]"), "5:77 bad-value"},
	{"mtls of a deny", ruleHead + "{require: mtls, name: r, effect: deny, from: {zone: a}, to: {zone: b}}", "5:15 bad-require"},
	{"mtls of no effect", ruleHead + "{require: mtls, name: r, effect: den, from: {zone: a}, to: {zone: b}}", "5:38 bad-effect"},

	{"a whole window", withWhen("hours: \"06:00-22:00\", days: [mon, tue, wed, thu, fri], timeZone: Europe/Berlin"), ""},
	{"hours alone", withWhen("hours: 22:00-06:00"), ""},
	{"days alone", withWhen("days: [sat, sun]"), ""},
	{"a whole day", withWhen("hours: 00:00-24:00"), ""},
	{"a window that is always open", withWhen("timeZone: UTC"), "5:74 bad-window"},
	{"a window that never opens", withWhen("hours: 06:00-06:00"), "5:82 bad-window"},
	{"hours that are none", withWhen("hours: 6-22"), "5:82 bad-window"},
	{"hours beyond the day", withWhen("hours: 06:00-24:01"), "5:82 bad-window"},
	{"hours that begin at the end", withWhen("hours: 24:00-06:00"), "5:82 bad-window"},
	{"minutes beyond the hour", withWhen("hours: 06:60-07:00"), "5:82 bad-window"},
	{"hours with signs", withWhen("hours: \"+6:00-07:00\""), "5:82 bad-window"},
	{"no days", withWhen("days: []"), "5:81 bad-value"},
	{"a day that is none", withWhen("days: [mon, Tue, tues, x]"), "5:87 bad-window, 5:92 bad-window, 5:98 bad-window"},
	{"a time zone that is none", withWhen("days: [mon], timeZone: Europe/Atlantis"), "5:98 bad-time-zone"},
	{"a time zone that is a continent", withWhen("days: [mon], timeZone: Europe"), "5:98 bad-time-zone"},
	{"the machine's time zone", withWhen("days: [mon], timeZone: Local"), "5:98 bad-time-zone"},
	{"a path for a time zone", withWhen("days: [mon], timeZone: ../../../etc/passwd"), "5:98 bad-time-zone"},

	{"every principal", ruleHead + "{name: r, effect: allow, from: {principal: \"spiffe://trust.domain/ns/a/sa/b\"}, to: {principal: \"arn:aws:iam::123456789012:role/path/x\"}}\n" +
		"  - {name: s, effect: allow, from: {principal: \"system:serviceaccount:ns:name\"}, to: {principal: batch job}}", ""},
	{"a SPIFFE ID without path", principal("spiffe://shop"), "5:48 bad-principal"},
	{"a SPIFFE ID with an empty path", principal("spiffe://shop/"), "5:48 bad-principal"},
	{"a SPIFFE ID with dots", principal("spiffe://shop/a/../b"), "5:48 bad-principal"},
	{"a SPIFFE ID in upper case", principal("SPIFFE://shop/a"), "5:48 bad-principal"},
	{"a trust domain with a port", principal("spiffe://shop:80/a"), "5:48 bad-principal"},
	{"an ARN of a user", principal("arn:aws:iam::123456789012:user/x"), "5:48 bad-principal"},
	{"an account that is too short", principal("arn:aws:iam::1:role/x"), "5:48 bad-principal"},
	{"a session", principal("arn:aws:sts::123456789012:assumed-role/x/y"), "5:48 bad-principal"},
	{"half a service account", principal("system:serviceaccount:name"), "5:48 bad-principal"},

	{"fqdns", "kind: External\nmetadata: {name: x}\nspec: {fqdns: [API.psp.example., \"*.psp.example\"], cidrs: [192.0.2.0/24]}", ""},
	{"only fqdns", "kind: External\nmetadata: {name: x}\nspec: {fqdns: [a.example]}", ""},
	{"no FQDN", "kind: External\nmetadata: {name: x}\nspec: {fqdns: [localhost, 192.0.2.1, a.1, \"*\", \"https://a.b\", \"::1\"]}", "3:16 bad-fqdn, 3:27 bad-fqdn, 3:38 bad-fqdn, 3:43 bad-fqdn, 3:48 bad-fqdn, 3:63 bad-fqdn"},
	{"one FQDN twice", "kind: External\nmetadata: {name: x}\nspec: {fqdns: [a.b, A.B.]}", "3:21 duplicate-name"},

	{"a request", expect("http: POST /x"), ""},
	{"a whole request", expect("http: {method: POST, path: /a//..%2f, host: a.example, headers: {x-a: b}}, at: 2026-11-22T01:00:00+01:00, mtls: false"), ""},
	{"a request without path", expect("http: POST"), "5:44 bad-request"},
	{"a request with a version", expect("http: GET / HTTP/1.1"), "5:44 bad-request"},
	{"a request with a query", expect("http: \"GET /a?b=c\""), "5:44 bad-request"},
	{"a request to a host", expect("http: GET https://a.example/"), "5:44 bad-request"},
	{"a request in lower case", expect("http: get /"), "5:44 bad-method"},
	{"a request that is a list", expect("http: [GET, /]"), "5:44 bad-value"},
	{"half a request", expect("http: {path: /}"), "5:44 missing-field"},
	{"a request to any host", expect("http: {method: GET, path: /, host: \"*.a.example\"}"), "5:73 bad-host"},
	{"a request with two headers of a name", expect("http: {method: GET, path: /, headers: {a: b, A: c}}"), "5:83 duplicate-key"},
	{"a path with a space", expect("http: {method: GET, path: \"/a b\"}"), "5:64 bad-request"},
	{"no instant", expect("at: noon"), "5:42 bad-time"},
	{"an instant without zone", expect("at: 2026-11-22T01:00:00"), "5:42 bad-time"},
	{"mtls that is a word", expect("mtls: perhaps"), "5:44 bad-value"},
}

func principal(name string) string {
	return ruleHead + "{name: r, effect: allow, from: {principal: \"" + name + "\"}, to: {any: true}}"
}

func expect(field string) string {
	return expectHead + "{from: {zone: a}, to: {zone: b}, " + field + ", effect: deny}"
}

func TestConditionsAreReadAsTheyAreMeant(t *testing.T) {
	d, list := parseBeside(withField("http: [{methods: [PUT, GET, PUT], hosts: [A.Example.], headers: {X-B: true, X-A: [z, y, z]}}, {grpc: [shop.Orders/Place, shop.Orders/*]}], " +
		"require: mtls, when: {hours: 22:00-06:00, days: [fri, mon], timeZone: Europe/Berlin}"))
	if len(list) > 0 {
		t.Fatal(texts(list))
	}
	r := d.Policies[0].Rules[0]
	want := "[{[GET PUT] [] [a.example] [{x-a [y z]} {x-b []}] p.yaml:5:75} {[POST] [/shop.Orders/Place /shop.Orders/*] [] [] p.yaml:5:162}]"
	if got := fmt.Sprint(r.HTTP); got != want {
		t.Errorf("http\n%s, want\n%s", got, want)
	}
	if r.HTTP[0].Headers[1].Values != nil || !r.MTLS {
		t.Errorf("rule %+v", r)
	}
	w := r.When
	if w.Lo != 22*60 || w.Hi != 6*60 || w.Days != 1<<time.Monday|1<<time.Friday || w.Location.String() != "Europe/Berlin" || w.Text != "22:00-06:00 mon,fri Europe/Berlin" {
		t.Errorf("window %+v", w)
	}
	if _, offset := time.Date(2026, 7, 1, 12, 0, 0, 0, w.Location).Zone(); offset != 2*3600 {
		t.Errorf("summer in Berlin is %d s ahead", offset)
	}
	d, _ = parseBeside(withWhen("hours: 00:00-24:00"))
	if w := d.Policies[0].Rules[0].When; w.Lo != 0 || w.Hi != 1440 || w.Days != 127 || w.Location != time.UTC || w.Text != "UTC" {
		t.Errorf("window %+v", w)
	}
}

func TestRequestsAreReadAsTheyAreMeant(t *testing.T) {
	d, list := parseBeside(expect("http: {method: POST, path: /x, host: A.example, headers: {X-A: \"1\"}}, at: 2026-11-22T01:00:00+01:00, mtls: false") +
		"\n  - {from: {zone: a}, to: {zone: b}, http: GET /y, mtls: true, effect: deny}")
	if len(list) > 0 {
		t.Fatal(texts(list))
	}
	x := d.Cases[0].Expect[0]
	if fmt.Sprint(*x.HTTP) != "{POST /x a.example map[x-a:1]}" || !x.At.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) || !x.NoMTLS {
		t.Errorf("expectation %+v, %+v", x, x.HTTP)
	}
	if x := d.Cases[0].Expect[1]; fmt.Sprint(*x.HTTP) != "{GET /y  map[]}" || !x.At.IsZero() || x.NoMTLS {
		t.Errorf("expectation %+v, %+v", x, x.HTTP)
	}
}

// A rule whose condition could not be read must not hold without it.
func TestABrokenConditionSaysLess(t *testing.T) {
	for _, field := range []string{"http: [{paths: [a]}]", "http: []", "when: {hours: x}", "when: {}", "require: x"} {
		d, list := parseBeside(withField(field))
		if r := d.Policies[0].Rules[0]; !list.HasErrors() || r.Ports == nil || len(r.Ports) != 0 {
			t.Errorf("%s: ports %v", field, r.Ports)
		}
	}
	d, _ := parseBeside(withHTTP("{methods: [GET], paths: [a]}, {paths: [/b]}"))
	if h := d.Policies[0].Rules[0].HTTP; len(h) != 1 || h[0].Paths[0] != "/b" {
		t.Errorf("an alternative without its path is there: %v", h)
	}
}

func TestValidPathPattern(t *testing.T) {
	for _, good := range strings.Fields("/ /* /a /a/ /a/* /v*/x /*x*y* /{id} /a/{_b-1}/c /a:b@c;d=e,f /%20 /.well-known/x /... /a.b /%2a /%7b /%c3%bc /%2561") {
		if err := ValidPathPattern(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	bad := append(strings.Fields("a // /a//b //a /. /.. /a/. /%2e /%2E%2e/a /.%2e /a?b /a#b /a%2Fb /a%2fb /% /%2 /%zz /%61dmin /%5a /%5C /a%5cb /%7E /%30 /%2e%2e%2e /a%2Db /a\\b /ü /** /{a /a} /{1a} /{} /x{a} /{a}x /{a}{b} /a|b /<b>"), "", "/a b", "/a\n", "/\x00", "/\xff")
	for _, p := range bad {
		if ValidPathPattern(p) == nil {
			t.Errorf("%q is taken", p)
		}
	}
}

func TestEveryTimeZoneCanBeLoaded(t *testing.T) {
	var z timeZones
	if _, err := z.load("Europe/Berlin"); err != nil || len(z.files) < 400 {
		t.Fatalf("%d zones, %v", len(z.files), err)
	}
	for name := range z.files {
		if _, err := z.load(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, _ := z.load("Asia/Tokyo")
	if b, _ := z.load("Asia/Tokyo"); a != b {
		t.Error("one name, two zones")
	}
}

func TestTheMethodsAreMethods(t *testing.T) {
	for _, m := range methods {
		if !isToken(m) || m != strings.ToUpper(m) || len(m) > longestMethod {
			t.Errorf("%q", m)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(methods)))) != len(methods) {
		t.Error("one is there twice")
	}
}
