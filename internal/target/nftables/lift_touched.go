package nftables

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// touchedWorkloads finds the workloads that some area speaks of.
func (r *resolver) touchedWorkloads(classes map[string]*said) {
	x := &r.l.peers
	touched := make([]bool, len(x.inv.Workloads))
	var at [2][][]int32 // by family, list and address: which entries hold it
	for f := range r.lists {
		for i := range r.lists[f] {
			at[f] = append(at[f], r.signatures(f, i, touched))
		}
	}
	byIDs := map[string]*said{}
	var ids []byte
	for w, is := range touched {
		if !is {
			continue
		}
		ids = ids[:0]
		var of []*told
		for _, a := range x.places[w] {
			for i := range r.lists[a.f] {
				t := r.at[a.f][i][at[a.f][i][a.k]]
				if !slices.Contains(of, t) {
					of = append(of, t)
				}
			}
		}
		if len(of) == 0 {
			continue
		}
		slices.SortFunc(of, func(a, b *told) int { return cmp.Compare(a.id, b.id) })
		for _, t := range of {
			ids = binary.AppendUvarint(ids, uint64(t.id))
		}
		c := byIDs[string(ids)]
		if c == nil {
			s := map[string][]piece{}
			for _, t := range of {
				s[t.text] = t.pieces
			}
			c = classOf(classes, s)
			byIDs[string(ids)] = c
		}
		c.workloads = append(c.workloads, w)
	}
}

// signatures says of every address of a workload which entries of a list hold
// it: the number of a set of entries, whose pieces are in r.at. The sets are
// found step by step: by the set before, and the entry that is added.
func (r *resolver) signatures(f, i int, touched []bool) []int32 {
	x := &r.l.peers
	sig := make([]int32, len(x.addrs[f]))
	sets := [][]int{nil}
	step := map[[2]int32]int32{}
	for n := range r.lists[f][i] {
		a := r.lists[f][i][n].peer
		if a == wholeArea[f] {
			continue
		}
		for _, s := range a.spans {
			lo, hi := x.within(f, s)
			for k := lo; k < hi; k++ {
				key := [2]int32{sig[k], int32(n)}
				next, known := step[key]
				if !known {
					next = int32(len(sets))
					sets = append(sets, append(slices.Clone(sets[sig[k]]), n))
					step[key] = next
				}
				sig[k] = next
				for _, w := range x.owners[f][k] {
					touched[w] = true
				}
			}
		}
	}
	pieces := make([]*told, len(sets))
	for n, in := range sets {
		pieces[n] = r.pieces(f, i, in)
	}
	r.at[f] = append(r.at[f], pieces)
	return sig
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
			for _, s := range a.spans {
				if r.l.peers.only(f, s) {
					continue
				}
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
