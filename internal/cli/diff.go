package cli

import (
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

It exits with 0, or with 1 if --fail-on names something that happened, or either
side has errors; with 2 if one cannot be read. --fail-on guardrail is about those
that do not hold any more or are gone, --fail-on case likewise about Cases.`,
		Example: "  firebreak diff git:main:policy policy\n  firebreak diff git:HEAD~1:policy git:HEAD:policy --format markdown --fail-on gained,guardrail",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misusef("diff needs two policy directories, not %d: %s", len(args), cmd.UseLine())
			}
			return nil
		},
	}
	format := formatFlag(cmd, "text", "json", "markdown", "sarif", "junit")
	sources := inventoryFlag(cmd)
	fail := cmd.Flags().StringSlice("fail-on", []string{"none"}, "exit with 1 if any of `WHAT` happened: "+strings.Join(failWords, ", "))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		for _, word := range *fail {
			if !slices.Contains(failWords, word) {
				return misusef("--fail-on %s: it is one or more of %s", word, strings.Join(failWords, ", "))
			}
		}
		d, err := newDifference(cmd.ErrOrStderr(), args[0], args[1], *sources, time.Now().UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		d.failOn = *fail
		d.new.noteGuardrails(cmd.ErrOrStderr(), how, d.engine)
		write := map[string]func(io.Writer, *difference) error{
			"text": diffText, "json": diffJSON, "markdown": diffMarkdown, "sarif": diffSARIF, "junit": diffJUnit,
		}[how]
		if err := write(resultsTo(cmd, how, true), d); err != nil {
			return err
		}
		if d.fails(true) || d.fails(false) || d.failsBy("guardrail", d.guardrails) || d.failsBy("case", d.cases) {
			return errNo
		}
		return nil
	}
	return cmd
}

// failWords are what --fail-on knows.
var failWords = []string{"gained", "lost", "guardrail", "case", "any", "none"}

// difference is the answer.
type difference struct {
	old, new      *loaded
	engine        *verify.Engine // of the new policy
	oldArg        string
	newArg        string
	failOn        []string
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

	by, was, is string // Rule, Was and Is for people
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
	if d.old, err = must(stderr, oldDir, sources); err != nil {
		return nil, err
	}
	p.phase("reading " + newDir)
	if d.new, err = must(stderr, newDir, sources); err != nil {
		return nil, err
	}
	p.phase("working out what both permit")
	x, y, err := verify.NewPair(d.old.p, d.new.p, verify.Options{At: now})
	if err != nil {
		return nil, misusef("the two cannot be compared: %v; use fewer different requests, windows and expiries", err)
	}
	d.engine = y
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
		of := d.new
		if l.By.Old {
			of = d.old
		}
		by := of.rule(l.By.Rule)
		out.lines = append(out.lines, changeLine{
			From: names(l.From), To: names(l.To), Gained: l.Gained, Traffic: l.Set.String(), Rule: by, OldRule: l.By.Old,
			Was: d.old.rules(l.Was), Is: d.new.rules(l.Is),
			by: of.ruleText(by), was: d.old.fewRules(l.Was), is: d.new.fewRules(l.Is),
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
	return d.asked(word) && d.toCome.count(gained)+d.inForce.count(gained) > 0
}

// failsBy reports whether --fail-on names results, of which some got worse.
func (d *difference) failsBy(word string, list []resultChange) bool {
	return d.asked(word) && slices.ContainsFunc(list, resultChange.worse)
}

func (d *difference) asked(word string) bool {
	return slices.Contains(d.failOn, word) || slices.Contains(d.failOn, "any")
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
