package manifest

import (
	"iter"
	"strings"
)

// split cuts a stream before each line that begins a document, and yields the
// pieces with the number (from 1) of their first lines. YAML lets such a line
// stand nowhere inside a document, not even in a quoted text, so the cut is
// exact. Directives (%YAML) stay with the document that they stand before. A
// piece may be empty, or hold comments only.
func split(text string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		begin, line, beginLine := 0, 1, 1
		content := false // whether the piece so far has more than comments and directives
		for at := 0; at < len(text); line++ {
			end := len(text)
			if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
				end = at + i + 1
			}
			if isSeparator(text[at:end]) {
				if content {
					if !yield(text[begin:at], beginLine) {
						return
					}
					begin, beginLine = at, line
				}
				content = true
			} else if !content {
				s := strings.TrimSpace(text[at:end])
				content = s != "" && s[0] != '#' && text[at] != '%'
			}
			at = end
		}
		yield(text[begin:], beginLine)
	}
}

func isSeparator(line string) bool {
	return strings.HasPrefix(line, "---") && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}
