package cli

import (
	"fmt"
	"io"

	"firebreak/internal/diag"
)

// printFindings tells people what was found on the way to an answer: errors one
// by one, of everything else the first of a kind and how many more there are.
func printFindings(stderr io.Writer, diags diag.List) {
	type kind struct {
		severity      diag.Severity
		code, message string
	}
	of := func(d diag.Diagnostic) kind { return kind{d.Severity, d.Code, d.Message} }
	more := map[kind]int{}
	for _, d := range diags {
		more[of(d)]++
	}
	for _, d := range diags {
		n := more[of(d)]
		if n == 0 {
			continue
		}
		fmt.Fprintln(stderr, d)
		if d.Severity == diag.Error {
			continue
		}
		if n > 1 {
			fmt.Fprintf(stderr, "    and %d more like this\n", n-1)
		}
		more[of(d)] = 0
	}
}
