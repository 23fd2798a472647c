package lattice

import (
	"cmp"
	"slices"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// leads says at which listeners Lattice is called for whom: one lead for each
// pair of ports, with everybody who is behind a listener of that kind. Listeners
// whose port is not known, and what is no workload, are left out.
func (r *reader) leads() []layer.Lead {
	type pair struct{ called, port uint16 }
	behind := map[pair][]string{}
	for _, s := range r.out.services {
		for _, l := range s.listeners {
			for _, f := range l.to {
				if l.port == 0 || f.group == nil {
					continue
				}
				for _, e := range f.group.targets {
					if w := r.workload(e); w != nil && e.port != 0 {
						behind[pair{l.port, e.port}] = append(behind[pair{l.port, e.port}], w.Name)
					}
				}
			}
		}
	}
	var out []layer.Lead
	for p, names := range behind {
		slices.Sort(names)
		out = append(out, layer.Lead{To: layer.Named(slices.Compact(names)...), Protocol: netset.TCP, Called: p.called, Port: p.port})
	}
	slices.SortFunc(out, func(a, b layer.Lead) int {
		return cmp.Or(cmp.Compare(a.Called, b.Called), cmp.Compare(a.Port, b.Port))
	})
	return out
}
