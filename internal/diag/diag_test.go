package diag

import (
	"errors"
	"testing"
)

func TestBound(t *testing.T) {
	many := func(errors, warnings int) (l List) {
		for i := range max(errors, warnings) {
			if i < warnings {
				l.Warnf(Pos{File: "f", Line: i + 1}, "w", "w")
			}
			if i < errors {
				l.Errorf(Pos{File: "f", Line: i + 1}, "e", "e")
			}
		}
		return l
	}
	count := func(l List, code string) (n int) {
		for _, d := range l {
			if d.Code == code {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		in                     List
		errors, warnings, more int
		last                   Severity
	}{
		{many(0, 0), 0, 0, 0, 0},
		{many(400, 600), 400, 600, 0, 0},
		{many(1500, 0), 1000, 0, 1, Error},
		{many(0, 1001), 0, 1000, 1, Warning},
		{many(300, 2000), 300, 700, 1, Error},
		{many(1500, 1500).Bound(), 1000, 0, 1, Error},
		{append(many(3, 0).Bound(), many(1200, 0).Bound()...), 1000, 0, 1, Error},
		{append(many(0, 1200).Bound(), many(1, 0)...), 1, 999, 1, Error},
	} {
		all := len(c.in)
		got := c.in.Bound()
		if count(got, "e") != c.errors || count(got, "w") != c.warnings || count(got, codeTooMany) != c.more {
			t.Errorf("of %d: %d errors, %d warnings, %d times %s; want %d, %d, %d", all,
				count(got, "e"), count(got, "w"), count(got, codeTooMany), codeTooMany, c.errors, c.warnings, c.more)
		}
		if c.more > 0 && (got[len(got)-1].Code != codeTooMany || got[len(got)-1].Severity != c.last) {
			t.Errorf("of %d: the last is %s", all, got[len(got)-1])
		}
	}
}

func TestASecondPlace(t *testing.T) {
	var l List
	l.Errorf(Pos{"a.yaml", 1, 2}, "twice", "there are two").WithHelp("keep one").WithSee(Pos{"b.yaml", 3, 4})
	l[0].Rename(func(f string) string { return "dir/" + f })
	want := "dir/a.yaml:1:2: error twice: there are two\n    help: keep one\n    see: dir/b.yaml:3:4"
	if got := l[0].String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestYAMLPlace gives messages of the YAML reader with the lines that it names.
func TestYAMLPlace(t *testing.T) {
	for _, c := range []struct {
		message, text string
		line, col     int
		want          string
	}{
		{"yaml: line 2: did not find expected ',' or '}'", "a: b\nc: d\ne: {f: g: h}\n", 3, 1, "did not find expected ',' or '}'"},
		{"yaml: line 2: found a tab character that violates indentation", "a:\n  b: c\n\td: e\n", 3, 1, "a tab where only spaces may indent"},
		{"yaml: line 2: found character that cannot start any token", "a:\n  b: @c\n  d: e\n", 2, 1, "found character that cannot start any token"},
		{"yaml: line 9: found unexpected end of stream", "a: 'b\n\n\n", 1, 1, "found unexpected end of stream"},
		{"yaml: unknown anchor 'x' referenced", "a: b\nc: *x\n", 2, 4, "unknown anchor 'x' referenced"},
		{"yaml: control characters are not allowed", "a: \x01", 1, 4, "control characters are not allowed"},
		{"something else", "", 1, 1, "something else"},
	} {
		line, col, message := YAMLPlace(errors.New(c.message), []byte(c.text))
		if line != c.line || col != c.col || message != c.want {
			t.Errorf("%q: %d:%d %q, want %d:%d %q", c.message, line, col, message, c.line, c.col, c.want)
		}
	}
}
