package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"firebreak/internal/prove"
)

// proveWord is the verdict that a line begins with.
func proveWord(w prove.Word) string {
	switch {
	case w.Proven():
		return "ok"
	case w == prove.Unknown:
		return "?"
	}
	return "FAIL"
}

// proveText writes a line for each enforcement point, what there is to say about
// it, then a line about all of them. Points that stand together and of which the
// same is to be said are one line.
func proveText(w io.Writer, r *proof) error {
	var b strings.Builder
	var widths [3]int
	rows := alike(append(failuresFirst(r.results), r.together...))
	for _, x := range rows {
		widths[0], widths[1] = max(widths[0], len(targetOf(x))), max(widths[1], len(x.Point))
		widths[2] = max(widths[2], len(x.Result))
	}
	for _, x := range rows {
		modelled := ""
		if x.Modelled {
			modelled = ", modelled"
		}
		fmt.Fprintf(&b, "%-4s  %-*s  %-*s  %-*s  %s%s\n", proveWord(x.Result), widths[0], targetOf(x), widths[1], x.Point, widths[2], x.Result, x.Scope, modelled)
		r.textResult(&b, x)
	}
	if len(rows) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// failuresFirst lists what is not proven before what is: among a thousand hosts
// nobody finds it otherwise.
func failuresFirst(results []prove.Result) []prove.Result {
	out := slices.Clone(results)
	slices.SortStableFunc(out, func(a, b prove.Result) int {
		switch {
		case a.Result.Proven() == b.Result.Proven():
			return 0
		case b.Result.Proven():
			return -1
		}
		return 1
	})
	return out
}

// fewPoints is how many points of which the same is to be said have a line each.
const fewPoints = 3

// alike makes one row of many points that stand together and of which the same
// is to be said.
func alike(rows []prove.Result) []prove.Result {
	var out []prove.Result
	for i := 0; i < len(rows); {
		n := 1
		for i+n < len(rows) && sameSaid(&rows[i], &rows[i+n]) {
			n++
		}
		if n <= fewPoints {
			out = append(out, rows[i:i+n]...)
		} else {
			x := rows[i]
			x.Point = fmt.Sprintf("%s and %d more", x.Point, n-1)
			out = append(out, x)
		}
		i += n
	}
	return out
}

func sameSaid(a, b *prove.Result) bool {
	plain := func(x *prove.Result) bool { return len(x.Over)+len(x.Under) == 0 && x.Witness == nil }
	return plain(a) && plain(b) && a.Target == b.Target && a.Result == b.Result && a.Scope == b.Scope && a.Reason == b.Reason && a.Modelled == b.Modelled
}

// targetOf is whom a result is about.
func targetOf(x prove.Result) string {
	if x.Target == "" {
		return "together"
	}
	return x.Target
}

// textResult writes what there is to say about a point.
func (r *proof) textResult(b *strings.Builder, x prove.Result) {
	if x.Reason != "" {
		fmt.Fprintf(b, "        %s\n", x.Reason)
	}
	textProofLines(b, "over", x.Over, x.MoreOver)
	textProofLines(b, "under", x.Under, x.MoreUnder)
	if x.Witness != nil {
		fmt.Fprintf(b, "        witness  %s\n", r.sentence(&x))
		if x.Target == "" {
			textLayers(b, x.Witness, r.said[x.Scope])
		}
	}
}

func textProofLines(b *strings.Builder, word string, lines []prove.Line, more int) {
	for _, l := range lines {
		fmt.Fprintf(b, "        %-5s    %s → %s  %s%s\n", word, l.From, l.To, l.Traffic, caught(l))
	}
	if more > 0 {
		fmt.Fprintf(b, "        %-5s    and %d more; see --lines\n", word, more)
	}
}

// caught says who catches what a layer lets pass.
func caught(l prove.Line) string {
	s := ""
	if l.CaughtBy != "" {
		s += ", caught by " + l.CaughtBy
	}
	if l.Reason != "" {
		s += ": " + l.Reason
	}
	return s
}

// sentence tells of a result's witness: where it is about all layers, which of them
// made it so.
func (r *proof) sentence(x *prove.Result) string {
	if x.Target != "" {
		return sentence(x.Witness, r.now)
	}
	w := *x.Witness
	var by []string
	for _, s := range deciding(&w, r.said[x.Scope]) {
		if w.Effect != "allow" && !slices.Contains(by, s.Target) {
			by = append(by, s.Target)
		}
	}
	if w.Rule = strings.Join(by, " and "); by == nil {
		w.Rule = "all layers"
	}
	return sentence(&w, r.now)
}

// sentence tells of one conversation; at another time than the present it says
// when.
func sentence(w *prove.Witness, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s %s", w.From, w.To, w.Port)
	if w.HTTP != "" {
		fmt.Fprintf(&b, " %s", w.HTTP)
	}
	if w.Host != "" {
		fmt.Fprintf(&b, " to host %s", w.Host)
	}
	for _, k := range slices.Sorted(maps.Keys(w.Head)) {
		fmt.Fprintf(&b, " with %s: %s", k, w.Head[k])
	}
	if !w.MTLS {
		b.WriteString(" without a proven principal")
	}
	if !w.At.IsZero() && !w.At.Equal(now) {
		fmt.Fprintf(&b, " at %s", w.At.UTC().Format(time.RFC3339))
	}
	if w.Effect == "unknown" {
		fmt.Fprintf(&b, ": whether it passes is not known, meant was %s by %s", w.Meant, orDefault(w.Intent))
		return b.String()
	}
	fmt.Fprintf(&b, ": %s by %s, meant was %s by %s", past(w.Effect), orDefault(w.Rule), w.Meant, orDefault(w.Intent))
	return b.String()
}

func past(effect string) string {
	switch effect {
	case "allow":
		return "allowed"
	case "deny":
		return "denied"
	}
	return effect
}

func orDefault(rule string) string {
	if rule == "" {
		return "default"
	}
	return rule
}

// summary is one line: the verdict, then what was looked at.
func (r *proof) summary() string {
	proven, words := 0, map[prove.Word]int{}
	for _, x := range r.results {
		words[x.Result]++
		if x.Result.Proven() {
			proven++
		}
	}
	var parts []string
	for _, w := range []prove.Word{prove.Exact, prove.ExactToday, prove.Approximate, prove.NotApplicable, prove.Unenforced, prove.Wrong, prove.Unknown} {
		if words[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", words[w], w))
		}
	}
	word := "ok"
	if r.verdict() != nil {
		word = "FAIL"
	}
	s := fmt.Sprintf("%-4s  %s: %d of %s proven", word, r.dir, proven, count(len(r.results), "enforcement point"))
	if len(parts) > 0 {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	for _, x := range r.together {
		s += fmt.Sprintf(", together %s", x.Result)
	}
	return s + fmt.Sprintf("; meant is %s", which(!r.toCome))
}

// jsonTogether is the result about all layers. Layers is what each says of the
// witness's conversation; empty without one.
type jsonTogether struct {
	prove.Result
	Layers []explainLayer `json:"layers"`
}

// proveJSON writes the results as they are.
func proveJSON(w io.Writer, r *proof) error {
	out := struct {
		Results     []prove.Result `json:"results"`
		Together    *jsonTogether  `json:"together"`
		ToCome      bool           `json:"toCome"`
		Diagnostics []jsonFinding  `json:"diagnostics"`
	}{append([]prove.Result{}, r.results...), nil, r.toCome, jsonFindings(r.diags)}
	if n := len(r.together); n > 0 {
		out.Together = &jsonTogether{r.together[n-1], jsonLayers(r.said[r.together[n-1].Scope])}
	}
	return writeJSON(w, out)
}

// proveMarkdown writes what fits into a comment on a pull request.
func proveMarkdown(w io.Writer, r *proof) error {
	p := &mdPage{}
	fmt.Fprintf(p, "### firebreak prove %s\n\n%s\n", codeCell(r.dir), strings.TrimSpace(r.summary()))
	table := mdTable{title: "Enforcement points", head: []string{"", "target", "point", "result", "scope", "why"}}
	over := mdTable{title: "Beyond or short of what was meant", head: []string{"target", "point", "", "from", "to", "traffic", "caught by"}}
	for _, x := range append(failuresFirst(r.results), r.together...) {
		why := x.Reason
		if x.Witness != nil {
			why = strings.TrimPrefix(why+"; "+r.sentence(&x), "; ")
		}
		table.rows = append(table.rows, []string{proveWord(x.Result), cell(targetOf(x)), cell(x.Point), string(x.Result), x.Scope, cell(why)})
		for _, l := range x.Over {
			over.rows = append(over.rows, []string{cell(targetOf(x)), cell(x.Point), "over", cell(l.From), cell(l.To), cell(l.Traffic), cell(l.CaughtBy)})
		}
		for _, l := range x.Under {
			over.rows = append(over.rows, []string{cell(targetOf(x)), cell(x.Point), "under", cell(l.From), cell(l.To), cell(l.Traffic), ""})
		}
	}
	p.table(table)
	p.table(over)
	_, err := io.WriteString(w, p.String())
	return err
}
