package cli

import (
	"cmp"
	"slices"
	"strings"

	"firebreak/internal/ask"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
)

// fewQuestions are answered by the reference evaluator alone; for more, the
// engine is made, which answers all at once.
const fewQuestions = 64

// survey asks about every pair of parties of two endpoints. The symbolic
// engine finds out which pairs have one answer; the reference evaluator tells
// how one of them came about.
type survey struct {
	l          *loaded
	port       string
	end        lang.Endpoint // of --to
	in         flow.Circumstances
	inForce    bool
	froms, tos []semantics.Party

	few    int            // questions for which no engine is made
	e      *verify.Engine // nil until it is asked for, or where it cannot be made
	tried  bool           // to make it
	behind []verify.Peer  // the frontend that is the destination; nil before it is asked for
	asked  netset.Traffic // what --port means, at all destinations

	frontends *ask.Frontends // with behind
	answers   []*answers
}

// kind is parties that no rule can tell apart, and at which the port means the
// same.
type kind struct {
	kindKey
	members []int // indices into the parties, ascending
	asked   netset.Traffic
	peer    verify.Peer // verify.None without an engine, and where it has no word for them

	// Of a kind of destinations: how many of them are sources, too, and of
	// which kind. What is said to itself is not asked about.
	shared, sharedWith int
}

type kindKey struct {
	identity int    // index into Policy.Identities, -1 for what is no workload
	place    string // what an address, or a name, outside the estate is
	asked    string
}

// answers is pairs that have one answer: how many, and the first of them.
type answers struct{ from, to, n int }

// sameAnswer is what pairs have in common that have one answer.
type sameAnswer struct {
	verdict ask.Verdict
	through string // of pairs that go through a frontend: what tells sources apart
	asked   bool   // something is: there is such a port
	alone   [2]int // of kinds that are asked about one by one, from 1
}

// run asks, and returns one pair of each answer, in order; the same answer may
// be there again if it came about in another way.
func (s *survey) run() ([]pair, error) {
	var port *lang.Port
	if s.port != "" {
		p, err := parsePort(s.port)
		if err != nil {
			return nil, err
		}
		port = &p
	}
	tos := s.kinds(s.tos, port)
	for i := range tos {
		s.asked = s.asked.Union(tos[i].asked)
	}
	s.tally(s.kinds(s.froms, nil), tos)
	slices.SortFunc(s.answers, func(a, b *answers) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out []pair
	var err error
	last, eval := -1, s.l.evaluator()
	for _, a := range s.answers {
		from, to := s.froms[a.from], s.tos[a.to]
		if a.from != last {
			last, eval = a.from, s.l.evaluator().From(from)
		}
		q := question{l: s.l, eval: eval.To(to), from: from, to: to, inForce: s.inForce, in: s.in}
		if q.asked, err = q.traffic(s.port, s.end); err != nil {
			return nil, err
		}
		p, err := q.answer()
		if err != nil {
			return nil, err
		}
		p.Others = a.n - 1
		out = append(out, p)
	}
	return out, nil
}

// kinds puts alike parties together, in the order of the first of each. What is
// no workload and no plain place stands for itself.
func (s *survey) kinds(parties []semantics.Party, port *lang.Port) []kind {
	var out []kind
	known := map[kindKey]int{}
	for i, p := range parties {
		k := kind{kindKey: kindKey{identity: -1}, members: []int{i}, peer: verify.None}
		w, inside := s.l.workload(p)
		if inside {
			k.identity, k.asked = s.l.p.IdentityOf[w], ask.Asked(s.l.p, port, s.end, w)
		} else {
			k.place, k.asked = placeKey(p), s.l.evaluator().Asked(port, s.end, p)
		}
		k.kindKey.asked = k.asked.String()
		if at, again := known[k.kindKey]; again && (inside || k.place != "") {
			out[at].members = append(out[at].members, i)
			continue
		}
		known[k.kindKey] = len(out)
		out = append(out, k)
	}
	return out
}

// workload finds which one a party is, if it is one.
func (l *loaded) workload(p semantics.Party) (int, bool) {
	w := one(p)
	if w == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(l.inv.Workloads, w.Name, func(w inventory.Workload, name string) int { return strings.Compare(w.Name, name) })
}

// placeKey says what rules know about something outside the estate; empty for
// what is more than a place.
func placeKey(p semantics.Party) string {
	switch {
	case !p.IsPlace():
		return ""
	case p.Unknown:
		return "unknown"
	}
	return "outside, known as " + strings.Join(p.Externals, ", ")
}
