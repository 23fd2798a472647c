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
	out := &Snapshot{Frontends: s.Frontends, Networks: s.Networks}
	if found {
		out.Workloads = slices.Clone(s.Workloads)
		out.Workloads[i] = w
	} else {
		out.Workloads = slices.Insert(slices.Clip(s.Workloads), i, w)
	}
	return out
}
