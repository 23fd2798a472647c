package networkpolicy

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
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

// lost is traffic that NetworkPolicies with ports cannot speak of, and subjects at
// whose end in one direction it is permitted.
type lost struct {
	traffic  netset.Traffic
	dir      flow.Direction
	at       diag.Pos
	subjects []string
}

func (r *renderer) noteLost(s *plan.Subject, dir flow.Direction, t netset.Traffic) {
	i := slices.IndexFunc(r.lost, func(l lost) bool { return l.dir == dir && l.traffic.Equal(t) })
	if i < 0 {
		i = len(r.lost)
		r.lost = append(r.lost, lost{traffic: t, dir: dir, at: r.place(s)})
	}
	if l := &r.lost[i]; !slices.Contains(l.subjects, s.Name) {
		l.subjects = append(l.subjects, s.Name)
	}
}

// sayLost tells of such traffic, once for all whom it concerns.
func (r *renderer) sayLost() {
	for _, l := range r.lost {
		word := "to reach"
		if l.dir == flow.Egress {
			word = "to be reached by"
		}
		r.diags.Warnf(l.at, "not-expressible", "networkpolicy: %s, of which a NetworkPolicy with ports cannot speak, stays closed, though the policy permits it %s %s", l.traffic, word, few(l.subjects)).
			WithHelp("it speaks of TCP, UDP and SCTP, or of everything")
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
