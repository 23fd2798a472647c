package prove

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// universe is everything that talks, divided into ends: what neither the intent
// nor any layer tells apart. Its elements are the workloads, then the regions,
// then the names.
type universe struct {
	inv       *inventory.Snapshot
	networks  []netip.Prefix
	engine    *verify.Engine // nil without an intent
	space     *space.Space
	regions   []netip.Prefix // of addresses that no workload has
	names     []string       // of Externals that are known by names
	frontends *frontends

	class []int32 // by element: the end; -1 for what is built in
	ends  []end

	// What is alike as a peer of others, though it may be governed otherwise.
	coarse    []int32 // by element
	peers     int
	peerClass []int32 // by end
}

// end is a class of elements.
type end struct {
	peer      verify.Peer // of the intent; None without one
	workloads []int32     // ascending; nil for others
	regions   []int32     // indices into universe.regions
	name      string      // of an External
	front     int32       // the class of frontends at the addresses; -1 for others
	relay     string      // the target whose relay's addresses these are; empty for others
}

// single reports whether the end is one workload.
func (x *end) single() bool { return len(x.workloads) == 1 }

func (x *end) managed() bool { return x.workloads != nil }

// elements counts workloads, regions and names.
func (u *universe) elements() int { return len(u.inv.Workloads) + len(u.regions) + len(u.names) }

// peerOf is what an element is in the intent.
func (u *universe) peerOf(e int) verify.Peer {
	w := len(u.inv.Workloads)
	switch {
	case u.engine == nil:
		return verify.None
	case e < w:
		return u.engine.OfWorkload(e)
	case e < w+len(u.regions):
		return u.engine.OfPrefix(u.regions[e-w])
	}
	if x := u.engine.OfName(u.names[e-w-len(u.regions)]); x != verify.None {
		return x
	}
	return u.engine.World() // a name that the intent does not know leads somewhere
}

// divide makes the ends: elements that have the same peer and that the same
// bitmaps hold. As peers of others, those are alike that the same of peers hold.
func (u *universe) divide(bitmaps, peers []*roaring.Bitmap) {
	class, n := u.partition(bitmaps)
	u.class = class
	u.gather(n)
	coarse, n := u.partition(peers)
	u.coarse, u.peers = coarse, n
	u.peerClass = make([]int32, len(u.ends))
	for e, x := range u.class {
		if x >= 0 {
			u.peerClass[x] = coarse[e]
		}
	}
}

// partition puts elements into classes, numbered by their first elements; -1 is
// for what is built in.
func (u *universe) partition(bitmaps []*roaring.Bitmap) (class []int32, n int) {
	w := len(u.inv.Workloads)
	class = make([]int32, u.elements())
	first := map[[2]int32]int32{}
	var size []int32
	for e := range class {
		x := u.peerOf(e)
		if u.engine != nil && x == verify.None {
			class[e] = -1
			continue
		}
		key := [2]int32{int32(x), 0}
		switch {
		case e >= w+len(u.regions):
			key[1] = int32(e) // each name is an end
		case e >= w:
			key[1] = -2 - u.frontends.of(u.regions[e-w])
		}
		c, known := first[key]
		if !known {
			c = int32(len(size))
			first[key] = c
			size = append(size, 0)
		}
		class[e] = c
		size[c]++
	}
	r := refinement{class: class, size: size}
	for _, b := range bitmaps {
		r.by(b)
	}
	number := make([]int32, len(r.size))
	for i := range number {
		number[i] = -1
	}
	for e, c := range class {
		if c < 0 {
			continue
		}
		if number[c] < 0 {
			number[c] = int32(n)
			n++
		}
		class[e] = number[c]
	}
	return class, n
}

// refinement divides classes by what holds some of their elements.
type refinement struct {
	class   []int32
	size    []int32 // by class
	touched []int32 // by class: how many elements the bitmap holds
	moved   []int32 // by class: the class that those go to
	order   []int32
	room    []uint32
}

func (r *refinement) by(b *roaring.Bitmap) {
	for len(r.touched) < len(r.size) {
		r.touched = append(r.touched, 0)
		r.moved = append(r.moved, -1)
	}
	n := int(b.GetCardinality())
	if cap(r.room) < n {
		r.room = make([]uint32, n)
	}
	members := r.room[:n]
	b.ManyIterator().NextMany(members)
	r.order = r.order[:0]
	for _, e := range members {
		if c := r.class[e]; c >= 0 {
			if r.touched[c] == 0 {
				r.order = append(r.order, c)
			}
			r.touched[c]++
		}
	}
	split := false
	for _, c := range r.order {
		if r.touched[c] < r.size[c] {
			r.moved[c] = int32(len(r.size))
			r.size[c] -= r.touched[c]
			r.size = append(r.size, r.touched[c])
			split = true
		}
	}
	if split {
		for _, e := range members {
			if c := r.class[e]; c >= 0 && r.moved[c] >= 0 {
				r.class[e] = r.moved[c]
			}
		}
	}
	for _, c := range r.order {
		r.touched[c], r.moved[c] = 0, -1
	}
}

// gather makes the ends of classes.
func (u *universe) gather(n int) {
	w := len(u.inv.Workloads)
	u.ends = make([]end, n)
	seen := make([]bool, n)
	for e, c := range u.class {
		if c < 0 {
			continue
		}
		x := &u.ends[c]
		if !seen[c] {
			seen[c], x.peer, x.front = true, u.peerOf(e), -1
		}
		switch {
		case e < w:
			x.workloads = append(x.workloads, int32(e))
		case e < w+len(u.regions):
			x.regions = append(x.regions, int32(e-w))
			x.front = u.frontends.of(u.regions[e-w])
		default:
			x.name = u.names[e-w-len(u.regions)]
		}
	}
}

// party is one element of an end, as the reference knows it. For addresses it is
// the first of the end's that is in no longer prefix than the region.
func (u *universe) party(x *end) layer.Party {
	switch {
	case x.managed():
		return layer.Party{Workload: &u.inv.Workloads[x.workloads[0]]}
	case x.name != "":
		return layer.Party{External: x.name}
	}
	return layer.Party{Addr: u.sample(u.regions[x.regions[0]])}
}

// sample is an address of a region that is in no longer one and that no
// workload has.
func (u *universe) sample(p netip.Prefix) netip.Addr {
	taken := map[netip.Prefix]bool{}
	for _, r := range u.regions {
		if r.Bits() > p.Bits() && p.Contains(r.Addr()) {
			taken[r] = true
		}
	}
	for i := range u.inv.Workloads {
		for _, a := range u.inv.Workloads[i].Addresses {
			if p.Contains(a) {
				taken[netip.PrefixFrom(a, a.BitLen())] = true
			}
		}
	}
	if a, ok := spare(p, taken); ok {
		return a
	}
	return p.Addr()
}

// spare finds an address in p and in none of the taken prefixes.
func spare(p netip.Prefix, taken map[netip.Prefix]bool) (netip.Addr, bool) {
	if taken[p] {
		return netip.Addr{}, false
	}
	inside := map[netip.Prefix]bool{}
	for t := range taken {
		if p.Contains(t.Addr()) {
			inside[t] = true
		}
	}
	if len(inside) == 0 {
		return p.Addr(), true
	}
	if p.IsSingleIP() {
		return netip.Addr{}, false
	}
	lo, hi := halves(p)
	// The upper half first: the lowest addresses are the likeliest to be taken.
	if a, ok := spare(hi, inside); ok {
		return a, true
	}
	return spare(lo, inside)
}

// halves are the two prefixes of one bit more.
func halves(p netip.Prefix) (lo, hi netip.Prefix) {
	b := p.Addr().AsSlice()
	lo = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(b)
	return lo, netip.PrefixFrom(a, p.Bits()+1)
}

// findRegions finds the prefixes that something tells apart, less those that
// workloads fill.
func (u *universe) findRegions(prefixes []netip.Prefix) {
	owned := map[netip.Prefix]bool{}
	for i := range u.inv.Workloads {
		for _, a := range u.inv.Workloads[i].Addresses {
			p := netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
			if !owned[p] {
				owned[p] = true
				prefixes = append(prefixes, p)
			}
		}
	}
	prefixes = append(prefixes, everyAddress...)
	if u.engine != nil {
		prefixes = u.engine.Regions(prefixes)
	} else {
		prefixes = verify.Regions(prefixes)
	}
	u.regions = slices.DeleteFunc(prefixes, func(p netip.Prefix) bool { return owned[p] })
	slices.SortFunc(u.regions, func(p, q netip.Prefix) int {
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	})
}

var everyAddress = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
