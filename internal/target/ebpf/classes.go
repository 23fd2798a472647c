package ebpf

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/netset"
)

// classes is the partition of all traffic by the distinct traffic sets of the
// rules that touch this host: two ports are in one class if the same sets
// contain them. Sets and classes are indices here; the first three classes are
// the base (what has no entry of its own: layout.ClassAny), ICMP and Other.
type classes struct {
	sets    []netset.Traffic
	index   map[string]int // of sets, by their spans
	scratch []byte

	member  [][]uint64 // by class: the sets that contain it, as bits
	deviant [][]int    // by set: the classes that it contains and not base, or base and not them
	number  []uint16   // by class
	ranges  []layout.ClassRange
	classOf []int // by range
	origin  []int // by range: a set whose border it was cut at
}

const (
	base = iota
	icmp
	other
	firstCut
)

// set returns the index of t, which it adds if there is no equal one.
func (c *classes) set(t netset.Traffic) int {
	key := c.scratch[:0]
	for p := range netset.NumProtocols {
		for _, r := range t.Ranges(p) {
			key = append(key, byte(p))
			key = binary.BigEndian.AppendUint16(key, r.Lo)
			key = binary.BigEndian.AppendUint16(key, r.Hi)
		}
	}
	c.scratch = key
	if i, ok := c.index[string(key)]; ok {
		return i
	}
	if c.index == nil {
		c.index = map[string]int{}
	}
	c.index[string(key)] = len(c.sets)
	c.sets = append(c.sets, t)
	return len(c.sets) - 1
}

// contains reports whether a set contains a class.
func (c *classes) contains(set int32, class int) bool {
	return c.member[class][set/64]&(1<<(set%64)) != 0
}

// at returns the class of a port.
func (c *classes) at(p netset.Protocol, port uint16) int {
	switch p {
	case netset.ICMP:
		return icmp
	case netset.Other:
		return other
	}
	i, _ := slices.BinarySearchFunc(c.ranges, layout.ClassRange{Protocol: uint8(p), Hi: port}, func(r, want layout.ClassRange) int {
		return cmp.Or(cmp.Compare(r.Protocol, want.Protocol), cmp.Compare(r.Hi, want.Hi))
	})
	if i < len(c.ranges) && c.ranges[i].Protocol == uint8(p) && c.ranges[i].Lo <= port {
		return c.classOf[i]
	}
	return base
}

// border is where a set begins (on) or has ended (at is the first port that is
// not in it any more, so up to 65536).
type border struct {
	at  uint32
	set int
}

// partition computes the classes once all sets are known, and numbers them.
// Classes keep the numbers they had in the last revision where they can, so
// that a small change of policy is a small change of tables.
func (c *classes) partition(n *Numbers) {
	words := (len(c.sets) + 63) / 64
	c.member = make([][]uint64, firstCut)
	for i := range c.member {
		c.member[i] = make([]uint64, words)
	}
	for s, t := range c.sets {
		c.flip(c.member[icmp], s, t.Contains(netset.ICMP, 0))
		c.flip(c.member[other], s, t.Contains(netset.Other, 0))
	}
	pieces := c.cut(words)
	c.chooseBase(pieces)
	c.gather(pieces)
	c.assignNumbers(n)
	c.deviate()
}

func (c *classes) flip(bitset []uint64, set int, on bool) {
	if on {
		bitset[set/64] ^= 1 << (set % 64)
	}
}

// piece is a run of ports between two borders.
type piece struct {
	protocol netset.Protocol
	lo, hi   uint16
	key      string // its bitset
	origin   int
}

// cut walks along the ports of each protocol from border to border.
func (c *classes) cut(words int) []piece {
	var pieces []piece
	keys := map[string]string{}
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		borders := c.borders(p)
		in := make([]uint64, words)
		raw := make([]byte, 0, words*8)
		at, origin := uint32(0), 0
		for i := 0; ; {
			for ; i < len(borders) && borders[i].at == at; i++ {
				origin = borders[i].set
				in[origin/64] ^= 1 << (origin % 64)
			}
			end := uint32(65536)
			if i < len(borders) {
				end = borders[i].at
			}
			if at >= 65536 {
				break
			}
			raw = raw[:0]
			for _, w := range in {
				raw = binary.LittleEndian.AppendUint64(raw, w)
			}
			key, ok := keys[string(raw)]
			if !ok {
				key = string(raw)
				keys[key] = key
			}
			pieces = append(pieces, piece{p, uint16(at), uint16(end - 1), key, origin})
			at = end
		}
	}
	return pieces
}

func (c *classes) borders(p netset.Protocol) []border {
	var out []border
	for s, t := range c.sets {
		for _, r := range t.Ranges(p) {
			out = append(out, border{uint32(r.Lo), s}, border{uint32(r.Hi) + 1, s})
		}
	}
	slices.SortFunc(out, func(a, b border) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.set, b.set))
	})
	return out
}

// chooseBase makes the class with the most pieces the base, which costs no
// range; of equals the one with the most ports, then the first.
func (c *classes) chooseBase(pieces []piece) {
	type weight struct{ pieces, ports int }
	weights := map[string]weight{}
	for _, p := range pieces {
		w := weights[p.key]
		weights[p.key] = weight{w.pieces + 1, w.ports + int(p.hi-p.lo) + 1}
	}
	best, bestWeight := "", weight{}
	for _, p := range pieces {
		w := weights[p.key]
		if w.pieces > bestWeight.pieces || w.pieces == bestWeight.pieces && w.ports > bestWeight.ports {
			best, bestWeight = p.key, w
		}
	}
	copy(c.member[base], decode(best))
}

func decode(key string) []uint64 {
	out := make([]uint64, len(key)/8)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64([]byte(key[i*8 : i*8+8]))
	}
	return out
}

// gather makes a class of all pieces that the same sets contain.
func (c *classes) gather(pieces []piece) {
	baseKey := encode(c.member[base])
	byKey := map[string]int{baseKey: base}
	for _, p := range pieces {
		class, ok := byKey[p.key]
		if !ok {
			class = len(c.member)
			byKey[p.key] = class
			c.member = append(c.member, decode(p.key))
		}
		if class == base {
			continue
		}
		c.ranges = append(c.ranges, layout.ClassRange{Protocol: uint8(p.protocol), Lo: p.lo, Hi: p.hi})
		c.origin = append(c.origin, p.origin)
		c.classOf = append(c.classOf, class)
	}
}

func encode(bitset []uint64) string {
	var raw []byte
	for _, w := range bitset {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return string(raw)
}

// assignNumbers numbers the classes and their ranges. A class is known again
// by its first port. If there are more classes than numbers, there are more
// ranges than layout.MaxClasses or nearly so; the caller refuses both.
func (c *classes) assignNumbers(n *Numbers) {
	c.number = make([]uint16, len(c.member))
	c.number[icmp], c.number[other] = layout.ClassICMP, layout.ClassOther
	c.number[base] = layout.ClassAny
	if c.tooMany() {
		return
	}
	point := make([]uint32, len(c.member))
	for i := len(c.ranges) - 1; i >= 0; i-- {
		point[c.classOf[i]] = uint32(c.ranges[i].Protocol)<<16 | uint32(c.ranges[i].Lo)
	}
	kept, used := map[uint32]uint16{}, map[uint16]bool{}
	for _, at := range point[firstCut:] {
		if number, ok := n.classes[at]; ok && number >= layout.FirstClass && !used[number] {
			kept[at], used[number] = number, true
		}
	}
	free := layout.FirstClass
	for _, at := range point[firstCut:] {
		if _, ok := kept[at]; ok {
			continue
		}
		for used[free] {
			free++
		}
		kept[at], used[free] = free, true
	}
	for class := firstCut; class < len(c.member); class++ {
		c.number[class] = kept[point[class]]
	}
	for i, class := range c.classOf {
		c.ranges[i].Class = c.number[class]
	}
	n.classes = kept
}

func (c *classes) tooMany() bool {
	return len(c.ranges) > layout.MaxClasses || len(c.member)-firstCut > layout.MaxClasses-int(layout.FirstClass)
}

// deviate lists, for each set, the classes in which it differs from base.
func (c *classes) deviate() {
	c.deviant = make([][]int, len(c.sets))
	for class, member := range c.member {
		for w, word := range member {
			for d := word ^ c.member[base][w]; d != 0; d &= d - 1 {
				set := w*64 + bits.TrailingZeros64(d)
				c.deviant[set] = append(c.deviant[set], class)
			}
		}
	}
}
