package diag

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	fields := []string{"effect", "from", "to", "ports", "stage", "reason", "owner", "Zone", "zone"}
	for _, c := range []struct{ word, want string }{
		{"prots", "ports"},   // a swap
		{"port", "ports"},    // a missing letter
		{"stagee", "stage"},  // one too many
		{"form", "from"},     // a swap
		{"resaon", "reason"}, // a swap
		{"zonee", "zone"},
		{"zoned", "zone"},
		{"Zon", "Zone"},
		{"ot", "to"},
		{"completely-else", ""},
		{"x", ""}, // everything is further than one edit away
		{"", ""},
		{"zone", "Zone"}, // a word is no suggestion for itself
		{strings.Repeat("p", 1000), ""},
	} {
		if got := Nearest(c.word, fields); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abcd", "acbd", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		var rows [3][longestWord + 1]int
		if got := distance(c.a, c.b, &rows); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a, &rows); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestListSortsByPlaceAndKeepsErrors(t *testing.T) {
	var l List
	l.Warnf(Pos{"b.yaml", 1, 1}, "later", "x")
	l.Errorf(Pos{"a.yaml", 9, 1}, "second", "x").WithHelp("do %s", "that")
	l.Errorf(Pos{"a.yaml", 2, 7}, "first", "x")
	l.Sort()
	var got []string
	for _, d := range l {
		got = append(got, d.String())
	}
	want := "a.yaml:2:7: error first: x\na.yaml:9:1: error second: x\n    help: do that\nb.yaml:1:1: warning later: x"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if !l.HasErrors() || l[2:].HasErrors() {
		t.Error("HasErrors must be true with an error and false with warnings only")
	}
}

func TestMeant(t *testing.T) {
	names := []string{"loadgenerator", "kube", "frontend", "frontend-admin", "db"}
	for _, c := range []struct{ word, want string }{
		{"loadgen", "loadgenerator"},
		{"kubernetes", "kube"},
		{"frontent", "frontend"}, // the nearest comes first
		{"fro", ""},              // it could be either
		{"lo", ""},               // too short to be sure
		{"dbx-1", ""},
		{"kube", ""},
		{"", ""},
	} {
		if got := Meant(c.word, names); got != c.want {
			t.Errorf("Meant(%q) = %q, want %q", c.word, got, c.want)
		}
	}
	if got := Meant("loadgen", []string{"loadgenerator", "loadgenerator"}); got != "loadgenerator" {
		t.Errorf("one name twice: %q", got)
	}
}
