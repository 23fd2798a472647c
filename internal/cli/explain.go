package cli

import (
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/flow"
	"firebreak/internal/semantics"
)

// NewExplain returns the verb that says what happens to one conversation, and
// why.
func NewExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [DIR] --from ENDPOINT --to ENDPOINT --port PORT",
		Short: "Say whether one thing may talk to another, and which rule decides",
		Long: `Say whether one thing may talk to another under the policy in DIR, which rule
decides, and what every tier said at both ends.

An ENDPOINT is workload:NAME, service:NAME, zone:NAME, external:NAME,
frontend:NAME, ip:ADDRESS, world, or a bare NAME if only one thing has it. What
Kubernetes calls Service web in namespace shop is "frontend:shop/web[Service]". A
PORT is 5432/TCP, icmp or the name of a port of the destination: one that it
listens on itself (in Kubernetes the containerPort), or the frontend's.

Where rules speak of HTTP, --http says which request is meant; without it all
requests and what is no HTTP are asked about, and the answer is unknown unless it
is the same for all. The peer is taken to have proven its principal by mTLS
unless --no-mtls is given.

With --live PATH the conversation is walked through every layer that lies in the
live folder, in the order in which packets meet them: the route, network ACLs,
security groups, a service network, mesh, host. At each it says what decides and
why, then what becomes of it in all, and which ways lead around a layer. DIR may
then be left out: the answer is about an estate without any policy.

It exits with 0, or with 1 if --expect is given and not met; with --live it is the
layers' answer that is expected.`,
		Example: `  firebreak explain . --from service:web --to service:orders-db --port 5432/TCP --expect deny
  firebreak explain . --from web --to orders --port 8080/TCP --http "POST /api/v1/payments/1" --at 2027-01-31T23:00:00Z
  firebreak explain --live ./cluster --from workload:shop/web[Deployment] --to "shop/db[StatefulSet]" --port 5432/TCP`,
		Args: func(cmd *cobra.Command, args []string) error {
			if live, _ := cmd.Flags().GetString("live"); live != "" && len(args) == 0 {
				return nil
			}
			return oneDir(cmd, args)
		},
	}
	format := formatFlag(cmd, "text", "json")
	sources := inventoryFlag(cmd)
	f := newExplainFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return err
		}
		in, err := f.circumstances(time.Now().UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return explainLive(cmd, how, f, in, *sources)
		}
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		x, err := l.explain(f, in, fewQuestions)
		if err != nil {
			return err
		}
		if how == "text" && len(l.p.Guardrails) > 0 {
			if e, err := l.engine(); err == nil { // else check says so
				l.noteGuardrails(cmd.ErrOrStderr(), how, e)
			}
		}
		if *f.live != "" {
			if x.Live, err = l.walkLive(cmd.ErrOrStderr(), how, f, in); err != nil {
				return err
			}
		}
		write := map[string]func(io.Writer, *explanation) error{"text": explainText, "json": explainJSON}[how]
		if err := write(resultsTo(cmd, how, true), x); err != nil {
			return err
		}
		if *f.expect != "" && *f.expect != x.effective() {
			return errNo
		}
		return nil
	}
	return cmd
}

// explanation is the answer. Where the endpoints mean several pairs that do
// not all have the same answer, Effect is "unknown" and Pairs tells them apart.
type explanation struct {
	From, To string
	Traffic  string
	In       flow.Circumstances
	Timed    bool   // a time was asked for
	Effect   string // allow, deny or unknown, under the policy that was asked about
	InForce  string // the verdict now
	Rule     flow.Rule
	Why      string  // for unknown
	Judged   string  // "to come" or "in force"
	Outside  bool    // some of the ends are no workloads
	Pairs    []pair  // one of each different answer, at least one
	Live     *walked // nil unless asked for
}

// effective is the answer of the live layers where they were asked, else the
// policy's.
func (x *explanation) effective() string {
	if x.Live != nil {
		return x.Live.Effect
	}
	return x.Effect
}

// pair is the answer about two parties.
type pair struct {
	From, To string
	Others   int // how many more pairs have this answer
	Effect   string
	Why      string // for unknown
	Decision semantics.Decision
	Demands  []string   // what the deciding rules demand, which was met
	Requests []requests // for an answer that depends on the request
	Nearest  []nearRule // where only a default refuses: what almost permits
	inForce  bool
	asked    question
}

// requests are those that one rule decides about alike.
type requests struct {
	Effect   string    `json:"effect"`
	Rule     flow.Rule `json:"rule"`
	Examples []string  `json:"examples"`
	Demands  []string  `json:"conditions"`
}

func (p pair) rule() flow.Rule {
	if p.inForce {
		return p.Decision.InForceRule
	}
	return p.Decision.ToComeRule
}

func (l *loaded) explain(f explainFlags, in flow.Circumstances, few int) (*explanation, error) {
	_, froms, err := l.parties("--from", *f.from)
	if err != nil {
		return nil, err
	}
	end, tos, err := l.parties("--to", *f.to)
	if err != nil {
		return nil, err
	}
	x := &explanation{From: *f.from, To: *f.to, Judged: "to come", In: in, Timed: *f.at != ""}
	if *f.inForce {
		x.Judged = "in force"
	}
	s := survey{l: l, port: *f.port, end: end, in: in, inForce: *f.inForce, froms: froms, tos: tos, few: few}
	pairs, err := s.run()
	if err != nil {
		return nil, err
	}
	x.Traffic = s.asked.String()
	for _, p := range pairs {
		x.add(p)
	}
	x.Outside = slices.ContainsFunc(append(slices.Clone(froms), tos...), func(p semantics.Party) bool { return one(p) == nil && p.Frontend == nil })
	x.conclude()
	l.findNearest(x, s.e)
	return x, nil
}

// add keeps one pair of each different answer.
func (x *explanation) add(p pair) {
	for i, q := range x.Pairs {
		if q.Effect == p.Effect && q.Decision.InForce == p.Decision.InForce && q.rule() == p.rule() && q.Why == p.Why {
			x.Pairs[i].Others += 1 + p.Others
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
	x.Effect, x.InForce, x.Rule, x.Why = first.Effect, first.Decision.InForce.String(), first.rule(), first.Why
	if x.Effect == "unknown" {
		x.Rule = flow.Rule{}
	}
	if first.Requests != nil {
		x.InForce = flow.Unjudged.String()
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
