package istio

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// kind is workloads whose labels are the same, and those of their pods. Who is in
// the mesh and whom selectors mean is the same for all of them.
type kind struct {
	of               *inventory.Workload // one of them
	list             []int               // all, ascending
	sidecar, ambient bool
	plain            layer.Tri // whether some port takes plaintext; Maybe until it is asked for
}

func (k *kind) member() bool { return k.sidecar || k.ambient }

// sort puts the workloads into kinds, and says which are in the mesh.
func (l *lifter) sort() {
	inv := l.source.Inventory
	l.kindOf = make([]*kind, len(inv.Workloads))
	for _, list := range inventory.Alike(inv.Workloads) {
		k := &kind{of: &inv.Workloads[list[0]], list: list, plain: layer.Maybe}
		k.sidecar, k.ambient = l.matches(l.mesh.sidecar, k.of) != layer.No, l.matches(l.mesh.ambient, k.of) != layer.No
		l.kinds = append(l.kinds, k)
		for _, i := range list {
			l.kindOf[i] = k
		}
	}
}

func (l *lifter) matches(m layer.Match, w *inventory.Workload) layer.Tri {
	return m.Matches(layer.Party{Workload: w}, l.source.Networks)
}

// each visits the workloads of a kind.
func (l *lifter) each(k *kind, visit func(w *inventory.Workload)) {
	for _, i := range k.list {
		visit(&l.source.Inventory.Workloads[i])
	}
}

// some reports whether a match of labels may mean a workload of such a kind.
func (l *lifter) some(m layer.Match, such func(*kind) bool) bool {
	return slices.ContainsFunc(l.kinds, func(k *kind) bool { return such(k) && l.matches(m, k.of) != layer.No })
}

// ambient reports whether somebody is in ambient mode.
func (l *lifter) ambient() bool {
	return slices.ContainsFunc(l.kinds, func(k *kind) bool { return k.ambient })
}

// place is an address of a workload of the mesh.
type place struct {
	addr netip.Addr
	of   *inventory.Workload
}

// meansMember reports whether a match may mean a workload of the mesh.
func (l *lifter) meansMember(m layer.Match) bool {
	if l.places == nil {
		l.findPlaces()
	}
	return slices.ContainsFunc(m, func(t layer.Term) bool {
		one := layer.Match{t}
		found := func(w *inventory.Workload) bool { return l.matches(one, w) != layer.No }
		switch {
		case t.Address || t.Names != nil:
			return false
		case t.Prefixes != nil:
			return slices.ContainsFunc(l.nowhere, found) || slices.ContainsFunc(t.Prefixes, func(p netip.Prefix) bool { return l.inPrefix(p, found) })
		}
		return slices.ContainsFunc(l.inside, found)
	})
}

// inPrefix reports whether something is found among those of the mesh that have
// an address there.
func (l *lifter) inPrefix(p netip.Prefix, found func(*inventory.Workload) bool) bool {
	i, _ := slices.BinarySearchFunc(l.places, p.Masked().Addr(), func(x place, a netip.Addr) int { return x.addr.Compare(a) })
	for ; i < len(l.places) && p.Contains(l.places[i].addr); i++ {
		if found(l.places[i].of) {
			return true
		}
	}
	return false
}

// findPlaces lists who is in the mesh, by address, and of each kind and principal
// one whose address is not known.
func (l *lifter) findPlaces() {
	l.places = []place{}
	for _, k := range l.kinds {
		if !k.member() {
			continue
		}
		lost := map[string]bool{}
		l.each(k, func(w *inventory.Workload) {
			l.inside = append(l.inside, w)
			for _, a := range w.Addresses {
				l.places = append(l.places, place{a, w})
			}
			if len(w.Addresses) == 0 && !lost[w.Principal] {
				lost[w.Principal] = true
				l.nowhere = append(l.nowhere, w)
			}
		})
	}
	slices.SortFunc(l.places, func(a, b place) int { return a.addr.Compare(b.addr) })
}
