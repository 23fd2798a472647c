package prove

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/verify/space"
)

// view is a pair of ends as the layers see it.
type view struct {
	*signature
	e *estate
	// relayed is set where no packet goes from one end to the other: what a relay
	// leads there the other layers see as the relay's. The relay's layer can then
	// not be gone around.
	relayed bool
	// beside is set with it where packets do go from one end to the other, and the
	// conversation is led all the same. Only what is too much is looked for then.
	beside  bool
	said    [2][]spoken  // strictly read, and laxly; by layer; the same list if all is known
	brought space.Set    // perhaps by relays
	ledTo   [2]space.Set // surely, and perhaps by relays; if relayed
	doubt   string       // why these two are not the same
	certain bool         // strict and lax readings are the same
	there   []space.Set  // by layer: what can exist as far as it sees to it that peers prove who they are
}

// spoken is what a layer lets pass between two ends, read strictly or laxly.
type spoken struct {
	passes space.Set    // what all ends that speak let pass, and what none speaks of
	speaks space.Set    // what some end speaks of
	at     [2]space.Set // by direction: what that end lets pass
	silent [2]space.Set // what that end does not speak of
	there  space.Set    // of several layers: what can exist at all
}

// spokenKey is everything that a spoken depends on.
type spokenKey struct {
	out, in int32
	lax     bool
}

func (s *spoken) sum() {
	s.passes = s.at[0].Intersect(s.at[1])
	s.speaks = everything.Subtract(s.silent[0].Intersect(s.silent[1]))
}

func (e *estate) view(s *signature, relayed bool) *view {
	v := &view{signature: s, e: e, relayed: relayed && s.via != nil, there: make([]space.Set, len(e.layers))}
	v.beside = v.relayed && s.way == open
	for lax := range 2 {
		if why, _ := v.why(); lax == 1 && why == "" && !(v.relayed && slices.ContainsFunc(s.leads, func(l lead) bool { return l.perhaps })) {
			v.said[1], v.certain = v.said[0], true
			break
		}
		v.said[lax] = make([]spoken, len(e.layers))
		for n := range e.layers {
			v.said[lax][n] = e.spoken(v.content(n, 0), v.content(n, 1), lax == 1)
		}
	}
	if v.relayed {
		v.lead()
		v.relay(0)
		if v.certain {
			v.said[1] = v.said[0]
		} else {
			v.relay(1)
		}
	}
	for n := range e.layers {
		v.there[n] = v.possible(n)
	}
	return v
}

// content is the number of what a layer says at an end about the other.
func (v *view) content(n, d int) int32 {
	if v.beside && d == int(flow.Ingress) && v.through != nil && v.through[n] >= 0 {
		return v.through[n]
	}
	return v.at[n][d]
}

// spoken is what two contents say. It is worked out once.
func (e *estate) spoken(out, in int32, lax bool) spoken {
	key := spokenKey{out, in, lax}
	if s := e.known[key]; s != nil {
		return *s
	}
	var s spoken
	for d, content := range [2]int32{out, in} {
		b := e.bounds(content)
		s.at[d], s.silent[d] = b.lower, b.lowerAbstains
		if lax {
			s.at[d], s.silent[d] = b.upper, b.upperAbstains
		}
	}
	s.sum()
	e.known[key] = &s
	return s
}

// relay puts what the layers say of relays in the place of what they say of the
// other end, for what relays lead there. What a relay itself stops never comes to
// the others by it.
func (v *view) relay(lax int) {
	led := v.ledTo[lax]
	for n, l := range v.e.layers {
		if l.relays() {
			continue
		}
		s, about := &v.said[lax][n], v.e.spoken(v.via[n][0], v.via[n][1], lax == 1)
		about.at[flow.Egress], about.silent[flow.Egress] = called(about.at[flow.Egress], v.leads, lax == 1), called(about.silent[flow.Egress], v.leads, lax == 1)
		for d := range 2 {
			s.at[d] = about.at[d].Intersect(led).Union(s.at[d].Subtract(led))
			s.silent[d] = about.silent[d].Intersect(led).Union(s.silent[d].Subtract(led))
		}
		s.sum()
	}
}

// lead finds what relays lead from one end to the other.
func (v *view) lead() {
	var read [2]space.Set
	for lax := range read {
		for n, l := range v.e.layers {
			if l.relays() {
				read[lax] = read[lax].Union(v.said[lax][n].speaks.Intersect(v.said[lax][n].passes))
			}
		}
		read[lax] = read[lax].Intersect(called(everything, v.leads, lax == 1))
	}
	v.ledTo = [2]space.Set{read[0].Intersect(read[1]), read[0].Union(read[1])}
	v.brought = v.ledTo[1]
	if v.ledTo[0].Equal(v.ledTo[1]) {
		return
	}
	v.doubt = "it is not known whether a relay leads there"
	for n, l := range v.e.layers {
		if why, _ := v.whyNot(n); l.relays() && cmp.Or(why[0], why[1]) != "" {
			v.doubt = said(l.Target, cmp.Or(why[0], why[1]))
		}
	}
}

// firm reports whether no conversation can go around a layer.
func (v *view) firm(n int) bool {
	l := v.e.layers[n]
	return !l.Optional || v.relayed && l.relays()
}

// possible is what can exist between two ends as far as a layer sees to it that
// peers prove who they are. Of what relays bring, the peer is the relay.
func (v *view) possible(n int) space.Set {
	l, flags := v.e.layers[n], v.at[n][2]
	if flags&missingFrom != 0 {
		flags &^= ownsFrom
	}
	if flags&missingTo != 0 {
		flags &^= ownsTo
	}
	switch {
	case !l.Proves:
		return everything
	case l.Optional: // who is led through it has proven who it is
		return v.e.proven.Union(everything.Subtract(v.said[1][n].speaks))
	case flags&ownsFrom != 0 && flags&ownsTo != 0:
		return v.e.proven.Union(v.brought)
	case flags&(ownsFrom|ownsTo) != 0:
		return v.e.unproven.Union(v.brought)
	}
	return everything
}

// silent reports whether a layer speaks of nothing.
func (v *view) silent(n int) bool {
	return v.said[0][n].speaks.IsEmpty() && (v.certain || v.said[1][n].speaks.IsEmpty())
}

// blocks is what a layer surely does not let exist between two ends.
func (v *view) blocks(n int) space.Set {
	return everything.Subtract(v.said[1][n].passes.Intersect(v.there[n]))
}

// composed is what all layers that cannot be gone around let pass together. Of
// what all of these abstain from, the optional ones decide: it is the only way
// there is.
func (v *view) composed(lax int) spoken {
	firm := v.stack(lax, v.firm)
	loose := v.stack(lax, func(n int) bool { return !v.firm(n) })
	if loose.speaks.IsEmpty() {
		return firm
	}
	silentAll := firm.silent[0].Intersect(firm.silent[1])
	var out spoken
	for d := range 2 {
		out.at[d] = firm.at[d].Subtract(silentAll).Union(loose.at[d].Intersect(silentAll))
		out.silent[d] = firm.silent[d].Intersect(loose.silent[d].Union(everything.Subtract(silentAll)))
	}
	out.there = firm.there.Intersect(loose.there.Union(everything.Subtract(silentAll)))
	out.sum()
	out.passes, out.speaks = out.passes.Intersect(out.there), out.speaks.Intersect(out.there)
	return out
}

// stack composes some layers.
func (v *view) stack(lax int, in func(layer int) bool) spoken {
	out := spoken{at: [2]space.Set{everything, everything}, silent: [2]space.Set{everything, everything}}
	out.there = everything
	for n := range v.e.layers {
		s := &v.said[lax][n]
		if !in(n) || s.speaks.IsEmpty() && v.there[n].Equal(everything) {
			continue
		}
		for d := range 2 {
			out.at[d] = out.at[d].Intersect(s.at[d])
			out.silent[d] = out.silent[d].Intersect(s.silent[d])
		}
		out.there = out.there.Intersect(v.there[n])
	}
	out.sum()
	out.passes, out.speaks = out.passes.Intersect(out.there), out.speaks.Intersect(out.there)
	return out
}

// led is what is led from one end to the other.
func (v *view) led(lax int) space.Set {
	if v.relayed {
		return v.ledTo[lax]
	}
	return v.stack(lax, func(n int) bool { return v.e.layers[n].Optional && !v.e.layers[n].relays() }).speaks
}

// whyNot is why the bounds of a layer are not the same, by direction, and whether
// it is no more than that replies are stopped; where there is more, that is no
// reason.
func (v *view) whyNot(n int) (why [2]string, oneWay bool) {
	var stopped [2]string
	for d := range 2 {
		contents := []int32{v.content(n, d)}
		if v.relayed && !v.e.layers[n].relays() {
			contents = append(contents, v.via[n][d])
		}
		for _, c := range contents {
			if b := v.e.bounds(c); b.oneWay {
				stopped[d] = cmp.Or(stopped[d], b.why)
			} else {
				why[d] = cmp.Or(why[d], b.why)
			}
		}
	}
	if v.doubt != "" && !v.e.layers[n].relays() {
		for d := range why {
			why[d] = cmp.Or(why[d], v.doubt)
		}
	}
	if why == [2]string{} {
		return stopped, true
	}
	return why, false
}

// why is the first reason for which the layers' bounds are not the same, and
// whether there is none but that replies are stopped.
func (v *view) why() (why string, oneWay bool) {
	oneWay = true
	for n := range v.e.layers {
		reasons, only := v.whyNot(n)
		if reason := cmp.Or(reasons[0], reasons[1]); reason != "" && (why == "" || oneWay && !only) {
			why = said(v.e.layers[n].Target, reason)
		}
		oneWay = oneWay && only
	}
	return why, oneWay
}

// unled says of what is not let pass that it comes by a relay; nothing of nothing.
func (v *view) unled(set space.Set) string {
	if set.IsEmpty() {
		return ""
	}
	var names, addrs []string
	for _, l := range v.e.layers {
		if l.relays() {
			names = append(names, l.Target)
			for _, p := range l.Relays {
				addrs = append(addrs, p.String())
			}
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("the VPCs are not connected, and what %s leads there goes to and comes from %s", strings.Join(slices.Compact(names), ", "), strings.Join(addrs, ", "))
}

// through is what all layers let pass on a signature's way: surely, and perhaps.
// Where it is not known whether packets get there, what is sure passes either way.
func (e *estate) through(s *signature) (lower, upper space.Set, why string) {
	direct := e.view(s, false)
	// Where a layer is perhaps silent, a lax reading is not everywhere the laxer.
	within := func(strict, lax space.Set) (lower, upper space.Set) { return strict.Intersect(lax), strict.Union(lax) }
	lower, upper = within(direct.composed(0).passes, direct.composed(1).passes)
	why, _ = direct.why()
	switch {
	case s.way == open && s.via != nil: // either way
		v := e.view(s, true)
		l, u := within(v.composed(0).passes.Intersect(v.led(0)), v.composed(1).passes.Intersect(v.led(1)))
		led, _ := v.why()
		lower, upper, why = lower.Union(l), upper.Union(u), cmp.Or(why, led)
	case s.way == open:
	case s.via == nil: // what leads there, if anything does, hides nobody
		lower = lower.Intersect(direct.led(0))
		if s.way == closed {
			upper = upper.Intersect(direct.led(1))
		}
	default:
		v := e.view(s, true)
		l, u := within(v.composed(0).passes.Intersect(v.led(0)), v.composed(1).passes.Intersect(v.led(1)))
		led, _ := v.why()
		if s.way == closed {
			return l, u, led
		}
		lower, upper, why = lower.Intersect(l), upper.Union(u), cmp.Or(why, led)
	}
	return lower, upper, cmp.Or(why, s.way.why())
}
