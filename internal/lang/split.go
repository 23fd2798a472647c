package lang

import (
	"bytes"
	"strings"

	"firebreak/internal/diag"
)

// chunk is a piece of a YAML stream: one document, with the number of lines
// before it in the file.
type chunk struct {
	text []byte
	line int
}

// split cuts a stream before each line that begins a document. YAML lets such
// a line stand nowhere inside a document, not even in a quoted text, so the
// cut is exact; it keeps a mistake in one document from hiding the others.
// Directives (%YAML) belong to the document that they stand before.
func split(text []byte) []chunk {
	var out []chunk
	begin, line, beginLine := 0, 0, 0
	content := false // whether the chunk so far has more than comments and directives
	for at := 0; at < len(text); line++ {
		end := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if isSeparator(text[at:end]) {
			if content {
				out = append(out, chunk{text[begin:at], beginLine})
				begin, beginLine = at, line
			}
			content = true
		} else if s := bytes.TrimSpace(text[at:end]); len(s) > 0 && s[0] != '#' && text[at] != '%' {
			content = true
		}
		if content { // only a separator makes a difference now
			next := nextSeparator(text, end)
			line += bytes.Count(text[end:next], []byte{'\n'})
			end = next
		}
		at = end
	}
	return append(out, chunk{text[begin:], beginLine})
}

// nextSeparator returns where the first line at or behind from begins, from
// being the beginning of a line, that may be a separator; else the end.
func nextSeparator(text []byte, from int) int {
	if bytes.HasPrefix(text[from:], []byte("---")) {
		return from
	}
	if i := bytes.Index(text[from:], []byte("\n---")); i >= 0 {
		return from + i + 1
	}
	return len(text)
}

func isSeparator(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}

// isEmpty reports whether a chunk holds nothing but comments and separators.
func isEmpty(text []byte) bool {
	for line := range bytes.Lines(text) {
		if s := bytes.TrimSpace(line); len(s) > 0 && s[0] != '#' && !isSeparatorOnly(s) {
			return false
		}
	}
	return true
}

func isSeparatorOnly(line []byte) bool { return string(line) == "---" || string(line) == "..." }

// foreign reports whether the first lines of a document already say that it is
// not for this reader: a manifest of another system, or inventory. It saves
// the reading of large inventories and of templates that are no YAML yet. If
// it cannot be sure it says false, and the document is read properly.
func foreign(text []byte) bool {
	var apiVersion, kind string
	for line := range bytes.Lines(text) {
		s := strings.TrimRight(string(line[:min(len(line), 200)]), "\r\n\t ")
		if s == "" || s == "---" || s[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(s, ":")
		value = plain(value)
		switch {
		case key == "apiVersion" && value != "" && apiVersion == "":
			apiVersion = value
		case key == "kind" && value != "" && kind == "":
			kind = value
		default:
			return false
		}
		if apiVersion != "" && !looksOurs(apiVersion) {
			return true
		}
		if isInventory(kind) && len(line) < 200 {
			return true
		}
	}
	return false
}

// plain returns the text of a scalar that needs no YAML reader to understand,
// else "".
func plain(s string) string {
	s, _, _ = strings.Cut(s, " #")
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[0] == s[len(s)-1] {
		s = s[1 : len(s)-1]
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '/' || c == '-') {
			return ""
		}
	}
	return s
}

// looksOurs reports whether an apiVersion is ours, or so close to it that it
// is rather a slip of the pen than another system's.
func looksOurs(apiVersion string) bool {
	group, _, _ := strings.Cut(strings.ToLower(apiVersion), "/")
	ours, _, _ := strings.Cut(APIVersion, "/")
	return group == ours || diag.Nearest(group, []string{ours, "firebreak"}) != "" || group == "firebreak"
}

// isInventory reports whether a kind is of the inventory file format.
func isInventory(kind string) bool {
	return kind == "Workload" || kind == "Frontend" || kind == "Network"
}

// marks counts the characters of which at least one stands before each node,
// so that the number of nodes is bounded before any is made.
func marks(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case '\n', '\r', ',', ':', '?', '[', '{':
			n++
		}
	}
	return n
}
