package diag

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// YAMLPlace returns where in a text its YAML reader (go.yaml.in/yaml/v3) went
// wrong, and what it says about that without the place. Line and column count
// from 1; the column is 1 where it is not known.
func YAMLPlace(err error, text []byte) (line, col int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	line, col = 1, 1
	if number, rest, ok := strings.Cut(strings.TrimPrefix(message, "line "), ": "); ok && strings.HasPrefix(message, "line ") {
		if n, err := strconv.Atoi(number); err == nil {
			line, message = n, rest
			if countsFromZero(message) {
				line++
			}
		}
	} else {
		line, col = offender(text, message)
	}
	if strings.Contains(message, "tab character") || strings.Contains(message, "cannot start any token") {
		if n, at := tab(text, line); n > 0 {
			return n, at, "a tab where only spaces may indent"
		}
	}
	last := bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n")) + 1
	return max(1, min(line, last)), col, message
}

// countsFromZero recognises the messages of the YAML reader's grammar, which
// count lines from 0; those of its scanner count from 1.
func countsFromZero(message string) bool {
	for _, s := range []string{
		"did not find expected ',' or ", "did not find expected '-' indicator", "did not find expected <",
		"did not find expected key", "did not find expected node content",
		"found duplicate %", "found incompatible YAML document", "found undefined tag handle",
	} {
		if strings.HasPrefix(message, s) {
			return true
		}
	}
	return false
}

// tab returns where the first tab before the first word of a line stands, from a
// line on: the YAML reader may name the line before it. Both are 0 if there is
// none.
func tab(text []byte, line int) (int, int) {
	n := 0
	for s := range bytes.Lines(text) {
		n++
		indent := s[:len(s)-len(bytes.TrimLeft(s, " \t-"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 && n >= line && len(bytes.TrimSpace(s)) > 0 {
			return n, i + 1
		}
		if n > line && len(bytes.TrimSpace(s)) > 0 {
			break // what follows was not looked at
		}
	}
	return 0, 0
}

// offender finds the place of a mistake for which the YAML reader names no
// line: the first byte that is no text, or an alias of nothing. Both count
// from 1; it is the beginning if there is no such thing.
func offender(text []byte, message string) (line, col int) {
	at := 0
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		at = max(0, bytes.Index(text, []byte("*"+name)))
	} else {
		for at < len(text) && isText(text[at:]) {
			_, n := utf8.DecodeRune(text[at:])
			at += n
		}
		if at == len(text) {
			at = 0
		}
	}
	before := text[:at]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[begin:]) + 1
}

// isText reports whether a byte sequence begins with a character that YAML
// takes.
func isText(b []byte) bool {
	c, n := utf8.DecodeRune(b)
	switch {
	case c == utf8.RuneError && n == 1, c == 0x7f, c >= 0x80 && c < 0xa0 && c != 0x85:
		return false
	case c < 0x20:
		return c == '\t' || c == '\n' || c == '\r'
	}
	return true
}
