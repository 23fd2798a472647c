package observe

import "firebreak/internal/flow"

// interner gives small numbers to values. Number 0 is never a value: it means
// that there was no room.
type interner[T comparable] struct {
	ids    map[T]uint32
	values []T
	max    int
}

func newInterner[T comparable](limit int) *interner[T] {
	return &interner[T]{ids: map[T]uint32{}, values: make([]T, 1), max: limit}
}

func (n *interner[T]) id(v T) uint32 {
	if id, ok := n.ids[v]; ok {
		return id
	}
	if len(n.values) > n.max {
		return 0
	}
	id := uint32(len(n.values))
	n.ids[v] = id
	n.values = append(n.values, v)
	return id
}

// place is a pair of ends by the names that edges use.
type place struct{ from, fromZone, to, toZone string }

// end is one reporter of a conversation. A host that has both ends of it
// reports twice, once for each direction.
type end struct {
	host string
	dir  flow.Direction
}

func placeOf(f *flow.Flow) place {
	return place{
		from: firstOf(f.FromService, f.From, f.Src.String()), fromZone: f.FromZone,
		to: firstOf(f.ToService, f.To, f.Dst.String()), toZone: f.ToZone,
	}
}

func firstOf(a, b, c string) string {
	if a != "" {
		return a
	}
	if b != "" {
		return b
	}
	return c
}
