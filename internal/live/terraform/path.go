package terraform

import (
	"strconv"
	"strings"
)

// firstStep splits a path like `tags["a.b"].c` or `[0].arn` into its first step
// and the rest. A step keeps its brackets.
func firstStep(path string) (step, rest string) {
	path = strings.TrimPrefix(path, ".")
	quoted := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ']':
			return path[:i+1], path[i+1:]
		case (c == '.' || c == '[') && i > 0:
			return path[:i], path[i:]
		}
	}
	return path, ""
}

// indexOf reads "[3]", or "3" as old configurations write it.
func indexOf(step string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(step, "["), "]"))
	return n, err == nil && n >= 0
}

// unquoted reads `["key"]` or a plain name.
func unquoted(step string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(step, "["), "]")
	if s, err := strconv.Unquote(inner); err == nil {
		return s
	}
	return inner
}
