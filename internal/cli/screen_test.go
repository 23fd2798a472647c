package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestFolded(t *testing.T) {
	for name, c := range map[string]struct {
		line  string
		width int
		want  string
	}{
		"short lines stay": {"a  b", 40, "a  b"},
		"no terminal":      {strings.Repeat("a ", 100), 0, strings.Repeat("a ", 100)},
		"at the last column": {
			"FROM        TO    p/one, p/two, p/three, p/four, p/five", 40,
			"FROM        TO    p/one, p/two, p/three,\n                  p/four, p/five",
		},
		"deeper than the line": {
			"  one two three four five six seven eight nine", 40,
			"  one two three four five six seven\n      eight nine",
		},
		"words are not broken": {strings.Repeat("x", 50), 40, strings.Repeat("x", 50)},
		"a long word":          {"a " + strings.Repeat("x", 50) + " b", 40, "a " + strings.Repeat("x", 50) + "\n    b"},
		"characters, not bytes": {
			strings.Repeat("→", 40), 40, strings.Repeat("→", 40),
		},
	} {
		if got := strings.Join(folded(c.line, c.width), "\n"); got != c.want {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, c.want)
		}
	}
}

func TestColoured(t *testing.T) {
	for line, want := range map[string]string{
		"FAIL  x: 1 error":             "\x1b[31mFAIL\x1b[0m  x: 1 error",
		"ok    x":                      "\x1b[32mok\x1b[0m    x",
		"DENY    a → b":                "\x1b[31mDENY\x1b[0m    a → b",
		"p.yaml:1:2: warning no-stage": "p.yaml:1:2:\x1b[33m warning \x1b[0mno-stage",
		"p.yaml:1:2: info warning":     "p.yaml:1:2: info warning",
		"okay":                         "okay",
		"  FAIL":                       "  FAIL",
	} {
		if got := coloured(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestScreenHoldsBackParts demands that how a text is cut into writes changes
// nothing.
func TestScreenHoldsBackParts(t *testing.T) {
	var out bytes.Buffer
	s := &screen{w: &out, width: leastWidth, colour: true}
	for _, part := range []string{"FA", "IL  a", "\nok\n", "b\n"} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := out.String(), "\x1b[31mFAIL\x1b[0m  a\n\x1b[32mok\x1b[0m\nb\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOnlyTerminalsAreScreens demands that pipes and files get plain text.
func TestOnlyTerminalsAreScreens(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := forPeople(&results{w: f}, true); w == nil {
		t.Error("no writer")
	} else if _, is := w.(*screen); is {
		t.Error("the null device is taken for a terminal")
	}
	var b bytes.Buffer
	if forPeople(&b, true) != &b {
		t.Error("a buffer is taken for a terminal")
	}
}
