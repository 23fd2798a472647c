package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/verify"
)

// checkText writes diagnostics, then the Cases, then one line that sums up.
func checkText(w io.Writer, r *checkReport) error {
	var b strings.Builder
	for _, d := range r.diags {
		fmt.Fprintln(&b, d)
	}
	if len(r.diags) > 0 && len(r.cases)+len(r.proofs) > 0 {
		b.WriteByte('\n')
	}
	width := 0
	for _, c := range r.cases {
		width = max(width, len(c.Case))
	}
	for _, p := range r.proofs {
		width = max(width, len(p.Name))
	}
	for _, p := range r.proofs {
		fmt.Fprintf(&b, "%-5s %-*s  %s\n", proofWords[p.Result], width, p.Name, p.Result)
	}
	for i := 0; i < len(r.cases); {
		n := caseLength(r.cases[i:])
		textCase(&b, r.cases[i:i+n], width)
		i += n
	}
	if len(r.cases)+len(r.proofs) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

var proofWords = map[verify.Result]string{verify.Holds: "ok", verify.Violated: "FAIL", verify.Unknown: "?"}

// caseLength counts the lines at the front that belong to one Case.
func caseLength(lines []caseLine) int {
	n := 1
	for n < len(lines) && lines[n].Case == lines[0].Case {
		n++
	}
	return n
}

func textCase(b *strings.Builder, lines []caseLine, width int) {
	failed := 0
	for _, c := range lines {
		if !c.OK() {
			failed++
		}
	}
	if failed == 0 {
		fmt.Fprintf(b, "ok    %-*s  %d of %d\n", width, lines[0].Case, len(lines), len(lines))
		return
	}
	fmt.Fprintf(b, "FAIL  %-*s  %d of %d\n", width, lines[0].Case, len(lines)-failed, len(lines))
	for _, c := range lines {
		if c.OK() {
			continue
		}
		fmt.Fprintf(b, "      %s: %s\n", c.Pos, c.message())
		if c.Rule.Rule != "" {
			fmt.Fprintf(b, "          decided by %s\n", c.by)
		}
	}
}

// summary is one line: the verdict, then what was looked at.
func (r *checkReport) summary() string {
	errors, warnings := r.severities()
	cases := map[string]bool{}
	for _, c := range r.cases {
		cases[c.Case] = true
	}
	var parts []string
	if errors > 0 {
		parts = append(parts, count(errors, "error"))
	}
	if warnings > 0 {
		parts = append(parts, count(warnings, "warning"))
	}
	if len(r.proofs) > 0 {
		parts = append(parts, r.proofSummary())
	}
	switch bad := r.mismatches(); {
	case !r.judged:
		parts = append(parts, "Cases were not run")
	case bad > 0:
		parts = append(parts, fmt.Sprintf("%d of %s %s not hold", bad, count(len(r.cases), "expectation"), map[bool]string{true: "does", false: "do"}[bad == 1]))
	case len(r.cases) > 0:
		parts = append(parts, fmt.Sprintf("all %s of %s hold", count(len(r.cases), "expectation"), count(len(cases), "Case")))
	default:
		parts = append(parts, "no Cases to run")
	}
	word := "ok"
	if r.failed() {
		word = "FAIL"
	}
	if r.onlyStrict() {
		parts[0] += " (which fail because of --strict)"
	}
	return fmt.Sprintf("%-5s %s: %s (%s)", word, r.dir, strings.Join(parts, ", "), r.sizes)
}

// proofSummary says how many guardrails hold.
func (r *checkReport) proofSummary() string {
	held := 0
	for _, p := range r.proofs {
		if p.Result == verify.Holds {
			held++
		}
	}
	if held == len(r.proofs) {
		return count(held, "guardrail") + " proven"
	}
	return fmt.Sprintf("%d of %s proven", held, count(len(r.proofs), "guardrail"))
}
