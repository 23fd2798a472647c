package prove

import (
	"cmp"
	"encoding/binary"
	"slices"

	"firebreak/internal/verify/space"
)

// tally collects how something and the intent differ, and makes lines of it.
type tally struct {
	e     *estate
	kinds map[int32]int // by number of the piece: the index into found
	found []*finding
}

// finding is one difference and the pairs of ends that have it.
type finding struct {
	piece
	rows  []row // by initiator
	first [2]int32
}

// row is an initiator and responders.
type row struct {
	from int32
	to   []int32
}

func newTally(e *estate) *tally { return &tally{e: e, kinds: map[int32]int{}} }

// note takes in that a pair has a piece. The pairs of an initiator come one after
// the other.
func (t *tally) note(i, j int, p *piece) {
	n, known := t.kinds[p.number]
	if !known {
		n = len(t.found)
		t.kinds[p.number] = n
		t.found = append(t.found, &finding{piece: *p, first: [2]int32{int32(i), int32(j)}})
	}
	f := t.found[n]
	if last := len(f.rows) - 1; last < 0 || f.rows[last].from != int32(i) {
		f.rows = append(f.rows, row{from: int32(i)})
	}
	last := &f.rows[len(f.rows)-1]
	last.to = append(last.to, int32(j))
}

// pieces numbers pieces: those of which the same is said share a number.
type pieces struct {
	known map[string]int32
	key   []byte
}

func (n *pieces) number(list []piece) []piece {
	for i := range list {
		p := &list[i]
		n.key = append(n.key[:0], byte(p.kind))
		n.key = append(append(n.key, p.caught...), 0)
		n.key = append(append(n.key, p.why...), 0)
		n.key = p.set.AppendKey(n.key)
		at, known := n.known[string(n.key)]
		if !known {
			at = int32(len(n.known))
			n.known[string(n.key)] = at
		}
		p.number = at
	}
	return list
}

// worst is the gravest finding: nil if there is none.
func (t *tally) worst() *finding {
	var out *finding
	for _, f := range t.found {
		if out == nil || f.kind > out.kind {
			out = f
		}
	}
	return out
}

// lines makes lines of the findings of some kinds, those about most pairs first,
// and counts those that are too many.
func (t *tally) lines(n *namer, max int, kinds ...kind) (out []Line, more int) {
	out = []Line{}
	for _, f := range t.found {
		if !slices.Contains(kinds, f.kind) {
			continue
		}
		for _, row := range f.rows {
			slices.Sort(row.to)
		}
		for _, r := range rectangles(t.e.u, f.rows) {
			out = append(out, Line{
				From: n.name(r.from), To: n.name(r.to), Traffic: trafficText(f.set), CaughtBy: f.caught, Reason: f.why,
				Set: f.set, Pairs: t.e.u.weight(r.from) * t.e.u.weight(r.to),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.CaughtBy, b.CaughtBy), cmp.Compare(b.Pairs, a.Pairs), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Traffic, b.Traffic))
	})
	if len(out) > max {
		out, more = out[:max], len(out)-max
	}
	return out, more
}

func trafficText(s space.Set) string { return s.String() }

// weight is how many workloads, or kinds of address, some ends are.
func (u *universe) weight(ends []int32) int {
	n := 0
	for _, x := range ends {
		n += max(1, len(u.ends[x].workloads))
	}
	return n
}

// rectangle is every pair of some ends with some others.
type rectangle struct{ from, to []int32 }

// rectangles finds few of them for rows of responders. What a single workload
// does with itself is no question, so that it may be in or not.
func rectangles(u *universe, rows []row) []rectangle {
	type options struct{ plain, self string }
	keys, votes := make([]options, len(rows)), map[string]int{}
	lists := map[string][]int32{}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.from, b.from) })
	for i, r := range rows {
		o := options{plain: keyOf(r.to)}
		lists[o.plain] = r.to
		votes[o.plain]++
		if at, in := slices.BinarySearch(r.to, r.from); !in && u.ends[r.from].single() {
			with := slices.Insert(slices.Clone(r.to), at, r.from)
			o.self = keyOf(with)
			lists[o.self] = with
			votes[o.self]++
		}
		keys[i] = o
	}
	at := map[string]int{}
	var out []rectangle
	for i, r := range rows {
		key := keys[i].plain
		if self := keys[i].self; self != "" && votes[self] > votes[key] {
			key = self
		}
		n, known := at[key]
		if !known {
			n = len(out)
			at[key] = n
			out = append(out, rectangle{to: lists[key]})
		}
		out[n].from = append(out[n].from, r.from)
	}
	return out
}

func keyOf(list []int32) string {
	b := make([]byte, 0, 4*len(list))
	for _, x := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return string(b)
}
