package ebpf

import "firebreak/internal/inventory"

// KeepsTime reports whether an agent would govern a workload: it has a host, and
// addresses by which others know it. Agents work out anew what holds as time
// goes by.
func (Target) KeepsTime(w *inventory.Workload) bool { return w.Host != "" && len(w.Addresses) > 0 }
