package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/semantics"
)

// NewCheck returns the verb that judges a policy directory.
func NewCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Say everything that is wrong with a policy, and run its Cases",
		Long: `Say everything that is wrong or unwise about the policy in DIR together with its
inventory, then run its Cases: the tests that travel with the policy.

It exits with 0 if there are no errors and every Case holds, else with 1.`,
		Example: "  firebreak check examples/online-boutique\n  firebreak check . --inventory kube:./manifests --format sarif",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json", "sarif", "junit", "markdown")
	sources := inventoryFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := format()
		if err != nil {
			return err
		}
		l, err := read(args[0], *sources)
		if err != nil {
			return err
		}
		r := newCheckReport(l)
		write := map[string]func(io.Writer, *checkReport) error{
			"text": checkText, "json": checkJSON, "sarif": checkSARIF, "junit": checkJUnit, "markdown": checkMarkdown,
		}[f]
		if err := write(cmd.OutOrStdout(), r); err != nil {
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

// checkReport is what check found. Places are as the working directory sees
// them.
type checkReport struct {
	dir   string
	diags diag.List
	cases []caseLine
	sizes string // "12 workloads in 5 zones, 17 rules"
}

// caseLine is one line of a Case and what became of it.
type caseLine struct {
	semantics.Outcome
	Pos  diag.Pos
	Rule flow.Rule
}

func newCheckReport(l *loaded) *checkReport {
	r := &checkReport{dir: l.dir, diags: l.diags}
	rules := 0
	for _, p := range l.tree.Policies {
		rules += len(p.Rules)
	}
	r.sizes = fmt.Sprintf("%s in %s, %s", count(len(l.inv.Workloads), "workload"), count(len(l.tree.Zones), "zone"), count(rules, "rule"))
	if l.p == nil {
		return r
	}
	for _, o := range l.eval.Cases(time.Now()) {
		r.cases = append(r.cases, caseLine{Outcome: o, Pos: l.pos(o.Pos), Rule: l.rule(o.Rule)})
	}
	return r
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

func (r *checkReport) failed() bool { return r.diags.HasErrors() || r.mismatches() > 0 }

// message says what is wrong with a line that does not hold.
func (c caseLine) message() string {
	switch {
	case c.Got == "unknown":
		return fmt.Sprintf("wants %s, but nothing can be judged: %s", c.Want, c.Why)
	case c.Want == "allow":
		return fmt.Sprintf("wants allow, but %s → %s is denied %s", c.From, c.To, c.Traffic)
	default:
		return fmt.Sprintf("wants deny, but %s → %s is allowed %s", c.From, c.To, c.Traffic)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
