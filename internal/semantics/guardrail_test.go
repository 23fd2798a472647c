package semantics_test

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/semantics"
)

var monday = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

func prove(d *lang.Dir, g lang.Guardrail) semantics.Proof {
	g.Name = "g"
	d.Guardrails = []*lang.Guardrail{&g}
	return semantics.New(d, &inventory.Snapshot{Workloads: ab}).Guardrails(monday)[0]
}

func TestNeverAndOnlyAreProven(t *testing.T) {
	a, b := []lang.Endpoint{byZone("a")}, []lang.Endpoint{byZone("b")}
	never := lang.Guardrail{From: a, To: b}
	orders := []lang.HTTP{{Methods: []string{"POST"}, Paths: []string{"/orders/*"}}}
	at22 := &lang.Window{Lo: 22 * 60, Hi: 23 * 60, Days: 1 << time.Sunday}
	for _, c := range []struct {
		name  string
		rule  lang.Rule
		guard lang.Guardrail
		holds bool
		check func(semantics.Witness) bool
	}{
		{"nothing permits it", lang.Rule{Name: "r", From: b[0], To: a[0]}, never, true, nil},
		{"a rule permits it", lang.Rule{Name: "r"}, never, false, func(w semantics.Witness) bool {
			return w.From.Name() == "a" && w.To.Name() == "b" && w.Rule.Rule == "r"
		}},
		{"a rule permits it on one port", lang.Rule{Name: "r", Ports: tcp(7)}, never, false, func(w semantics.Witness) bool { return w.Port == 7 }},
		{"of which nothing is said", lang.Rule{Name: "r", Ports: tcp(7)}, lang.Guardrail{From: a, To: b, Ports: tcp(8)}, true, nil},
		{"by mTLS only", lang.Rule{Name: "r", MTLS: true}, never, false, func(w semantics.Witness) bool { return w.Circumstances.MTLS }},
		{"at a time only", lang.Rule{Name: "r", When: at22}, never, false, func(w semantics.Witness) bool {
			return w.Circumstances.At.Weekday() == time.Sunday && w.Circumstances.At.Hour() == 22
		}},
		{"a request only", lang.Rule{Name: "r", HTTP: orders}, never, false, func(w semantics.Witness) bool {
			return w.Circumstances.HTTP.Method == "POST" && strings.HasPrefix(w.Circumstances.HTTP.Path, "/orders/")
		}},
		{"another request", lang.Rule{Name: "r", HTTP: orders}, lang.Guardrail{From: a, To: b, HTTP: []lang.HTTP{{Methods: []string{"GET"}}}}, true, nil},
		{"one of the requests", lang.Rule{Name: "r", HTTP: orders}, lang.Guardrail{From: a, To: b, HTTP: []lang.HTTP{{Paths: []string{"/*/7"}}}}, false,
			func(w semantics.Witness) bool { return w.Circumstances.HTTP.Path == "/orders/7" }},
		{"only a may", lang.Rule{Name: "r"}, lang.Guardrail{Kind: lang.Only, From: a, To: b}, true, nil},
		{"only b may", lang.Rule{Name: "r"}, lang.Guardrail{Kind: lang.Only, From: b, To: b}, false, nil},
		{"only to b", lang.Rule{Name: "r", To: lang.Endpoint{Kind: lang.ByAny}, From: a[0]}, lang.Guardrail{Kind: lang.Only, From: a, To: b, GuardsFrom: true}, false,
			func(w semantics.Witness) bool { return w.From.Name() == "a" && w.To.IsPlace() }},
	} {
		got := prove(with(pair(t), lang.Application, c.rule), c.guard)
		if got.Holds != c.holds || c.holds == (got.Witness != nil) || c.check != nil && !c.check(*got.Witness) {
			t.Errorf("%s: %+v, %+v", c.name, got, got.Witness)
		}
	}
}

// A guardrail is proven against the rules alone: it does not excuse itself.
func TestGuardrailsDoNotExcuseThemselves(t *testing.T) {
	d := with(pair(t), lang.Application, lang.Rule{Name: "r"})
	if got := prove(d, lang.Guardrail{Stage: lang.Enforce, From: []lang.Endpoint{byZone("a")}, To: []lang.Endpoint{byZone("b")}}); got.Holds {
		t.Error("it holds because it denies")
	}
}

func TestExceptionsViolateUntilTheyExpire(t *testing.T) {
	for _, c := range []struct {
		expires time.Time
		holds   bool
	}{{monday, true}, {monday.Add(1), false}} {
		d := pair(t)
		d.Exceptions = []*lang.Exception{{Meta: lang.Meta{Name: "x"}, From: byZone("a"), To: byZone("b"), Expires: c.expires}}
		got := prove(d, lang.Guardrail{From: []lang.Endpoint{byZone("a")}, To: []lang.Endpoint{byZone("b")}})
		if got.Holds != c.holds {
			t.Errorf("expires %v: %+v", c.expires, got)
		}
	}
	// What a deny holds back until then is not open afterwards either; a window
	// that opens after an expiry is found.
	d := with(pair(t), lang.Platform, lang.Rule{Name: "r", When: &lang.Window{Lo: 0, Hi: 60, Days: 1 << time.Monday}})
	d.Exceptions = []*lang.Exception{{Meta: lang.Meta{Name: "x"}, From: byZone("b"), To: byZone("a"), Expires: monday.Add(time.Hour)}}
	if n := len(semantics.New(d, nil).Times(monday)); n != 3 { // open: x, nothing, r
		t.Errorf("%d times", n)
	}
}

func TestMustDemandsOfWhatSpeaks(t *testing.T) {
	have := func(words ...string) (out []lang.Word) {
		for _, w := range words {
			out = append(out, lang.Word{Text: w})
		}
		return out
	}
	all := have("owner", "reason", "mtls", "ports", "http", "when")
	g := lang.Guardrail{Kind: lang.Must, From: []lang.Endpoint{{Kind: lang.ByAny}}, To: []lang.Endpoint{byZone("b")}, Have: all}
	for _, c := range []struct {
		rule  lang.Rule
		lacks string
	}{
		{lang.Rule{Name: "r"}, "owner reason mtls ports http when"},
		{lang.Rule{Name: "r", Owner: "o", MTLS: true, Ports: tcp(1)}, "reason http when"},
		{lang.Rule{Name: "r", Reason: "x", HTTP: []lang.HTTP{{}}, When: &lang.Window{Hi: 1, Days: 1}}, "owner mtls ports"},
		{lang.Rule{Name: "r", Effect: lang.Deny}, ""},
		{lang.Rule{Name: "r", From: byZone("b"), To: byZone("a")}, ""},
		{lang.Rule{Name: "r", From: byZone("nowhere"), To: byZone("b")}, ""},
		{lang.Rule{Name: "r", From: byZone("a"), To: lang.Endpoint{Kind: lang.ByAny}, Ports: []lang.Port{{Name: "none"}}}, ""},
	} {
		got := prove(with(pair(t), lang.Application, c.rule), g)
		var lacks []string
		for _, l := range got.Lacking {
			lacks = append(lacks, l.Words...)
		}
		if strings.Join(lacks, " ") != c.lacks || got.Holds != (c.lacks == "") {
			t.Errorf("%+v lacks %v, want %q", c.rule, lacks, c.lacks)
		}
	}
}

// The examples must reach every set of alternatives that a request can meet:
// a hand-written list of requests that no two of which are alike.
func TestRequestsTellApartWhatRulesDo(t *testing.T) {
	h := func(x lang.HTTP) []lang.HTTP { return []lang.HTTP{x} }
	d := with(pair(t), lang.Application, lang.Rule{Name: "1", HTTP: h(lang.HTTP{Methods: []string{"GET"}, Paths: []string{"/a/*"}})})
	with(d, lang.Application, lang.Rule{Name: "2", Effect: lang.Deny, HTTP: h(lang.HTTP{Paths: []string{"/*/b*", "/{x}"}, Hosts: []string{"*.x"}})})
	with(d, lang.Application, lang.Rule{Name: "3", HTTP: h(lang.HTTP{Paths: []string{"/a/*c"}, Headers: []lang.Header{{Name: "k", Values: []string{"v"}}, {Name: "j"}}})})
	e := semantics.New(d, &inventory.Snapshot{Workloads: ab})
	from, _ := e.Workload("a")
	to, _ := e.Workload("b")
	found := map[string]bool{}
	for _, r := range e.Requests(from, to, tcp(1)[0].Traffic) {
		found[spokenOf(e, from, to, r)] = true
	}
	for _, want := range []string{
		"GET /a/b", "GET /a/bc h.x k=v j=", "GET /a/bc h.y k=v j=", "GET /a/c h k=v j=", "POST /a/bc h.x k=v j=", "POST /a/c h k=v j=", "GET /a/bc h k=v",
		"GET /q h.x", "GET /q", "GET /a/../b", "GET /a/../b h.x", "GET /a/b/c/d", "POST /", "GET /a/b h.x",
	} {
		if key := spokenOf(e, from, to, parseRequest(want)); !found[key] {
			t.Errorf("nothing among the examples is like %s (%s)", want, key)
		}
	}
	if len(found) > 8 {
		t.Errorf("three rules make %d sets: %v", len(found), found)
	}
}

// spokenOf is the effects and rules that a request meets.
func spokenOf(e *semantics.Evaluator, from, to semantics.Party, r *flow.Request) string {
	var out strings.Builder
	d := e.Decide(from, to, 0, 1, flow.Circumstances{HTTP: r})
	step := d.Ends[0].ToCome.Steps[3]
	for _, n := range step.Near {
		out.WriteString(n.Rule.Rule)
	}
	return out.String()
}
