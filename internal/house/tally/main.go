// Command tally reads what `go test -json` prints, repeats what a reader wants
// to see (each package's closing line, and all output of what failed or was
// skipped), and ends with one line "N passed, N failed, N skipped". Tests and
// subtests each count as one.
//
// It exits with 1 if anything failed, if nothing ran, or, with -no-skips, if a
// test was skipped that -may-skip does not name.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	noSkips := flag.Bool("no-skips", false, "fail if a test was skipped")
	maySkip := flag.String("may-skip", "", "comma-separated names (package.Test) that may be skipped all the same")
	flag.Parse()
	t := newTally(os.Stdout)
	err := t.read(os.Stdin)
	if err == nil {
		err = t.close(*noSkips, strings.Split(*maySkip, ","))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build's output
	Test        string
	Output      string
	FailedBuild string
}

// tally counts events and keeps the output of tests that are still running.
type tally struct {
	out            io.Writer
	passed, failed int
	brokenPackages int
	skipped        []string
	pending        map[string][]string
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, pending: map[string][]string{}}
}

// read consumes the stream to its end. Lines that are not JSON are repeated as
// they are: that is how the go command reports what it could not even start.
func (t *tally) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(t.out, lines.Text())
			continue
		}
		t.add(e)
	}
	return lines.Err()
}

func (t *tally) add(e event) {
	key := e.Package + "." + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "output":
		t.output(key, e)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.closePackage(key, e)
			return
		}
		t.closeTest(key, e)
	}
}

// output prints a package's own closing lines at once and holds back what a
// test says until it is known whether anyone wants to read it.
func (t *tally) output(key string, e event) {
	if e.Test == "" && isClosingLine(e.Output) {
		if strings.Contains(e.Output, "[no test files]") {
			return
		}
		fmt.Fprint(t.out, e.Output)
		return
	}
	t.pending[key] = append(t.pending[key], e.Output)
}

func isClosingLine(s string) bool {
	return strings.HasPrefix(s, "ok  \t") || strings.HasPrefix(s, "FAIL\t") || strings.HasPrefix(s, "?   \t")
}

func (t *tally) closeTest(key string, e event) {
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.print(key)
	case "skip":
		t.skipped = append(t.skipped, key)
		t.print(key)
	}
	delete(t.pending, key)
}

func (t *tally) closePackage(key string, e event) {
	if e.Action == "fail" {
		t.brokenPackages++
		// A crash leaves tests without a result; what they said is the clue.
		for _, k := range sortedKeys(t.pending) {
			if strings.HasPrefix(k, e.Package+".") {
				t.print(k)
				delete(t.pending, k)
			}
		}
	}
	delete(t.pending, key)
}

func (t *tally) print(key string) {
	for _, s := range t.pending[key] {
		fmt.Fprint(t.out, shorten(s))
	}
}

// maxLine keeps one test's despair from drowning everyone else's closing lines.
const maxLine = 4096

func shorten(s string) string {
	if len(s) <= maxLine {
		return s
	}
	return fmt.Sprintf("%s … (%d bytes more)\n", strings.ToValidUTF8(s[:maxLine], ""), len(s)-maxLine)
}

// close prints the closing line and says why the run did not pass, if so.
func (t *tally) close(noSkips bool, maySkip []string) error {
	var refused []string
	for _, s := range t.skipped {
		if noSkips && !slices.Contains(maySkip, s) {
			refused = append(refused, s)
		}
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, len(t.skipped))
	switch {
	case t.failed > 0 || t.brokenPackages > 0:
		return fmt.Errorf("%d tests and %d packages failed", t.failed, t.brokenPackages)
	case t.passed == 0:
		return errors.New("no test ran")
	case len(refused) > 0:
		return fmt.Errorf("skipped, and no test may be skipped here: %s", strings.Join(refused, ", "))
	}
	return nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
