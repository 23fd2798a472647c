package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/internal/ask"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/lint"
	"firebreak/internal/verify"
)

// NewCheck returns the verb that judges a policy directory.
func NewCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Say everything that is wrong with a policy, and run its Cases",
		Long: `Say everything that is wrong or unwise about the policy in DIR together with its
inventory, prove its guardrails, then run its Cases: the tests that travel with
the policy.

It exits with 0 if there are no errors, every guardrail is proven and every Case
holds, else with 1. Warnings count only with --strict. A document accepts a
finding with the annotation firebreak.dev/accept: "CODE: REASON".`,
		Example: "  firebreak check examples/online-boutique\n  firebreak check . --inventory kube:./manifests --format sarif",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json", "sarif", "junit", "markdown")
	sources := inventoryFlag(cmd)
	noLint := cmd.Flags().Bool("no-lint", false, "say only what is wrong, not what is unwise")
	strict := cmd.Flags().Bool("strict", false, "let warnings fail too")
	ignore := cmd.Flags().StringSlice("ignore", nil, "leave out warnings with these `CODES`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := format()
		if err != nil {
			return err
		}
		how := checkFlags{lint: !*noLint, strict: *strict, ignore: *ignore}
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + args[0])
		l, err := read(args[0], *sources)
		if err != nil {
			return err
		}
		r := newCheckReport(l, how, p)
		p.done()
		write := map[string]func(io.Writer, *checkReport) error{
			"text": checkText, "json": checkJSON, "sarif": checkSARIF, "junit": checkJUnit, "markdown": checkMarkdown,
		}[f]
		if err := write(resultsTo(cmd, f, false), r); err != nil {
			return err
		}
		switch {
		case l.unreadable():
			return misusef("not everything could be read")
		case r.failed():
			return errNo
		}
		return nil
	}
	return cmd
}

// checkFlags say what check is to look for.
type checkFlags struct {
	lint, strict bool
	ignore       []string
}

// checkReport is what check found. Places are as the working directory sees
// them.
type checkReport struct {
	dir    string
	diags  diag.List
	strict bool // warnings fail too
	judged bool // false if errors kept the policy from being judged at all
	proofs []proofLine
	cases  []caseLine
	sizes  string // "12 workloads in 5 zones, 17 rules"
}

// proofLine is one guardrail and what became of its proof.
type proofLine struct {
	Name, Kind, Stage string
	Pos               diag.Pos
	Result            verify.Result
	Why               string // the witness, or why nothing is known
	Rule              flow.Rule
	Accepted          bool // the document says that it may stay unproven
}

// caseLine is one line of a Case and what became of it.
type caseLine struct {
	ask.Outcome
	Pos   diag.Pos
	Rule  flow.Rule
	by    string // the rule for people; empty if there is none
	asked *lang.Expectation
}

func newCheckReport(l *loaded, how checkFlags, phases *progress) *checkReport {
	r := &checkReport{dir: l.dir, diags: l.diags, strict: how.strict}
	rules := 0
	for _, p := range l.tree.Policies {
		rules += len(p.Rules)
	}
	r.sizes = fmt.Sprintf("%s in %s%s, %s", count(len(l.inv.Workloads), "workload"), count(len(l.tree.Zones), "zone"), l.unassigned(), count(rules, "rule"))
	for _, code := range how.ignore {
		if message, help := lint.Unknown(code); message != "" {
			r.diags.Warnf(diag.Pos{}, "unknown-code", "--ignore leaves out nothing: %s", message).WithHelp("%s", help)
		}
	}
	if l.p == nil {
		return r
	}
	phases.phase("working out what may pass")
	e, err := l.engine()
	if err != nil {
		r.diags.Errorf(diag.Pos{File: l.file("."), Line: 1, Col: 1}, "too-involved", "the policy cannot be judged: %v", err).
			WithHelp("use fewer different requests, windows and expiries")
		return r
	}
	r.judged = true
	phases.phase("proving")
	for _, p := range e.Guardrails() {
		r.proof(l, e, p)
	}
	if how.lint {
		phases.phase("looking for what is unwise")
		for _, d := range lint.Check(l.tree, e) {
			d.Rename(l.file)
			r.diags = append(r.diags, d)
		}
	}
	r.diags = slices.DeleteFunc(r.diags, func(d diag.Diagnostic) bool { return d.Severity != diag.Error && slices.Contains(how.ignore, d.Code) })
	r.diags = l.bound(r.diags)
	phases.phase("judging Cases")
	asked := expectations(l.tree)
	for i, o := range ask.Cases(l.tree, e) {
		c := caseLine{Outcome: o, Pos: l.pos(o.Pos), Rule: l.rule(o.Rule), asked: asked[i]}
		if o.Rule.Rule != "" {
			c.by = l.ruleText(c.Rule)
		}
		r.cases = append(r.cases, c)
	}
	return r
}

// unassigned says how many workloads are in no zone, "" if none is.
func (l *loaded) unassigned() string {
	if l.p == nil {
		return ""
	}
	n := 0
	for _, z := range l.p.ZoneOf {
		if l.p.Zones[z].Name == lang.Unassigned {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d unassigned", n)
}

// proof notes what became of a guardrail; one that does not hold is an error.
func (r *checkReport) proof(l *loaded, e *verify.Engine, p verify.Proof) {
	g := &l.p.Guardrails[p.Guardrail]
	line := proofLine{Name: g.Name, Kind: g.Kind, Stage: g.Stage.String(), Pos: l.pos(g.Pos), Result: p.Result, Why: l.proofText(e, p)}
	switch p.Result {
	case verify.Violated:
		line.Rule = l.rule(e.Ref(p.Witness.By))
		r.diags.Errorf(line.Pos, "guardrail-violated", "guardrail %s (%s) does not hold: %s", g.Name, g.Text, line.Why).
			WithHelp("%s", violationHelp(p, line.Rule))
	case verify.Unknown:
		r.unproven(l, &line, g.Text)
	}
	r.proofs = append(r.proofs, line)
}

// unproven notes that nobody knows whether a guardrail holds: who asks for a
// proof gets an error, unless the guardrail's document does without.
func (r *checkReport) unproven(l *loaded, line *proofLine, text string) {
	d := r.diags.Errorf(line.Pos, "guardrail-unproven", "guardrail %s (%s) is not proven: %s", line.Name, text, line.Why).
		WithHelp("give the External its addresses as cidrs, or let the guardrail name the other External too; "+
			"to do without the proof, annotate the guardrail %s: \"guardrail-unproven: REASON\"", lang.AcceptKey)
	for _, g := range l.tree.Guardrails {
		if g.Name == line.Name && slices.Contains(g.Accepts, d.Code) {
			d.Severity, line.Accepted = diag.Warning, true
		}
	}
}

func (l *loaded) proofText(e *verify.Engine, p verify.Proof) string {
	w := p.Witness
	switch {
	case w == nil:
		return p.Why
	case w.From == verify.None:
		return fmt.Sprintf("rule %s has no %s", l.rule(e.Ref(w.By)), strings.Join(w.Lacks, ", no "))
	}
	return fmt.Sprintf("%s → %s may pass %s, by %s", e.Name(w.From), e.Name(w.To), w.Set, l.rule(e.Ref(w.By)))
}

func violationHelp(p verify.Proof, rule flow.Rule) string {
	switch {
	case p.Witness.From == verify.None:
		return "give the rule what it lacks, or narrow the guardrail"
	case rule.Policy == "":
		return "the zone lets pass what no rule decides: set its default to deny, or add a deny rule"
	}
	return fmt.Sprintf("narrow or remove the rule %s/%s, or the guardrail", rule.Policy, rule.Rule)
}

func (r *checkReport) mismatches() int {
	n := 0
	for _, c := range r.cases {
		if !c.OK() {
			n++
		}
	}
	return n
}

func (r *checkReport) severities() (errors, warnings int) {
	for _, d := range r.diags {
		switch d.Severity {
		case diag.Error:
			errors++
		case diag.Warning:
			warnings++
		}
	}
	return errors, warnings
}

func (r *checkReport) failed() bool {
	_, warnings := r.severities()
	return r.diags.HasErrors() || r.mismatches() > 0 || r.strict && warnings > 0
}

// onlyStrict reports whether check fails for nothing but --strict.
func (r *checkReport) onlyStrict() bool {
	return r.failed() && !r.diags.HasErrors() && r.mismatches() == 0
}

// fails reports whether a finding alone makes check fail.
func (r *checkReport) fails(d diag.Diagnostic) bool {
	return d.Severity == diag.Error || r.strict && d.Severity == diag.Warning
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
