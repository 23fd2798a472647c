package policy

import "slices"

// number gives every group a number without leaving gaps. Whoever had one
// keeps it if it can.
func (r *resolver) number(born []*group, same bool) {
	var live []*group
	had := map[string]int{}
	if r.old != nil {
		if same {
			live = slices.DeleteFunc(slices.Clone(r.old.groups), func(g *group) bool { return g.size == 0 })
		} else {
			for id, x := range r.old.p.Identities {
				had[x.Key] = id
			}
		}
	}
	for _, g := range born {
		if id, ok := had[g.key]; ok {
			g.id = id
		}
		live = append(live, g)
	}
	if same {
		for _, g := range r.old.groups {
			if g.before = g.id; g.size == 0 {
				delete(r.byRaw, g.raw)
			}
		}
	}
	r.groups = make([]*group, len(live))
	var rest []*group
	for _, g := range live {
		if g.id >= 0 && g.id < len(live) && r.groups[g.id] == nil {
			r.groups[g.id] = g
		} else {
			rest = append(rest, g)
		}
	}
	next := 0
	for _, g := range rest {
		for r.groups[next] != nil {
			next++
		}
		g.id, r.groups[next] = next, g
	}
	r.findChanged()
}

// findChanged compares the keys with those of before.
func (r *resolver) findChanged() {
	r.changed = make([]bool, len(r.groups))
	some := r.old == nil || len(r.old.p.Identities) != len(r.groups)
	for id, g := range r.groups {
		r.changed[id] = r.old == nil || id >= len(r.old.p.Identities) || r.old.p.Identities[id].Key != g.key
		some = some || r.changed[id]
	}
	if r.touched = r.generation; !some {
		r.touched = r.old.touched
	}
}

// touches reports whether the list, which holds for now, speaks of an identity
// that changed.
func (r *resolver) touches(ids []int) bool {
	return slices.ContainsFunc(ids, func(id int) bool { return r.changed[id] })
}

// spread says for every identity and service which workloads it has, and for
// every workload what its group says.
func (r *resolver) spread() {
	switch {
	case r.same():
		r.keepSpread()
		return
	case r.aligned && r.frame == r.old.frame && len(r.moved) <= mostMoved:
		r.spreadMoved()
	default:
		r.spreadAll()
	}
	for id, g := range r.groups {
		g.workload = &r.p.Inventory.Workloads[r.p.Identities[id].Workloads[0]]
	}
	r.spreadNames()
}

func (r *resolver) spreadAll() {
	n := len(r.p.Inventory.Workloads)
	r.p.IdentityOf, r.p.ZoneOf, r.p.ServicesOf = make([]int, n), make([]int, n), make([][]int, n)
	r.p.Identities, r.p.Services = make([]Identity, len(r.groups)), slices.Clone(r.services)
	ofService := make([]int, len(r.services))
	space := make([]int, n)
	for id, g := range r.groups {
		r.p.Identities[id] = Identity{Key: g.key, Zone: g.zone, Workloads: space[:0:g.size]}
		space = space[g.size:]
		for _, s := range g.services {
			ofService[s] += g.size
		}
	}
	for s, n := range ofService {
		if n > 0 {
			r.p.Services[s].Workloads = make([]int, 0, n)
		}
	}
	for i, g := range r.member {
		r.p.IdentityOf[i], r.p.ZoneOf[i], r.p.ServicesOf[i] = g.id, g.zone, g.services
		x := &r.p.Identities[g.id]
		x.Workloads = append(x.Workloads, i)
		for _, s := range g.services {
			r.p.Services[s].Workloads = append(r.p.Services[s].Workloads, i)
		}
	}
}

func (r *resolver) keepSpread() {
	before := r.old.p
	r.p.IdentityOf, r.p.ZoneOf, r.p.ServicesOf = before.IdentityOf, before.ZoneOf, before.ServicesOf
	r.p.Identities, r.p.Services = before.Identities, before.Services
	r.inZone, r.inService = r.old.inZone, r.old.inService
}

// spreadNames lists the identities of every zone and service. Lists that mean
// what they meant before are kept.
func (r *resolver) spreadNames() {
	r.inZone, r.inService = make([][]int, len(r.zones)), make([][]int, len(r.services))
	for id, g := range r.groups {
		r.inZone[g.zone] = append(r.inZone[g.zone], id)
		for _, s := range g.services {
			r.inService[s] = append(r.inService[s], id)
		}
	}
	if r.old == nil {
		return
	}
	for i := range r.inZone {
		if j := r.old.zoneNames.find(r.zones[i].Name); j >= 0 {
			r.inZone[i] = r.kept(r.old.inZone[j], r.inZone[i])
		}
	}
	for i := range r.inService {
		if j := r.old.serviceNames.find(r.services[i].Name); j >= 0 {
			r.inService[i] = r.kept(r.old.inService[j], r.inService[i])
		}
	}
}

// kept returns the list of before if it means what the one of now means.
func (r *resolver) kept(before, now []int) []int {
	if slices.Equal(before, now) && !r.touches(now) {
		return before
	}
	return now
}
