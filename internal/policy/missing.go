package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// mostMissing bounds how many values of one selector are named.
const mostMissing = 3

// checkValues warns of values in the lists of a selector that selects something
// that no workload has: of a workload that a list misspells nothing else tells.
// A value that the rest of the selector excludes is none of them; selectors are
// made of common parts.
func (r *resolver) checkValues(pos diag.Pos, what string, s label.Selector) {
	for _, q := range s.Requirements() {
		if !isList(q) {
			continue
		}
		there := r.labels().values[q.Key]
		missing := slices.DeleteFunc(slices.Clone(q.Values), func(v string) bool { return there[v] })
		if len(missing) > 0 {
			r.diags.Warnf(pos, "selector-value-matches-nothing", "%s lists %s, which no workload has", what, missingText(q.Key, missing)).
				WithHelp("%s", r.missingHelp(q, missing))
		}
	}
}

func isList(q label.Requirement) bool { return q.Op == label.In && len(q.Values) > 1 }

// lists reports whether an end has a list of values: then what is wrong with it
// depends on workloads that it does not select.
func (e ends) lists() bool {
	return slices.ContainsFunc(e.list, func(x lang.Endpoint) bool { return slices.ContainsFunc(x.Selector.Requirements(), isList) })
}

func missingText(key string, missing []string) string {
	var out []string
	for _, v := range missing[:min(mostMissing, len(missing))] {
		out = append(out, key+"="+v)
	}
	text := strings.Join(out, ", ")
	if n := len(missing) - mostMissing; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// missingHelp says what was probably meant: never another value of the list.
func (r *resolver) missingHelp(q label.Requirement, missing []string) string {
	others := func() []string {
		return slices.DeleteFunc(slices.Collect(maps.Keys(r.labels().values[q.Key])), func(v string) bool { return slices.Contains(q.Values, v) })
	}
	for _, v := range missing {
		if near := r.nearest("other than "+q.String(), v, others); near != "" {
			return fmt.Sprintf("did you mean %s=%s? What is meant by %s is left out", q.Key, near, v)
		}
	}
	return "correct the value, or remove it: what was meant by it is left out"
}
