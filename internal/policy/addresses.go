package policy

import (
	"net/netip"
	"slices"

	"firebreak/internal/inventory"
)

// addressBook counts the owners of addresses, so that what is wrong with some
// is known without asking all.
type addressBook struct {
	networks []netip.Prefix
	owners   map[netip.Addr]int32
	shared   int // addresses with several owners
	odd      int // addresses that something is to be said about
}

// takeBook keeps the book of before, which regroup brings up to date, or
// writes one.
func (r *resolver) takeBook() {
	if r.old != nil && r.rel.equal(&r.old.rel) && slices.Equal(r.old.networks, r.networks) {
		r.book = r.old.book
		return
	}
	n := 0
	for i := range r.p.Inventory.Workloads {
		n += len(r.p.Inventory.Workloads[i].Addresses)
	}
	r.book = &addressBook{networks: r.networks, owners: make(map[netip.Addr]int32, n)}
	if r.old == nil || !r.rel.equal(&r.old.rel) {
		// From now on, regroup would write down the changes only.
		r.book.addAll(r.p.Inventory.Workloads)
		return
	}
	r.book.addAll(r.old.p.Inventory.Workloads)
}

func (b *addressBook) addAll(workloads []inventory.Workload) {
	for i := range workloads {
		b.add(&workloads[i])
	}
}

func (b *addressBook) add(w *inventory.Workload) { b.count(w, 1) }

func (b *addressBook) remove(w *inventory.Workload) { b.count(w, -1) }

func (b *addressBook) count(w *inventory.Workload, by int32) {
	for _, a := range w.Addresses {
		before := b.owners[a]
		now := before + by
		if now == 0 {
			delete(b.owners, a)
		} else {
			b.owners[a] = now
		}
		if (before > 1) != (now > 1) {
			b.shared += int(by)
		}
		if (before > 0) != (now > 0) && b.isOdd(a) {
			b.odd += int(by)
		}
	}
}

func (b *addressBook) isOdd(a netip.Addr) bool {
	return builtinOf(a) != "" || a.IsUnspecified() || a.IsMulticast() || b.isElsewhere(a)
}

// isElsewhere reports whether the estate says which networks are its own, and
// the address is in none of them.
func (b *addressBook) isElsewhere(a netip.Addr) bool {
	return len(b.networks) > 0 && !slices.ContainsFunc(b.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// builtinOf returns what built-in thing has the address, or "".
func builtinOf(a netip.Addr) string {
	for i := range builtins {
		if builtins[i].Prefix.Contains(a) {
			return builtins[i].Builtin
		}
	}
	return ""
}

// checkInventory finds what cannot be, and what an estate would regret.
func (r *resolver) checkInventory() {
	r.checkGroups()
	if r.book.shared+r.book.odd == 0 {
		return
	}
	owner := map[netip.Addr]*inventory.Workload{} // of what needs a word
	for i := range r.p.Inventory.Workloads {
		w := &r.p.Inventory.Workloads[i]
		for _, a := range w.Addresses {
			if r.book.owners[a] == 1 && !r.book.isOdd(a) {
				continue
			}
			if other := owner[a]; other != nil {
				r.diags.Warnf(w.Source, "shared-address", "%s belongs to workload %s and to workload %s", a, other.Name, w.Name).
					WithHelp("as a peer, such an address is permitted only what all of its owners are permitted")
				continue
			}
			owner[a] = w
			r.checkAddress(w, a)
		}
	}
}

func (r *resolver) checkAddress(w *inventory.Workload, a netip.Addr) {
	builtin := builtinOf(a)
	switch {
	case builtin != "":
		r.diags.Errorf(w.Source, "invalid-inventory", "workload %s has the address %s, which is the %s's", w.Name, a, builtin)
	case a.IsUnspecified() || a.IsMulticast():
		r.diags.Errorf(w.Source, "invalid-inventory", "workload %s has the address %s, which no workload can have", w.Name, a)
	case r.book.isElsewhere(a):
		r.diags.Warnf(w.Source, "address-outside-estate", "the address %s of workload %s is in none of the estate's networks", a, w.Name).
			WithHelp("add its network to the Estate's networks; only there is an address without an owner unknown instead of the world's")
	}
}

// checkGroups finds workloads that are in two zones, or in one that is not
// there. Of a pair of zones, and of an identity, the first is enough.
func (r *resolver) checkGroups() {
	wrong := slices.DeleteFunc(slices.Clone(r.groups), func(g *group) bool { return g.overlaps == nil && !g.lost })
	slices.SortFunc(wrong, func(a, b *group) int { return r.p.Identities[a.id].Workloads[0] - r.p.Identities[b.id].Workloads[0] })
	said := map[[2]int]bool{}
	for _, g := range wrong {
		if g.lost {
			r.unknown(g.workload.Source, "zone", g.workload.Zone, r.zoneNames.list)
		}
		for _, i := range g.overlaps {
			if said[[2]int{g.zone, i}] {
				continue
			}
			said[[2]int{g.zone, i}] = true
			r.diags.Errorf(r.zoneSelects[i].Pos, "overlapping-zones", "workload %s is in the zones %s and %s", g.workload.Name, r.zones[g.zone].Name, r.zones[i].Name).
				WithHelp("zones partition the inventory: make one of the two selectors exclude the other")
		}
	}
}
