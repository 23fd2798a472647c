package prove

import (
	"cmp"
	"slices"

	"firebreak/internal/verify/space"
)

// together is how all layers composed and the intent differ; layers are the
// pieces of each.
func (j *judge) together(v *view, layers [][]piece) []piece {
	w := j.want(v.kind)
	strict := v.composed(0)
	lax := &strict
	if !v.certain {
		s := v.composed(1)
		lax = &s
	}
	named := slices.ContainsFunc(j.e.layers, func(l *compiled) bool { return l.named })
	diff := between(&strict, lax, w, v.signature, named)
	unknown, oneWay := v.why()
	if oneWay {
		diff.settle()
	}
	if v.beside {
		diff.less, diff.maybeLess = space.Set{}, space.Set{}
	}
	if slices.ContainsFunc(j.e.layers, func(l *compiled) bool { return l.Renewed }) {
		diff = diff.at(j.e.at)
	}
	condition := diff.more.Intersect(space.Plain(w.leaving.Ports().Intersect(w.arriving.Ports())))
	out := unsaid(v.signature, &diff, w, j.governing(v, func(l *compiled) bool { return l.Timeless }), j.governing(v, func(l *compiled) bool { return l.Nameless }), "stays shut: no layer there can")
	out = append(out, shutTogether(&diff, layers)...)
	out = slices.DeleteFunc(out, func(p piece) bool { return p.set.IsEmpty() })
	if !condition.IsEmpty() {
		out = append(out, j.unenforced(condition, w))
	}
	quiet, perhapsQuiet := j.unspoken(v, &strict, lax, w)
	if v.way == unasked {
		quiet, perhapsQuiet, unknown = space.Set{}, quiet.Union(perhapsQuiet), cmp.Or(unknown, v.way.why())
	}
	led := diff.less.Intersect(v.brought)
	more := diff.more.Subtract(condition)
	if left := openTogether(layers); left != nil {
		left.set = left.set.Intersect(more)
		more = more.Subtract(left.set)
		if !left.set.IsEmpty() {
			out = append(out, *left)
		}
	}
	for _, p := range []piece{
		{kind: over, set: more}, {kind: under, set: diff.less.Subtract(led)}, {kind: under, set: led, why: v.unled(led)},
		{kind: unenforcedOver, set: quiet, why: "every layer there leaves it to others, and it was not meant"},
		{kind: perhaps, set: diff.maybeMore.Union(diff.maybeLess).Union(perhapsQuiet), why: unknown},
	} {
		if !p.set.IsEmpty() {
			out = append(out, p)
		}
	}
	for n, l := range j.e.layers {
		for i := range out {
			if k := out[i].kind; j.relayed(v.signature, n) && (k == over || k == unenforcedOver || k == perhaps) {
				out[i].kind, out[i].caught, out[i].why = caughtOver, l.Target, ""
			}
		}
	}
	return out
}

// unspoken is what was not meant and passes, surely and perhaps, since every layer
// that governs an end leaves it to others: what stays in a subnet to a network ACL.
// It is told of ends that somebody governs only: see ungoverned.
func (j *judge) unspoken(v *view, strict, lax *spoken, w *intended) (sure, may space.Set) {
	if v.beside || v.way == closed || v.flags()&byName != 0 || j.ungoverned(v.signature) != [2]bool{} {
		return space.Set{}, space.Set{}
	}
	meant := w.leaving.Intersect(w.arriving)
	a, b := strict.silent[0].Intersect(strict.silent[1]).Subtract(meant), lax.silent[0].Intersect(lax.silent[1]).Subtract(meant)
	sure = a.Intersect(b)
	return sure, a.Union(b).Subtract(sure)
}

// ungoverned says which ends nobody governs though something should be kept from
// them.
func (j *judge) ungoverned(sig *signature) (out [2]bool) {
	w := j.want(sig.kind)
	for d, wanted := range []space.Set{w.leaving, w.arriving} {
		managed := sig.flags()&[2]int32{managedFrom, managedTo}[d] != 0
		governed := false
		for n := range j.e.layers {
			governed = governed || sig.at[n][d] >= 0
		}
		out[d] = managed && !governed && !wanted.Equal(everything)
	}
	return out
}

// flags are those that are the same for all layers.
func (s *signature) flags() int32 {
	if len(s.at) == 0 {
		return 0
	}
	return s.at[0][2]
}

// governing reports whether all layers that govern an end of a pair are such.
// Behind a relay only the relay's own know who the peer is.
func (j *judge) governing(v *view, such func(*compiled) bool) bool {
	some := false
	for n, l := range j.e.layers {
		if v.at[n][0] < 0 && v.at[n][1] < 0 || v.relayed && !l.relays() {
			continue
		}
		if some = true; !such(l) {
			return false
		}
	}
	return some
}
