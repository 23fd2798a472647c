package policy

import (
	"slices"

	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// groupIndex finds the identities that a selector or a principal could match
// without asking all of them. It leaves out none that would match.
type groupIndex struct {
	byLabel     map[[2]string][]int // ascending; of relevant labels only
	byPrincipal map[string][]int    // ascending
}

// fewSearches is for how many endpoints asking everybody is the faster way.
const fewSearches = 20

// candidatesFor returns what index to ask, or false for all of them.
func (r *resolver) candidatesFor(x *endpoint) ([]int, bool) {
	if r.searches++; r.searches <= fewSearches {
		return nil, false
	}
	if r.index == nil {
		r.index = r.newIndex()
	}
	if x.key.kind == lang.ByPrincipal {
		return r.index.byPrincipal[x.key.name], true
	}
	var best []int
	found := false
	for _, q := range x.selector.Requirements() {
		if q.Op != label.In {
			continue
		}
		var ids []int
		for _, v := range q.Values {
			ids = append(ids, r.index.byLabel[[2]string{q.Key, v}]...)
		}
		if !found || len(ids) < len(best) {
			best, found = ids, true
		}
	}
	slices.Sort(best)
	return best, found
}

func (r *resolver) newIndex() *groupIndex {
	x := &groupIndex{byLabel: map[[2]string][]int{}, byPrincipal: map[string][]int{}}
	for id, g := range r.groups {
		for _, k := range r.rel.labels {
			if v, ok := g.workload.Labels[k]; ok {
				key := [2]string{k, v}
				x.byLabel[key] = append(x.byLabel[key], id)
			}
		}
		for _, name := range g.workload.Principals() {
			x.byPrincipal[name] = append(x.byPrincipal[name], id)
		}
	}
	return x
}
