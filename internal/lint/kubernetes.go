package lint

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
)

const dnsPort = 53

// dns finds zones that enforce, hold Kubernetes workloads, and let none of them
// ask for a name: the cluster's own DNS is a workload like any other, and no
// built-in lets anybody reach it. All such zones are one finding, which the
// Estate may accept for all of them.
func (l *linter) dns() {
	if l.dir.Estate != nil && slices.Contains(l.dir.Estate.Accepts, "no-dns") {
		return
	}
	var names []string
	var first *policy.Zone
	for i := range l.p.Zones {
		z := &l.p.Zones[i]
		if z.Stage != policy.Enforce || z.DefaultAllow || slices.Contains(l.acceptsOf(z.Name), "no-dns") || !l.inCluster(i) || l.asksNames(i) {
			continue
		}
		if names = append(names, z.Name); first == nil {
			first = z
		}
	}
	if first == nil {
		return
	}
	what := "zone " + names[0] + " enforces, and no rule in force lets its workloads"
	if len(names) > 1 {
		what = "zones " + few3(names) + " enforce, and no rule in force lets their workloads"
	}
	l.diags.Warnf(first.Pos, "no-dns", "%s reach port 53 of anything: they cannot ask for names", what).
		WithHelp("put the cluster's DNS into the inventory, and allow its clients to reach it on 53/UDP and 53/TCP (docs/kubernetes.md); the built-in resolver is that of a cloud, 169.254.169.253")
}

// inCluster reports whether some workload of the zone is of a Kubernetes
// cluster.
func (l *linter) inCluster(zone int) bool {
	for i := range l.p.Identities {
		if id := &l.p.Identities[i]; id.Zone == zone && slices.ContainsFunc(id.Workloads, func(w int) bool { return isKubernetes(&l.p.Inventory.Workloads[w]) }) {
			return true
		}
	}
	return false
}

func isKubernetes(w *inventory.Workload) bool {
	_, labelled := w.Labels["k8s/namespace"]
	return labelled || w.Namespace != ""
}

// asksNames reports whether a rule in force allows some workload of the zone to
// reach something on the port of the DNS.
func (l *linter) asksNames(zone int) bool {
	return slices.ContainsFunc(l.p.Rules, func(r policy.Rule) bool {
		if r.Effect != policy.Allow || r.Stage != policy.Enforce || l.expired(&r) || !slices.ContainsFunc(r.Grants, l.leadsToDNS) {
			return false
		}
		for i := range l.p.Identities {
			if l.p.Identities[i].Zone == zone && r.From.Identity(i) {
				return true
			}
		}
		return false
	})
}

// leadsToDNS reports whether what a grant permits may be the DNS: a rule for
// all ports of something that serves others is none.
func (l *linter) leadsToDNS(g policy.Grant) bool {
	if !g.Traffic.Contains(netset.UDP, dnsPort) && !g.Traffic.Contains(netset.TCP, dnsPort) {
		return false
	}
	if g.To.Any || g.To.Not || len(g.To.Externals) > 0 {
		return true
	}
	return slices.ContainsFunc(g.To.Identities, func(id int) bool {
		s := l.served[id]
		return s.IsEmpty() || s.Contains(netset.UDP, dnsPort) || s.Contains(netset.TCP, dnsPort)
	})
}

// unassigned finds workloads that no zone has taken and that are not enforced,
// beside zones that are.
func (l *linter) unassigned() {
	last := len(l.p.Zones) - 1
	z := &l.p.Zones[last]
	if z.Stage == policy.Enforce || !slices.ContainsFunc(l.p.Zones[:last], func(z policy.Zone) bool { return z.Stage == policy.Enforce }) {
		return
	}
	var names []string
	for i, zone := range l.p.ZoneOf {
		if zone == last {
			names = append(names, l.p.Inventory.Workloads[i].Name)
		}
	}
	if len(names) == 0 {
		return
	}
	pos, accepts := z.Pos, l.acceptsOf(lang.Unassigned)
	if !z.Declared && l.dir.Estate != nil {
		pos, accepts = l.dir.Estate.Pos, l.dir.Estate.Accepts
	}
	what, them := fmt.Sprintf("%d workloads are", len(names)), "them"
	if len(names) == 1 {
		what, them = "1 workload is", "it"
	}
	l.about(accepts, "unassigned-workloads").Warnf(pos, "unassigned-workloads", "%s in no zone, and nothing is enforced for %s: %s", what, them, few3(names)).
		WithHelp("put them into a zone, or declare what holds for them: a Zone named unassigned with stage: enforce")
}

// few3 lists the first three names and counts the others.
func few3(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}
