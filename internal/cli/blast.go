package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/risk"
	"firebreak/internal/verify"
)

type blastFlags struct {
	base    *string
	inForce *bool
	maxMean *float64
}

// NewBlast returns the verb that says how far an attacker gets.
func NewBlast() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "blast DIR [WORKLOAD]",
		Short: "Say how far an attacker gets who has taken a workload",
		Long: `Say how far an attacker gets who has taken a workload: which others it may begin
a conversation with, and they in turn, in any number of hops. Without WORKLOAD,
as the mean over all workloads and over those of each zone; with it, also for
that one, hop by hop. Whatever may pass in some circumstances counts.

WORKLOAD is an ENDPOINT: workload:NAME, service:NAME, zone:NAME, frontend:NAME
(what is behind it), external:NAME, ip:ADDRESS, world, or a bare NAME if only one
thing has it. Of several, the one that reaches most is shown.

It exits with 0, or with 1 if the mean is above --max-mean.`,
		Example: "  firebreak blast . orders-1\n  firebreak blast . --base ../main --max-mean 0.25\n  firebreak blast . world --format html > blast.html",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return misusef("blast needs a policy directory and at most one workload: %s", cmd.UseLine())
			}
			return nil
		},
	}
	format := formatFlag(cmd, "text", "json", "html")
	sources := inventoryFlag(cmd)
	fs := cmd.Flags()
	f := blastFlags{
		base:    fs.String("base", "", "compare with the policy in directory `OLD`, or git:REV:DIR"),
		inForce: fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy"),
		maxMean: fs.Float64("max-mean", 1, "exit with 1 if the mean is above `SHARE`, 0 to 1"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if !(*f.maxMean >= 0 && *f.maxMean <= 1) {
			return misusef("--max-mean %v: it is a share, from 0 to 1", *f.maxMean)
		}
		b, err := newBlast(cmd.ErrOrStderr(), args, *sources, f)
		if err != nil {
			return err
		}
		b.now.l.noteGuardrails(cmd.ErrOrStderr(), how, b.now.e)
		write := map[string]func(io.Writer, *blast) error{"text": blastText, "json": blastJSON, "html": blastHTML}[how]
		if err := write(resultsTo(cmd, how, true), b); err != nil {
			return err
		}
		if b.now.estate.Mean > *f.maxMean {
			fmt.Fprintf(cmd.ErrOrStderr(), "firebreak: the mean blast radius is %s, above --max-mean %s\n", percent(b.now.estate.Mean), percent(*f.maxMean))
			return errNo
		}
		return nil
	}
	return cmd
}

// blast is the answer, and what was the answer before.
type blast struct {
	dir, asked string
	inForce    bool
	now        radius
	base       *radius // nil: not asked
}

// radius is the answer about one policy.
type radius struct {
	l      *loaded
	e      *verify.Engine
	estate risk.Estate
	zones  int         // as written, also those without workloads
	taken  *risk.Reach // nil: not asked, or there was no such thing
	alike  int         // how many more workloads were asked about
}

func newBlast(stderr io.Writer, args, sources []string, f blastFlags) (*blast, error) {
	b := &blast{dir: args[0], inForce: *f.inForce}
	if len(args) > 1 {
		b.asked = args[1]
	}
	defer working(stderr, "following every way")()
	now := time.Now()
	l, err := must(stderr, b.dir, sources)
	if err != nil {
		return nil, err
	}
	if b.now, err = l.radius(b.asked, b.inForce, now); err != nil || *f.base == "" {
		return b, err
	}
	old, err := must(stderr, *f.base, sources)
	if err != nil {
		return nil, err
	}
	base, err := old.radius("", b.inForce, now)
	if err == nil && b.asked != "" {
		// What is new has no past; whatever else is wrong was said already.
		if both, err := old.radius(b.asked, b.inForce, now); err == nil {
			base = both
		}
	}
	b.base = &base
	return b, err
}

func (l *loaded) radius(asked string, inForce bool, now time.Time) (radius, error) {
	a, err := l.attacked(inForce, now)
	if err != nil {
		return radius{}, err
	}
	var places []risk.Place
	if asked != "" {
		if places, err = a.places("WORKLOAD", asked); err != nil {
			return radius{}, err
		}
	}
	out := radius{l: l, e: a.e, estate: a.g.Blast(), zones: len(l.tree.Zones)}
	if len(places) > 0 {
		worst := a.g.Worst(out.estate, places)
		r := a.g.From(worst.Node, worst.Workload)
		out.taken, out.alike = &r, len(places)-1
	}
	return out, nil
}
