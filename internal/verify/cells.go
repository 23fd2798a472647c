package verify

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/policy"
)

// What an end's zone lets pass of what no rule decides. An end that is no
// workload refuses nothing.
const (
	byDefault        = 1 << iota // in the policy to come
	byDefaultInForce             // in the policy in force
)

// use counts the pairs that have a list, by what both ends' defaults let pass.
type use [4]int32

func (u *use) any() bool { return u[0]|u[1]|u[2]|u[3] != 0 }

// byDefault reports whether some of the pairs let pass, in the policy to come,
// what no rule decides.
func (u *use) byDefault() bool { return u[1]|u[3] != 0 }

// resize makes room for the peers that there are, and empties the pairs of
// those that are gone.
func (e *Engine) resize(m moves) {
	n := len(e.peers.slots)
	for i := range e.cells {
		if len(e.cells[i]) < n {
			e.cells[i] = append(e.cells[i], make([]int32, n-len(e.cells[i]))...)
		}
	}
	for len(e.cells) < n {
		e.cells = append(e.cells, make([]int32, n))
	}
	for _, x := range m.removed {
		for i := range e.cells {
			e.set(int(x), i, 0)
			e.set(i, int(x), 0)
		}
	}
	e.defaults()
}

// set gives a pair a list.
func (e *Engine) set(from, to int, list int32) {
	row := e.cells[from]
	if row[to] == list {
		return
	}
	combo := e.bits[from] & e.bits[to]
	e.used[row[to]][combo]--
	for int(list) >= len(e.used) {
		e.used = append(e.used, make([]use, len(e.used)+1024)...)
	}
	e.used[list][combo]++
	row[to] = list
}

// defaults notes what the zones let pass; if that has changed for a peer that
// was there before, everything is counted again.
func (e *Engine) defaults() {
	bits := make([]uint8, len(e.peers.slots))
	e.packed = make([]uint32, len(e.peers.slots))
	e.managed = roaring.New()
	for i := range e.peers.slots {
		s := &e.peers.slots[i]
		if s.identity >= 0 {
			e.managed.Add(uint32(i))
		}
		bits[i] = zoneBits(e.p, int(s.zone))
		e.packed[i] = uint32(bits[i])
		if s.identity >= 0 {
			e.packed[i] |= workloadEnd | uint32(s.zone)<<zoneShift
		}
	}
	recount := !slices.Equal(bits[:min(len(bits), len(e.bits))], e.bits)
	e.bits = bits
	if recount {
		e.recount()
	}
}

func zoneBits(p *policy.Policy, zone int) uint8 {
	if zone < 0 {
		return byDefault | byDefaultInForce
	}
	z := &p.Zones[zone]
	switch {
	case z.DefaultAllow:
		return byDefault | byDefaultInForce
	case z.Stage != policy.Enforce:
		return byDefaultInForce
	}
	return 0
}

func (e *Engine) recount() {
	clear(e.used)
	for i, row := range e.cells {
		for j, list := range row {
			e.used[list][e.bits[i]&e.bits[j]]++
		}
	}
}

// apply puts items into pairs and takes them out. Two addresses are no pair:
// nobody decides about them.
func (e *Engine) apply(c changes) {
	var from, to, some []uint32
	for _, x := range c.cells {
		e.lists.begin()
		from, to = into(from, x.from), into(to, x.to)
		some = into(some, roaring.And(x.to, e.managed))
		for _, f := range from {
			columns := to
			if !e.managed.Contains(f) {
				columns = some
			}
			row := e.cells[f]
			for _, t := range columns {
				e.set(int(f), int(t), e.lists.change(row[t], x.item, x.add))
			}
		}
	}
}

func into(dst []uint32, b *roaring.Bitmap) []uint32 {
	n := int(b.GetCardinality())
	if cap(dst) < n {
		dst = make([]uint32, n)
	}
	dst = dst[:n]
	b.ManyIterator().NextMany(dst)
	return dst
}
