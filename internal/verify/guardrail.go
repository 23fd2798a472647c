package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/verify/space"
)

// Result is what became of a proof. The zero value is Unknown: whatever has
// not been proven is not known.
type Result uint8

// The results.
const (
	Unknown Result = iota
	Holds
	Violated
)

// String returns "unknown", "holds" or "violated".
func (r Result) String() string { return [...]string{"unknown", "holds", "violated"}[r] }

// Proof is what became of one guardrail. For Violated there is a Witness; for
// Unknown there is a Why.
type Proof struct {
	Guardrail int // index into Policy.Guardrails
	Result    Result
	Witness   *Witness
	Why       string
}

// Witness is a conversation that a guardrail forbids and the rest of the policy
// permits; of a must, only By is given: the rule that lacks what Lacks names.
type Witness struct {
	From, To Peer
	Set      space.Set // everything forbidden that would pass between the two
	Proto    netset.Protocol
	Port     uint16
	In       flow.Circumstances
	By       By // what permits it
	Lacks    []string
}

// broken is a guardrail's item that forbids what a list permits without the
// guardrails: by rule, or only where both ends' defaults let pass.
type broken struct {
	item      int32
	byDefault bool
}

// brokenBy finds what the guardrails in a list forbid and the others permit.
func (e *Engine) brokenBy(order []int32) []broken {
	n := 0
	for n < len(order) && e.ruleOf(order[n]).Tier == policy.Guardrails {
		n++
	}
	if n == 0 {
		return nil
	}
	permits, undecided := e.sets(e.walk(order[n:]))
	var out []broken
	for _, at := range order[:n] {
		forbidden := e.speaksOf(at)
		switch {
		case !permits.Intersect(forbidden).IsEmpty():
			out = append(out, broken{at, false})
		case !undecided.Intersect(forbidden).IsEmpty():
			out = append(out, broken{at, true})
		}
	}
	return out
}

// speaksOf is all traffic and circumstances that an item is about.
func (e *Engine) speaksOf(item int32) space.Set {
	s := space.Plain(e.rules.items[item].traffic)
	if c := e.condition(e.ruleOf(item)); c != nil {
		return s.Intersect(*c)
	}
	return s
}

// Guardrails proves every guardrail, in the order of the policy, against the
// policy to come without its guardrails.
func (e *Engine) Guardrails() []Proof {
	witnesses := e.witnesses()
	out := make([]Proof, len(e.p.Guardrails))
	for i := range e.p.Guardrails {
		g := &e.p.Guardrails[i]
		p := Proof{Guardrail: i, Result: Holds}
		switch w := witnesses[g.Rule]; {
		case g.Rule < 0:
			p = e.must(i)
		case w != nil:
			p.Result, p.Witness = Violated, w
		default:
			if why := e.doubt(g); why != "" {
				p.Result, p.Why = Unknown, why
			}
		}
		out[i] = p
	}
	return out
}

// witnesses finds, for every rule (index into Policy.Rules) of a guardrail that
// is violated, the first pair of peers for which it is.
func (e *Engine) witnesses() map[int]*Witness {
	suspects := map[int32]bool{}
	for list, t := range e.tables {
		if t == nil || len(t.broken) == 0 || !e.used[list].any() {
			continue
		}
		for _, b := range t.broken {
			if !b.byDefault || e.used[list].byDefault() {
				suspects[int32(list)] = true
			}
		}
	}
	out := map[int]*Witness{}
	if len(suspects) == 0 {
		return out
	}
	for from, row := range e.cells {
		for to, list := range row {
			if suspects[list] {
				e.witnessed(Peer(from), Peer(to), list, out)
			}
		}
	}
	return out
}

func (e *Engine) witnessed(from, to Peer, list int32, out map[int]*Witness) {
	if from == to && e.Weight(from) == 1 {
		return // a workload's conversation with itself
	}
	for _, b := range e.tables[list].broken {
		rule := int(e.rules.slots[e.rules.items[b.item].rule].index)
		if out[rule] == nil && (!b.byDefault || e.bits[from]&e.bits[to]&byDefault != 0) {
			out[rule] = e.witness(from, to, b.item)
		}
	}
}

// witness makes one conversation of what an item forbids and a list permits.
func (e *Engine) witness(from, to Peer, item int32) *Witness {
	order := slices.DeleteFunc(e.inOrder(e.lists.items(e.cells[from][to], nil)), func(n int32) bool { return e.ruleOf(n).Tier == policy.Guardrails })
	forbidden := e.speaksOf(item)
	w := &Witness{From: from, To: to}
	for _, x := range e.pieces(e.walk(order)) {
		permits, by := e.outcome(x.rule, from, to, false)
		passes := x.set.Intersect(forbidden)
		if !permits || passes.IsEmpty() {
			continue
		}
		if w.By == 0 {
			w.By = by
			w.Proto, w.Port, w.In, _ = passes.Witness()
			if w.In.At.IsZero() { // the time makes no difference
				w.In.At = e.options.At
			}
		}
		w.Set = w.Set.Union(passes)
	}
	return w
}

// must finds the first rule that lacks what a guardrail demands.
func (e *Engine) must(i int) Proof {
	g := &e.p.Guardrails[i]
	from, to := e.matching(&g.From), e.matching(&g.To)
	for n := range e.p.Rules {
		r := &e.p.Rules[n]
		if r.Effect != policy.Allow || r.Tier == policy.Exceptions || !e.speaks(n, from, to) {
			continue
		}
		if lacks := lacking(r, g.Have); len(lacks) > 0 {
			return Proof{Guardrail: i, Result: Violated, Witness: &Witness{From: None, To: None, By: By(n + 1), Lacks: lacks}}
		}
	}
	return Proof{Guardrail: i, Result: Holds}
}

// speaks reports whether a rule speaks of some conversation between peers.
func (e *Engine) speaks(rule int, from, to *roaring.Bitmap) bool {
	return slices.ContainsFunc(e.rules.slots[e.rules.at[rule]].items, func(n int32) bool {
		it := &e.rules.items[n]
		return it.from.Intersects(from) && it.to.Intersects(to)
	})
}

func lacking(r *policy.Rule, have []string) []string {
	var out []string
	for _, what := range have {
		if !has(r, what) {
			out = append(out, what)
		}
	}
	return out
}

func has(r *policy.Rule, what string) bool {
	c := r.Cond
	if c == nil {
		c = &policy.Condition{}
	}
	switch what {
	case "owner":
		return r.Owner != ""
	case "reason":
		return r.Reason != ""
	case "mtls":
		return c.MTLS
	case "http":
		return c.HTTP != nil
	case "when":
		return c.When != nil
	case "ports":
		return !slices.ContainsFunc(r.Grants, func(g policy.Grant) bool { return g.Traffic.IsAll() })
	}
	return false
}

// String says for people what the witness is, with the policy's own words.
func (w *Witness) text(e *Engine) string {
	if w.From == None {
		return fmt.Sprintf("rule %s has no %s", e.Ref(w.By), strings.Join(w.Lacks, ", no "))
	}
	return fmt.Sprintf("%s → %s may pass %s, by %s", e.Name(w.From), e.Name(w.To), w.Set, e.Ref(w.By))
}

// Text says for people what a proof found; empty for Holds.
func (e *Engine) Text(p Proof) string {
	switch p.Result {
	case Violated:
		return p.Witness.text(e)
	case Unknown:
		return p.Why
	}
	return ""
}
