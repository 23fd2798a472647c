package semantics_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// Whatever request is made, one of the examples is answered like it by every
// rule: of patterns with one star in a segment, nothing is missed.
func TestNoRequestIsUnlikeTheExamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &lang.Dir{}
		for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
			r := &lang.Rule{Name: fmt.Sprint(i), From: lang.Endpoint{Kind: lang.ByAny}, To: lang.Endpoint{Kind: lang.ByAny}, HTTP: []lang.HTTP{drawHTTP(t)}}
			r.Effect = rapid.SampledFrom([]lang.Effect{lang.Allow, lang.Deny}).Draw(t, "effect")
			d.Policies = append(d.Policies, &lang.Policy{Tier: lang.Application, Rules: []*lang.Rule{r}})
		}
		e := semantics.New(d, &inventory.Snapshot{Workloads: ab})
		from, _ := e.Workload("a")
		to, _ := e.Workload("b")
		found := map[string]bool{}
		for _, r := range e.Requests(from, to, netset.All()) {
			found[spokenOf(e, from, to, r)] = true
		}
		for range 50 {
			if r := drawRequest(t); !found[spokenOf(e, from, to, r)] {
				t.Fatalf("%+v is like none of the examples for %+v", r, d.Policies)
			}
		}
	})
}

func drawHTTP(t *rapid.T) lang.HTTP {
	var h lang.HTTP
	if rapid.IntRange(0, 3).Draw(t, "methods") == 0 {
		h.Methods = []string{rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method")}
	}
	for range rapid.IntRange(1, 2).Draw(t, "paths") {
		var segments []string
		for range rapid.IntRange(1, 2).Draw(t, "depth") {
			segments = append(segments, rapid.SampledFrom([]string{"a", "ab", "a*", "*b", "a*b", "{x}", "*"}).Draw(t, "segment"))
		}
		h.Paths = append(h.Paths, "/"+strings.Join(segments, "/"))
	}
	if rapid.IntRange(0, 3).Draw(t, "hosts") == 0 {
		h.Hosts = []string{rapid.SampledFrom([]string{"x", "a.x", "*.x", "*.a.x"}).Draw(t, "host")}
	}
	for _, name := range []string{"j", "k"} {
		switch rapid.IntRange(0, 7).Draw(t, name) {
		case 0:
			h.Headers = append(h.Headers, lang.Header{Name: name})
		case 1:
			h.Headers = append(h.Headers, lang.Header{Name: name, Values: []string{rapid.SampledFrom([]string{"v", "w"}).Draw(t, "value")}})
		}
	}
	return h
}

func drawRequest(t *rapid.T) *flow.Request {
	r := &flow.Request{
		Method:  rapid.SampledFrom([]string{"GET", "POST", "PUT"}).Draw(t, "method"),
		Host:    rapid.SampledFrom([]string{"", "x", "a.x", "b.x", "b.a.x", "c.b.a.x", "y"}).Draw(t, "host"),
		Headers: map[string]string{},
	}
	for range rapid.IntRange(1, 3).Draw(t, "depth") {
		r.Path += "/" + rapid.SampledFrom([]string{"", "a", "ab", "b", "c", "ac", "cb", "acb", "aab", "..", "x%2fy", "%61", "x%5Cy", "%7b"}).Draw(t, "segment")
	}
	for _, name := range []string{"j", "k"} {
		if v := rapid.SampledFrom([]string{"none", "v", "w", "u"}).Draw(t, name); v != "none" {
			r.Headers[name] = v
		}
	}
	return r
}
