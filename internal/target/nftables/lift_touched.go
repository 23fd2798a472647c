package nftables

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// reached is what of the inventory an area speaks of.
type reached struct {
	atoms []int32 // all of whose addresses it holds
	rest  []span  // those of its spans that hold other addresses too
}

// reach finds out what areas speak of. Addresses that each area holds all or
// none of are one atom; workloads with the same atoms are of one kind.
func (l *lifter) reach(areas [2][]*area) {
	l.reached = map[*area]*reached{}
	var addrs [2][][]int32
	for f, list := range areas {
		atom := make([]int32, len(l.peers.addrs[f]))
		atoms := int32(1) // that of the addresses that no area holds
		for _, a := range list {
			at, rest := l.peers.in(f, a)
			addrs[f] = append(addrs[f], at)
			l.reached[a] = &reached{rest: rest}
			split := map[int32]int32{}
			for _, k := range at {
				to, known := split[atom[k]]
				if !known {
					to = atoms
					atoms++
					split[atom[k]] = to
				}
				atom[k] = to
			}
		}
		seen := make([]int, atoms)
		for n, a := range list {
			for _, k := range addrs[f][n] {
				if i := atom[k]; seen[i] != n+1 {
					seen[i] = n + 1
					l.reached[a].atoms = append(l.reached[a].atoms, i)
				}
			}
		}
		l.atoms[f], l.owners[f] = atom, make([][]int32, atoms)
	}
	l.sortIntoKinds()
}

func (l *lifter) sortIntoKinds() {
	known := map[string]int32{}
	var key []byte
	for rank, w := range l.byName {
		key = key[:0]
		var places []place
		for _, p := range l.peers.places[w] {
			if p.k = int(l.atoms[p.f][p.k]); !slices.Contains(places, p) {
				places = append(places, p)
				key = binary.AppendUvarint(append(key, byte(p.f)), uint64(p.k))
			}
		}
		k, is := known[string(key)]
		if !is {
			k = int32(len(l.kinds))
			known[string(key)] = k
			l.kinds = append(l.kinds, kind{places: places})
			for _, p := range places {
				l.owners[p.f][p.k] = append(l.owners[p.f][p.k], k)
			}
		}
		l.kinds[k].ranks = append(l.kinds[k].ranks, int32(rank))
	}
	l.touched = make([]int, len(l.kinds))
}

// kind is workloads that all areas treat alike.
type kind struct {
	places []place // atoms
	ranks  []int32 // in lifter.byName, ascending
}

// touchedWorkloads finds the workloads that some area speaks of.
func (r *resolver) touchedWorkloads(classes map[string]*said) {
	r.l.resolved++
	var touched []int32
	for f := range r.lists {
		for i := range r.lists[f] {
			s := r.signatures(f, i)
			r.at[f] = append(r.at[f], s)
			for _, k := range s.dirty {
				for _, w := range r.l.owners[f][k] {
					if r.l.touched[w] != r.l.resolved {
						r.l.touched[w] = r.l.resolved
						touched = append(touched, int32(w))
					}
				}
			}
		}
	}
	alone := map[*told]*said{}
	several := map[string]*said{}
	var of []*told
	for _, w := range touched {
		of = of[:0]
		for _, a := range r.l.kinds[w].places {
			for _, s := range r.at[a.f] {
				if t := s.pieces[s.of[a.k]]; !slices.Contains(of, t) {
					of = append(of, t)
				}
			}
		}
		var c *said
		if len(of) == 1 {
			if c = alone[of[0]]; c == nil {
				c = classOf(classes, map[string][]piece{of[0].text: of[0].pieces})
				alone[of[0]] = c
			}
		} else {
			c = classOfSeveral(classes, several, of)
		}
		c.kinds = append(c.kinds, w)
	}
	for f := range r.at { // the slices are used again
		for _, s := range r.at[f] {
			for _, k := range s.dirty {
				s.of[k] = 0
			}
		}
	}
}

func classOfSeveral(classes, several map[string]*said, of []*told) *said {
	slices.SortFunc(of, func(a, b *told) int { return cmp.Compare(a.id, b.id) })
	var ids []byte
	for _, t := range of {
		ids = binary.AppendUvarint(ids, uint64(t.id))
	}
	c := several[string(ids)]
	if c == nil {
		s := map[string][]piece{}
		for _, t := range of {
			s[t.text] = t.pieces
		}
		c = classOf(classes, s)
		several[string(ids)] = c
	}
	return c
}

// signatures say of every atom which entries of a list hold it.
type signatures struct {
	of     []int32 // by atom: the number of a set of entries
	dirty  []int32 // the atoms whose number is not 0, which is no entry
	pieces []*told // by number
}

// signatures finds the sets step by step: by the set before, and the entry that
// is added.
func (r *resolver) signatures(f, i int) *signatures {
	out := &signatures{of: r.l.scratchFor(f, i)}
	sets := [][]int{nil}
	step := map[[2]int32]int32{}
	for n := range r.lists[f][i] {
		a := r.lists[f][i][n].peer
		if a == wholeArea[f] {
			continue
		}
		from, to := int32(-1), int32(-1)
		for _, k := range r.l.reached[a].atoms {
			if out.of[k] == 0 {
				out.dirty = append(out.dirty, k)
			}
			if out.of[k] != from { // else as for the atom before
				from = out.of[k]
				next, known := step[[2]int32{from, int32(n)}]
				if !known {
					next = int32(len(sets))
					sets = append(sets, append(slices.Clone(sets[from]), n))
					step[[2]int32{from, int32(n)}] = next
				}
				to = next
			}
			out.of[k] = to
		}
	}
	for _, in := range sets {
		out.pieces = append(out.pieces, r.pieces(f, i, in))
	}
	return out
}

// scratchFor is a number for each atom, 0, for the i-th list of a family.
func (l *lifter) scratchFor(f, i int) []int32 {
	for len(l.scratch[f]) <= i {
		l.scratch[f] = append(l.scratch[f], make([]int32, len(l.owners[f])))
	}
	return l.scratch[f][i]
}

func classOf(classes map[string]*said, pieces map[string][]piece) *said {
	keys := make([]string, 0, len(pieces))
	for k := range pieces {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	key := strings.Join(keys, "\x00")
	c := classes[key]
	if c == nil {
		c = &said{pieces: pieces}
		classes[key] = c
	}
	return c
}

// touchedAddresses finds the addresses of no workload that some area speaks of.
// A workload without addresses may turn up wherever those are in the networks.
func (r *resolver) touchedAddresses(classes map[string]*said) {
	anywhere := map[string][]piece{}
	for f := range r.lists {
		for _, s := range r.elementary(f) {
			pieces := map[string][]piece{}
			for i, list := range r.lists[f] {
				var in []int
				for n := range list {
					if list[n].peer != wholeArea[f] && list[n].peer.has(s.lo) {
						in = append(in, n)
					}
				}
				p := r.pieces(f, i, in)
				pieces[p.text] = p.pieces
				if r.inNetworks(s) {
					anywhere[p.text] = p.pieces
				}
			}
			c := classOf(classes, pieces)
			c.prefixes = append(c.prefixes, s.prefixes()...)
		}
	}
	if len(anywhere) > 0 && len(r.l.peers.bare) > 0 {
		for f := range r.lists {
			for i := range r.lists[f] {
				p := r.pieces(f, i, nil)
				anywhere[p.text] = p.pieces
			}
		}
		c := classOf(classes, anywhere)
		c.workloads = append(c.workloads, r.l.peers.bare...)
	}
}

func (r *resolver) inNetworks(s span) bool {
	if len(r.l.src.Networks) == 0 {
		return true
	}
	return slices.ContainsFunc(r.l.src.Networks, func(n netip.Prefix) bool {
		return n.Addr().Is4() == s.lo.Is4() && n.Masked().Addr().Compare(s.hi) <= 0 && s.lo.Compare(endOf(n.Masked())) <= 0
	})
}

// elementary divides what areas speak of beside workloads into runs that all of
// them hold wholly or not at all.
func (r *resolver) elementary(f int) []span {
	var of []*area
	var borders []netip.Addr
	var covered []span
	for _, list := range r.lists[f] {
		for n := range list {
			a := list[n].peer
			if a == wholeArea[f] || slices.Contains(of, a) {
				continue
			}
			of = append(of, a)
			for _, s := range r.l.reached[a].rest {
				covered = append(covered, s)
				borders = append(borders, s.lo)
				if next := s.hi.Next(); next.IsValid() {
					borders = append(borders, next)
				}
			}
		}
	}
	slices.SortFunc(borders, netip.Addr.Compare)
	borders = slices.Compact(borders)
	all := areaOf(covered)
	var out []span
	for i, lo := range borders {
		if !all.has(lo) {
			continue
		}
		hi := wholeArea[f].spans[0].hi
		if i+1 < len(borders) {
			hi = borders[i+1].Prev()
		}
		out = append(out, span{lo, hi})
	}
	return out
}
