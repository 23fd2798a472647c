package cli

import (
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

type explainFlags struct {
	from, to, port, expect, http, at, live *string
	inForce                                *bool
}

// NewExplain returns the verb that says what happens to one conversation, and
// why.
func NewExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain DIR --from ENDPOINT --to ENDPOINT --port PORT",
		Short: "Say whether one thing may talk to another, and which rule decides",
		Long: `Say whether one thing may talk to another under the policy in DIR, which rule
decides, and what every tier said at both ends.

An ENDPOINT is workload:NAME, service:NAME, zone:NAME, external:NAME, ip:ADDRESS,
world, or a bare NAME if only one thing has it. A PORT is 5432/TCP, icmp or the
name of a port of the destination.

It exits with 0, or with 1 if --expect is given and not met.`,
		Example: "  firebreak explain . --from service:web --to service:orders-db --port 5432/TCP --expect deny",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json")
	sources := inventoryFlag(cmd)
	fs := cmd.Flags()
	f := explainFlags{
		from:    fs.String("from", "", "who begins the conversation"),
		to:      fs.String("to", "", "whom it is to reach"),
		port:    fs.String("port", "", "to which port"),
		expect:  fs.String("expect", "", "allow or deny: exit with 1 if it is not so"),
		inForce: fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy"),
		http:    fs.String("http", "", "not supported yet"),
		at:      fs.String("at", "", "not supported yet"),
		live:    fs.String("live", "", "not supported yet"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return err
		}
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		x, err := l.explain(f)
		if err != nil {
			return err
		}
		write := map[string]func(io.Writer, *explanation) error{"text": explainText, "json": explainJSON}[how]
		if err := write(cmd.OutOrStdout(), x); err != nil {
			return err
		}
		if *f.expect != "" && *f.expect != x.Effect {
			return errNo
		}
		return nil
	}
	return cmd
}

func (f explainFlags) check() error {
	for name, value := range map[string]string{"http": *f.http, "at": *f.at, "live": *f.live} {
		if value != "" {
			return misusef("--%s is not supported yet: no rule of this version depends on it", name)
		}
	}
	switch {
	case *f.from == "" || *f.to == "":
		return misusef("--from and --to are both needed")
	case !slices.Contains([]string{"", "allow", "deny"}, *f.expect):
		return misusef("--expect %s: write allow or deny", *f.expect)
	}
	return nil
}

// explanation is the answer. Where the endpoints mean several pairs that do
// not all have the same answer, Effect is "unknown" and Pairs tells them apart.
type explanation struct {
	From, To string
	Traffic  string
	Effect   string // allow, deny or unknown, under the policy that was asked about
	InForce  string // the verdict now
	Rule     flow.Rule
	Why      string // for unknown
	Judged   string // "to come" or "in force"
	Pairs    []pair // one of each different answer, at least one
}

// pair is the answer about two parties.
type pair struct {
	From, To string
	Others   int // how many more pairs have this answer
	Effect   string
	Decision semantics.Decision
	inForce  bool
}

func (p pair) rule() flow.Rule {
	if p.inForce {
		return p.Decision.InForceRule
	}
	return p.Decision.ToComeRule
}

func (l *loaded) explain(f explainFlags) (*explanation, error) {
	_, froms, err := l.parties("--from", *f.from)
	if err != nil {
		return nil, err
	}
	end, tos, err := l.parties("--to", *f.to)
	if err != nil {
		return nil, err
	}
	x := &explanation{From: *f.from, To: *f.to, Judged: "to come"}
	if *f.inForce {
		x.Judged = "in force"
	}
	for _, from := range froms {
		for _, to := range tos {
			if len(froms)*len(tos) > 1 && from.Name() == to.Name() {
				continue
			}
			asked, err := l.askedTraffic(*f.port, end, from, to, *f.inForce)
			if err != nil {
				return nil, err
			}
			x.Traffic = asked.String()
			x.add(l.pair(from, to, asked, *f.inForce))
		}
	}
	x.conclude()
	return x, nil
}

// askedTraffic is what --port means at the destination. What is asked must be
// wholly permitted or wholly refused, so that one rule can be named.
func (l *loaded) askedTraffic(port string, end lang.Endpoint, from, to semantics.Party, inForce bool) (netset.Traffic, error) {
	permitted := l.eval.Summarize(from, to, inForce, flow.Circumstances{At: time.Now(), MTLS: true}).Permitted
	if port == "" {
		return netset.None(), misusef("--port is missing; from %s to %s the policy permits: %s", from.Name(), to.Name(), permitted)
	}
	p, err := parsePort(port)
	if err != nil {
		return netset.None(), err
	}
	asked := l.eval.Asked(&p, end, to)
	if asked.IsEmpty() {
		return asked, misusef("--port: %s has no port named %q", to.Name(), p.Name)
	}
	if both := asked.Intersect(permitted); !both.IsEmpty() && !both.Equal(asked) {
		return asked, misusef("--port: of %s only %s is permitted; ask for one of the two", asked, both)
	}
	return asked, nil
}

func (l *loaded) pair(from, to semantics.Party, asked netset.Traffic, inForce bool) pair {
	proto, port := semantics.First(asked)
	d := l.eval.Decide(from, to, proto, port, flow.Circumstances{At: time.Now(), MTLS: true})
	d.InForceRule, d.ToComeRule = l.rule(d.InForceRule), l.rule(d.ToComeRule)
	for i := range d.Ends {
		for _, j := range []*semantics.Judgement{&d.Ends[i].InForce, &d.Ends[i].ToCome} {
			j.Rule = l.rule(j.Rule)
			for k := range j.Steps {
				j.Steps[k].Rules = l.rules(j.Steps[k].Rules)
			}
		}
	}
	p := pair{From: from.Name(), To: to.Name(), Decision: d, inForce: inForce}
	verdict := d.ToCome
	if inForce {
		verdict = d.InForce
	}
	p.Effect = map[flow.Verdict]string{flow.Unjudged: "unknown", flow.Dropped: "deny", flow.Forwarded: "allow", flow.Audited: "allow"}[verdict]
	return p
}

// add keeps one pair of each different answer.
func (x *explanation) add(p pair) {
	for i, q := range x.Pairs {
		if q.Effect == p.Effect && q.Decision.InForce == p.Decision.InForce && q.rule() == p.rule() {
			x.Pairs[i].Others++
			return
		}
	}
	x.Pairs = append(x.Pairs, p)
}

// conclude says what is true of all pairs.
func (x *explanation) conclude() {
	if len(x.Pairs) == 0 {
		x.Effect, x.InForce, x.Why = "unknown", flow.Unjudged.String(), "both ends are the same one workload"
		return
	}
	first := x.Pairs[0]
	x.Effect, x.InForce, x.Rule = first.Effect, first.Decision.InForce.String(), first.rule()
	if x.Effect == "unknown" {
		x.Why = "neither end is a workload: nothing here decides"
	}
	for _, p := range x.Pairs[1:] {
		if p.Effect != first.Effect {
			x.Effect, x.Rule, x.Why = "unknown", flow.Rule{}, "the answer depends on which of them talk"
		}
		if p.Decision.InForce != first.Decision.InForce {
			x.InForce = flow.Unjudged.String()
		}
	}
}
