package policy

import "slices"

// mostMoved is up to how many workloads spreadMoved is the faster one.
const mostMoved = 1000

// spreadMoved is spreadAll where few workloads have moved to another group,
// and no index has shifted.
func (r *resolver) spreadMoved() {
	before := r.old.p
	r.p.IdentityOf, r.p.ZoneOf, r.p.ServicesOf, r.p.Services = before.IdentityOf, before.ZoneOf, before.ServicesOf, before.Services
	if len(r.moved) > 0 {
		r.p.IdentityOf, r.p.ZoneOf, r.p.ServicesOf = slices.Clone(before.IdentityOf), slices.Clone(before.ZoneOf), slices.Clone(before.ServicesOf)
		r.p.Services = slices.Clone(before.Services)
	}
	left, joined := map[*group][]int{}, map[*group][]int{}
	leftService, joinedService := map[int][]int{}, map[int][]int{}
	for _, w := range r.moved {
		from, to := r.old.member[w], r.member[w]
		left[from], joined[to] = append(left[from], w), append(joined[to], w)
		for _, s := range from.services {
			leftService[s] = append(leftService[s], w)
		}
		for _, s := range to.services {
			joinedService[s] = append(joinedService[s], w)
		}
		r.p.ZoneOf[w], r.p.ServicesOf[w] = to.zone, to.services
	}
	r.p.Identities = make([]Identity, len(r.groups))
	for id, g := range r.groups {
		var were []int
		if g.before >= 0 {
			were = before.Identities[g.before].Workloads
		}
		now := changedList(were, left[g], joined[g])
		r.p.Identities[id] = Identity{Key: g.key, Zone: g.zone, Workloads: now}
		if id != g.before {
			r.renumber(now, id)
		}
	}
	for _, w := range r.moved {
		r.p.IdentityOf[w] = r.member[w].id
	}
	for s := range r.p.Services {
		if leftService[s] != nil || joinedService[s] != nil {
			x := &r.p.Services[s]
			x.Workloads = changedList(x.Workloads, leftService[s], joinedService[s])
		}
	}
}

// renumber is only called where some workload has moved, so that IdentityOf is
// a copy: identities appear and vanish by nothing else.
func (r *resolver) renumber(workloads []int, id int) {
	for _, w := range workloads {
		r.p.IdentityOf[w] = id
	}
}

// changedList is the ascending list without those who left and with those who
// joined. Nobody may have left who was not in it. It is the same list if there
// are none of both, and nil instead of an empty one.
func changedList(list, left, joined []int) []int {
	if left == nil && joined == nil {
		return list
	}
	out := make([]int, 0, len(list)-len(left)+len(joined))
	for _, w := range list {
		if _, gone := slices.BinarySearch(left, w); !gone {
			out = append(out, w)
		}
	}
	out = append(out, joined...)
	slices.Sort(out)
	if len(out) == 0 {
		return nil
	}
	return out
}
