package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/load"
	"firebreak/internal/prove"
)

// NewDrift returns the verb that compares a live estate with the intent.
func NewDrift() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift DIR --live PATH",
		Short: "Say what a live estate permits or blocks beyond what was meant",
		Long: `Say what lies in the live folder PATH permits beyond the policy in DIR, and what
it blocks that was meant to pass. The two are compared by what they mean: order,
descriptions and other ways to write the same are no drift.

It exits with 1 if there is drift, or if it is not known whether there is.`,
		Example: "  firebreak drift . --live ./cluster\n  firebreak drift . --live ./cluster --format json",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json", "markdown")
	sources := inventoryFlag(cmd)
	f := cmd.Flags()
	live := f.String("live", "", "the live `FOLDER`")
	targets := f.StringSlice("target", nil, "look at these `TARGETS` only")
	toCome := f.Bool("to-come", false, "compare with the whole policy, not with what is enforced now")
	lines := f.Int("lines", 0, "list at most `N` lines of a kind (50 if not given)")
	at := f.String("at", "", "compare as of this `TIME`, like 2027-01-31T23:00:00Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		now, err := instant(*at)
		if err != nil {
			return err
		}
		if *live == "" {
			return misusef("which live estate? name its folder with --live")
		}
		chosen, err := namedTargets("--target", *targets)
		if err != nil {
			return err
		}
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + args[0])
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		p.phase("reading " + *live)
		got, diags := load.OfFolder(*live, l.asked(chosen...))
		if got == nil {
			return misusef("%s", diags[len(diags)-1].Message)
		}
		p.phase("comparing")
		d, err := prove.Drift(l.intent(*toCome), got.Layers, prove.Options{At: now, Live: true, Lines: *lines, Targets: l.estateTargets()})
		if err != nil {
			return misusef("the policy cannot be compared: %v", err)
		}
		p.done()
		r := &drift{dir: l.dir, live: *live, inForce: !*toCome, at: now, Difference: d, diags: l.bound(diags)}
		if how != "json" {
			printFindings(cmd.ErrOrStderr(), r.diags)
		}
		write := map[string]func(io.Writer, *drift) error{"text": driftText, "json": driftJSON, "markdown": driftMarkdown}[how]
		if err := write(resultsTo(cmd, how, true), r); err != nil {
			return err
		}
		if r.inForce && len(d.Missing) > 0 {
			l.noteObserving(cmd.ErrOrStderr())
		}
		return r.verdict()
	}
	return cmd
}

// drift is what was found.
type drift struct {
	dir, live string
	inForce   bool
	at        time.Time
	*prove.Difference
	diags diag.List
}

func (d *drift) verdict() error {
	switch {
	case d.diags.HasErrors():
		return misusef("not everything could be read")
	case len(d.passing())+len(d.Missing)+len(d.Unknown) > 0:
		return errNo
	}
	return nil
}

// passing is what really passes beyond the policy. What one layer would let pass
// and another refuses does not: a layer that cannot say everything is always wider.
func (d *drift) passing() []prove.Line {
	return slices.DeleteFunc(slices.Clone(d.Beyond), func(l prove.Line) bool { return l.CaughtBy != "" })
}

func (d *drift) caught() []prove.Line {
	return slices.DeleteFunc(slices.Clone(d.Beyond), func(l prove.Line) bool { return l.CaughtBy == "" })
}

// kinds are the lists in the order of the text.
func (d *drift) kinds() []driftKind {
	return []driftKind{
		{"beyond", "passes, and was not meant to", d.passing()},
		{"missing", "was meant to pass, and does not", d.Missing},
		{"unknown", "is not known", d.Unknown},
		{"caught", "is open in one layer, and another refuses it: no drift", d.caught()},
	}
}

type driftKind struct {
	word, meaning string
	lines         []prove.Line
}

// driftText writes the lists, then one line that sums up.
func driftText(w io.Writer, d *drift) error {
	var b strings.Builder
	for _, k := range d.kinds() {
		if len(k.lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s (%s)\n", k.word, k.meaning)
		for _, l := range k.lines {
			fmt.Fprintf(&b, "  %s → %s  %s%s%s\n", l.From, l.To, l.Traffic, whereOf(l), caught(l))
		}
		b.WriteByte('\n')
	}
	if d.More > 0 {
		fmt.Fprintf(&b, "and %d more; see --lines\n\n", d.More)
	}
	b.WriteString(d.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// whereOf is the target, the point and the rule of a line.
func whereOf(l prove.Line) string {
	s := ""
	if at := strings.TrimSpace(l.Target + " " + l.Point); at != "" {
		s = "  at " + at
	}
	if by := ruleText(l); by != "" {
		s += " by " + by
	}
	return s
}

// ruleText is the rule that makes a line so; empty where none is known.
func ruleText(l prove.Line) string {
	if l.Rule == (flow.Rule{}) {
		return ""
	}
	return l.Rule.String()
}

func (d *drift) summary() string {
	what := fmt.Sprintf("%s against %s (%s)", d.live, d.dir, which(d.inForce))
	if d.verdict() == nil {
		return "ok    no drift: " + what
	}
	return fmt.Sprintf("FAIL  %s: %d beyond, %d missing, %d unknown", what, len(d.passing()), len(d.Missing), len(d.Unknown))
}

func driftJSON(w io.Writer, d *drift) error {
	type line struct {
		From     string     `json:"from"`
		To       string     `json:"to"`
		Traffic  string     `json:"traffic"`
		Target   string     `json:"target"`
		Point    string     `json:"point"`
		Rule     *flow.Rule `json:"rule,omitempty"`
		CaughtBy string     `json:"caughtBy,omitempty"`
		Reason   string     `json:"reason,omitempty"`
	}
	lists := map[string][]line{}
	for _, k := range d.kinds() {
		lists[k.word] = []line{}
		for _, l := range k.lines {
			x := line{l.From, l.To, l.Traffic, l.Target, l.Point, nil, l.CaughtBy, l.Reason}
			if l.Rule != (flow.Rule{}) {
				x.Rule = &l.Rule
			}
			lists[k.word] = append(lists[k.word], x)
		}
	}
	return writeJSON(w, struct {
		Beyond      []line        `json:"beyond"`
		Missing     []line        `json:"missing"`
		Unknown     []line        `json:"unknown"`
		Caught      []line        `json:"caught"`
		More        int           `json:"more"`
		Diagnostics []jsonFinding `json:"diagnostics"`
	}{lists["beyond"], lists["missing"], lists["unknown"], lists["caught"], d.More, jsonFindings(d.diags)})
}

func driftMarkdown(w io.Writer, d *drift) error {
	p := &mdPage{}
	fmt.Fprintf(p, "### firebreak drift %s\n\n%s\n", codeCell(d.dir), strings.TrimSpace(d.summary()))
	for _, k := range d.kinds() {
		t := mdTable{title: strings.ToUpper(k.word[:1]) + k.word[1:] + ": " + k.meaning, head: []string{"from", "to", "traffic", "target", "point", "rule", "why"}}
		for _, l := range k.lines {
			t.rows = append(t.rows, []string{cell(l.From), cell(l.To), cell(l.Traffic), cell(l.Target), cell(l.Point), cell(ruleText(l)), cell(strings.TrimPrefix(strings.TrimPrefix(caught(l), ", "), ": "))})
		}
		p.table(t)
	}
	_, err := io.WriteString(w, p.String())
	return err
}
