package prove

import (
	"slices"

	"firebreak/internal/verify/space"
)

// together is how all layers composed and the intent differ; ungoverned are the
// ends that nobody governs though something should be kept from them.
func (j *judge) together(sig *signature) (out []piece, ungoverned [2]bool) {
	w := j.want(sig.kind)
	strict, lax := j.composed(sig, false), j.composed(sig, true)
	named := slices.ContainsFunc(j.e.layers, func(l *compiled) bool { return l.named })
	diff := between(&strict, &lax, w, sig, named)
	if slices.ContainsFunc(j.e.layers, func(l *compiled) bool { return l.Renewed }) {
		diff = diff.at(j.e.at)
	}
	condition := diff.more.Intersect(space.Plain(w.leaving.Ports().Intersect(w.arriving.Ports())))
	out = unsaid(sig, &diff, w, j.governing(sig, func(l *compiled) bool { return l.Timeless }), j.governing(sig, func(l *compiled) bool { return l.Nameless }), "stays shut: every layer there")
	out = slices.DeleteFunc(out, func(p piece) bool { return p.set.IsEmpty() })
	if !condition.IsEmpty() {
		out = append(out, j.unenforced(condition, w))
	}
	for _, p := range []piece{
		{kind: over, set: diff.more.Subtract(condition)}, {kind: under, set: diff.less},
		{kind: perhaps, set: diff.maybeMore.Union(diff.maybeLess)},
	} {
		if !p.set.IsEmpty() {
			if p.kind == perhaps {
				p.why = j.why(sig)
			}
			out = append(out, p)
		}
	}
	for n, l := range j.e.layers {
		for i := range out {
			if k := out[i].kind; j.relayed(sig, n) && (k == over || k == unenforcedOver || k == perhaps) {
				out[i].kind, out[i].caught, out[i].why = caughtOver, l.Target, ""
			}
		}
	}
	for d, wanted := range []space.Set{w.leaving, w.arriving} {
		managed := sig.flags()&[2]int32{managedFrom, managedTo}[d] != 0
		governed := false
		for n := range j.e.layers {
			governed = governed || sig.at[n][d] >= 0
		}
		ungoverned[d] = managed && !governed && !wanted.Equal(everything)
	}
	return out, ungoverned
}

// flags are those that are the same for all layers.
func (s *signature) flags() int32 {
	if len(s.at) == 0 {
		return 0
	}
	return s.at[0][2]
}

// composed is what layers that are not optional let pass together. Of what all
// of these abstain from, the optional ones decide: it is the only way there is.
func (j *judge) composed(sig *signature, lax bool) spoken {
	firm := j.stack(sig, lax, func(n int) bool { return !j.e.layers[n].Optional })
	loose := j.stack(sig, lax, func(n int) bool { return j.e.layers[n].Optional })
	if loose.speaks.IsEmpty() {
		return firm
	}
	var out spoken
	for d := range 2 {
		out.at[d] = firm.at[d].Subtract(firm.silentAll()).Union(loose.at[d].Intersect(firm.silentAll()))
		out.silent[d] = firm.silent[d].Intersect(loose.silent[d].Union(firm.speaks))
	}
	out.passes = out.at[0].Intersect(out.at[1])
	out.speaks = everything.Subtract(out.silent[0].Intersect(out.silent[1]))
	return out
}

// silentAll is what neither end speaks of.
func (s *spoken) silentAll() space.Set { return everything.Subtract(s.speaks) }

// stack composes some layers.
func (j *judge) stack(sig *signature, lax bool, in func(layer int) bool) spoken {
	out := spoken{at: [2]space.Set{everything, everything}, silent: [2]space.Set{everything, everything}}
	there := everything
	for n := range j.e.layers {
		if !in(n) {
			continue
		}
		s := j.spoken(sig, n, lax)
		for d := range 2 {
			out.at[d] = out.at[d].Intersect(s.at[d])
			out.silent[d] = out.silent[d].Intersect(s.silent[d])
		}
		there = there.Intersect(j.possible(sig, n))
	}
	out.passes = out.at[0].Intersect(out.at[1]).Intersect(there)
	out.speaks = everything.Subtract(out.silent[0].Intersect(out.silent[1])).Intersect(there)
	return out
}

// governing reports whether all layers that govern an end of a pair are such.
func (j *judge) governing(sig *signature, such func(*compiled) bool) bool {
	some := false
	for n, l := range j.e.layers {
		if sig.at[n][0] < 0 && sig.at[n][1] < 0 {
			continue
		}
		if some = true; !such(l) {
			return false
		}
	}
	return some
}

// why is the first reason for which the layers' bounds are not the same.
func (j *judge) why(sig *signature) string {
	for n := range j.e.layers {
		for d := range 2 {
			if b := j.e.bounds(sig.at[n][d]); b.why != "" {
				return said(j.e.layers[n].Target, b.why)
			}
		}
	}
	return ""
}
