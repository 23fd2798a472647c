package main

import (
	"strings"
	"testing"
)

// run feeds lines to a tally and returns what it printed and its verdict.
func run(t *testing.T, noSkips bool, maySkip []string, lines ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	ta := newTally(&out)
	if err := ta.read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	err := ta.close(noSkips, maySkip)
	return out.String(), err
}

const (
	passA    = `{"Action":"pass","Package":"p","Test":"TestA"}`
	passSub  = `{"Action":"pass","Package":"p","Test":"TestA/sub"}`
	sayB     = `{"Action":"output","Package":"p","Test":"TestB","Output":"b_test.go:1: it broke\n"}`
	failB    = `{"Action":"fail","Package":"p","Test":"TestB"}`
	sayC     = `{"Action":"output","Package":"p","Test":"TestC","Output":"needs root\n"}`
	skipC    = `{"Action":"skip","Package":"p","Test":"TestC"}`
	okLine   = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`
	passPkg  = `{"Action":"pass","Package":"p"}`
	failPkg  = `{"Action":"fail","Package":"p"}`
	noTests  = `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}`
	skipPkg  = `{"Action":"skip","Package":"q"}`
	notJSON  = `go: cannot find main module`
	buildErr = `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}`
)

func TestCountsTestsAndSubtests(t *testing.T) {
	out, err := run(t, true, nil, passA, passSub, okLine, passPkg, noTests, skipPkg)
	if err != nil {
		t.Errorf("error %v, want none", err)
	}
	if want := "ok  \tp\t0.1s\n2 passed, 0 failed, 0 skipped\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestWhatFails(t *testing.T) {
	for name, c := range map[string]struct {
		noSkips bool
		may     []string
		lines   []string
		want    string // in the output
		err     string // in the error; empty for none
	}{
		"a failing test":             {lines: []string{sayB, failB, failPkg}, want: "it broke", err: "1 tests and 1 packages"},
		"a skip where none may":      {noSkips: true, lines: []string{passA, sayC, skipC, passPkg}, want: "needs root", err: "p.TestC"},
		"a skip that may":            {noSkips: true, may: []string{"p.TestC"}, lines: []string{passA, skipC}, want: "1 passed, 0 failed, 1 skipped"},
		"a skip where any may":       {lines: []string{passA, skipC}, want: "1 passed, 0 failed, 1 skipped"},
		"no test at all":             {lines: []string{passPkg}, err: "no test ran"},
		"a package that won't build": {lines: []string{passA, buildErr, failPkg}, want: "syntax error", err: "1 packages"},
		"a crash":                    {lines: []string{passA, sayB, failPkg}, want: "it broke", err: "1 packages"},
		"what is not JSON":           {lines: []string{notJSON}, want: notJSON, err: "no test ran"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, c.noSkips, c.may, c.lines...)
			if !strings.Contains(out, c.want) {
				t.Errorf("printed %q, want it to contain %q", out, c.want)
			}
			switch {
			case c.err == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error %v, want one about %q", err, c.err)
			}
		})
	}
}

func TestLongLinesAreCut(t *testing.T) {
	say := `{"Action":"output","Package":"p","Test":"TestB","Output":"` + strings.Repeat("x", 3*maxLine) + `\n"}`
	out, _ := run(t, false, nil, say, failB)
	if len(out) > 2*maxLine || !strings.Contains(out, "bytes more") {
		t.Errorf("printed %d bytes, want them cut to about %d", len(out), maxLine)
	}
}
