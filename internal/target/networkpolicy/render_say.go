package networkpolicy

import (
	"fmt"
	"strings"

	"firebreak/internal/diag"
)

// sayDNS tells who would be cut off from the cluster's DNS. It is never opened
// beyond what the policy says.
func (r *renderer) sayDNS() {
	if len(r.noDNS) > 0 {
		r.diags.Warnf(diag.Pos{}, "cluster-dns-closed", "networkpolicy: the policy does not let %s ask the cluster's DNS", few(r.noDNS)).
			WithHelp("put the DNS pods into the inventory and allow 53/UDP and 53/TCP to them; see docs/kubernetes.md")
	}
}

// sayBuiltins tells that what always passes in the policy does not in a cluster:
// pods have no need of the machine's metadata, and are better without.
func (r *renderer) sayBuiltins() {
	if r.cutsOff {
		r.diags.Infof(diag.Pos{}, "not-expressible", "networkpolicy: metadata services and the resolvers of cloud networks stay closed to pods whose egress is governed, unless an External opens everything")
	}
}

// sayHostNetwork tells which pods no NetworkPolicy governs.
func (r *renderer) sayHostNetwork() {
	var names []string
	for _, w := range r.odd {
		names = append(names, w.Name)
	}
	if names != nil {
		r.diags.Warnf(diag.Pos{}, "not-expressible", "networkpolicy: %s: pods in the network of their node are not governed, and are nobody's peer", few(names)).
			WithHelp("let another target govern their nodes")
	}
}

// few names some of many.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
