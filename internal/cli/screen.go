package cli

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// leastWidth is the width of a terminal below which lines are not folded.
const leastWidth = 40

// leastColumn is the width of a last column into which lines are folded.
const leastColumn = 24

// screen is a terminal that text is written to: verdicts have colours, and long
// lines are folded where the last column begins. A line that is written in
// parts is held back until it is whole.
type screen struct {
	w      io.Writer
	width  int // 0: lines are not folded
	colour bool
	part   []byte
}

// forPeople returns where text goes: a screen if w is a terminal, else w itself.
// Without fold, lines stay as long as they are.
func forPeople(w io.Writer, fold bool) io.Writer {
	f := terminal(w)
	if f == nil {
		return w
	}
	s := &screen{w: w, colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && fold {
		s.width = int(size.Col)
	}
	return s
}

// terminal is the file behind a writer, if it is a terminal; else nil.
func terminal(w io.Writer) *os.File {
	if r, ok := w.(*results); ok {
		w = r.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return f
}

// Write writes whole lines.
func (s *screen) Write(p []byte) (int, error) {
	s.part = append(s.part, p...)
	end := bytes.LastIndexByte(s.part, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	var out strings.Builder
	for line := range strings.Lines(string(s.part[:end])) {
		for _, l := range folded(strings.TrimSuffix(line, "\n"), s.width) {
			if s.colour {
				l = coloured(l)
			}
			out.WriteString(l + "\n")
		}
	}
	s.part = append([]byte(nil), s.part[end:]...)
	if _, err := io.WriteString(s.w, out.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// columns finds where a column of a table begins: behind two blanks or more.
var columns = regexp.MustCompile(` {2,}[^ ]`)

// folded breaks a line at blanks into lines of at most so many characters, as
// far as its words are shorter. What is carried over stands where the last
// column begins, if that leaves room, else deeper than the line itself.
func folded(line string, width int) []string {
	if width < leastWidth || utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " ")) + 4
	if at := columns.FindAllStringIndex(line, -1); at != nil {
		if last := utf8.RuneCountInString(line[:at[len(at)-1][1]]) - 1; last <= max(width/2, width-leastColumn) {
			indent = max(indent, last)
		}
	}
	var out []string
	rest := []rune(line)
	for len(rest) > width {
		at := breakAt(rest, width, indent)
		if at < 0 {
			break
		}
		out = append(out, strings.TrimRight(string(rest[:at]), " "))
		rest = append([]rune(strings.Repeat(" ", indent)), []rune(strings.TrimLeft(string(rest[at:]), " "))...)
	}
	return append(out, string(rest))
}

// breakAt is the last blank that leaves no more than the width before it, or
// the first one at all; −1 if there is none behind the indentation.
func breakAt(line []rune, width, indent int) int {
	for i := min(width, len(line)-1); i > indent; i-- {
		if line[i] == ' ' {
			return i
		}
	}
	for i := width; i < len(line); i++ {
		if line[i] == ' ' {
			return i
		}
	}
	return -1
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// The words that have a colour: verdicts at the beginning of a line, and the
// severity of a finding behind its place.
var (
	verdicts   = regexp.MustCompile(`^(FAIL|DENY|ok|ALLOW|UNKNOWN|\?)( |$)`)
	severities = regexp.MustCompile(`^\S*:( error | warning )`)
	colours    = map[string]string{
		"FAIL": red, "DENY": red, " error ": red,
		"ok": green, "ALLOW": green,
		"UNKNOWN": yellow, "?": yellow, " warning ": yellow,
	}
)

func coloured(line string) string {
	for _, words := range []*regexp.Regexp{verdicts, severities} {
		if m := words.FindStringSubmatchIndex(line); m != nil {
			word := line[m[2]:m[3]]
			return line[:m[2]] + colours[word] + word + plain + line[m[3]:]
		}
	}
	return line
}
