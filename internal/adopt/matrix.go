package adopt

import (
	"encoding/binary"
	"fmt"
	"slices"

	"firebreak/internal/netset"
	"firebreak/internal/prove"
	"firebreak/internal/verify/space"
)

// matrix notes for every pair of atoms what passes, by the number of the set, and
// no rule about groups says.
func (a *adopter) matrix() {
	a.cells = map[[2]int]int{}
	unknown, reasons := map[string]int{}, []prove.Reached{}
	for _, x := range a.r.Edges {
		if !x.Upper.Equal(x.Lower) {
			if unknown[x.Reason]++; unknown[x.Reason] == 1 {
				reasons = append(reasons, x)
			}
		}
		if a.cover != nil && !isOdd(x.Upper) {
			continue // below
		}
		n := a.set(x.Upper)
		for _, i := range a.ofEnd[x.From] {
			for _, j := range a.ofEnd[x.To] {
				a.cells[[2]int{i, j}] = n
			}
		}
	}
	if a.cover != nil {
		a.cover.rest(func(from, to int, t netset.Traffic) { a.cells[[2]int{from, to}] = a.set(space.Plain(t)) })
	}
	for _, x := range reasons {
		more := ""
		if n := unknown[x.Reason]; n > 1 {
			more = fmt.Sprintf(", and %d more like it", n-1)
		}
		a.note("from %s to %s it is not known whether %s passes (%s)%s; it is permitted", a.r.Ends[x.From].Name, a.r.Ends[x.To].Name, x.Upper.Subtract(x.Lower), x.Reason, more)
	}
}

// set is the number of a set.
func (a *adopter) set(s space.Set) int {
	n := slices.IndexFunc(a.sets, s.Equal)
	if n < 0 {
		n = len(a.sets)
		a.sets = append(a.sets, s)
	}
	return n
}

// rectangle says that one set passes from each of some atoms to each of others.
type rectangle struct {
	set      int
	from, to []int // ascending
}

// rectangles divides the pairs that have one set: destinations that the same
// sources reach come together. What a single workload may do with itself is no
// question, so that such a pair may be in or not.
func (a *adopter) rectangles(set int) []rectangle {
	sources := make([][]int, len(a.all))
	for pair, n := range a.cells {
		if n == set {
			sources[pair[1]] = append(sources[pair[1]], pair[0])
		}
	}
	var out []rectangle
	rest := map[int]bool{}
	for _, to := range a.alike(sources, true) {
		if len(to) == 1 {
			rest[to[0]] = true
			continue
		}
		out = append(out, rectangle{set, a.withSelf(sources[to[0]], to[0]), to})
	}
	for to := range sources {
		if !rest[to] {
			sources[to] = nil
		}
	}
	for _, to := range a.alike(sources, false) {
		slices.Sort(sources[to[0]])
		out = append(out, rectangle{set, sources[to[0]], to})
	}
	return out
}

// alike groups destinations by their sources.
func (a *adopter) alike(sources [][]int, self bool) [][]int {
	at := map[string]int{}
	var out [][]int
	for to, from := range sources {
		if len(from) == 0 {
			continue
		}
		if self {
			from = a.withSelf(from, to)
		} else {
			from = slices.Sorted(slices.Values(from))
		}
		var key []byte
		for _, x := range from {
			key = binary.AppendUvarint(key, uint64(x))
		}
		i, known := at[string(key)]
		if !known {
			i = len(out)
			at[string(key)] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], to)
	}
	return out
}

// single reports whether an atom is one workload.
func (a *adopter) single(i int) bool { return len(a.all[i].workloads) == 1 }

// withSelf adds a single workload to its own sources.
func (a *adopter) withSelf(from []int, to int) []int {
	out := slices.Clone(from)
	if a.single(to) && !slices.Contains(out, to) {
		out = append(out, to)
	}
	slices.Sort(out)
	return out
}
