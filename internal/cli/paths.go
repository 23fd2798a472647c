package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/risk"
	"firebreak/internal/verify"
)

// What paths shows at most.
const (
	mostPaths = 5
	mostCuts  = 5
)

// NewPaths returns the verb that finds attack paths, and what would cut most.
func NewPaths() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "paths DIR --from ENDPOINT --to ENDPOINT",
		Short: "Find the cheapest ways of an attack, and the rules that are worth cutting",
		Long: `Find the five cheapest ways on which an attack gets from one thing to another,
with the rule that permits each hop and the technique of MITRE ATT&CK that its
ports permit; and the five rules whose removal, each alone, lowers the mean
blast radius of the estate most.

An ENDPOINT is workload:NAME, service:NAME, zone:NAME, frontend:NAME (what is
behind it), external:NAME, ip:ADDRESS, world, or a bare NAME if only one thing
has it. Of several workloads, any will do. That there is no way is an answer: it
exits with 0.`,
		Example: "  firebreak paths . --from world --to zone:data\n  firebreak paths . --from web-1 --to orders-db --format html > paths.html",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json", "html")
	sources := inventoryFlag(cmd)
	fs := cmd.Flags()
	from := fs.String("from", "", "what the attacker holds")
	to := fs.String("to", "", "what the attacker wants")
	inForce := fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if *from == "" || *to == "" {
			return misusef("--from and --to are both needed")
		}
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		p := &pathsAnswer{dir: args[0], from: *from, to: *to, inForce: *inForce}
		if err := p.find(cmd.ErrOrStderr(), l); err != nil {
			return err
		}
		l.noteGuardrails(cmd.ErrOrStderr(), how, p.engine)
		write := map[string]func(io.Writer, *pathsAnswer) error{"text": pathsText, "json": pathsJSON, "html": pathsHTML}[how]
		return write(resultsTo(cmd, how, true), p)
	}
	return cmd
}

// pathsAnswer is the answer.
type pathsAnswer struct {
	dir, from, to string
	inForce       bool
	engine        *verify.Engine
	same          bool // both ends are one and the same
	paths         []risk.Path
	cuts          risk.Cuts
	estate        risk.Estate
}

func (p *pathsAnswer) find(stderr io.Writer, l *loaded) error {
	defer working(stderr, "following every way")()
	a, err := l.attacked(p.inForce, time.Now())
	if err != nil {
		return err
	}
	from, err := a.places("--from", p.from)
	if err != nil {
		return err
	}
	to, err := a.places("--to", p.to)
	if err != nil {
		return err
	}
	p.same = len(from) == 1 && len(to) == 1 && from[0] == to[0]
	if !p.same && (inside(from) || inside(to)) {
		p.paths = a.g.Paths(from, to, mostPaths)
	}
	p.engine = a.e
	p.estate = a.g.Blast()
	p.cuts = a.g.Cuts(mostCuts)
	return nil
}

// inside reports whether some of the places are workloads.
func inside(places []risk.Place) bool {
	for _, p := range places {
		if p.Workload != "" {
			return true
		}
	}
	return false
}

// none says why there are no paths.
func (p *pathsAnswer) none() string {
	if p.same {
		return fmt.Sprintf("%s and %s are the same: nothing lies between them", p.from, p.to)
	}
	now := "with the policy as written, enforced everywhere,"
	if p.inForce {
		now = "with what is enforced now,"
	}
	return fmt.Sprintf("%s nothing lets %s reach %s, not even over others", now, p.from, p.to)
}

// skipped says what was not worked out; empty if everything was.
func (p *pathsAnswer) skipped() string {
	if p.cuts.Skipped == 0 {
		return ""
	}
	return fmt.Sprintf("%s were not worked out, because that would have taken too long: there may be better ones among them", count(p.cuts.Skipped, "more rule or default"))
}
