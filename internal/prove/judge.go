package prove

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/verify/space"
)

// kind sorts differences by what they make of a result; later ones are graver.
type kind uint8

// The kinds.
const (
	caughtOver     kind = iota // passes beyond the intent, and other layers catch it
	acceptedOver               // differs in a condition that nobody enforces, which is accepted
	shut                       // does not pass, and cannot be said by the platform
	perhaps                    // perhaps a difference
	unenforcedOver             // differs in a condition that nobody enforces
	over                       // passes beyond the intent
	under                      // does not pass, and was meant to
)

// piece is a part of how a layer and the intent differ between two ends.
type piece struct {
	kind   kind
	set    space.Set
	caught string // the targets that catch it
	unsaid bool   // shut, since the layer cannot say it of these ends
	open   bool   // unenforcedOver, since the layer leaves open whose zone observes
	why    string // why it is only perhaps one, or what else is to be said of it
	// fault says at which ends the layer and the intent differ.
	fault   [2]bool // by flow.Direction
	relayed bool    // the layer speaks of a relay, in place of the other end
	number  int32   // see pieces
}

// judge works out pieces, once for every signature.
type judge struct {
	e        *estate
	want     func(kind int32) *intended
	accepted func(flow.Rule) string // may be nil
}

// differs is what a layer, read one way, lets pass beyond what was meant, and
// what it does not let pass.
func (s *spoken) differs(w *intended) (more, less space.Set) {
	wanted := w.leaving.Union(s.silent[flow.Egress]).Intersect(w.arriving.Union(s.silent[flow.Ingress]))
	more = s.passes.Intersect(s.speaks).Subtract(wanted)
	less = w.permitted.Intersect(s.speaks).Subtract(s.passes)
	return more, less
}

// differences are how what passes and what was meant differ: surely, and
// perhaps.
type differences struct{ more, less, maybeMore, maybeLess space.Set }

func (d *differences) none() bool {
	return d.more.IsEmpty() && d.less.IsEmpty() && d.maybeMore.IsEmpty() && d.maybeLess.IsEmpty()
}

// at is what differs at one instant.
func (d differences) at(t time.Time) differences {
	return differences{d.more.At(t), d.less.At(t), d.maybeMore.At(t), d.maybeLess.At(t)}
}

// settle takes for sure what differs since replies are stopped: it is there, and
// nothing comes back.
func (d *differences) settle() {
	d.more, d.less = d.more.Union(d.maybeMore), d.less.Union(d.maybeLess)
	d.maybeMore, d.maybeLess = space.Set{}, space.Set{}
}

// between compares a strict and a lax reading with what was meant. named says
// whether something goes by the names of Externals.
func between(strict, lax *spoken, w *intended, sig *signature, named bool) differences {
	moreStrict, lessStrict := strict.differs(w)
	d := differences{more: moreStrict, less: lessStrict}
	if strict != lax {
		moreLax, lessLax := lax.differs(w)
		d = differences{more: moreStrict.Intersect(moreLax), less: lessStrict.Intersect(lessLax)}
		d.maybeMore = moreStrict.Union(moreLax).Subtract(d.more)
		d.maybeLess = lessStrict.Union(lessLax).Subtract(d.less)
	}
	if sig.flags()&byName != 0 {
		// Wherever the names lead to, it is an address, and judged as one.
		d.maybeMore = space.Set{}
		if !named {
			d.more = space.Set{}
		}
	}
	return d
}

// pieces is how one layer and the intent differ for a view.
func (j *judge) pieces(v *view, layer int) []piece {
	if v.silent(layer) {
		return nil
	}
	w := j.want(v.kind)
	l := j.e.layers[layer]
	strict, lax := &v.said[0][layer], &v.said[1][layer]
	diff := between(strict, lax, w, v.signature, l.named)
	unknown, oneWay := v.whyNot(layer)
	if oneWay {
		diff.settle()
	}
	if v.beside {
		diff.less, diff.maybeLess = space.Set{}, space.Set{}
	}
	if l.Renewed {
		diff = diff.at(j.e.at)
	}
	if diff.none() {
		return nil
	}
	there := v.there[layer]
	var out []piece
	add := func(p piece) {
		if p.set = p.set.Intersect(there); !p.set.IsEmpty() {
			p.relayed = v.relayed && !l.relays()
			out = append(out, p)
		}
	}
	for _, p := range j.overs(v, layer, diff.more.Intersect(there), w) {
		p.fault = [2]bool{!p.set.Subtract(w.leaving.Union(lax.silent[0])).IsEmpty(), !p.set.Subtract(w.arriving.Union(lax.silent[1])).IsEmpty()}
		j.observed(v.signature, layer, &p)
		add(p)
	}
	for _, p := range unsaid(v.signature, &diff, w, l.Timeless, l.Nameless, "stays shut: "+l.Target+" cannot") {
		p.fault = [2]bool{true, true}
		add(p)
	}
	for _, p := range j.unsayable(v, layer, &diff, w) {
		p.fault = stopped(p.set, lax)
		add(p)
	}
	led := diff.less.Intersect(v.brought)
	if l.relays() {
		led = space.Set{}
	}
	for _, p := range []piece{{set: diff.less.Subtract(led)}, {set: led, why: v.unled(led)}} {
		p.kind, p.fault = under, stopped(p.set, lax)
		add(p)
	}
	maybe := diff.maybeLess
	if !diff.maybeMore.IsEmpty() {
		_, left := j.catch(v, layer, diff.maybeMore.Intersect(there))
		maybe = maybe.Union(left)
	}
	add(piece{kind: perhaps, set: maybe, why: cmp.Or(unknown[0], unknown[1]), fault: [2]bool{unknown[0] != "", unknown[1] != ""}})
	return out
}

// stopped says at which ends some of a set does not pass.
func stopped(set space.Set, s *spoken) [2]bool {
	return [2]bool{!set.Subtract(s.at[0]).IsEmpty(), !set.Subtract(s.at[1]).IsEmpty()}
}

// unsaid takes out of differences what stays shut because a platform cannot tell
// the time, or follow names.
func unsaid(sig *signature, d *differences, w *intended, timeless, nameless bool, why string) []piece {
	var out []piece
	if nameless && sig.flags()&byName != 0 {
		out = append(out, piece{kind: shut, set: d.less.Union(d.maybeLess), why: why + " follow names"})
		d.less, d.maybeLess = space.Set{}, space.Set{}
	}
	if timeless {
		always := w.permitted.Always()
		out = append(out, piece{kind: shut, set: d.less.Union(d.maybeLess).Subtract(always), why: why + " tell the time"})
		d.less, d.maybeLess = d.less.Intersect(always), d.maybeLess.Intersect(always)
	}
	return out
}

// unenforced names the rules whose conditions nobody enforces.
func (j *judge) unenforced(set space.Set, w *intended) piece {
	p := piece{kind: unenforcedOver, set: set, why: "a condition is enforced by no layer"}
	g := j.e.u.engine
	var rules, reasons []string
	open := false // a rule is not accepted
	for _, part := range g.Parts(w.from, w.to, j.e.inForce) {
		n := part.By.Rule()
		if n < 0 {
			continue
		}
		r := &g.Policy().Rules[n]
		if r.Cond == nil || part.Set.Ports().Intersect(set.Ports()).IsEmpty() {
			continue
		}
		rules = append(rules, fmt.Sprintf("rule %s asks for %s, which no layer enforces", r.Ref, conditionText(r.Cond)))
		reason := ""
		if j.accepted != nil {
			reason = j.accepted(r.Ref)
		}
		if reason == "" {
			open = true
		}
		reasons = append(reasons, reason)
	}
	switch {
	case len(rules) == 0:
	case open:
		p.why = strings.Join(rules, "; ")
	default:
		slices.Sort(reasons)
		p.kind, p.why = acceptedOver, "accepted: "+strings.Join(slices.Compact(reasons), "; ")
	}
	return p
}

// overs divides what passes beyond the intent by who catches it, and the rest by
// whether only a condition is not enforced.
func (j *judge) overs(v *view, layer int, set space.Set, w *intended) []piece {
	if set.IsEmpty() {
		return nil
	}
	by, left := j.catch(v, layer, set)
	var out []piece
	if caught := set.Subtract(left); !caught.IsEmpty() {
		out = append(out, piece{kind: caughtOver, set: caught, caught: strings.Join(by, ", ")})
	}
	if left.IsEmpty() {
		return out
	}
	open := w.leaving.Ports().Intersect(w.arriving.Ports())
	condition := left.Intersect(space.Plain(open))
	if !condition.IsEmpty() {
		out = append(out, j.unenforced(condition, w))
	}
	if rest := left.Subtract(condition); !rest.IsEmpty() {
		out = append(out, piece{kind: over, set: rest})
	}
	return out
}

// catch finds which other layers do not let a set pass, and what is left.
func (j *judge) catch(v *view, layer int, set space.Set) (by []string, left space.Set) {
	left = set
	for n, l := range j.e.layers {
		if j.relayed(v.signature, n) {
			if n != layer { // it decides who came to the relay, and who goes on
				by, left = append(by, l.Target), space.Set{}
			}
			continue
		}
		if n == layer || !v.firm(n) {
			continue
		}
		if b := set.Intersect(v.blocks(n)); !b.IsEmpty() {
			by = append(by, l.Target)
			left = left.Subtract(b)
		}
		if l.Renewed && (v.at[n][0] >= 0 || v.at[n][1] >= 0) {
			// At any other time it says something else than it does now.
			if now := left.Intersect(left.At(j.e.at)); !now.Equal(left) {
				by, left = append(by, l.Target), now
			}
		}
	}
	slices.Sort(by)
	return slices.Compact(by), left
}

// relayed reports whether one end is a layer's relay, and the other a workload
// about which the layer decides: one that it governs, or, where all of the relay
// is known, any. What is sent to the relay gets nowhere but where it leads, and
// from it comes nothing to whom it leads nobody.
func (j *judge) relayed(s *signature, n int) bool {
	l, flags := j.e.layers[n], s.at[n][2]
	if flags&(relayFrom|relayTo) == 0 {
		return false
	}
	if flags&relayFrom != 0 && flags&ownsTo != 0 || flags&relayTo != 0 && flags&ownsFrom != 0 {
		return true
	}
	return len(l.Points) > 0 && !slices.ContainsFunc(l.Unknown, func(u layer.Unknown) bool { return u.Concerns != nil })
}
