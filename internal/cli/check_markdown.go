package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/verify"
)

// checkMarkdown writes what fits into a comment on a pull request: what is
// wrong first, and what holds folded away.
func checkMarkdown(w io.Writer, r *checkReport) error {
	p := &mdPage{}
	fmt.Fprintf(p, "### firebreak check %s\n\n%s\n", codeCell(r.dir), cell(r.summary()))
	found := mdTable{title: "Findings", head: []string{"severity", "where", "what", "help"}}
	for _, d := range r.diags {
		help := cell(d.Help)
		if d.See != (diag.Pos{}) {
			help = strings.TrimSpace(help + " see " + codeCell(d.See.String()))
		}
		found.rows = append(found.rows, []string{d.Severity.String(), codeCell(d.Pos.String()), "**" + cell(d.Code) + "**: " + cell(d.Message), help})
	}
	p.table(found)
	proofs := mdTable{title: "Guardrails", head: []string{"guardrail", "result", "witness or reason"}}
	for _, x := range r.proofs {
		word := x.Result.String()
		if x.Result != verify.Holds {
			word = "**" + word + "**"
		}
		proofs.rows = append(proofs.rows, []string{cell(x.Name), word, cell(x.Why)})
	}
	p.table(proofs)
	failed := mdTable{title: "Expectations that do not hold", head: []string{"Case", "line", "want", "got", "decided by"}}
	held := failed
	held.title, held.folded = "Expectations that hold", true
	for _, c := range r.cases {
		row := []string{cell(c.Case), fmt.Sprint(c.Index), c.Want, c.Got, cell(c.by)}
		if c.OK() {
			held.rows = append(held.rows, row)
			continue
		}
		row[3] = "**" + c.Got + "**: " + cell(c.message())
		failed.rows = append(failed.rows, row)
	}
	p.table(failed)
	p.table(held)
	_, err := io.WriteString(w, p.String())
	return err
}
