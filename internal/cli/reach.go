package cli

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
)

// NewReach returns the verb that lists who can reach whom.
func NewReach() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reach DIR",
		Short: "List who can reach whom, over which ports, and by which rules",
		Long: `List who can reach whom under the policy in DIR, over which ports, and by which
rules. Text, dot and markdown call what is outside the estate by its name; json
and csv give it as the largest runs of addresses that are alike.

--from and --to take an ENDPOINT: workload:NAME, service:NAME, zone:NAME,
external:NAME, ip:ADDRESS, world, or a bare NAME if only one thing has it.`,
		Example: "  firebreak reach . --to zone:data\n  firebreak reach . --format dot | dot -Tsvg > reach.svg",
		Args:    oneDir,
	}
	format := formatFlag(cmd, "text", "json", "csv", "dot", "markdown")
	sources := inventoryFlag(cmd)
	fs := cmd.Flags()
	from := fs.String("from", "", "only what can be reached from here")
	to := fs.String("to", "", "only what can reach this")
	inForce := fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy")
	live := fs.String("live", "", "not supported yet")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := format()
		if err != nil {
			return err
		}
		if *live != "" {
			return misusef("--live is not supported yet")
		}
		l, err := must(cmd.ErrOrStderr(), args[0], *sources)
		if err != nil {
			return err
		}
		r := &reach{l: l, spans: l.eval.Spans(), inForce: *inForce, in: flow.Circumstances{At: time.Now(), MTLS: true}, sums: map[[2]string]semantics.Summary{}}
		if r.from, err = r.nodes("--from", *from); err != nil {
			return err
		}
		if r.to, err = r.nodes("--to", *to); err != nil {
			return err
		}
		write := map[string]func(io.Writer, *reach) error{
			"text": reachText, "json": reachJSON, "csv": reachCSV, "dot": reachDOT, "markdown": reachMarkdown,
		}[how]
		return write(cmd.OutOrStdout(), r)
	}
	return cmd
}

// reach is the question and what has been found out so far.
type reach struct {
	l        *loaded
	spans    []semantics.Span
	from, to []node
	inForce  bool
	in       flow.Circumstances              // what is no HTTP, at this time
	sums     map[[2]string]semantics.Summary // by classes of nodes
}

// node is a workload, or a run of addresses outside the inventory.
type node struct {
	name   string // the workload's; or what the addresses are: "world", "unknown", an External's name
	class  string // nodes of one class have one answer
	span   semantics.Span
	index  int // of the span among all; of its last one, for a run of several
	party  semantics.Party
	zone   string // the workload's; outside, what the addresses are
	inside bool   // a workload
}

// nodes are the workloads and runs of addresses that an endpoint means; all if
// it is empty.
func (r *reach) nodes(flag, text string) ([]node, error) {
	kept := func(node) bool { return true }
	if text != "" {
		end, found, err := r.l.parties(flag, text)
		if err != nil {
			return nil, err
		}
		if found[0].Frontend != nil {
			return nil, misusef("%s: what goes to a frontend goes on to its workloads: name them, or ask explain", flag)
		}
		if end.Kind == lang.ByIP && len(found[0].Owners) == 0 {
			return []node{{name: placeName(found[0]), class: "ip:" + end.IP.String(), span: semantics.Span{Lo: end.IP, Hi: end.IP}, party: found[0], zone: placeName(found[0])}}, nil
		}
		names := map[string]bool{}
		for _, p := range found {
			names[p.Name()] = true
			for _, w := range p.Owners {
				names[w.Name] = true
			}
		}
		kept = func(n node) bool { return names[n.party.Name()] }
	}
	var out []node
	for i, w := range r.l.inv.Workloads {
		p, _ := r.l.eval.Workload(w.Name)
		out = append(out, node{name: w.Name, class: r.l.p.Identities[r.l.p.IdentityOf[i]].Key, party: p, zone: r.l.p.Zones[r.l.p.ZoneOf[i]].Name, inside: true})
	}
	for i, s := range r.spans {
		if isPlace(s.Party) {
			out = append(out, node{name: placeName(s.Party), class: "place:" + placeName(s.Party), span: s, index: i, party: s.Party, zone: placeName(s.Party)})
		}
	}
	return slices.DeleteFunc(out, func(n node) bool { return !kept(n) }), nil
}

// placeName is what an address outside the inventory is.
func placeName(p semantics.Party) string {
	switch {
	case p.Builtin != "":
		return p.Builtin
	case p.Unknown:
		return "unknown"
	case len(p.Externals) > 0:
		return strings.Join(p.Externals, "+")
	}
	return "world"
}

// summary asks once for each pair of classes, or, where no rule speaks, of
// zones.
func (r *reach) summary(ask *semantics.Evaluator, a, b node) semantics.Summary {
	key := [2]string{a.class, b.class}
	if !ask.SpeaksTo(b.party) { // then only the zones count
		key = [2]string{"zone:" + a.zone, "zone:" + b.zone}
	}
	s, known := r.sums[key]
	if !known {
		s = ask.Summarize(a.party, b.party, r.inForce, r.in)
		s.Allowing = r.l.rules(s.Allowing)
		r.sums[key] = s
	}
	return s
}

// edge says what may pass between two ends. From and to are names or runs of
// addresses, depending on who asks.
type edge struct {
	from, to node
	traffic  netset.Traffic
	rules    []flow.Rule
}

// pairs visits everything that may pass, but for what is no question: from a
// workload to itself, and between two ends that are both outside.
func (r *reach) pairs(visit func(edge)) {
	for _, a := range r.from {
		ask := r.l.eval.From(a.party)
		for _, b := range r.to {
			if a.inside && b.inside && a.name == b.name || !a.inside && !b.inside {
				continue
			}
			if s := r.summary(ask, a, b); !s.Permitted.IsEmpty() {
				visit(edge{from: a, to: b, traffic: s.Permitted, rules: s.Allowing})
			}
		}
	}
}

// byName lists edges with the outside by its name, each once.
func (r *reach) byName() []edge {
	var out []edge
	seen := map[[2]string]bool{}
	r.pairs(func(e edge) {
		key := [2]string{e.from.name, e.to.name}
		if !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	})
	slices.SortStableFunc(out, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.from.name, b.from.name), cmp.Compare(a.to.name, b.to.name))
	})
	return out
}

// byAddress lists edges with the outside as maximal runs of addresses.
func (r *reach) byAddress() []edge {
	var out []edge
	runs := map[[2]string][]edge{} // by the workload's name and the direction, in order of addresses
	r.pairs(func(e edge) {
		switch {
		case e.from.inside && e.to.inside:
			out = append(out, e)
		case e.from.inside:
			key := [2]string{e.from.name, "to"}
			runs[key] = r.carryOn(runs[key], e)
		default:
			key := [2]string{e.to.name, "from"}
			runs[key] = r.carryOn(runs[key], e)
		}
	})
	for _, more := range runs {
		out = append(out, more...)
	}
	slices.SortFunc(out, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.from.ends(), b.from.ends()), cmp.Compare(a.to.ends(), b.to.ends()))
	})
	return out
}

// ends is what machines call a node: a workload's name, or FIRST-LAST.
func (n node) ends() string {
	if n.inside {
		return n.name
	}
	return n.span.Lo.String() + "-" + n.span.Hi.String()
}

// carryOn lets e lengthen the last run if nothing of the world lies between.
func (r *reach) carryOn(runs []edge, e edge) []edge {
	if len(runs) > 0 {
		last := &runs[len(runs)-1]
		if last.traffic.Equal(e.traffic) && r.adjacent(last.from, e.from) && r.adjacent(last.to, e.to) {
			last.from.lengthen(e.from)
			last.to.lengthen(e.to)
			last.rules = union(last.rules, e.rules)
			return runs
		}
	}
	return append(runs, e)
}

func (n *node) lengthen(to node) { n.index, n.span.Hi = to.index, to.span.Hi }

// adjacent reports whether only workloads and built-ins, which are no part of
// the world, lie between two runs of one family.
func (r *reach) adjacent(a, b node) bool {
	if a.inside || b.inside {
		return a.inside && b.inside
	}
	if a.span.Hi.Is4() != b.span.Lo.Is4() {
		return false
	}
	return !slices.ContainsFunc(r.spans[a.index+1:b.index], func(s semantics.Span) bool { return isPlace(s.Party) })
}

// isPlace reports whether an address is neither a workload's nor built in.
func isPlace(p semantics.Party) bool { return p.IsPlace() }

func union(a, b []flow.Rule) []flow.Rule {
	out := slices.Clone(a)
	for _, r := range b {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}
