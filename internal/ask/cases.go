package ask

import (
	"cmp"
	"sync"
	"time"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/semantics"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// Outcome is what became of one line of a Case. It holds if Got is Want.
type Outcome struct {
	Case  string
	Index int // of the line in its Case, from 0
	Pos   diag.Pos
	Want  string // "allow" or "deny"
	Got   string // "allow", "deny", or "unknown" where nothing can be judged
	// The conversation that decided, and its rule: a counterexample if there
	// is one, else the first. Empty for "unknown".
	From, To string
	Traffic  string
	Rule     flow.Rule
	Why      string // for "unknown"
}

// OK reports whether the line holds.
func (o Outcome) OK() bool { return o.Got == o.Want }

// Cases judges every line of every Case, in the order of the text, as
// semantics.Evaluator.Cases does. A line that names no time is judged at the
// engine's present. What is about a built-in address, one line about one place,
// the reference judges.
func Cases(dir *lang.Dir, e *verify.Engine) []Outcome {
	var out []Outcome
	builtin := func(end lang.Endpoint) bool {
		_, name := e.OfAddress(end.IP)
		return end.Kind == lang.ByIP && name != ""
	}
	slow := sync.OnceValue(func() *semantics.Evaluator { return semantics.New(dir, e.Policy().Inventory) })
	engines := otherTimes{e: NewFrontends(e)}
	for _, c := range dir.Cases {
		for i, x := range c.Expect {
			var o Outcome
			if builtin(x.From) || builtin(x.To) {
				o = ofReference(slow().Expect(x, e.At()))
			} else {
				o = expect(engines.at(x.At), x)
			}
			o.Case, o.Index, o.Pos, o.Want = c.Name, i, x.Pos, x.Effect.String()
			out = append(out, o)
		}
	}
	return out
}

// otherTimes makes engines for lines about instants of which the engine at hand
// says nothing.
type otherTimes struct {
	e    *Frontends
	made map[time.Time]*Frontends
}

func (o *otherTimes) at(t time.Time) *Frontends {
	if t.IsZero() || o.e.e.Covers(t) {
		return o.e
	}
	if e := o.made[t]; e != nil {
		return e
	}
	e, err := verify.New(o.e.e.Policy(), verify.Options{At: t})
	if err != nil { // what can be told apart now can be at any time
		return o.e
	}
	if o.made == nil {
		o.made = map[time.Time]*Frontends{}
	}
	o.made[t] = NewFrontends(e)
	return o.made[t]
}

func ofReference(o semantics.Outcome) Outcome {
	return Outcome{Got: o.Got, From: o.From, To: o.To, Traffic: o.Traffic.String(), Rule: o.Rule, Why: o.Why}
}

// expect judges one line: it holds if it holds for every pair of parties and
// all that was asked.
func expect(behind *Frontends, x *lang.Expectation) Outcome {
	e, out := behind.e, Outcome{Got: "unknown"}
	froms, tos := Parties(e, x.From, nil), Parties(e, x.To, x.Port)
	if len(froms) == 0 || len(tos) == 0 {
		end := x.To
		if len(froms) == 0 {
			end = x.From
		}
		out.Why = "no workload and no address is meant by " + end.Kind.String() + " " + cmp.Or(end.Name, end.Selector.String())
		return out
	}
	alone := total(froms)*total(tos) == 1
	for i := range froms {
		for j := range tos {
			if !alone && sameWorkload(&froms[i], &tos[j]) {
				continue
			}
			o := expectPair(behind, x, &froms[i], &tos[j])
			if o.Got != x.Effect.String() {
				return o
			}
			out = first(out, o)
		}
	}
	return out
}

func first(have, next Outcome) Outcome {
	if have.Got == "unknown" {
		return next
	}
	return have
}

func total(parties []Party) int {
	n := 0
	for i := range parties {
		n += max(1, parties[i].Count)
	}
	return n
}

// sameWorkload reports whether both are one and the same single workload.
func sameWorkload(a, b *Party) bool {
	return a.Count == 1 && b.Count == 1 && len(a.Peers) == 1 && len(b.Peers) == 1 && a.workload >= 0 && a.workload == b.workload
}

func expectPair(behind *Frontends, x *lang.Expectation, from, to *Party) Outcome {
	e, out := behind.e, Outcome{Got: "unknown", From: from.Name, To: to.Name}
	if to.Asked.IsEmpty() {
		out.Why = to.Name + " has no port named " + x.Port.Name
		return out
	}
	at := flow.Circumstances{At: e.At(), HTTP: x.HTTP, MTLS: !x.NoMTLS}
	if !x.At.IsZero() {
		at.At = x.At
	}
	permitted, managed := Permitted(e, from, to, x.InForce)
	var unknown space.Set
	if to.Frontend != nil {
		t := behind.Through(from.Peers, to.Frontend, x.InForce)
		elsewhere := netset.All().Subtract(t.Served)
		if !managed {
			elsewhere = netset.None()
		}
		permitted = t.Permits.Union(permitted.Intersect(space.Plain(elsewhere)))
		managed, unknown, out.Why = managed || !t.Served.IsEmpty(), t.Unknown, t.Why
	}
	if !managed {
		out.Why = "neither end is a workload"
		return out
	}
	permits, refuses := divide(e, permitted, to.Asked, at)
	doubts, _ := divide(e, unknown, to.Asked, at)
	refuses = refuses.Subtract(doubts)
	var witness space.Set
	switch {
	case x.Effect == lang.Deny && !permits.IsEmpty():
		out.Got, witness = "allow", permits
	case x.Effect == lang.Allow && !refuses.IsEmpty():
		out.Got, witness = "deny", refuses
	case !doubts.IsEmpty():
		out.Traffic = doubts.String()
		return out
	case refuses.IsEmpty():
		out.Got, witness = "allow", permits
	default:
		out.Got, witness = "deny", refuses
	}
	out.Why, out.Traffic = "", witness.String()
	proto, port, in, _ := witness.Witness()
	in.At, in.MTLS = at.At, at.MTLS
	if x.HTTP != nil {
		in.HTTP = x.HTTP
	}
	out.Rule = by(behind, from, to, proto, port, in, x.InForce)
	return out
}

// Permitted is what may pass between two parties: what all of their peers are
// permitted. Managed is false where no end is a workload.
func Permitted(e *verify.Engine, from, to *Party, inForce bool) (set space.Set, managed bool) {
	set = space.Plain(netset.All())
	for _, a := range from.Peers {
		for _, b := range to.Peers {
			if s, ok := e.Permitted(a, b, inForce); ok {
				set, managed = set.Intersect(s), true
			}
		}
	}
	return set, managed
}

// divide splits what was asked into what passes and what does not: of one
// request, if there is one, else of every request and what is no HTTP.
func divide(e *verify.Engine, permitted space.Set, asked netset.Traffic, at flow.Circumstances) (permits, refuses space.Set) {
	if at.HTTP != nil {
		passes := permitted.Seen(e.Locate(at))
		return space.Plain(asked.Intersect(passes)), space.Plain(asked.Subtract(passes))
	}
	now := permitted.At(at.At).Given(at.MTLS)
	all := space.Plain(asked)
	return all.Intersect(now), all.Subtract(now)
}

// by is the rule that decides between parties, of their first peers that do
// what all do.
func by(behind *Frontends, from, to *Party, proto netset.Protocol, port uint16, in flow.Circumstances, inForce bool) flow.Rule {
	e := behind.e
	var ways []way
	for _, w := range behind.waysOf(to.Frontend) {
		if w.traffic().Contains(proto, port) {
			ways = append(ways, w)
		}
	}
	if ways == nil {
		for _, b := range to.Peers {
			ways = append(ways, way{to: b, target: port})
		}
	}
	at := e.Locate(in)
	var rule flow.Rule
	worst := flow.Unjudged
	for _, a := range from.Peers {
		for _, w := range ways {
			d := e.Decide(a, w.to, proto, w.target, at)
			verdict, who := d.ToCome, d.ToComeBy
			if inForce {
				verdict, who = d.InForce, d.InForceBy
			}
			if verdict > worst {
				worst, rule = verdict, e.Ref(who)
			}
		}
	}
	return rule
}
