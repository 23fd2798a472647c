package space

import (
	"slices"
	"time"

	"firebreak/internal/policy"
)

// Horizon is the run of instants that exist, From included, To not. If To is
// not after From, From alone exists.
type Horizon struct{ From, To time.Time }

// maxChanges bounds how often windows may open and close within the horizon.
const maxChanges = 1 << 21

// moments are the atoms of time: the combinations of open windows and of
// deadlines still ahead that occur in the horizon.
type moments struct {
	windows   []*policy.Window // no two alike
	numbers   map[hours]int    // of windows
	deadlines []time.Time      // sorted, distinct, UTC
	starts    []time.Time      // when another combination begins; the first is From
	atoms     []uint16         // which, by index into starts
	combos    []string         // by atom: a byte 0 or 1 for each window, then for each deadline
	samples   []time.Time      // by atom: the first instant
}

// hours tell windows apart.
type hours struct {
	lo, hi   int
	days     uint8
	location *time.Location
}

func hoursOf(w *policy.Window) hours { return hours{w.Lo, w.Hi, w.Days, w.Location} }

// change is a window or a deadline that opens or ends.
type change struct {
	at  time.Time
	bit int
	on  bool
}

func newMoments(conds []*policy.Condition, h Horizon) (*moments, error) {
	m := &moments{numbers: map[hours]int{}}
	for _, c := range conds {
		if c.When != nil {
			if _, known := m.numbers[hoursOf(c.When)]; !known {
				m.numbers[hoursOf(c.When)] = len(m.windows)
				m.windows = append(m.windows, c.When)
			}
		}
		if !c.Expires.IsZero() {
			m.deadlines = append(m.deadlines, c.Expires.UTC().Round(0))
		}
	}
	slices.SortFunc(m.deadlines, time.Time.Compare)
	m.deadlines = slices.CompactFunc(m.deadlines, time.Time.Equal)
	h.From, h.To = h.From.UTC().Round(0), h.To.UTC().Round(0)
	combo := make([]byte, len(m.windows)+len(m.deadlines))
	changes, err := m.changes(h, combo)
	if err != nil {
		return nil, err
	}
	return m, m.number(h.From, combo, changes)
}

// changes fills in what holds at From and returns what changes later, sorted.
func (m *moments) changes(h Horizon, combo []byte) ([]change, error) {
	var out []change
	for i, w := range m.windows {
		if opens(w, h.From) {
			combo[i] = 1
		}
		if out = windowChanges(out, w, i, h); len(out) > maxChanges {
			return nil, &TooManyError{"instants", maxChanges}
		}
	}
	for i, d := range m.deadlines {
		if h.From.Before(d) {
			combo[len(m.windows)+i] = 1
			if d.Before(h.To) {
				out = append(out, change{d, len(m.windows) + i, false})
			}
		}
	}
	slices.SortFunc(out, func(a, b change) int { return a.at.Compare(b.at) })
	return out, nil
}

// number walks through the horizon and gives each combination a number.
func (m *moments) number(from time.Time, combo []byte, changes []change) error {
	known := map[string]uint16{}
	note := func(at time.Time) bool {
		n, ok := known[string(combo)]
		if !ok {
			n = uint16(len(m.combos))
			known[string(combo)] = n
			m.combos = append(m.combos, string(combo))
			m.samples = append(m.samples, at)
		}
		if last := len(m.atoms) - 1; last < 0 || m.atoms[last] != n {
			m.starts = append(m.starts, at)
			m.atoms = append(m.atoms, n)
		}
		return len(m.combos) <= maxAtoms
	}
	ok := note(from)
	for i, c := range changes {
		if c.on {
			combo[c.bit] = 1
		} else {
			combo[c.bit] = 0
		}
		if i+1 == len(changes) || changes[i+1].at.After(c.at) {
			ok = ok && note(c.at)
		}
		if !ok {
			return &TooManyError{"times", maxAtoms}
		}
	}
	return nil
}

// in returns the atoms at which a combination has the bit.
func (m *moments) in(bit int) atoms {
	out := make(atoms, len(m.combos))
	for i, c := range m.combos {
		out[i] = c[bit] == 1
	}
	return out
}

// of returns the atoms at which the window is open, if there is one, and the
// deadline ahead, if it is not zero; nil if nothing is asked.
func (m *moments) of(w *policy.Window, deadline time.Time) atoms {
	var out atoms
	if w != nil {
		out = m.in(m.numbers[hoursOf(w)])
	}
	if !deadline.IsZero() {
		i, _ := slices.BinarySearchFunc(m.deadlines, deadline, time.Time.Compare)
		ahead := m.in(len(m.windows) + i)
		if out == nil {
			return ahead
		}
		out = out.and(ahead)
	}
	return out
}

// locate returns the atom of an instant; outside the horizon that of the
// nearest instant in it.
func (m *moments) locate(t time.Time) int {
	lo, hi := 0, len(m.starts)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); m.starts[mid].After(t) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return int(m.atoms[max(lo-1, 0)])
}

func location(w *policy.Window) *time.Location {
	if w.Location == nil {
		return time.UTC
	}
	return w.Location
}

// opens reports whether the window is open at an instant.
func opens(w *policy.Window, t time.Time) bool {
	t = t.In(location(w))
	return opensAt(w, int(t.Weekday()), t.Hour()*60+t.Minute())
}

func opensAt(w *policy.Window, weekday, minute int) bool {
	on := func(day int) bool { return w.Days>>(day%7)&1 == 1 }
	if w.Lo < w.Hi {
		return on(weekday) && w.Lo <= minute && minute < w.Hi
	}
	return on(weekday) && minute >= w.Lo || on(weekday+6) && minute < w.Hi
}

// windowChanges appends when a window opens or closes behind From. While the
// offset of its time zone stays, it can do so only at the local midnight, Lo
// and Hi; and at each instant at which the offset changes.
func windowChanges(out []change, w *policy.Window, bit int, h Horizon) []change {
	const day = 24 * 60 * 60
	was := opens(w, h.From)
	note := func(unix int64, offset int) {
		local := unix + int64(offset)
		days := floorDiv(local, day)
		weekday := int(floorMod(days+int64(time.Thursday), 7))
		if is := opensAt(w, weekday, int((local-days*day)/60)); is != was {
			out, was = append(out, change{time.Unix(unix, 0).UTC(), bit, is}), is
		}
	}
	minutes := [3]int{0, min(w.Lo, w.Hi), max(w.Lo, w.Hi)}
	for zone := h.From; zone.Before(h.To) && len(out) <= maxChanges; {
		_, end := zone.In(location(w)).ZoneBounds()
		if end.IsZero() || end.After(h.To) {
			end = h.To
		}
		_, offset := zone.In(location(w)).Zone()
		if zone.After(h.From) {
			note(zone.Unix(), offset)
		}
		for d := floorDiv(zone.Unix()+int64(offset), day); d*day-int64(offset) < end.Unix()+1 && len(out) <= maxChanges; d++ {
			for _, m := range minutes {
				unix := d*day - int64(offset) + int64(m)*60
				if t := time.Unix(unix, 0); t.After(zone) && t.Before(end) {
					note(unix, offset)
				}
			}
		}
		if !end.After(zone) {
			break
		}
		zone = end.UTC()
	}
	return out
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
