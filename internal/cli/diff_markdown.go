package cli

import (
	"fmt"
	"io"
	"strings"
)

// diffMarkdown writes what fits into a comment on a pull request.
func diffMarkdown(w io.Writer, d *difference) error {
	p := &mdPage{}
	fmt.Fprintf(p, "### firebreak diff %s %s\n\n%s\n", codeCell(d.oldArg), codeCell(d.newArg), d.summary())
	only := d.onlyInForce()
	p.table(lineTable("Gained", d.toCome.lines, true))
	p.table(lineTable("Lost", d.toCome.lines, false))
	p.table(lineTable("In force, gained", only, true))
	p.table(lineTable("In force, lost", only, false))
	p.table(resultTable("Guardrails", d.guardrails))
	p.table(resultTable("Cases", d.cases))
	unknown := mdTable{title: "No longer known", head: []string{"from", "to", "traffic", "why"}}
	for _, u := range d.unknown {
		unknown.rows = append(unknown.rows, []string{cell(u.From), cell(u.To), cell(u.Traffic), cell(u.Reason)})
	}
	p.table(unknown)
	arrivals := mdTable{title: "Workloads", head: []string{"what"}}
	for _, s := range d.arrivalLines() {
		arrivals.rows = append(arrivals.rows, []string{cell(s)})
	}
	p.table(arrivals)
	_, err := io.WriteString(w, p.String())
	return err
}

// summary is one sentence.
func (d *difference) summary() string {
	s := "The two permit the same."
	if len(d.toCome.lines) > 0 {
		s = fmt.Sprintf("%d gained, %d lost.", d.toCome.count(true), d.toCome.count(false))
	}
	if n := len(d.onlyInForce()); n > 0 {
		s += fmt.Sprintf(" %s only in what is in force.", count(n, "change"))
	}
	if d.before.Mean == d.after.Mean {
		return s + fmt.Sprintf(" The mean blast radius stays %s.", percent(d.after.Mean))
	}
	return s + fmt.Sprintf(" The mean blast radius goes from %s to %s (%s).", percent(d.before.Mean), percent(d.after.Mean), points(d.before.Mean, d.after.Mean))
}

func lineTable(title string, lines []changeLine, gained bool) mdTable {
	t := mdTable{title: title, head: []string{"from", "to", "traffic", "why"}}
	for _, l := range lines {
		if l.Gained == gained {
			t.rows = append(t.rows, []string{cell(someNames(l.From)), cell(someNames(l.To)), cell(l.Traffic), cell(l.reason())})
		}
	}
	return t
}

func resultTable(title string, list []resultChange) mdTable {
	t := mdTable{title: title, head: []string{"name", "result", "why"}}
	for _, c := range list {
		why := strings.Join(few(c.Why, 3), "; ")
		if more := len(c.Why) - 3; more > 0 {
			why += fmt.Sprintf(" and %d more", more)
		}
		word := c.String()
		if c.Is == "violated" || c.Is == "fails" {
			word = "**" + word + "**"
		}
		t.rows = append(t.rows, []string{cell(c.Name), word, cell(why)})
	}
	return t
}
