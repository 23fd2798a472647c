package ebpf

import (
	"time"

	"firebreak/internal/policy"
)

// schedule is when a rule is there: while its window is open, and before it
// expires. The zero schedule is always there.
type schedule struct {
	window  *policy.Window
	expires time.Time
}

// scheduleOf returns when a rule is there. A window that never closes is none.
func scheduleOf(rule *policy.Rule) schedule {
	if rule.Cond == nil {
		return schedule{}
	}
	s := schedule{rule.Cond.When, rule.Cond.Expires}
	if w := s.window; w != nil && w.Lo == 0 && w.Hi == dayMinutes && w.Days == everyDay {
		s.window = nil
	}
	return s
}

const (
	dayMinutes = 24 * 60
	everyDay   = 1<<7 - 1
)

func (s schedule) always() bool { return s.window == nil && s.expires.IsZero() }

// open reports whether the rule is there at that instant.
func (s schedule) open(at time.Time) bool {
	return (s.expires.IsZero() || at.Before(s.expires)) && (s.window == nil || windowOpen(s.window, at))
}

func windowOpen(w *policy.Window, at time.Time) bool {
	local := at.In(locationOf(w))
	minute, day := local.Hour()*60+local.Minute(), local.Weekday()
	today, yesterday := w.Days>>day&1 != 0, w.Days>>((day+6)%7)&1 != 0
	if w.Lo < w.Hi {
		return today && w.Lo <= minute && minute < w.Hi
	}
	return today && minute >= w.Lo || yesterday && minute < w.Hi
}

func locationOf(w *policy.Window) *time.Location {
	if w.Location == nil {
		return time.UTC
	}
	return w.Location
}

// windowChange returns the first instant after at, and not after end, at which
// the window opens or closes; zero if there is none.
func windowChange(w *policy.Window, at, end time.Time) time.Time {
	was := windowOpen(w, at)
	for t := nextBorder(w, at); !t.After(end); t = nextBorder(w, t) {
		if windowOpen(w, t) != was {
			return t
		}
	}
	return time.Time{}
}

// nextBorder returns the next instant at which the local clock shows one of the
// window's times or midnight, or is set to summer or winter time: between
// these nothing changes.
func nextBorder(w *policy.Window, at time.Time) time.Time {
	local := at.In(locationOf(w))
	since := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
		time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	next := 24 * time.Hour
	for _, minute := range [...]int{0, w.Lo, w.Hi} {
		ahead := time.Duration(minute)*time.Minute - since
		if ahead <= 0 {
			ahead += 24 * time.Hour
		}
		next = min(next, ahead)
	}
	border := at.Add(next)
	if _, clockSet := local.ZoneBounds(); !clockSet.IsZero() && clockSet.After(at) && clockSet.Before(border) {
		return clockSet
	}
	return border
}
