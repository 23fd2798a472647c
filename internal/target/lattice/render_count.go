package lattice

import (
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// count refuses what would overrun a limit.
func (r *renderer) count() {
	for _, u := range r.units {
		if n := u.policy.size(r.estate); n > maxPolicy {
			r.large(u, n)
		}
		switch n := len(u.pools) * len(u.ports); {
		case n > r.most.serviceGroups:
			r.diags.Errorf(u.at(), "over-quota", "lattice: the service %s would have %d target groups (%d targets, at most %d in a group), of at most %d", u.name, n, u.targets(), r.most.targets, r.most.serviceGroups).
				WithHelp("divide the workloads among several services; %s", raise(targetsPerGroup, groupsPerService))
		case len(u.pools) > maxForward:
			r.diags.Errorf(u.at(), "over-quota", "lattice: a listener of %s would lead to %d target groups (%d targets, at most %d in a group), of at most %d", u.name, len(u.pools), u.targets(), r.most.targets, maxForward).
				WithHelp("divide the workloads among several services; %s", raise(targetsPerGroup))
		}
	}
	r.countRegions()
	for _, p := range r.parts() {
		r.countNetwork(&p)
	}
}

// countNetwork refuses a service network that is too large.
func (r *renderer) countNetwork(p *part) {
	pos := diag.Pos{}
	if len(p.units) > r.most.services {
		r.diags.Errorf(pos, "over-quota", "lattice: the service network would have %d services, of at most %d", len(p.units), r.most.services).
			WithHelp("put more workloads into one service; %s", raise(servicesPerNetwork))
	}
	if n := networkPolicy(p.units).size(r.estate); n > maxPolicy {
		r.diags.Errorf(pos, "over-quota", "lattice: the auth policy of the service network would have %d bytes, of at most %d", n, maxPolicy)
	}
	if vpcs := r.callers(p.units); len(vpcs) > r.most.vpcs {
		r.diags.Errorf(pos, "over-quota", "lattice: the service network would have %d associations with VPCs, of at most %d", len(vpcs), r.most.vpcs).
			WithHelp("let callers of fewer VPCs in; %s", raise(vpcsPerNetwork))
	}
}

// large refuses an auth policy, and names the rule that lets most of its roles
// in.
func (r *renderer) large(u *unit, bytes int) {
	roles := map[flow.Rule]map[string]bool{}
	all := map[string]bool{}
	to := r.w.Engine.OfIdentity(u.subject.Identities[0])
	for i := range u.policy.statements {
		for _, role := range u.policy.statements[i].by.roles {
			all[role] = true
		}
	}
	for role := range all {
		for _, n := range r.alike.byRole[role] {
			k := &r.alike.kin[n]
			if !r.led(k.vpc, u) {
				continue
			}
			for _, part := range r.w.Engine.Parts(r.w.Engine.OfIdentity(k.identity), to, !r.w.ToCome) {
				if !part.Permits || !u.speaks(part.Set.Ports()) {
					continue
				}
				by := r.w.Engine.Ref(part.By)
				if roles[by] == nil {
					roles[by] = map[string]bool{}
				}
				roles[by][role] = true
			}
		}
	}
	var most flow.Rule
	for by := range roles {
		if c := len(roles[by]) - len(roles[most]); c > 0 || c == 0 && by.String() < most.String() {
			most = by
		}
	}
	r.diags.Errorf(diag.Pos{File: most.File, Line: most.Line}, "over-quota", "lattice: the auth policy of %s would have %d bytes, of at most %d; %d of its %d roles are for rule %s", u.name, bytes, maxPolicy, len(roles[most]), len(all), flow.Rule{Policy: most.Policy, Rule: most.Rule}).
		WithHelp("a policy cannot be divided; give callers that are alike one role, or the service to fewer callers")
}

// speaks reports whether traffic goes to one of a unit's ports.
func (u *unit) speaks(t netset.Traffic) bool {
	for _, p := range u.ports {
		if t.Contains(netset.TCP, p.Number) {
			return true
		}
	}
	return false
}

// countRegions refuses more services and target groups than a Region has room
// for in one account.
func (r *renderer) countRegions() {
	type place struct{ account, region string }
	of := map[string]place{}
	for _, n := range r.inv.Networks {
		if n.Within == "" {
			of[n.Name] = place{n.Labels["cloud/account"], n.Labels["cloud/region"]}
		}
	}
	services, groups := map[place]int{}, map[place]int{}
	mostServices, mostGroups := 0, 0
	for _, u := range r.units {
		at := of[u.vpc]
		services[at]++
		groups[at] += len(u.pools) * len(u.ports)
		mostServices, mostGroups = max(mostServices, services[at]), max(mostGroups, groups[at])
	}
	if mostServices > r.most.regionServices {
		r.diags.Errorf(diag.Pos{}, "over-quota", "lattice: there would be %d services in a Region, of at most %d", mostServices, r.most.regionServices).
			WithHelp("put more workloads into one service; %s", raise(servicesPerRegion))
	}
	if mostGroups > r.most.regionGroups {
		r.diags.Errorf(diag.Pos{}, "over-quota", "lattice: there would be %d target groups in a Region, of at most %d", mostGroups, r.most.regionGroups).
			WithHelp("put more workloads into one service; %s", raise(groupsPerRegion))
	}
}
