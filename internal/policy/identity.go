package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// group is what an identity is made from: one workload that stands for all of
// them, and what the policy makes of it.
type group struct {
	workload *inventory.Workload
	zone     int
	services []int
}

// relevant is what rules can tell workloads apart by.
type relevant struct {
	labels    []string // keys that some selector mentions, sorted
	ports     []string // port names that some rule mentions, sorted
	principal bool     // some rule mentions a principal
}

func (r *resolver) relevant() relevant {
	keys, ports := map[string]bool{}, map[string]bool{}
	var out relevant
	add := func(s label.Selector) {
		for _, k := range s.Keys() {
			keys[k] = true
		}
	}
	for _, s := range slices.Concat(r.zoneSelects, r.serviceSelects) {
		if s != nil {
			add(s.Selector)
		}
	}
	mentions(r.dir, func(ends []lang.Endpoint, named []lang.Port) {
		for _, e := range ends {
			add(e.Selector)
			out.principal = out.principal || e.Kind == lang.ByPrincipal
		}
		for _, p := range named {
			if p.Name != "" {
				ports[p.Name] = true
			}
		}
	})
	out.labels, out.ports = slices.Sorted(maps.Keys(keys)), slices.Sorted(maps.Keys(ports))
	return out
}

// key is the canonical text of everything relevant about w but its zone, which
// follows from the rest, unless the workload was assigned outright.
func (rel relevant) key(w *inventory.Workload) string {
	var b []byte
	word := func(what, name string) {
		b = append(append(append(b, ' '), what...), name...)
	}
	for _, k := range rel.labels {
		if v, ok := w.Labels[k]; ok {
			word("label:", k)
			b = strconv.AppendQuote(append(b, '='), v)
		}
	}
	for _, name := range rel.ports {
		for _, p := range w.Ports {
			if p.Name == name {
				word("port:", strconv.Quote(name))
				b = strconv.AppendUint(append(b, '='), uint64(p.Number), 10)
				b = append(append(b, '/'), p.Protocol.String()...)
			}
		}
	}
	if rel.principal {
		for _, name := range w.Principals() {
			word("principal:", strconv.Quote(name))
		}
	}
	if w.Zone != "" {
		word("assigned:", strconv.Quote(w.Zone))
	}
	return string(b)
}

// identities groups the workloads, and selects once per group.
func (r *resolver) identities() {
	inv, rel := r.p.Inventory, r.relevant()
	candidates := newCandidates(r.serviceSelects)
	byKey := map[string]int{}
	r.p.IdentityOf = make([]int, len(inv.Workloads))
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		key := rel.key(w)
		id, known := byKey[key]
		if !known {
			id = len(r.groups)
			byKey[key] = id
			r.groups = append(r.groups, r.group(w, candidates))
			zone := r.groups[id].zone
			r.p.Identities = append(r.p.Identities, Identity{Key: fmt.Sprintf("zone:%q", r.p.Zones[zone].Name) + key, Zone: zone})
		}
		r.p.IdentityOf[i] = id
		r.p.Identities[id].Workloads = append(r.p.Identities[id].Workloads, i)
	}
	r.spread()
	r.checkSelects()
}

// group finds the zone and the services of a workload.
func (r *resolver) group(w *inventory.Workload, candidates *candidates) *group {
	g := &group{workload: w, zone: len(r.p.Zones) - 1}
	for _, i := range candidates.of(w.Labels) {
		if r.serviceSelects[i].Selector.Matches(w.Labels) {
			g.services = append(g.services, i)
		}
	}
	if w.Zone != "" {
		if i := r.zoneNames.find(w.Zone); i >= 0 {
			g.zone = i
		} else {
			r.unknown(w.Source, "zone", w.Zone, r.zoneNames.list)
		}
		return g
	}
	first := -1
	for i, s := range r.zoneSelects {
		switch {
		case s == nil || !s.Selector.Matches(w.Labels):
		case first < 0:
			first, g.zone = i, i
		case r.overlaps[[2]int{first, i}]: // one workload of a pair of zones is enough
		default:
			r.overlaps[[2]int{first, i}] = true
			r.diags.Errorf(s.Pos, "overlapping-zones", "workload %s is in the zones %s and %s", w.Name, r.zoneNames.list[first], r.zoneNames.list[i]).
				WithHelp("zones partition the inventory: make one of the two selectors exclude the other")
		}
	}
	return g
}

// spread copies to every workload what its group says.
func (r *resolver) spread() {
	n := len(r.p.Inventory.Workloads)
	r.p.ZoneOf, r.p.ServicesOf = make([]int, n), make([][]int, n)
	r.inZone, r.inService = make([][]int, len(r.p.Zones)), make([][]int, len(r.p.Services))
	for id, g := range r.groups {
		r.inZone[g.zone] = append(r.inZone[g.zone], id)
		for _, s := range g.services {
			r.inService[s] = append(r.inService[s], id)
		}
	}
	for i, id := range r.p.IdentityOf {
		g := r.groups[id]
		r.p.ZoneOf[i], r.p.ServicesOf[i] = g.zone, g.services
		for _, s := range g.services {
			r.p.Services[s].Workloads = append(r.p.Services[s].Workloads, i)
		}
	}
}

// checkSelects warns of zones and services that are empty.
func (r *resolver) checkSelects() {
	for i, s := range r.zoneSelects {
		if s != nil && len(r.inZone[i]) == 0 {
			r.nothing(s.Pos, "zone "+r.zoneNames.list[i], s.Selector)
		}
	}
	for i, s := range r.serviceSelects {
		if s != nil && len(r.inService[i]) == 0 {
			r.nothing(s.Pos, "service "+r.serviceNames.list[i], s.Selector)
		}
	}
}

func (r *resolver) nothing(pos diag.Pos, what string, s label.Selector) {
	d := r.diags.Warnf(pos, "selector-matches-nothing", "%s selects no workload", what)
	if help := r.nearestLabel(s); help != "" {
		d.WithHelp("%s", help)
	}
}

// nearestLabel looks for the requirement that fails everywhere, and for what
// was probably meant instead.
func (r *resolver) nearestLabel(s label.Selector) string {
	keys, values := map[string]bool{}, map[string]map[string]bool{}
	for _, g := range r.groups {
		for k, v := range g.workload.Labels {
			keys[k] = true
			if values[k] == nil {
				values[k] = map[string]bool{}
			}
			values[k][v] = true
		}
	}
	for _, q := range s.Requirements() {
		if q.Op != label.In && q.Op != label.Exists {
			continue
		}
		if !keys[q.Key] {
			if near := diag.Nearest(q.Key, slices.Collect(maps.Keys(keys))); near != "" {
				return fmt.Sprintf("no workload has a label %s; did you mean %s?", q.Key, near)
			}
			return fmt.Sprintf("no workload has a label %s", q.Key)
		}
		for _, v := range q.Values {
			if near := diag.Nearest(v, slices.Collect(maps.Keys(values[q.Key]))); near != "" && !values[q.Key][v] {
				return fmt.Sprintf("no workload has %s=%s; did you mean %s=%s?", q.Key, v, q.Key, near)
			}
		}
	}
	return ""
}

// unknown reports a name that nothing has.
func (r *resolver) unknown(pos diag.Pos, kind, name string, known []string) {
	d := r.diags.Errorf(pos, "unknown-reference", "there is no %s %q", kind, name)
	if near := diag.Nearest(name, known); near != "" {
		d.WithHelp("did you mean %q?", near)
	}
}
