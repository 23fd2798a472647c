package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Line is a line of the story and when it was told.
type Line struct {
	At    time.Duration `json:"at"`
	Label string        `json:"label"` // "" continues; headings have no text
	Text  string        `json:"text"`
}

// story tells what happens, line by line, and remembers it. A silent one only
// remembers. It is safe for concurrent use.
type story struct {
	mu     sync.Mutex
	out    io.Writer // nil: silent
	colour bool
	begin  time.Time
	lines  []Line
	status bool // the last line on the terminal is one that changes
}

func newStory(out io.Writer) *story {
	return &story{out: out, colour: isTerminal(out), begin: time.Now()}
}

// isTerminal reports whether colours and lines that change make sense.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tell tells a line behind a label.
func (s *story) tell(label, format string, args ...any) {
	s.line(Line{Label: label, Text: fmt.Sprintf(format, args...)})
}

// head tells a heading.
func (s *story) head(format string, args ...any) {
	s.line(Line{Label: fmt.Sprintf(format, args...)})
}

func (s *story) line(l Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.At == 0 {
		l.At = time.Since(s.begin)
	}
	s.lines = append(s.lines, l)
	s.print(l)
}

// replay tells a line that was remembered elsewhere.
func (s *story) replay(l Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(l)
}

func (s *story) print(l Line) {
	if s.out == nil {
		return
	}
	s.wipe()
	if l.Text == "" {
		fmt.Fprintf(s.out, "\n%s\n", s.paint("1", l.Label))
		return
	}
	text := strings.ReplaceAll(l.Text, "\n", "\n"+strings.Repeat(" ", 12))
	fmt.Fprintf(s.out, "  %s %s\n", s.paint("2", fmt.Sprintf("%-9s", l.Label)), text)
}

// tick shows what changes all the time, on terminals, in one line that the
// next overwrites.
func (s *story) tick(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil || !s.colour {
		return
	}
	s.wipe()
	fmt.Fprintf(s.out, "  %s %s", s.paint("2", fmt.Sprintf("%-9s", "now")), fmt.Sprintf(format, args...))
	s.status = true
}

// wipe takes away the line that changes.
func (s *story) wipe() {
	if s.status {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.status = false
	}
}

func (s *story) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// told returns the lines so far.
func (s *story) told() []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Line(nil), s.lines...)
}

// grouped writes a count as people read it: 12,345.
func grouped[T ~int | ~uint64 | ~int64](n T) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// millis writes µs as milliseconds.
func millis(us int64) string { return fmt.Sprintf("%.1f ms", float64(us)/1000) }

// outcome sums up the attacks of one phase: how many got in, in how many
// attempts.
func outcome(attacks []Attack, open bool) string {
	in, attempts, reached := 0, 0, 0
	for _, a := range attacks {
		n, hit := a.Attempts, a.Reached
		if open {
			n, hit = a.AttemptsOpen, a.ReachedOpen
		}
		attempts += n
		reached += hit
		if hit > 0 {
			in++
		}
	}
	return fmt.Sprintf("%d of %d attacks got in (%s of %s attempts)", in, len(attacks), grouped(reached), grouped(attempts))
}

// severed sums up the connections that were open before.
func severed(sessions []Session) string {
	dead := 0
	for _, s := range sessions {
		if s.AliveOpen && !s.Alive {
			dead++
		}
	}
	return fmt.Sprintf("%d of %d connections to the database that were open before are dead", dead, len(sessions))
}

// spread writes the range of the first drops.
func spread(attacks []Attack) string {
	low, high, missing := -1.0, -1.0, 0
	for _, a := range attacks {
		switch {
		case a.FirstDropMs < 0:
			missing++
		default:
			if low < 0 || a.FirstDropMs < low {
				low = a.FirstDropMs
			}
			high = max(high, a.FirstDropMs)
		}
	}
	if missing > 0 {
		return fmt.Sprintf("drops of %d of %d attacks have not reached the page", missing, len(attacks))
	}
	return fmt.Sprintf("each attack is on the page %.1f to %.1f ms after its first packet", low, high)
}

// String writes the numbers as the story does.
func (p Percentiles) String() string {
	s := fmt.Sprintf("p50 %s, p99 %s over %s checkouts through all tiers and back", millis(p.P50us), millis(p.P99us), grouped(p.Requests))
	if p.Failed > 0 {
		s += fmt.Sprintf("; %s FAILED", grouped(p.Failed))
	}
	return s
}
