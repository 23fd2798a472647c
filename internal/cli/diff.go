package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/ask"
	"firebreak/internal/flow"
	"firebreak/internal/risk"
	"firebreak/internal/verify"
)

// NewDiff returns the verb that says what a change of policy changes.
func NewDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say who gains or loses what traffic between two policies",
		Long: `Say who gains or loses what traffic between two policies, and by which rule;
which guardrails and Cases have another result, which workloads came and went,
and how the mean blast radius changes. What is written differently but permits
the same is no difference.

OLD and NEW are policy directories, or git:REV:DIR: the directory DIR as it was
at a revision, with the inventory of that revision. --inventory counts for both.

It exits with 0, or with 1 if --fail-on names something that happened; with 2
if either side cannot be read or has errors.`,
		Example: "  firebreak diff git:main:policy policy\n  firebreak diff git:HEAD~1:policy git:HEAD:policy --format markdown --fail-on gained",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misusef("diff needs two policy directories, not %d: %s", len(args), cmd.UseLine())
			}
			return nil
		},
	}
	format := formatFlag(cmd, "text", "json", "markdown", "sarif", "junit")
	sources := inventoryFlag(cmd)
	fail := cmd.Flags().String("fail-on", "none", "exit with 1 if traffic is `WHAT`: gained, lost, any or none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if !slices.Contains([]string{"gained", "lost", "any", "none"}, *fail) {
			return misusef("--fail-on %s: it is gained, lost, any or none", *fail)
		}
		d, err := newDifference(cmd.ErrOrStderr(), args[0], args[1], *sources, time.Now().UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		d.failOn = *fail
		write := map[string]func(io.Writer, *difference) error{
			"text": diffText, "json": diffJSON, "markdown": diffMarkdown, "sarif": diffSARIF, "junit": diffJUnit,
		}[how]
		if err := write(cmd.OutOrStdout(), d); err != nil {
			return err
		}
		if d.fails(true) || d.fails(false) {
			return errNo
		}
		return nil
	}
	return cmd
}

// difference is the answer.
type difference struct {
	old, new      *loaded
	oldArg        string
	newArg        string
	failOn        string
	toCome        changes
	inForce       changes
	guardrails    []resultChange
	cases         []resultChange
	arrivals      ask.Arrivals
	unknown       []unknownPair
	before, after risk.Estate
}

// changes is what one kind of policy gains and loses, with places as the
// working directory sees them.
type changes struct {
	ask.Comparison
	lines []changeLine
}

// changeLine is a line of a comparison in words.
type changeLine struct {
	From, To []string
	Gained   bool
	Traffic  string
	Rule     flow.Rule // what made the difference
	OldRule  bool      // Rule is one of the old policy
	Was, Is  []flow.Rule
	InForce  bool // only what is in force changes
}

// resultChange is a guardrail or a Case whose result is another one. Was or Is
// is empty where it is new or gone.
type resultChange struct {
	Name, Was, Is string
	Why           []string // for what does not hold now
	Place         flow.Rule
}

func newDifference(stderr io.Writer, oldDir, newDir string, sources []string, now time.Time) (*difference, error) {
	p := newProgress(stderr)
	defer p.done()
	d := &difference{oldArg: oldDir, newArg: newDir}
	var err error
	p.phase("reading " + oldDir)
	if d.old, err = answerable(must(stderr, oldDir, sources)); err != nil {
		return nil, err
	}
	p.phase("reading " + newDir)
	if d.new, err = answerable(must(stderr, newDir, sources)); err != nil {
		return nil, err
	}
	p.phase("working out what both permit")
	x, y, err := verify.NewPair(d.old.p, d.new.p, verify.Options{At: now})
	if err != nil {
		return nil, misusef("the two cannot be compared: %v; use fewer different requests, windows and expiries", err)
	}
	p.phase("comparing")
	d.toCome = d.compare(verify.Diff(x, y), x, y)
	d.inForce = d.compare(verify.DiffInForce(x, y), x, y)
	d.arrivals = ask.Arriving(d.old.p, d.new.p)
	d.unknown = newlyUnknown(d.old, d.new, x, y)
	p.phase("proving")
	d.guardrails = d.proofs(x, y)
	d.cases = d.judged(x, y)
	p.phase("following every way")
	d.before, d.after = meanBlast(x), meanBlast(y)
	return d, nil
}

// answerable turns a policy with errors into a question that cannot be asked:
// exit code 1 is kept for --fail-on.
func answerable(l *loaded, err error) (*loaded, error) {
	var broken brokenError
	if errors.As(err, &broken) {
		err = misusef("%v", err)
	}
	return l, err
}

func meanBlast(e *verify.Engine) risk.Estate {
	g, _ := risk.FromEngine(e, false)
	return g.Blast()
}

// compare puts a delta into words.
func (d *difference) compare(delta verify.Delta, x, y *verify.Engine) changes {
	c := ask.Compare(&delta, x, y)
	out := changes{Comparison: c}
	names := func(ends []int) []string {
		var out []string
		for _, i := range ends {
			out = append(out, c.Ends[i].Name)
		}
		return out
	}
	for i := range c.Lines {
		l := &c.Lines[i]
		by := d.new.rule(l.By.Rule)
		if l.By.Old {
			by = d.old.rule(l.By.Rule)
		}
		out.lines = append(out.lines, changeLine{
			From: names(l.From), To: names(l.To), Gained: l.Gained, Traffic: l.Set.String(), Rule: by, OldRule: l.By.Old,
			Was: d.old.rules(l.Was), Is: d.new.rules(l.Is),
		})
	}
	return out
}

func (c *changes) count(gained bool) int {
	n := 0
	for i := range c.lines {
		if c.lines[i].Gained == gained {
			n++
		}
	}
	return n
}

// fails reports whether --fail-on names a gain, or a loss, that there is.
func (d *difference) fails(gained bool) bool {
	word := map[bool]string{true: "gained", false: "lost"}[gained]
	return (d.failOn == word || d.failOn == "any") && d.toCome.count(gained)+d.inForce.count(gained) > 0
}

// all are the lines, and those of onlyInForce.
func (d *difference) all() []changeLine {
	return append(slices.Clone(d.toCome.lines), d.onlyInForce()...)
}

// onlyInForce are the changes of what is in force that are none of what is to
// come.
func (d *difference) onlyInForce() []changeLine {
	known := map[string]bool{}
	for i := range d.toCome.lines {
		known[d.toCome.lines[i].key()] = true
	}
	var out []changeLine
	for _, l := range d.inForce.lines {
		if !known[l.key()] {
			l.InForce = true
			out = append(out, l)
		}
	}
	return out
}

// String says who gains or loses what, in few words.
func (l *changeLine) String() string {
	s := fmt.Sprintf("%s → %s %s", someNames(l.From), someNames(l.To), l.Traffic)
	if l.InForce {
		return "in force: " + s
	}
	return s
}

func (l *changeLine) key() string {
	return strings.Join([]string{strings.Join(l.From, ","), strings.Join(l.To, ","), fmt.Sprint(l.Gained), l.Traffic}, "\x00")
}
