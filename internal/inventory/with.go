package inventory

import (
	"cmp"
	"slices"
)

// With returns the snapshot with w in it, instead of the workload of that name
// if there is one. Everything else is shared with s, which is not changed and
// may be nil. w is taken as it is: its lists must be sorted, and nobody may
// change them, or its labels, afterwards. Label mappings are not applied.
func (s *Snapshot) With(w Workload) *Snapshot {
	if s == nil {
		return &Snapshot{Workloads: []Workload{w}}
	}
	i, found := slices.BinarySearchFunc(s.Workloads, w.Name, func(x Workload, name string) int { return cmp.Compare(x.Name, name) })
	out := &Snapshot{Workloads: make([]Workload, 0, len(s.Workloads)+1), Frontends: s.Frontends}
	out.Workloads = append(append(out.Workloads, s.Workloads[:i]...), w)
	if found {
		i++
	}
	out.Workloads = append(out.Workloads, s.Workloads[i:]...)
	return out
}
