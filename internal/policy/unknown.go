package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/label"
)

// labelIndex holds the labels of one workload per identity, for suggestions.
type labelIndex struct {
	keys   []string
	values map[string]map[string]bool
}

func (r *resolver) labels() *labelIndex {
	if r.labelsThere != nil {
		return r.labelsThere
	}
	x := &labelIndex{values: map[string]map[string]bool{}}
	for _, g := range r.groups {
		for k, v := range g.workload.Labels {
			if x.values[k] == nil {
				x.values[k] = map[string]bool{}
			}
			x.values[k][v] = true
		}
	}
	x.keys = slices.Collect(maps.Keys(x.values))
	r.labelsThere = x
	return x
}

func (r *resolver) nothing(pos diag.Pos, what string, s label.Selector) {
	if r.empty() {
		return
	}
	d := r.diags.Warnf(pos, "selector-matches-nothing", "%s selects no workload", what)
	if help := r.nearestLabel(s); help != "" {
		d.WithHelp("%s", help)
	}
}

// nearestLabel looks for the requirement that fails everywhere, and for what
// was probably meant instead.
func (r *resolver) nearestLabel(s label.Selector) string {
	there := r.labels()
	for _, q := range s.Requirements() {
		if q.Op != label.In && q.Op != label.Exists {
			continue
		}
		values := there.values[q.Key]
		if values == nil {
			if near := r.nearest("label", q.Key, func() []string { return there.keys }); near != "" {
				return fmt.Sprintf("no workload has a label %s; did you mean %s?", q.Key, near)
			}
			return fmt.Sprintf("no workload has a label %s", q.Key)
		}
		for _, v := range q.Values {
			if values[v] {
				continue
			}
			if near := r.nearest("label "+q.Key, v, func() []string { return slices.Collect(maps.Keys(values)) }); near != "" {
				return fmt.Sprintf("no workload has %s=%s; did you mean %s=%s?", q.Key, v, q.Key, near)
			}
		}
	}
	return ""
}

// nearest is diag.Meant for words of a kind, each of which it compares once.
func (r *resolver) nearest(kind, word string, known func() []string) string {
	key := [2]string{kind, word}
	near, asked := r.suggested[key]
	if !asked {
		near = diag.Meant(word, known())
		r.suggested[key] = near
	}
	return near
}

// mostWorkloads bounds for how many missing workloads the nearest one is
// looked up, among all there are.
const mostWorkloads = 100

// unknown reports a name that nothing has.
func (r *resolver) unknown(pos diag.Pos, kind, name string, known []string) {
	d := r.diags.Errorf(pos, "unknown-reference", "there is no %s %q", kind, name)
	if kind == "workload" {
		if r.missing++; r.missing > mostWorkloads {
			return
		}
	}
	if near := r.nearest(kind, name, func() []string { return known }); near != "" {
		d.WithHelp("did you mean %q?", near)
	} else if names := declared(known); len(names) > 0 && len(names) <= mostListed {
		d.WithHelp("one of: %s", strings.Join(names, ", "))
	}
}

// mostListed is how many names a help lists where none is near.
const mostListed = 8

// declared leaves out names that nobody can write: those of Externals that
// stand for a cidr.
func declared(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return strings.ContainsRune(s, ':') })
}

// sweep forgets what no text speaks of any more.
func (r *resolver) sweep() {
	for key, x := range r.endpoints {
		if x.used < r.generation {
			delete(r.endpoints, key)
		}
	}
	if len(r.conditions) <= 2*len(r.records)+100 {
		return
	}
	r.conditions = map[string]*Condition{}
	for _, rec := range r.records {
		if rec.out.Cond != nil {
			r.conditions[rec.condKey] = rec.out.Cond
		}
	}
}
