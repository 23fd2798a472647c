package all

import (
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/target"
)

// KeepsTime returns what says whether one of some targets keeps time at a
// workload's ends; nil if none of them can. Names of no target are left out.
func KeepsTime(names []string) func(*inventory.Workload) bool {
	var keepers []target.TimeKeeper
	for _, t := range Targets() {
		if k, can := t.(target.TimeKeeper); can && slices.Contains(names, t.Name()) {
			keepers = append(keepers, k)
		}
	}
	if keepers == nil {
		return nil
	}
	return func(w *inventory.Workload) bool {
		return slices.ContainsFunc(keepers, func(k target.TimeKeeper) bool { return k.KeepsTime(w) })
	}
}
