package inventory

import (
	"maps"
	"reflect"
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
	out := &Snapshot{Workloads: append([]Workload(nil), s.Workloads...), Frontends: s.Frontends, Networks: s.Networks}
	type relabeled struct{ raw, labels map[string]string }
	made := map[uintptr]relabeled{} // by where raw is: replicas often share theirs
	for i := range out.Workloads {
		w := &out.Workloads[i]
		raw, own, before := w.Labels, false, len(diags)
		key := reflect.ValueOf(raw).Pointer()
		if same, ok := made[key]; ok {
			w.Labels = same.labels
			continue
		}
		for _, r := range list {
			own = r.apply(w, raw, own, &diags) || own
		}
		if len(diags) == before && len(raw) > 0 && len(list) > 0 { // otherwise the next one's are to be reported, too
			made[key] = relabeled{raw, w.Labels}
		}
	}
	return out, diags
}

// apply reports whether it gave w a label. If w's labels are not its own yet,
// they are copied before that.
func (r Relabeling) apply(w *Workload, raw map[string]string, own bool, diags *diag.List) bool {
	value, ok := raw[r.From]
	if !ok {
		if value, ok = raw[strings.TrimPrefix(strings.TrimPrefix(r.From, "tag:"), "label:")]; !ok {
			return false
		}
	}
	if mapped, ok := r.Map[value]; ok {
		value = mapped
	}
	old, has := w.Labels[r.To]
	if has && old != value {
		diags.Errorf(w.Source, "sources-disagree", "workload %s has the label %s=%s, but the mapping from %s makes it %s", w.Name, r.To, old, r.From, value).
			WithHelp("correct one of the two").WithSee(r.Pos)
		return false
	}
	if err := label.CheckValue(r.To, value); err != nil {
		diags.Errorf(r.Pos, "bad-label", "workload %s: %v", w.Name, err).WithHelp("translate the value with map")
		return false
	}
	if has {
		return false
	}
	if !own {
		w.Labels = maps.Clone(raw)
	}
	w.Labels[r.To] = value
	return true
}
