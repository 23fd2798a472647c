package cli

import (
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// NewExplain returns the verb that says what happens to one conversation, and
// why.
func NewExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain DIR --from ENDPOINT --to ENDPOINT --port PORT",
		Short: "Say whether one thing may talk to another, and which rule decides",
		Long: `Say whether one thing may talk to another under the policy in DIR, which rule
decides, and what every tier said at both ends.

An ENDPOINT is workload:NAME, service:NAME, zone:NAME, external:NAME,
frontend:NAME, ip:ADDRESS, world, or a bare NAME if only one thing has it. A PORT
is 5432/TCP, icmp or the name of a port of the destination.

Where rules speak of HTTP, --http says which request is meant; without it all
requests and what is no HTTP are asked about, and the answer is unknown unless it
is the same for all. The peer is taken to have proven its principal by mTLS
unless --no-mtls is given.

It exits with 0, or with 1 if --expect is given and not met.`,
		Example: `  firebreak explain . --from service:web --to service:orders-db --port 5432/TCP --expect deny
  firebreak explain . --from web --to orders --port 8080/TCP --http "POST /api/v1/payments/1" --at 2027-01-31T23:00:00Z`,
		Args: oneDir,
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
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		x, err := l.explain(f, in)
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
	Why      string // for unknown
	Judged   string // "to come" or "in force"
	Pairs    []pair // one of each different answer, at least one
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

func (l *loaded) explain(f explainFlags, in flow.Circumstances) (*explanation, error) {
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
	fromKinds, toKinds := l.alikes(froms), l.alikes(tos)
	for _, a := range fromKinds {
		eval := l.eval.From(a.members[0])
		for _, b := range toKinds {
			from, to, pairs := a.pairs(b)
			if len(froms)*len(tos) == 1 {
				from, to, pairs = froms[0], tos[0], 1
			}
			if pairs == 0 {
				continue
			}
			q := question{l: l, eval: eval.To(to), from: from, to: to, inForce: *f.inForce, in: in}
			if q.asked, err = q.traffic(*f.port, end); err != nil {
				return nil, err
			}
			x.Traffic = q.asked.String()
			p, err := q.answer()
			if err != nil {
				return nil, err
			}
			p.Others = pairs - 1
			x.add(p)
		}
	}
	x.conclude()
	return x, l.findNearest(x)
}

// kind are parties that no rule can tell apart.
type kind struct {
	members  []semantics.Party
	identity int // of those that are one workload; -1 for others
}

// pairs counts the pairs of two kinds, without those of a workload with itself,
// and returns the first of them.
func (k kind) pairs(other kind) (from, to semantics.Party, n int) {
	n = len(k.members) * len(other.members)
	if k.identity < 0 || k.identity != other.identity {
		return k.members[0], other.members[0], n
	}
	there := map[*inventory.Workload]bool{}
	for _, p := range k.members {
		there[p.Owners[0]] = true
	}
	for _, q := range other.members {
		if there[q.Owners[0]] {
			n--
		}
	}
	for _, p := range k.members[:min(2, len(k.members))] { // two of each have some that differ
		for _, q := range other.members[:min(2, len(other.members))] {
			if p.Owners[0] != q.Owners[0] {
				return p, q, n
			}
		}
	}
	return from, to, n
}

// alikes puts workloads of one identity together, in the order of the first of
// each. Addresses stand for themselves.
func (l *loaded) alikes(parties []semantics.Party) []kind {
	identities := map[*inventory.Workload]int{}
	for i := range l.p.Inventory.Workloads {
		identities[&l.p.Inventory.Workloads[i]] = l.p.IdentityOf[i]
	}
	var out []kind
	known := map[int]int{}
	for _, p := range parties {
		k := kind{members: []semantics.Party{p}, identity: -1}
		if len(p.Owners) == 1 {
			if id, ok := identities[p.Owners[0]]; ok {
				k.identity = id
			}
		}
		if k.identity >= 0 && !p.Addr.IsValid() {
			if at, again := known[k.identity]; again {
				out[at].members = append(out[at].members, p)
				continue
			}
			known[k.identity] = len(out)
		}
		out = append(out, k)
	}
	return out
}

// question is what is asked about two parties.
type question struct {
	l        *loaded
	eval     *semantics.Evaluator // asked; it may know only what means both ends
	from, to semantics.Party
	asked    netset.Traffic
	inForce  bool
	in       flow.Circumstances
}

// candidates are the requests that are asked about: the one that was given, or
// what is no HTTP and one of each kind that the rules tell apart.
func (q question) candidates(asked netset.Traffic) []*flow.Request {
	if q.in.HTTP != nil {
		return []*flow.Request{q.in.HTTP}
	}
	return append([]*flow.Request{nil}, q.eval.Requests(q.from, q.to, asked)...)
}

// permitted is what of the traffic passes with a request. Of one port, one
// question is enough.
func (q question) permitted(r *flow.Request, of netset.Traffic) netset.Traffic {
	q.in.HTTP = r
	if proto, port := semantics.First(of); of.Equal(netset.Of(proto, port, port)) {
		d := q.eval.Decide(q.from, q.to, proto, port, q.in)
		if d.ToCome == flow.Forwarded && !q.inForce || q.inForce && (d.InForce == flow.Forwarded || d.InForce == flow.Audited) {
			return of
		}
		return netset.None()
	}
	return q.eval.Summarize(q.from, q.to, q.inForce, q.in).Permitted.Intersect(of)
}

// traffic is what --port means at the destination.
func (q question) traffic(port string, end lang.Endpoint) (netset.Traffic, error) {
	if port == "" {
		permitted := netset.None()
		for _, r := range q.candidates(netset.All()) {
			permitted = permitted.Union(q.permitted(r, netset.All()))
		}
		return permitted, misusef("--port is missing; from %s to %s the policy permits: %s", q.from.Name(), q.to.Name(), permitted)
	}
	p, err := parsePort(port)
	if err != nil {
		return netset.None(), err
	}
	asked := q.eval.Asked(&p, end, q.to)
	if asked.IsEmpty() {
		return asked, misusef("--port: %s has no port named %q", q.to.Name(), p.Name)
	}
	return asked, nil
}

// answer asks about every candidate. If they do not agree, nothing is said but
// which of them may pass.
func (q question) answer() (pair, error) {
	var out pair
	for i, r := range q.candidates(q.asked) {
		permitted := q.permitted(r, q.asked)
		if !permitted.IsEmpty() && !permitted.Equal(q.asked) {
			return out, misusef("--port: of %s only %s is permitted%s; ask for one of the two", q.asked, permitted, forRequest(r))
		}
		q.in.HTTP = r
		p := q.pair(r)
		if i == 0 {
			out = p
		}
		out.tell(p, r)
	}
	if !slices.ContainsFunc(out.Requests, func(r requests) bool { return r.Effect != out.Effect }) {
		out.Requests = nil
		return out, nil
	}
	out.Effect, out.Why = "unknown", "the answer depends on the request: say which with --http"
	return out, nil
}

func forRequest(r *flow.Request) string {
	if r == nil {
		return ""
	}
	return " for " + requestText(r)
}

// tell notes what became of one candidate.
func (p *pair) tell(of pair, r *flow.Request) {
	example := "what is no HTTP"
	if r != nil {
		example = requestText(r)
	}
	for i, known := range p.Requests {
		if known.Effect == of.Effect && known.Rule == of.rule() {
			p.Requests[i].Examples = append(known.Examples, example)
			return
		}
	}
	p.Requests = append(p.Requests, requests{Effect: of.Effect, Rule: of.rule(), Examples: []string{example}, Demands: of.Demands})
}

func (q question) pair(r *flow.Request) pair {
	proto, port := semantics.First(q.asked)
	d := q.eval.Decide(q.from, q.to, proto, port, q.in)
	p := pair{From: q.from.Name(), To: q.to.Name(), inForce: q.inForce, Why: d.Why, asked: q}
	verdict := d.ToCome
	if q.inForce {
		verdict = d.InForce
	}
	p.Effect = map[flow.Verdict]string{flow.Unjudged: "unknown", flow.Dropped: "deny", flow.Forwarded: "allow", flow.Audited: "allow"}[verdict]
	if p.Effect == "unknown" && p.Why == "" {
		p.Why = "neither end is a workload: nothing here decides"
	}
	p.Decision = q.l.placed(d)
	p.Demands = q.demands(p)
	return p
}

// demands says what the rule that refuses demands, or every rule that permits
// at an end.
func (q question) demands(p pair) []string {
	if p.Effect == "deny" {
		return q.eval.Conditions(p.rule())
	}
	var out []string
	for _, e := range p.Decision.Ends {
		for _, d := range q.eval.Conditions(p.judgement(e).Rule) {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// placed gives every rule of a decision its place as the working directory
// sees it.
func (l *loaded) placed(d semantics.Decision) semantics.Decision {
	d.InForceRule, d.ToComeRule = l.rule(d.InForceRule), l.rule(d.ToComeRule)
	d.Ends, d.Segments = slices.Clone(d.Ends), slices.Clone(d.Segments)
	for i := range d.Ends {
		for _, j := range []*semantics.Judgement{&d.Ends[i].InForce, &d.Ends[i].ToCome} {
			j.Rule, j.Steps = l.rule(j.Rule), slices.Clone(j.Steps)
			for k := range j.Steps {
				s := &j.Steps[k]
				s.Rules, s.Near = l.rules(s.Rules), slices.Clone(s.Near)
				for n := range s.Near {
					s.Near[n].Rule = l.rule(s.Near[n].Rule)
				}
			}
		}
	}
	for i := range d.Segments {
		d.Segments[i].Decision = l.placed(d.Segments[i].Decision)
	}
	return d
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
