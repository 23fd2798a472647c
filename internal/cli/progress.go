package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progressDelay is how long a phase takes before a terminal is told of it.
const progressDelay = 300 * time.Millisecond

// progress tells a terminal, on one line that is rewritten, what takes so
// long; a pipe is told nothing. It is safe for concurrent use; nil says nothing.
type progress struct {
	mu    sync.Mutex
	w     io.Writer // nil where nobody is told
	what  string
	since time.Time
	shown bool
	timer *time.Timer
}

// newProgress returns one for standard error. It must be ended with done.
func newProgress(stderr io.Writer) *progress {
	if !isTerminal(stderr) {
		return nil
	}
	return &progress{w: stderr}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// phase says what is done from now on. Once something was shown, what follows
// is shown at once: the line never tells of what is over.
func (p *progress) phase(what string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.since = what, time.Now()
	if p.shown {
		p.show()
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(progressDelay, p.tick)
	}
}

func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return // done
	}
	p.show()
	p.timer.Reset(time.Second)
}

func (p *progress) show() {
	p.shown = true
	text := p.what + " …"
	if s := time.Since(p.since).Truncate(time.Second); s > 0 {
		text += " " + s.String()
	}
	fmt.Fprintf(p.w, "\r\033[K%s", text)
}

// done takes the line back. Afterwards phase may begin anew.
func (p *progress) done() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, "\r\033[K")
	}
}
