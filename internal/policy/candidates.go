package policy

import (
	"slices"

	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// candidates finds the selectors that could match a workload without asking
// all of them: a selector that demands one of some values of a label can only
// match a workload that has one of them. It leaves out none that would match.
type candidates struct {
	byLabel map[[2]string][]int // selectors by a key and value that they demand
	others  []int               // that demand no value
}

func newCandidates(selects []*lang.Select) *candidates {
	c := &candidates{byLabel: map[[2]string][]int{}}
	for i, s := range selects {
		if s == nil {
			continue
		}
		reqs := s.Selector.Requirements()
		in := slices.IndexFunc(reqs, func(q label.Requirement) bool { return q.Op == label.In })
		if in < 0 {
			c.others = append(c.others, i)
			continue
		}
		for _, v := range reqs[in].Values {
			key := [2]string{reqs[in].Key, v}
			c.byLabel[key] = append(c.byLabel[key], i)
		}
	}
	return c
}

// of lists the candidates for a workload with these labels, ascending, each
// once.
func (c *candidates) of(labels map[string]string) []int {
	out := slices.Clone(c.others)
	for k, v := range labels {
		out = append(out, c.byLabel[[2]string{k, v}]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
