package space

import (
	"strings"
	"testing"
	"time"

	"firebreak/internal/netset"
	"firebreak/internal/policy"

	"pgregory.net/rapid"
)

// said makes sets for the examples below.
type said struct {
	testing.TB
	s     *Space
	conds map[string]*policy.Condition
}

func newSaid(t testing.TB) *said {
	http := func(h ...policy.HTTP) *policy.Condition { return &policy.Condition{HTTP: h} }
	x := &said{TB: t, conds: map[string]*policy.Condition{
		"any":   http(policy.HTTP{}),
		"get":   http(policy.HTTP{Methods: []string{"GET"}}),
		"pay":   http(policy.HTTP{Methods: []string{"POST"}, Paths: []string{"/api/v1/payments/*"}}),
		"one":   http(policy.HTTP{Methods: []string{"POST"}, Paths: []string{"/api/v1/payments/1"}}),
		"full":  http(policy.HTTP{Methods: []string{"GET", "POST"}, Paths: []string{"/a/*", "/b"}, Hosts: []string{"api.example"}, Headers: []policy.Header{{Name: "x-a", Values: []string{"b"}}}}),
		"two":   http(policy.HTTP{Paths: []string{"/x"}}, policy.HTTP{Hosts: []string{"*.example"}}),
		"mtls":  {MTLS: true},
		"until": {Expires: time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC), HTTP: []policy.HTTP{{Paths: []string{"/x"}}}},
		"never": {Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		"day": {When: &policy.Window{Lo: 360, Hi: 1320, Days: 0b110, Location: berlin(t),
			Text: "06:00-22:00 mon,tue Europe/Berlin"}},
		"night": {When: &policy.Window{Lo: 1320, Hi: 360, Days: 0b1000001, Location: time.UTC}},
	}}
	var all []*policy.Condition
	for _, c := range x.conds {
		all = append(all, c)
	}
	var err error
	from := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	if x.s, err = New(all, Horizon{from, from.AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *said) tcp(port uint16, cond string, deny bool) Set {
	set, ok := x.s.Of(netset.Of(netset.TCP, port, port), x.conds[cond], deny)
	if !ok {
		x.Fatal("no condition ", cond)
	}
	return set
}

func TestString(t *testing.T) {
	x := newSaid(t)
	allow := func(port uint16, cond string) Set { return x.tcp(port, cond, false) }
	deny := func(port uint16, cond string) Set { return x.tcp(port, cond, true) }
	plain := func(port uint16) Set { return Plain(netset.Of(netset.TCP, port, port)) }
	all := Plain(netset.All())
	allMTLS, _ := x.s.Of(netset.All(), x.conds["mtls"], false)
	for want, set := range map[string]Set{
		"none":                             {},
		"all":                              all,
		"all mtls":                         allMTLS,
		"TCP 80; TCP 8080 HTTP":            plain(80).Union(allow(8080, "any")),
		"TCP 8080 POST /api/v1/payments/*": allow(8080, "pay").Union(allow(8080, "one")),
		"TCP 8080 POST /api/v1/payments/*; TCP 8080 mtls":                           allow(8080, "pay").Union(allow(8080, "mtls")),
		"TCP 80,8080 POST /api/v1/payments/*":                                       allow(8080, "pay").Union(allow(80, "pay")),
		"TCP 80 GET; TCP 8080 POST /api/v1/payments/*":                              allow(8080, "pay").Union(allow(80, "get")),
		"TCP 8080 GET,POST /a/*,/b host api.example header x-a=b":                   allow(8080, "full"),
		"TCP 80 /x; TCP 80 host *.example":                                          allow(80, "two"),
		"TCP 5432 mtls":                                                             allow(5432, "mtls"),
		"TCP 5432 no mtls":                                                          plain(5432).Subtract(allow(5432, "mtls")).Union(Set{}),
		"TCP 22 06:00-22:00 mon,tue Europe/Berlin":                                  allow(22, "day"),
		"TCP 22 22:00-06:00 sat,sun UTC":                                            allow(22, "night"),
		"TCP 80 /x until 2027-01-31T18:00:00Z":                                      allow(80, "until"),
		"TCP 80 other than POST /api/v1/payments/*,ambiguous":                       plain(80).Subtract(deny(80, "pay")),
		"TCP 80 GET even ambiguous":                                                 deny(80, "get"),
		"TCP 80 GET ambiguous":                                                      deny(80, "get").Subtract(allow(80, "get")),
		"TCP 80 (method other than GET,POST)":                                       allow(80, "any").Subtract(allow(80, "get")).Subtract(x.post(80)),
		"TCP 80 POST (path /api/v1/payments/* other than /api/v1/payments/1)":       allow(80, "pay").Subtract(deny(80, "one")),
		"TCP 80 not HTTP":                                                           plain(80).Subtract(deny(80, "any")),
		"UDP 53 other than POST /api/v1/payments/*,ambiguous or GET even ambiguous": x.udp(53).Subtract(all.Intersect(x.of(x.udp(53), "pay")).Union(x.of(x.udp(53), "get"))),
	} {
		if got := set.String(); got != want && !sameItems(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := allow(80, "never"); !got.IsEmpty() {
		t.Errorf("what ended before the horizon is %s", got)
	}
}

// sameItems ignores the order of alternatives: conditions come from a map.
func sameItems(a, b string) bool {
	count := map[string]int{}
	cut := func(s string) []string {
		return strings.FieldsFunc(strings.NewReplacer("other than ", "; other than; ", " or ", "; ").Replace(s), func(r rune) bool { return r == ';' })
	}
	for _, p := range cut(a) {
		count[strings.TrimSpace(p)]++
	}
	for _, p := range cut(b) {
		count[strings.TrimSpace(p)]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func (x *said) udp(port uint16) Set { return Plain(netset.Of(netset.UDP, port, port)) }

func (x *said) of(t Set, cond string) Set {
	set, _ := x.s.Of(t.Ports(), x.conds[cond], true)
	return set
}

// post is every POST with a path that is not ambiguous.
func (x *said) post(port uint16) Set {
	any := x.tcp(port, "any", false)
	d := &x.s.diagrams
	in := x.s.methodAtoms([]string{"POST"})
	return any.Intersect(conditioned(any.Ports(), d.pick(dimMethod, in, d.yes)))
}

// TestTextsTellSetsApart: a text that claims to be exact may not be that of
// another set.
func TestTextsTellSetsApart(t *testing.T) {
	zone := berlin(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := newDrawer(rt, zone)
		conds := d.conditions(3)
		s, err := New(conds, d.horizon)
		if err != nil {
			rt.Fatal(err)
		}
		seen := map[string]Set{}
		for range 8 {
			set, _ := d.set(s, conds)
			text := set.String()
			if (text == "none") != set.IsEmpty() || (text == "all") != set.Equal(Plain(netset.All())) || strings.Contains(text, "  ") || strings.HasSuffix(text, " ") {
				rt.Fatalf("%q for %+v", text, set.segs)
			}
			if other, ok := seen[text]; ok && !strings.Contains(text, "some requests of") && !other.Equal(set) {
				rt.Fatalf("%q is the text of two sets, differing in %s and %s", text, set.Subtract(other), other.Subtract(set))
			}
			seen[text] = set
		}
	})
}
