package load

import (
	"maps"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
)

// relabel makes the labels that policy speaks of out of raw ones, as the
// Estate says. A workload without the raw label keeps what it has.
func relabel(snap *inventory.Snapshot, e *lang.Estate) *inventory.Snapshot {
	if e == nil || len(e.Labels) == 0 {
		return snap
	}
	out := &inventory.Snapshot{Frontends: snap.Frontends}
	for _, w := range snap.Workloads {
		raw := w.Labels
		for _, m := range e.Labels {
			value, ok := raw[m.From]
			if !ok {
				continue
			}
			if mapped, ok := m.Map[value]; ok {
				value = mapped
			}
			labels := maps.Clone(w.Labels)
			labels[m.To] = value
			w.Labels = labels
		}
		out.Workloads = append(out.Workloads, w)
	}
	return out
}
