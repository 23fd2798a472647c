package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A terminal is told of a phase only once that takes long, on one line that is
// taken back; then again from the beginning.
func TestProgressIsOneLine(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out}
	p.phase("reading")
	p.phase("proving")
	if out.Len() > 0 {
		t.Errorf("told at once: %q", out.String())
	}
	p.tick()
	p.phase("writing")
	p.done()
	p.tick() // a timer that was under way
	want := "\r\033[Kproving …\r\033[Kwriting …\r\033[K"
	if got := out.String(); got != want || strings.Contains(got, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	p.phase("reading")
	p.done()
	if out.Len() > 0 {
		t.Errorf("told of what was quick: %q", out.String())
	}
}

func TestPipesAreToldNothing(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	p := newProgress(w)
	if p != nil {
		t.Error("a pipe is taken for a terminal")
	}
	p.phase("reading") // nil says nothing
	p.done()
}
