package istio

import (
	"net/netip"

	"firebreak/internal/layer"
)

// excepted lists the prefixes that a term leaves out.
func excepted(t layer.Term) []netip.Prefix {
	out := t.Except
	for _, n := range t.Not {
		if n.Prefixes != nil && len(n.Except) == 0 && n.Not == nil && n.Select == nil && n.Principals == nil && n.Workloads == nil {
			out = append(out[:len(out):len(out)], n.Prefixes...)
		}
	}
	return out
}

func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
