package space

import (
	"fmt"
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
		"TCP 8080 POST /api/v1/payments/*; TCP 8080 mtls":                                allow(8080, "pay").Union(allow(8080, "mtls")),
		"TCP 80,8080 POST /api/v1/payments/*":                                            allow(8080, "pay").Union(allow(80, "pay")),
		"TCP 80 GET; TCP 8080 POST /api/v1/payments/*":                                   allow(8080, "pay").Union(allow(80, "get")),
		"TCP 8080 GET,POST /a/*,/b host api.example header x-a=b":                        allow(8080, "full"),
		"TCP 80 /x; TCP 80 host *.example":                                               allow(80, "two"),
		"TCP 5432 mtls":                                                                  allow(5432, "mtls"),
		"TCP 5432 no mtls":                                                               plain(5432).Subtract(allow(5432, "mtls")).Union(Set{}),
		"TCP 22 06:00-22:00 mon,tue Europe/Berlin":                                       allow(22, "day"),
		"TCP 22 22:00-06:00 sat,sun UTC":                                                 allow(22, "night"),
		"TCP 80 /x until 2027-01-31T18:00:00Z":                                           allow(80, "until"),
		"TCP 80 other than POST /api/v1/payments/*,ambiguous":                            plain(80).Subtract(deny(80, "pay")),
		"TCP 80 GET even ambiguous":                                                      deny(80, "get"),
		"TCP 80 GET ambiguous":                                                           deny(80, "get").Subtract(allow(80, "get")),
		"TCP 80 (method other than GET,POST)":                                            allow(80, "any").Subtract(allow(80, "get")).Subtract(x.method(80, "POST")),
		"TCP 80 POST (path /api/v1/payments/* other than /api/v1/payments/1)":            allow(80, "pay").Subtract(deny(80, "one")),
		"TCP 80 not HTTP":                                                                plain(80).Subtract(deny(80, "any")),
		"UDP 53 other than POST /api/v1/payments/*,ambiguous or GET even ambiguous":      x.udp(53).Subtract(all.Intersect(x.of(x.udp(53), "pay")).Union(x.of(x.udp(53), "get"))),
		"TCP 80 other than POST (path /api/v1/payments/* other than /api/v1/payments/1)": plain(80).Subtract(allow(80, "pay").Subtract(deny(80, "one"))),
		"TCP 80 (path /api/v1/payments/1 or other than /api/v1/payments/*)":              allow(80, "any").Subtract(x.path(80, "/api/v1/payments/*").Subtract(x.path(80, "/api/v1/payments/1"))),
		"TCP 80 (path other than /x or ambiguous)":                                       deny(80, "any").Subtract(x.path(80, "/x")),
		"TCP 80 /x,ambiguous":                                                            x.path(80, "/x").Union(deny(80, "any").Subtract(allow(80, "any"))),
		"TCP 80 (method other than GET,POST) even ambiguous":                             deny(80, "any").Subtract(deny(80, "get")).Subtract(x.method(80, "POST")),
		"TCP 80 other than GET or POST even ambiguous":                                   plain(80).Subtract(allow(80, "get")).Subtract(x.method(80, "POST")),
		"TCP 80 outside 06:00-22:00 mon,tue Europe/Berlin":                               plain(80).Subtract(allow(80, "day")),
		"TCP 80 06:00-22:00 mon,tue Europe/Berlin until 2027-01-31T18:00:00Z":            allow(80, "day").Intersect(x.ahead(80)),
		"TCP 80 POST /x,ambiguous":                                                       x.method(80, "POST").Intersect(x.path(80, "/x").Union(deny(80, "any").Subtract(allow(80, "any")))),
		"TCP 80 not HTTP; TCP 80 POST even ambiguous":                                    plain(80).Subtract(deny(80, "any")).Union(x.method(80, "POST")),
		"TCP 80 HTTP even ambiguous no mtls":                                             deny(80, "any").Subtract(allow(80, "mtls")),
		"TCP 80 GET host api.example":                                                    allow(80, "get").Intersect(x.atom(80, dimHost, x.s.hosts.in([]string{"api.example"}))),
		"TCP 80 GET (host other than *.example)":                                         allow(80, "get").Intersect(x.atom(80, dimHost, x.s.hosts.in([]string{"*.example"}).not())),
		"TCP 80 GET (header x-a absent or other than b)":                                 allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{true, true, false})),
		"TCP 80 GET (header x-a other than b)":                                           allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{false, true, false})),
		"TCP 80 GET (header x-a absent or b)":                                            allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{true, false, true})),
		"TCP 80 GET no header x-a":                                                       allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{true, false, false})),
		"TCP 80 GET header x-a":                                                          allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{false, true, true})),
		"TCP 80 GET header x-a=b no mtls":                                                allow(80, "get").Intersect(x.atom(80, dimHeader, atoms{false, false, true})).Subtract(allow(80, "mtls")),
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

// atom is what has some atoms, and of HTTP only what is not ambiguous or
// whatever, as the dimension has it.
func (x *said) atom(port uint16, dim uint16, in atoms) Set {
	d := &x.s.diagrams
	return conditioned(netset.Of(netset.TCP, port, port), d.pick(dim, in, d.yes))
}

// method is every request with that method, also with an ambiguous path.
func (x *said) method(port uint16, m string) Set {
	return x.atom(port, dimMethod, x.s.methodAtoms([]string{m}))
}

// path is every request with such a path.
func (x *said) path(port uint16, p string) Set {
	return x.tcp(port, "any", false).Intersect(x.atom(port, dimPath, x.s.paths.of([]string{p}, false)))
}

func (x *said) ahead(port uint16) Set {
	return x.atom(port, dimTime, x.s.moments.of(nil, x.conds["until"].Expires))
}

// TestLongTextsSaySo: what is cut short names something wider.
func TestLongTextsSaySo(t *testing.T) {
	var conds []*policy.Condition
	for i := range 40 {
		conds = append(conds, &policy.Condition{HTTP: []policy.HTTP{{Methods: []string{"POST"}, Paths: []string{fmt.Sprintf("/p%d", i)}, Hosts: []string{fmt.Sprintf("h%d", i)}}}})
	}
	s, err := New(conds, Horizon{})
	if err != nil {
		t.Fatal(err)
	}
	var set Set
	for _, c := range conds {
		one, _ := s.Of(netset.Of(netset.TCP, 80, 80), c, false)
		set = set.Union(one)
	}
	if got := set.String(); !strings.HasPrefix(got, "TCP 80 some requests of POST /p0,/p1") || len(got) > 2*maxText {
		t.Errorf("got %s", got)
	}
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
			for _, x := range set.segs {
				if d := &s.diagrams; d.apply(opLess, x.when, s.inside(s.around(x.when))) != d.no {
					rt.Fatalf("what is said to be around %q is not", text)
				}
				boxes, ok := s.boxes(x.when, nil)
				all := s.diagrams.no
				for _, b := range boxes {
					all = s.diagrams.apply(opOr, all, s.inside(b))
				}
				if ok && all != x.when {
					rt.Fatalf("%q was taken apart wrongly", text)
				}
			}
		}
	})
}

// inside returns what is in a box.
func (s *Space) inside(b box) *node {
	n := s.diagrams.yes
	for dim := numDims - 1; dim >= 0; dim-- {
		if in := b[uint16(dim)]; in != nil {
			n = s.diagrams.pick(uint16(dim), in, n)
		}
	}
	return n
}

// TestNothingIsSaidTwice: what the other alternatives say already is left out.
func TestNothingIsSaidTwice(t *testing.T) {
	alternative := func(paths, methods []string) *policy.Condition {
		return &policy.Condition{HTTP: []policy.HTTP{{Methods: methods, Paths: paths}}}
	}
	conds := []*policy.Condition{
		alternative([]string{"/m"}, []string{"GET", "POST"}),
		alternative([]string{"/m", "/n"}, []string{"GET"}),
		alternative([]string{"/m", "/o"}, []string{"POST"}),
	}
	s, err := New(conds, Horizon{})
	if err != nil {
		t.Fatal(err)
	}
	var set Set
	for _, c := range conds {
		one, _ := s.Of(netset.Of(netset.TCP, 80, 80), c, false)
		set = set.Union(one)
	}
	if got, want := set.String(), "TCP 80 GET /m,/n; TCP 80 POST /m,/o"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
