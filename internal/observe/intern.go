package observe

import (
	"net/netip"

	"firebreak/internal/flow"
)

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
		from: name(f.FromService, f.From, f.Src), fromZone: f.FromZone,
		to: name(f.ToService, f.To, f.Dst), toZone: f.ToZone,
	}
}

// name is what an edge calls an end: the first of these that there is.
func name(service, workload string, a netip.Addr) string {
	switch {
	case service != "":
		return service
	case workload != "":
		return workload
	default:
		return a.String()
	}
}
