package inventory

import (
	"hash/maphash"
	"maps"
)

// Alike puts together the workloads that have the same labels, and whose pods
// have: it returns lists of indices, each ascending, in the order of their first.
// Whoever goes by labels alone says the same of all of a list.
func Alike(workloads []Workload) [][]int {
	var out [][]int
	seed := maphash.MakeSeed()
	known := map[uint64][]int{} // indices into out
	for i := range workloads {
		w := &workloads[i]
		h := hashOf(seed, w.Labels) + 31*hashOf(seed, w.Pod)
		at := -1
		for _, k := range known[h] {
			if sameKind(w, &workloads[out[k][0]]) {
				at = k
				break
			}
		}
		if at < 0 {
			at = len(out)
			known[h] = append(known[h], at)
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	return out
}

func sameKind(a, b *Workload) bool {
	return (a.Pod == nil) == (b.Pod == nil) && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Pod, b.Pod)
}

// hashOf is the same for the same labels in any order.
func hashOf(seed maphash.Seed, labels map[string]string) uint64 {
	var sum uint64
	for k, v := range labels {
		sum += maphash.String(seed, k)*31 ^ maphash.String(seed, v)
	}
	return sum
}
