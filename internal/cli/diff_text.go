package cli

import (
	"fmt"
	"io"
	"strings"

	"firebreak/internal/flow"
)

// diffText writes what is gained, then what is lost, then everything else that
// is different.
func diffText(w io.Writer, d *difference) error {
	var b strings.Builder
	if len(d.toCome.lines) == 0 {
		b.WriteString("the two permit the same\n")
	}
	for _, gained := range []bool{true, false} {
		textLines(&b, map[bool]string{true: "gained", false: "lost"}[gained], d.toCome.lines, gained)
	}
	if only := d.onlyInForce(); len(only) > 0 {
		textLines(&b, "in force, gained", only, true)
		textLines(&b, "in force, lost", only, false)
	}
	textResults(&b, "guardrails", d.guardrails)
	textResults(&b, "Cases", d.cases)
	d.textArrivals(&b)
	if len(d.unknown) > 0 {
		b.WriteString("\nno longer known\n")
	}
	for _, u := range d.unknown {
		fmt.Fprintf(&b, "  %s → %s  %s: %s\n", u.From, u.To, u.Traffic, u.Reason)
	}
	if d.before.Mean != d.after.Mean || len(d.toCome.lines) > 0 {
		fmt.Fprintf(&b, "\nmean blast radius  %s, was %s (%s)\n", percent(d.after.Mean), percent(d.before.Mean), points(d.before.Mean, d.after.Mean))
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func textLines(b *strings.Builder, title string, lines []changeLine, gained bool) {
	first := true
	for _, l := range lines {
		if l.Gained != gained {
			continue
		}
		if first {
			fmt.Fprintf(b, "\n%s\n", title)
			first = false
		}
		fmt.Fprintf(b, "  %s → %s  %s\n      %s\n", someNames(l.From), someNames(l.To), l.Traffic, l.reason())
	}
}

// namesInLine is how many ends of a line are named.
const namesInLine = 6

func someNames(names []string) string { return nameList(few(names, namesInLine), len(names)) }

// reason says which rule made the difference, and how.
func (l *changeLine) reason() string {
	switch {
	case l.OldRule && l.Gained && len(l.Is) > 0:
		return fmt.Sprintf("no longer denied by %s; now by %s", l.by, l.is)
	case l.OldRule && len(l.Is) == 0:
		return fmt.Sprintf("was permitted by %s; one of the two is gone", l.by)
	case l.OldRule:
		return fmt.Sprintf("no longer permitted by %s; now %s", l.by, l.is)
	case l.Gained:
		return fmt.Sprintf("permitted by %s; %s", l.by, l.past())
	}
	return fmt.Sprintf("denied by %s; %s", l.by, l.past())
}

func (l *changeLine) past() string {
	if len(l.Was) == 0 {
		return "one of the two is new"
	}
	return "was decided by " + l.was
}

// fewRules names the first rules of a policy.
func (l *loaded) fewRules(rules []flow.Rule) string {
	var names []string
	for _, r := range rules[:min(len(rules), 3)] {
		names = append(names, l.ruleText(l.rule(r)))
	}
	return nameList(names, len(rules))
}

func textResults(b *strings.Builder, title string, list []resultChange) {
	if len(list) > 0 {
		fmt.Fprintf(b, "\n%s\n", title)
	}
	for _, c := range list {
		fmt.Fprintf(b, "  %s: %s (%s:%d)\n", c.Name, c, c.Place.File, c.Place.Line)
		for _, why := range c.Why {
			fmt.Fprintf(b, "      %s\n", why)
		}
	}
}

// mostArrivals is how many workloads that came or went are named.
const mostArrivals = 10

func (d *difference) textArrivals(b *strings.Builder) {
	for _, s := range d.arrivalLines() {
		if !strings.Contains(b.String(), "\nworkloads\n") {
			b.WriteString("\nworkloads\n")
		}
		fmt.Fprintf(b, "  %s\n", s)
	}
}

// arrivalLines says which workloads came, went and are in another zone.
func (d *difference) arrivalLines() []string {
	var out []string
	a := &d.arrivals
	if n := len(a.Came); n > 0 {
		out = append(out, "came: "+nameList(few(a.Came, mostArrivals), n))
	}
	if n := len(a.Went); n > 0 {
		out = append(out, "went: "+nameList(few(a.Went, mostArrivals), n))
	}
	if n := len(a.Moved); n > 0 {
		var names []string
		for _, m := range a.Moved[:min(n, mostArrivals)] {
			names = append(names, fmt.Sprintf("%s (%s → %s)", m.Workload, m.Was, m.Is))
		}
		out = append(out, "in another zone: "+nameList(names, n))
	}
	return out
}
