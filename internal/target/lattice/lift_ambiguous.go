package lattice

import (
	"fmt"
	"slices"
	"strings"
)

// holdsAmbiguous reports whether patterns hold all ambiguous paths or, if not
// all are asked for, any. A path is ambiguous if it has "//", a backslash, a
// segment of dots, or an encoded byte that needs no encoding or hides a slash.
func holdsAmbiguous(patterns []string, all bool) bool {
	if !all {
		return slices.ContainsFunc(patterns, func(p string) bool {
			return strings.ContainsAny(p[1:], "*?") || !strings.HasPrefix(p, "~/") || tells(p[1:])
		})
	}
	for _, core := range cores() {
		if !slices.ContainsFunc(patterns, func(p string) bool { return within(strings.TrimPrefix(p, "~"), core) }) {
			return false
		}
	}
	return true
}

// tells reports whether one path is ambiguous.
func tells(path string) bool {
	return slices.ContainsFunc(cores(), func(c core) bool {
		if c.end {
			return strings.HasSuffix(path, c.text)
		}
		return strings.Contains(path, c.text)
	})
}

// core is what makes a path ambiguous, anywhere in it or at its end.
type core struct {
	text string
	end  bool
}

func cores() []core {
	out := []core{{"//", false}, {`\`, false}, {"/./", false}, {"/../", false}, {"/.", true}, {"/..", true}}
	for c := 0; c < 0x80; c++ {
		b := byte(c)
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		if letter || strings.IndexByte(`/\-._~`, b) >= 0 {
			up := fmt.Sprintf("%%%02X", c)
			out = append(out, core{up, false})
			if low := strings.ToLower(up); low != up {
				out = append(out, core{low, false})
			}
		}
	}
	return out
}

// within reports whether a pattern surely holds every path with that core: it is
// '*', a text that stands in the core, and '*', which may be missing for what
// stands at the end.
func within(pattern string, c core) bool {
	inner, open := strings.CutPrefix(pattern, "*")
	if !open {
		if inner, open = strings.CutPrefix(pattern, "/*"); !open || !strings.HasPrefix(c.text, "%") && c.text != `\` {
			return false
		}
	}
	body, tail := strings.CutSuffix(inner, "*")
	if strings.Contains(body, "*") {
		return false
	}
	for i := 0; i+len(body) <= len(c.text); i++ {
		if wild(body, c.text[i:i+len(body)]) && (tail || c.end && i+len(body) == len(c.text)) {
			return true
		}
	}
	return false
}
