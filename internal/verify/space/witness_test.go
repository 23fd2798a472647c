package space

import (
	"reflect"
	"sync"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// TestWitnessIsPlain: of all members, people are shown the least surprising.
func TestWitnessIsPlain(t *testing.T) {
	x := newSaid(t)
	from := x.s.from()
	plain := Plain(netset.Of(netset.TCP, 90, 90))
	for name, c := range map[string]struct {
		set  Set
		port uint16
		want flow.Circumstances
	}{
		"plain before conditioned": {plain.Union(x.tcp(80, "pay", false)), 90, flow.Circumstances{At: from, MTLS: true}},
		"lowest port":              {x.tcp(90, "mtls", false).Union(x.tcp(80, "mtls", false)), 80, flow.Circumstances{At: from, MTLS: true}},
		"proven if it may be":      {x.tcp(80, "any", false).Union(x.tcp(80, "mtls", false)), 80, flow.Circumstances{At: from, MTLS: true}},
		"unproven if it must be":   {plain.Subtract(x.tcp(90, "mtls", false)), 90, flow.Circumstances{At: from}},
		"proven before no request": {plain.Subtract(x.tcp(90, "any", true)).Subtract(x.tcp(90, "mtls", false)).Union(x.tcp(90, "get", false).Intersect(x.tcp(90, "mtls", false))), 90,
			flow.Circumstances{At: from, MTLS: true, HTTP: &flow.Request{Method: "GET", Path: "/"}}},
		"a request that is not ambiguous": {x.tcp(80, "pay", true), 80,
			flow.Circumstances{At: from, MTLS: true, HTTP: &flow.Request{Method: "POST", Path: "/api/v1/payments/"}}},
		"a header and a host": {x.tcp(80, "full", false), 80, flow.Circumstances{At: from, MTLS: true,
			HTTP: &flow.Request{Method: "GET", Path: "/b", Host: "api.example", Headers: map[string]string{"x-a": "b"}}}},
		"as soon as it may be": {x.tcp(80, "day", false), 80, flow.Circumstances{At: from.AddDate(0, 0, 1).Add(5 * 3600e9), MTLS: true}},
	} {
		p, port, at, ok := c.set.Witness()
		if !ok || p != netset.TCP || port != c.port || !reflect.DeepEqual(at, c.want) {
			t.Errorf("%s: %s %d %s, want %d %s", name, p, port, place{p, port, at}, c.port, place{p, port, c.want})
		}
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	x := newSaid(t)
	want := x.tcp(80, "pay", true).Union(x.tcp(80, "full", false)).Subtract(x.tcp(80, "day", false))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				set := x.tcp(80, "full", false).Union(x.tcp(80, "pay", true)).Subtract(x.tcp(80, "day", false))
				p, port, at, _ := set.Witness()
				if !set.Equal(want) || set.String() != want.String() || !set.Contains(p, port, x.s.Locate(at)) || set.Given(true).IsEmpty() {
					t.Errorf("%s is not %s", set, want)
				}
			}
		})
	}
	all.Wait()
}
