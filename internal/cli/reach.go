package cli

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/lang"
	"firebreak/internal/verify"
)

// maxReachLines is how many lines are written workload by workload; where
// there would be more, those that no rule tells apart are one.
const maxReachLines = 2_000_000

// NewReach returns the verb that lists who can reach whom.
func NewReach() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reach [DIR] [--live PATH]",
		Short: "List who can reach whom, over which ports, and by which rules",
		Long: `List who can reach whom under the policy in DIR, over which ports, and by which
rules. Text, dot and markdown call what is outside the estate by its name; json
and csv give it as the largest runs of addresses that are alike.

--from and --to take an ENDPOINT: workload:NAME, service:NAME, zone:NAME,
external:NAME, ip:ADDRESS, world, or a bare NAME if only one thing has it.

With --live PATH it lists what is permitted by everything that lies in a live
folder, whoever wrote it: Kubernetes manifests, Terraform, a cloud's answers,
dumps of nftables and of the kernel's maps. DIR may then be left out; workloads
are those that the folder shows, and --inventory adds more. What could not be
understood counts as open, and is listed as not known.

Traffic that passes at some times only is listed with those times; --at asks
about one instant.`,
		Example: "  firebreak reach . --to zone:data\n  firebreak reach . --format dot | dot -Tsvg > reach.svg\n  firebreak reach --live ./cluster --format csv",
		Args: func(cmd *cobra.Command, args []string) error {
			if live, _ := cmd.Flags().GetString("live"); live != "" && len(args) == 0 {
				return nil
			}
			return oneDir(cmd, args)
		},
	}
	format := formatFlag(cmd, "text", "json", "csv", "dot", "markdown")
	sources := inventoryFlag(cmd)
	fs := cmd.Flags()
	from := fs.String("from", "", "only what can be reached from here")
	to := fs.String("to", "", "only what can reach this")
	at := fs.String("at", "", "only what passes at this `TIME`, like 2027-01-31T23:00:00Z")
	inForce := fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy")
	live := fs.String("live", "", "list what lies in this live `FOLDER` permits")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		q := reachQuestion{from: *from, to: *to, inForce: *inForce, now: time.Now().UTC().Truncate(time.Second)}
		if *at != "" {
			if q.at, err = time.Parse(time.RFC3339, *at); err != nil {
				return misusef("--at %q is no time: write it like 2027-01-31T23:00:00Z", *at)
			}
			q.now = q.at
		}
		if *live != "" {
			dir := ""
			if len(args) > 0 {
				dir = args[0]
			}
			return runLive(cmd, liveQuestion{dir, *live, *sources, q}, how)
		}
		p := newProgress(cmd.ErrOrStderr())
		defer p.done()
		p.phase("reading " + args[0])
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		p.phase("working out what may pass")
		r, err := l.reach(q)
		if err != nil {
			return err
		}
		p.done()
		l.noteGuardrails(cmd.ErrOrStderr(), how, r.e)
		p.phase("writing")
		r.merge = r.tooMany(how == "csv" || how == "json")
		if r.merge {
			p.done()
			fmt.Fprintf(cmd.ErrOrStderr(), "firebreak: more than %d lines: workloads that no rule tells apart are listed as one; --from and --to ask for less\n", maxReachLines)
		}
		write := map[string]func(io.Writer, *reach) error{
			"text": reachText, "json": reachJSON, "csv": reachCSV, "dot": reachDOT, "markdown": reachMarkdown,
		}[how]
		return write(resultsTo(cmd, how, true), r)
	}
	return cmd
}

// reachQuestion is what is asked.
type reachQuestion struct {
	from, to string // endpoints; empty for all
	inForce  bool
	now, at  time.Time // at is zero for all times from now on
}

// reach is a question, and what has been found out so far.
type reach struct {
	l        *loaded
	q        reachQuestion
	e        *verify.Engine
	places   []place
	from, to []node
	merge    bool // a node is everything that its peer stands for

	permits map[int]*permit          // by class
	edges   map[classAndZones]*basis // by class and zones
}

// node is a workload, or something outside the inventory.
type node struct {
	name string
	peer verify.Peer
	// at is the index of the workload; outside it is -1, and place is the index
	// of the run of addresses, -1 for what has only names.
	at, place int
}

func (n *node) inside() bool { return n.at >= 0 }

// reach prepares a question.
func (l *loaded) reach(q reachQuestion) (*reach, error) {
	e, err := verify.New(l.p, verify.Options{At: q.now})
	if err != nil {
		return nil, err
	}
	r := &reach{l: l, q: q, e: e, permits: map[int]*permit{}, edges: map[classAndZones]*basis{}}
	r.places = placesOf(e)
	if r.from, err = r.nodes("--from", q.from); err != nil {
		return nil, err
	}
	r.to, err = r.nodes("--to", q.to)
	return r, err
}

// nodes are the workloads and runs of addresses that an endpoint means; all if
// it is empty.
func (r *reach) nodes(flag, text string) ([]node, error) {
	if text == "" {
		return r.all(func(int) bool { return true }, func(verify.Peer) bool { return true }), nil
	}
	end, found, err := r.l.parties(flag, text)
	if err != nil {
		return nil, err
	}
	switch {
	case found[0].Frontend != nil:
		return nil, misusef("%s: what goes to a frontend goes on to its workloads: name them, or ask explain", flag)
	case end.Kind == lang.ByIP && len(found[0].Owners) == 0:
		return r.address(flag, end)
	}
	owners := map[string]bool{}
	for _, p := range found {
		for _, w := range p.Owners {
			owners[w.Name] = true
		}
	}
	var outside []verify.Peer
	if end.Kind == lang.ByExternal {
		for i := range r.l.p.Externals {
			if r.l.p.Externals[i].Name == end.Name {
				outside = r.e.OfExternal(i)
			}
		}
	}
	return r.all(
		func(i int) bool { return owners[r.l.inv.Workloads[i].Name] },
		func(x verify.Peer) bool { return text == "world" && !r.e.Unknown(x) || slices.Contains(outside, x) },
	), nil
}

// all are the nodes that are wanted.
func (r *reach) all(workload func(int) bool, outside func(verify.Peer) bool) []node {
	var out []node
	for i := range r.l.inv.Workloads {
		if workload(i) {
			out = append(out, node{r.l.inv.Workloads[i].Name, r.e.OfWorkload(i), i, -1})
		}
	}
	for i, p := range r.places {
		if outside(p.peer) {
			out = append(out, node{r.e.Name(p.peer), p.peer, -1, i})
		}
	}
	for x := verify.Peer(0); int(x) < r.e.Peers(); x++ {
		if r.e.Exists(x) && r.e.ByName(x) && outside(x) {
			out = append(out, node{r.e.Name(x), x, -1, -1})
		}
	}
	return out
}

// address is one that no workload has.
func (r *reach) address(flag string, end lang.Endpoint) ([]node, error) {
	x, builtin := r.e.OfAddress(end.IP)
	if builtin != "" {
		return nil, misusef("%s: %s is built in: nothing here decides about it", flag, builtin)
	}
	r.places = append(r.places, place{lo: end.IP, hi: end.IP, peer: x, run: -1 - len(r.places)})
	return []node{{r.e.Name(x), x, -1, len(r.places) - 1}}, nil
}
