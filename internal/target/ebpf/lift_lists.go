package ebpf

import (
	"hash/maphash"
	"slices"
)

// lists numbers lists of names: equal ones have one number. A list that was asked
// for must not change any more.
type lists struct {
	seed   maphash.Seed
	known  map[listKey]int
	byHash map[uint64][]int
	all    [][]string
}

// listKey is a list, by its place.
type listKey struct {
	first *string
	n     int
}

func newLists() lists {
	return lists{seed: maphash.MakeSeed(), known: map[listKey]int{}, byHash: map[uint64][]int{}}
}

// number is of a list that is not empty.
func (l *lists) number(names []string) int {
	key := listKey{&names[0], len(names)}
	n, known := l.known[key]
	if !known {
		n = l.find(names)
		l.known[key] = n
	}
	return n
}

func (l *lists) find(names []string) int {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for _, name := range names {
		h.WriteString(name)
		h.WriteByte(0)
	}
	sum := h.Sum64()
	for _, n := range l.byHash[sum] {
		if slices.Equal(l.all[n], names) {
			return n
		}
	}
	n := len(l.all)
	l.all = append(l.all, names)
	l.byHash[sum] = append(l.byHash[sum], n)
	return n
}
