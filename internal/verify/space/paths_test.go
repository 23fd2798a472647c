package space

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

// checkPaths holds the automaton of some patterns to the brute evaluator: at
// one path, and at each of its own samples.
func checkPaths(t *testing.T, patterns []string, path string) {
	t.Helper()
	p, err := newPaths(patterns)
	if err != nil {
		if many := (*TooManyError)(nil); !errors.As(err, &many) {
			t.Fatal(err)
		}
		return
	}
	for _, x := range append(p.samples, path) {
		atom := p.locate(x)
		if (atom == p.ambiguous()) != bruteAmbiguous(x) {
			t.Fatalf("%q: ambiguous %v, want %v", x, atom == p.ambiguous(), bruteAmbiguous(x))
		}
		for _, y := range patterns {
			if got, want := p.in(y)[atom], !bruteAmbiguous(x) && brutePath(y, x); got != want {
				t.Fatalf("%q meets %q: %v, want %v", x, y, got, want)
			}
		}
	}
	for i, x := range p.samples {
		if int(p.locate(x)) != i {
			t.Fatalf("the sample %q of atom %d lies in atom %d", x, i, p.locate(x))
		}
	}
}

func FuzzPaths(f *testing.F) {
	f.Add("/a/*", "/a/b/c")
	f.Add("/a/*\n/a/{x}\n/a/b*c", "/a/bxc")
	f.Add("/*.js\n/%2e/{id}/*", "/x%2e.js")
	f.Add("/\n/*\n\n*\n{}", "/.%2E/")
	f.Add("~/a*/?b\n~*\n/a*\n~", "/a/b/xb")
	f.Add("/a/**b*\n/{a}{b}\n/a/*/", "/a/%2")
	f.Fuzz(func(t *testing.T, patterns, path string) {
		if len(patterns) > 60 || strings.Count(patterns, "*") > 10 {
			return // the automaton may grow; TestTooMany sees to that
		}
		checkPaths(t, strings.Split(patterns, "\n"), path)
	})
}

func TestPaths(t *testing.T) {
	patterns := []string{"~/a*b", "~*/b?d", "~/?", "~?a/*", "/a/*", "/a/{x}", "/a/*/c", "/a*", "/{x}/b", "/", "/*", "/a/b*d*", "/A"}
	for _, path := range []string{
		"/a", "/a/", "/a/b", "/a/b/c", "/a/b/b/c", "/a//c", "/ab", "/a/..", "/a/...", "/a/%2e%2E", "/a/%2e.x", "/%2", "/%%2f", "/a/bxdy", "/A", "", "*", "a/b",
		"/a?x", "/a/%252f", "/./a", "/.", "/a/.b", "/..b/c", "/é", "/%61", "/%4", "/%4g", "/%40", "/%41", "/%5a", "/%5B", "/%5c", "/%5D", "/%5f", "/%5e", "/%60", "/%6F", "/%70", "/%7a", "/%7B", "/%7e", "/%7f", "/%2d", "/%2c", "/%39",
		"/%3a", "/%3A", "/a%5Cb", `/a\b`, "/%2561", "/%%61", "/%6%61", "/%/", "/%6/a", "/%c3%bc",
	} {
		checkPaths(t, patterns, path)
	}
}

// TestTooMany feeds patterns that no automaton of bearable size tells apart,
// and other floods; each must end soon and say why.
func TestTooMany(t *testing.T) {
	var stars, words, headers []policy.HTTP
	for i := range 40 {
		stars = append(stars, policy.HTTP{Paths: []string{"/*" + string(rune('A'+i)) + "*" + string(rune('a'+i%26)) + "*"}})
	}
	for i := range 5000 {
		n := strings.Repeat("x", i%70) + string(rune('a'+i/70%26)) + string(rune('a'+i/1820))
		words = append(words, policy.HTTP{Hosts: []string{n}})
		headers = append(headers, policy.HTTP{Headers: []policy.Header{{Name: n}}})
	}
	for name, http := range map[string][]policy.HTTP{
		"stars": stars, "hosts": words, "headers": headers,
		"one long":  {{Paths: []string{"/" + strings.Repeat("*a", 50000)}}},
		"very long": {{Paths: []string{"/" + strings.Repeat("a", 5<<20)}}},
	} {
		_, err := New([]*policy.Condition{{HTTP: http}}, Horizon{})
		if many := (*TooManyError)(nil); !errors.As(err, &many) {
			t.Errorf("%s: %v, want a TooManyError", name, err)
		}
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var ends []*policy.Condition
	for i := range 5000 {
		ends = append(ends, &policy.Condition{Expires: from.Add(time.Duration(i) * time.Minute)})
	}
	if _, err := New(ends, Horizon{from, from.AddDate(1, 0, 0)}); err == nil {
		t.Error("any number of deadlines is borne")
	}
}

// TestTooInvolved joins conditions whose union no small diagram says: the
// Space stops growing and says that it is no longer exact.
func TestTooInvolved(t *testing.T) {
	var conds []*policy.Condition
	names := func(prefix string, n int) (out []policy.Header) {
		for i := range n {
			out = append(out, policy.Header{Name: fmt.Sprint(prefix, i)})
		}
		return out
	}
	// All names are mentioned once, so that the diagrams look at the partners
	// last.
	conds = append(conds, &policy.Condition{HTTP: []policy.HTTP{{Headers: append(names("a", 12), names("b", 12)...)}}})
	for i := range 12 {
		conds = append(conds, &policy.Condition{HTTP: []policy.HTTP{{Headers: []policy.Header{{Name: fmt.Sprint("a", i)}, {Name: fmt.Sprint("b", i)}}}}})
	}
	s, err := New(conds, Horizon{})
	if err != nil {
		t.Fatal(err)
	}
	joined := func() (all Set) {
		for _, c := range conds {
			one, _ := s.Of(netset.All(), c, false)
			all = all.Union(one)
		}
		return all
	}
	if joined(); s.Err() != nil {
		t.Fatal("this much is borne: ", s.Err())
	}
	size := s.diagrams.kids
	if s, err = New(conds, Horizon{}); err != nil {
		t.Fatal(err)
	}
	s.diagrams.most = size / 2
	if all := joined(); s.Err() == nil || s.diagrams.kids > size/2 {
		t.Errorf("%d of %d kids for %s and no error", s.diagrams.kids, size/2, all)
	}
}

func TestHosts(t *testing.T) {
	names := []string{"*.b", ".b", "*.a.b", "a.b", "x", "x.b"}
	h := newHosts(append([]string(nil), names...))
	for _, host := range append(h.samples, "b", ".b", "a.b", ".a.b", "c.a.b", "d.c.a.b", "ca.b", "", "x", "y", "x.b", "x.x.b", "b.") {
		for _, n := range names {
			if got, want := h.in([]string{n})[h.locate(host)], bruteHost(n, host); got != want {
				t.Errorf("%q meets %q: %v, want %v", host, n, got, want)
			}
		}
	}
}
