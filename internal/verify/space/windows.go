package space

import "firebreak/internal/policy"

// windowsLeft names what is left of windows without others of the same days and
// time zone, as far as all of a set lies in it: what lies between 18:00 and 20:00
// says more than 08:00 to 20:00 outside 08:00 to 18:00.
func (s *Space) windowsLeft(in atoms) []name {
	var out []name
	for i, w := range s.moments.windows {
		open := s.moments.in(i)
		if !in.within(open) {
			continue
		}
		for j, without := range s.moments.windows {
			shut := s.moments.in(j)
			if text, ok := leftOf(w, without); ok && in.and(shut).none() {
				out = append(out, name{text, open.and(shut.not())})
			}
		}
	}
	return out
}

// leftOf names a window without another one; ok is false where that cannot be
// said by the clock alone, or nothing is taken away.
func leftOf(w, without *policy.Window) (text string, ok bool) {
	sameDays := w.Days == without.Days && location(w).String() == location(without).String()
	if !sameDays || w.Lo >= w.Hi || without.Lo >= without.Hi || without.Lo >= w.Hi || without.Hi <= w.Lo {
		return "", false
	}
	piece := func(lo, hi int) string {
		return windowText(&policy.Window{Lo: lo, Hi: hi, Days: w.Days, Location: w.Location})
	}
	before, after := without.Lo > w.Lo, without.Hi < w.Hi
	switch {
	case before && after:
		return "(" + piece(w.Lo, without.Lo) + " or " + piece(without.Hi, w.Hi) + ")", true
	case before:
		return piece(w.Lo, without.Lo), true
	case after:
		return piece(without.Hi, w.Hi), true
	}
	return "", false
}
