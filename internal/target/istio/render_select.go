package istio

import (
	"maps"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/plan"
)

var noPlace diag.Pos

// selectors finds labels that select a subject's workloads in a namespace, and
// nobody else's of that namespace. The platform knows labels with one value
// each; what a selector of the text demands beside that must follow from them
// today.
func (r *renderer) selectors(s *plan.Subject, ns string, workloads []int) []map[string]string {
	var ids []int
	for _, i := range workloads {
		ids = append(ids, r.w.Policy.IdentityOf[i])
	}
	slices.Sort(ids)
	different := r.distinct(workloads)
	aliens := map[*likeness]int{}
	var out []map[string]string
	keep := func(labels map[string]string) {
		if !slices.ContainsFunc(out, func(m map[string]string) bool { return maps.Equal(m, labels) }) {
			out = append(out, labels)
		}
	}
	for _, c := range r.w.Cover(slices.Compact(ids)) {
		fits := true
		candidates := r.expand(c.Select, different)
		for _, labels := range candidates {
			fits = fits && r.alien(s, ns, labels) < 0
		}
		if fits && r.covered(c, different, candidates) {
			for _, labels := range candidates {
				keep(labels)
			}
			continue
		}
		for _, i := range workloads {
			if _, in := slices.BinarySearch(c.Identities, r.w.Policy.IdentityOf[i]); !in {
				continue
			}
			alien, known := aliens[r.like[i]]
			own := podOnly(r.like[i].own)
			if !known {
				alien = r.alien(s, ns, own)
				aliens[r.like[i]] = alien
			}
			if alien >= 0 {
				r.diags.Errorf(r.workload(i).Source, "not-expressible", "%s cannot be told from %s by labels, and something else is to hold for it", r.workload(i).Name, r.workload(alien).Name).
					WithHelp("give the pods of one of them a label that the others lack").WithSee(r.workload(alien).Source)
				continue
			}
			if !known {
				keep(own)
			}
		}
	}
	return out
}

// covered reports whether the labels select all workloads of a cover.
func (r *renderer) covered(c plan.Cover, workloads []int, candidates []map[string]string) bool {
	for _, i := range workloads {
		_, in := slices.BinarySearch(c.Identities, r.w.Policy.IdentityOf[i])
		if in && !slices.ContainsFunc(candidates, func(m map[string]string) bool { return within(m, r.like[i].own) }) {
			return false
		}
	}
	return true
}

// alien finds a workload of the namespace that the labels select and that is
// not the subject's; -1 if there is none.
func (r *renderer) alien(s *plan.Subject, ns string, labels map[string]string) int {
	for _, p := range r.pods[ns] {
		if p.subject != s && within(labels, p.like.own) {
			return p.first
		}
	}
	return -1
}

// carried are the labels that the platform sees on a workload's pods.
func carried(w *inventory.Workload) map[string]string {
	if w.Pod != nil {
		return w.Pod
	}
	return w.Labels
}

func within(want, have map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func podOnly(labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if !label.IsBuiltin(k) {
			out[k] = v
		}
	}
	return out
}

// expand turns a selector into labels with one value each: every combination
// of the values that it names, or that the workloads it matches have. What it
// demands not to be there is left out.
func (r *renderer) expand(s label.Selector, workloads []int) []map[string]string {
	out := []map[string]string{{}}
	for _, q := range s.Requirements() {
		if label.IsBuiltin(q.Key) || q.Op != label.In && q.Op != label.Exists {
			continue
		}
		values := map[string]bool{}
		for _, i := range workloads {
			if x := r.workload(i); s.Matches(x.Labels) {
				values[x.Labels[q.Key]] = true
			}
		}
		for _, v := range q.Values {
			values[v] = true
		}
		var next []map[string]string
		for _, m := range out {
			for _, v := range slices.Sorted(maps.Keys(values)) {
				longer := maps.Clone(m)
				longer[q.Key] = v
				next = append(next, longer)
			}
		}
		if out = next; len(out) > 64 {
			return nil // workload by workload is shorter
		}
	}
	return out
}
