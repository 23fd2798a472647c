package prove

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
)

// prefixes finds who is in a term's prefixes and in none of its exceptions.
func (m *index) prefixes(t *layer.Term) (yes, may *roaring.Bitmap) {
	in, out := outermost(t.Prefixes), outermost(t.Except)
	hits := map[uint32]int{}
	yes, may = roaring.New(), roaring.New()
	w := uint32(len(m.u.inv.Workloads))
	for _, p := range in {
		from, _ := slices.BinarySearchFunc(m.places, p.Addr(), func(x place, a netip.Addr) int { return x.addr.Compare(a) })
		for _, x := range m.places[from:] {
			if !p.Contains(x.addr) {
				break
			}
			if !within(out, netip.PrefixFrom(x.addr, x.addr.BitLen())) {
				hits[x.workload]++
			}
		}
		from, _ = slices.BinarySearchFunc(m.u.regions, p, func(r, p netip.Prefix) int {
			return cmp.Or(r.Addr().Compare(p.Addr()), cmp.Compare(r.Bits(), p.Bits()))
		})
		for i, r := range m.u.regions[from:] {
			if !p.Contains(r.Addr()) {
				break
			}
			if !within(out, r) {
				yes.Add(w + uint32(from+i))
			}
		}
	}
	for x, n := range hits {
		may.Add(x)
		if n == len(m.u.inv.Workloads[x].Addresses) {
			yes.Add(x)
		}
	}
	bare := layer.Match{{Prefixes: t.Prefixes, Except: t.Except}}
	addless(yes, may, m.nowhere, bare.Matches(layer.Party{Workload: &inventory.Workload{}}, m.u.networks))
	addless(yes, may, m.named, bare.Matches(layer.Party{External: "?"}, m.u.networks))
	may.Or(yes)
	return yes, may
}

// addless adds those for which an answer holds that no address gives.
func addless(yes, may, who *roaring.Bitmap, answer layer.Tri) {
	if answer == layer.Yes {
		yes.Or(who)
	}
	if answer != layer.No {
		may.Or(who)
	}
}

// outermost sorts prefixes and leaves out those within others.
func outermost(list []netip.Prefix) []netip.Prefix {
	out := slices.Clone(list)
	slices.SortFunc(out, func(p, q netip.Prefix) int {
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	})
	n := 0
	for _, p := range out {
		if n == 0 || !out[n-1].Contains(p.Addr()) {
			out[n] = p
			n++
		}
	}
	return out[:n]
}

// within reports whether one of some outermost prefixes holds all of p.
func within(list []netip.Prefix, p netip.Prefix) bool {
	i, found := slices.BinarySearchFunc(list, p.Addr(), func(q netip.Prefix, a netip.Addr) int { return q.Addr().Compare(a) })
	if !found {
		i--
	}
	return i >= 0 && list[i].Bits() <= p.Bits() && list[i].Contains(p.Addr())
}
