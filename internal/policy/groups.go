package policy

import (
	"fmt"
	"reflect"
	"slices"

	"firebreak/internal/inventory"
)

// group is what an identity is made from: the workloads that no rule can tell
// apart, one that stands for all of them, and what the policy makes of it.
type group struct {
	raw      string
	workload *inventory.Workload // the first
	size     int                 // workloads
	id       int                 // -1 until it has one
	before   int                 // its id in the policy before; -1 if it had none
	key      string              // of the identity
	zone     int
	services []int
	overlaps []int // zones beside zone that select it, which is an error
	lost     bool  // assigned to a zone that does not exist
}

// group divides the workloads: all of them, if what rules can tell has
// changed, else those that are not as they were.
func (r *resolver) group() {
	n := len(r.p.Inventory.Workloads)
	same := r.old != nil && r.rel.equal(&r.old.rel)
	r.takeBook()
	var born []*group // in the order of their first workloads
	switch {
	case same && r.sameWorkloads():
		r.byRaw, r.member = r.old.byRaw, r.old.member
	case same:
		r.byRaw, r.member = r.old.byRaw, make([]*group, n)
		born = r.regroup()
	default:
		r.byRaw, r.member = map[string]*group{}, make([]*group, n)
		for i := range r.member {
			r.join(i, &born)
		}
	}
	r.place(born, same)
	r.number(born, same)
	r.spread()
}

// join finds the group of the workload, or founds one.
func (r *resolver) join(i int, born *[]*group) {
	w := &r.p.Inventory.Workloads[i]
	var space [256]byte
	raw := r.rel.raw(space[:0], w)
	g := r.byRaw[string(raw)]
	if g == nil {
		g = &group{raw: string(raw), workload: w, id: -1, before: -1}
		r.byRaw[g.raw] = g
		*born = append(*born, g)
	}
	g.size++
	r.member[i] = g
}

// regroup goes through the workloads of before and of now side by side.
// Snapshots are sorted by name; if one is not, more seems changed than is.
func (r *resolver) regroup() []*group {
	var born []*group
	before, now := r.old.p.Inventory.Workloads, r.p.Inventory.Workloads
	r.aligned = len(before) == len(now)
	j := 0
	leave := func(j int) {
		r.old.member[j].size--
		r.book.remove(&before[j])
	}
	enter := func(i int) {
		r.join(i, &born)
		r.book.add(&now[i])
	}
	for i := range now {
		for j < len(before) && before[j].Name < now[i].Name {
			leave(j)
			j++
			r.aligned = false
		}
		switch {
		case j == len(before) || before[j].Name != now[i].Name:
			enter(i)
			r.aligned = false
			continue
		case unchanged(&before[j], &now[i]):
			r.member[i] = r.old.member[j]
		default:
			leave(j)
			enter(i)
			if r.member[i] != r.old.member[j] {
				r.moved = append(r.moved, i)
			}
		}
		j++
	}
	for ; j < len(before); j++ {
		leave(j)
	}
	return born
}

// unchanged reports whether everything that resolving looks at, but for places
// and names, is as it was.
func unchanged(a, b *inventory.Workload) bool {
	return sameLabels(a.Labels, b.Labels) && a.Zone == b.Zone && a.Principal == b.Principal && a.Namespace == b.Namespace &&
		slices.Equal(a.Ports, b.Ports) && slices.Equal(a.Addresses, b.Addresses)
}

func sameLabels(a, b map[string]string) bool {
	if reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer() {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// place finds the zone and the services of the groups that were born, or of
// all groups if zones or services may be others.
func (r *resolver) place(born []*group, same bool) {
	for _, g := range born {
		r.placeOne(g)
	}
	if same && r.frame != r.old.frame {
		for _, g := range r.old.groups {
			r.placeOne(g)
		}
	}
}

func (r *resolver) placeOne(g *group) {
	w := g.workload
	g.zone, g.services, g.overlaps, g.lost = len(r.zones)-1, nil, nil, false
	for _, i := range r.serviceCandidates.of(w.Labels) {
		if r.serviceSelects[i].Selector.Matches(w.Labels) {
			g.services = append(g.services, i)
		}
	}
	if w.Zone != "" {
		if i := r.zoneNames.find(w.Zone); i >= 0 {
			g.zone = i
		} else {
			g.lost = true
		}
	} else {
		r.zoneOf(g)
	}
	g.key = fmt.Sprintf("zone:%q", r.zones[g.zone].Name) + r.rel.key(w)
}

// zoneOf asks the zones' selectors.
func (r *resolver) zoneOf(g *group) {
	first := true
	for _, i := range r.zoneCandidates.of(g.workload.Labels) {
		switch {
		case !r.zoneSelects[i].Selector.Matches(g.workload.Labels):
		case first:
			first, g.zone = false, i
		default:
			g.overlaps = append(g.overlaps, i)
		}
	}
}
