package inventory

import (
	"maps"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/label"
)

// Relabeling makes the label To of the raw label From: its value is translated
// by Map, or stays as it is where Map (which may be nil) lacks it. A prefix
// "tag:" or "label:" of From says where the raw label comes from and is not
// part of its name.
type Relabeling struct {
	From, To string
	Map      map[string]string
	Pos      diag.Pos
}

// Relabel returns a snapshot in which every workload that has the raw label has
// the one made of it, too. A workload that already has a different one is an
// error, since it cannot be said which of them is right; so is a value that no
// label can have. s is not changed; it may be nil, and so may the list.
func Relabel(s *Snapshot, list []Relabeling) (*Snapshot, diag.List) {
	if s == nil {
		s = &Snapshot{}
	}
	var diags diag.List
	out := &Snapshot{Workloads: append([]Workload(nil), s.Workloads...), Frontends: s.Frontends}
	for i := range out.Workloads {
		w := &out.Workloads[i]
		raw := w.Labels
		w.Labels = maps.Clone(raw)
		for _, r := range list {
			r.apply(w, raw, &diags)
		}
	}
	return out, diags
}

func (r Relabeling) apply(w *Workload, raw map[string]string, diags *diag.List) {
	value, ok := raw[r.From]
	if !ok {
		if value, ok = raw[strings.TrimPrefix(strings.TrimPrefix(r.From, "tag:"), "label:")]; !ok {
			return
		}
	}
	if mapped, ok := r.Map[value]; ok {
		value = mapped
	}
	if old, has := w.Labels[r.To]; has && old != value {
		diags.Errorf(w.Source, "sources-disagree", "workload %s has the label %s=%s, but %s at %s makes it %s", w.Name, r.To, old, r.From, r.Pos, value).
			WithHelp("correct one of the two")
		return
	}
	if err := label.CheckValue(r.To, value); err != nil {
		diags.Errorf(r.Pos, "bad-label", "workload %s: %v", w.Name, err).WithHelp("translate the value with map")
		return
	}
	w.Labels[r.To] = value
}
