package ebpf

import (
	"slices"
	"time"

	"firebreak/internal/policy"
)

// Horizon is how far ahead windows are worked out, in days of UTC. What a
// window permits and nobody renders anew by then is closed.
const Horizon = 8 * 24 * time.Hour

// maxInstants bounds how many instants of windows are worked out. Where there
// are more, the horizon is nearer.
const maxInstants = 4096

// Next returns the first instant after at at which tables rendered at it may
// cease to be what the policy says: some rule opens, closes or expires, or a day
// has gone, after which Horizon reaches further. It is zero if no rule of p has
// a time.
func Next(p *policy.Policy, at time.Time) time.Time {
	end, next := at.Add(24*time.Hour), time.Time{}
	known := map[scheduleKey]bool{}
	for i := range p.Rules {
		s := scheduleOf(&p.Rules[i])
		if s.always() || known[s.key()] || !s.expires.IsZero() && !at.Before(s.expires) {
			continue
		}
		known[s.key()] = true
		if next.IsZero() {
			next = end
		}
		for _, t := range s.changes(at, end, 1) {
			if t.Before(next) {
				next = t
			}
		}
	}
	return next
}

// changes returns instants at which the schedule may open or close, ascending:
// at most n of its window, in (at, end], and its expiry, if that is after at.
func (s schedule) changes(at, end time.Time, n int) []time.Time {
	var out []time.Time
	if s.window != nil {
		for t := windowChange(s.window, at, end); !t.IsZero() && len(out) < n; t = windowChange(s.window, t, end) {
			if !s.expires.IsZero() && !t.Before(s.expires) {
				break
			}
			out = append(out, t)
		}
	}
	if s.expires.After(at) {
		out = append(out, s.expires)
	}
	return out
}

// scheduleKey is what makes two schedules the same.
type scheduleKey struct {
	lo, hi   int
	days     uint8
	location string
	expires  int64
}

func (s schedule) key() scheduleKey {
	var k scheduleKey
	if w := s.window; w != nil {
		k.lo, k.hi, k.days, k.location = w.Lo, w.Hi, w.Days, locationOf(w).String()
	}
	if !s.expires.IsZero() {
		k.expires = s.expires.UnixNano()
	}
	return k
}

// always is the schedule of most rules.
const always int32 = -1

// times are the instants at which rules that touch this host open or close.
// Between two of them nothing changes. Index 0 is now.
type times struct {
	at        time.Time
	of        []int32 // by rule: index into schedules, or always
	schedules []schedule
	index     map[scheduleKey]int32
	instants  []time.Time
	horizon   int32     // index of the instant beyond which windows are not known
	open      [][]bool  // by schedule and instant
	changes   [][]int32 // by schedule: at which instants it changes
}

// add notes when a rule is there. False if it never will be again.
func (t *times) add(rule int, s schedule) bool {
	if s.always() {
		return true
	}
	if !s.expires.IsZero() && !t.at.Before(s.expires) {
		return false
	}
	key := s.key()
	i, ok := t.index[key]
	if !ok {
		if t.index == nil {
			t.index = map[scheduleKey]int32{}
		}
		i = int32(len(t.schedules))
		t.index[key] = i
		t.schedules = append(t.schedules, s)
	}
	t.of[rule] = i
	return true
}

// lay works out the instants, once all rules are known.
func (t *times) lay() {
	end := t.at.Add(Horizon).Truncate(24 * time.Hour)
	var windows, expiries []time.Time
	known := true
	for _, s := range t.schedules {
		if s.window != nil {
			windows = append(windows, slices.DeleteFunc(s.changes(t.at, end, maxInstants), end.Before)...)
			known = false
		} else {
			expiries = append(expiries, s.expires)
		}
	}
	if !known {
		slices.SortFunc(windows, time.Time.Compare)
		windows = slices.CompactFunc(windows, time.Time.Equal)
		if len(windows) > maxInstants {
			end = windows[maxInstants]
			windows = windows[:maxInstants]
		}
		windows = append(windows, end)
	}
	t.instants = append(append([]time.Time{t.at}, windows...), expiries...)
	slices.SortFunc(t.instants, time.Time.Compare)
	t.instants = slices.CompactFunc(t.instants, time.Time.Equal)
	if len(windows) > 0 {
		at, _ := slices.BinarySearchFunc(t.instants, end, time.Time.Compare)
		t.horizon = int32(at)
	}
	t.open, t.changes = make([][]bool, len(t.schedules)), make([][]int32, len(t.schedules))
	for i, s := range t.schedules {
		t.follow(i, s)
	}
}

// follow works out at which instants one schedule is open.
func (t *times) follow(i int, s schedule) {
	last := len(t.instants)
	if s.window != nil {
		last = int(t.horizon)
	}
	t.open[i] = make([]bool, len(t.instants))
	for at := range t.instants[:last] {
		t.open[i][at] = s.open(t.instants[at])
		if at > 0 && t.open[i][at] != t.open[i][at-1] {
			t.changes[i] = append(t.changes[i], int32(at))
		}
	}
}

// nanos is an instant in Unix nanoseconds; 0 for none.
func (t *times) nanos(until int32) int64 {
	if until == 0 {
		return 0
	}
	return t.instants[until].UnixNano()
}

// course is when rules of a list open and close: at those instants, ascending,
// before end. Beyond end, if it is not 0, nothing is known.
type course struct {
	changes []int32
	end     int32
}

// course returns that of a list of items.
func (t *times) course(items []item) course {
	var c course
	if len(t.schedules) == 0 {
		return c
	}
	for _, it := range items {
		s := t.of[it.rule]
		if s == always {
			continue
		}
		c.changes = append(c.changes, t.changes[s]...)
		if t.schedules[s].window != nil {
			c.end = t.horizon
		}
	}
	slices.Sort(c.changes)
	c.changes = slices.Compact(c.changes)
	if c.end > 0 {
		at, _ := slices.BinarySearch(c.changes, c.end)
		c.changes = c.changes[:at]
	}
	return c
}

// timed reports whether the list has a rule that opens or closes.
func (c course) timed() bool { return len(c.changes) > 0 || c.end > 0 }
