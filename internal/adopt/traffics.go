package adopt

import "firebreak/internal/netset"

// traffics numbers sets of traffic, so that what is done to the same ones many
// times is worked out once. Number 0 is nothing.
type traffics struct {
	all   []netset.Traffic
	byKey map[string]int32
	both  map[[2]int32]int32
	less  map[[2]int32]int32
}

func newTraffics() *traffics {
	t := &traffics{byKey: map[string]int32{}, both: map[[2]int32]int32{}, less: map[[2]int32]int32{}}
	t.of(netset.None())
	return t
}

func (t *traffics) of(x netset.Traffic) int32 {
	key := x.String()
	n, known := t.byKey[key]
	if !known {
		n = int32(len(t.all))
		t.byKey[key] = n
		t.all = append(t.all, x)
	}
	return n
}

// intersect is what is in both.
func (t *traffics) intersect(a, b int32) int32 {
	switch {
	case a == 0 || b == 0:
		return 0
	case a == b:
		return a
	}
	key := [2]int32{min(a, b), max(a, b)}
	n, known := t.both[key]
	if !known {
		n = t.of(t.all[a].Intersect(t.all[b]))
		t.both[key] = n
	}
	return n
}

// subtract is what is in a and not in b.
func (t *traffics) subtract(a, b int32) int32 {
	switch {
	case a == 0 || b == 0:
		return a
	case a == b:
		return 0
	}
	key := [2]int32{a, b}
	n, known := t.less[key]
	if !known {
		n = t.of(t.all[a].Subtract(t.all[b]))
		t.less[key] = n
	}
	return n
}

func (t *traffics) union(a, b int32) int32 {
	if a == b || b == 0 {
		return a
	}
	return t.of(t.all[a].Union(t.all[b]))
}
