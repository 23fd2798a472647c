package prove

import (
	"encoding/binary"
	"slices"

	"firebreak/internal/flow"
)

// sides puts together what all layers say at one end of conversations, so that a
// pair of ends takes two steps and not two for each layer. What is said of a peer
// is a chain: its root says what the end is to the layers, each link what one
// layer holds.
type sides struct {
	e     *estate
	chain []link
	next  map[link]int32
	roots map[string]int32
	flags [][]int32 // by root

	of   [2][]int32      // by direction, by end: its side
	open map[*int32]bool // by the first of a layer's row: everything passes there

	rows [2][][]int32 // by direction, by side, by class of the peer: the chain

	via     [2][]int32 // by direction, by end: the chain about relays; 0: none leads there
	leads   [][]lead   // by root
	ledTo   map[[3]int32]int32
	ledList [][3]int32
}

// link is one link of a chain: what a layer holds, behind others. A root has no
// layer (-1), and its number as content; what a layer cannot say stands behind
// all layers, by its number beyond theirs, and what it says of conversations that
// need not come through it behind that.
type link struct{ before, layer, content int32 }

func newSides(e *estate) *sides {
	s := &sides{e: e, open: map[*int32]bool{}, chain: make([]link, 1), next: map[link]int32{}, roots: map[string]int32{}, ledTo: map[[3]int32]int32{}, ledList: make([][3]int32, 1)}
	for d := range 2 {
		s.lay(flow.Direction(d))
	}
	s.relays()
	return s
}

func (s *sides) link(before, layer, content int32) int32 {
	key := link{before, layer, content}
	n, known := s.next[key]
	if !known {
		n = int32(len(s.chain))
		s.next[key] = n
		s.chain = append(s.chain, key)
	}
	return n
}

// root begins a chain.
func (s *sides) root(flags []int32, leads []lead) int32 {
	var key []byte
	for _, f := range flags {
		key = binary.AppendUvarint(key, uint64(f))
	}
	for _, l := range leads {
		key = append(key, byte(l.proto), flag(l.asMeant), flag(l.perhaps))
		key = binary.LittleEndian.AppendUint16(key, l.called)
		key = binary.LittleEndian.AppendUint16(key, l.port)
	}
	n, known := s.roots[string(key)]
	if !known {
		n = int32(len(s.flags))
		s.roots[string(key)] = n
		s.flags, s.leads = append(s.flags, flags), append(s.leads, leads)
	}
	return s.link(0, -1, n)
}

// flagsOf says by layer what an end is as an initiator, or as a responder.
func (s *sides) flagsOf(d flow.Direction, x int) []int32 {
	owns, relay, managed, missing, observed := int32(ownsFrom), int32(relayFrom), int32(managedFrom), int32(missingFrom), int32(observedFrom)
	if d == flow.Ingress {
		owns, relay, managed, missing, observed = ownsTo, relayTo, managedTo, missingTo, observedTo
	}
	out := make([]int32, len(s.e.layers))
	for n, l := range s.e.layers {
		if len(l.points[x]) > 0 {
			out[n] |= owns
		}
		if l.missing(x) {
			out[n] |= missing
		}
		if l.relay[x] {
			out[n] |= relay
		}
		if s.e.u.ends[x].managed() {
			out[n] |= managed
		}
		if s.e.u.ends[x].name != "" {
			out[n] |= byName
		}
		if s.e.observes(x) && s.opens(d, n, x) {
			out[n] |= observed
		}
	}
	return out
}

// lay finds the sides of a direction.
func (s *sides) lay(d flow.Direction) {
	rows, through := make([]rowNumbers, len(s.e.layers)), make([]rowNumbers, len(s.e.layers))
	for n := range rows {
		rows[n], through[n] = newRowNumbers(), newRowNumbers()
	}
	at := map[string]int32{}
	var key []byte
	for x := range s.e.u.ends {
		flags := s.flagsOf(d, x)
		key = key[:0]
		for n, l := range s.e.layers {
			key = binary.AppendUvarint(key, uint64(flags[n]))
			key = binary.AppendVarint(key, int64(rows[n].of(l.halves[d].rows[x])))
			if d == flow.Ingress && l.shut != nil {
				group, _ := l.shut.governs(x)
				key = binary.AppendVarint(key, int64(group))
			}
			if d == flow.Ingress && l.through != nil {
				key = binary.AppendVarint(key, int64(through[n].of(l.through[x])))
			}
		}
		side, known := at[string(key)]
		if !known {
			side = int32(len(s.rows[d]))
			at[string(key)] = side
			s.rows[d] = append(s.rows[d], s.chains(d, x, s.root(flags, nil)))
		}
		s.of[d] = append(s.of[d], side)
	}
}

// chains is what an end says of every class of peers.
func (s *sides) chains(d flow.Direction, x int, root int32) []int32 {
	out := make([]int32, s.e.u.peers)
	for i := range out {
		out[i] = root
	}
	for n := range 3 * len(s.e.layers) {
		row := s.held(d, x, n)
		if row == nil {
			continue
		}
		var last link // neighbours often have the same
		next := int32(0)
		for i, before := range out {
			if k := (link{before, int32(n), row[i]}); k != last || next == 0 {
				last, next = k, s.link(k.before, k.layer, k.content)
			}
			out[i] = next
		}
	}
	return out
}

// held is what a layer holds at an end, or, by numbers beyond theirs, what it
// cannot say and what it says of who could go around it; nil for nothing.
func (s *sides) held(d flow.Direction, x, n int) []int32 {
	l := s.e.layers[n%len(s.e.layers)]
	switch what := n / len(s.e.layers); {
	case what == 0:
		return l.halves[d].rows[x]
	case d != flow.Ingress:
		return nil
	case what == 2 && l.through != nil:
		return l.through[x]
	case what == 1 && l.shut != nil:
		group, _ := l.shut.governs(x)
		return l.shut.rows[group]
	}
	return nil
}

// row is what an end says, by class of peers.
func (s *sides) row(d flow.Direction, x int) []int32 { return s.rows[d][s.of[d][x]] }

// signature is that of a pair of ends.
func (s *sides) signature(k pairKey, i, j int) signature {
	out := signature{kind: k.kind, from: i, to: j, at: make([][3]int32, len(s.e.layers))}
	for n := range out.at {
		out.at[n] = [3]int32{-1, -1, 0}
	}
	for d, at := range []int32{k.out, k.in} {
		root := s.walk(at, func(l link) {
			n := int(l.layer) - len(s.e.layers)
			switch {
			case n < 0:
				out.at[l.layer][d] = l.content
			case n >= len(s.e.layers):
				if out.through == nil {
					out.through = slices.Repeat([]int32{-1}, len(s.e.layers))
				}
				out.through[n-len(s.e.layers)] = l.content
			case l.content != 0:
				if out.shut == nil {
					out.shut = make([]int32, len(s.e.layers))
				}
				out.shut[n] = l.content
			}
		})
		for n, f := range s.flags[root] {
			out.at[n][2] |= f
		}
	}
	if k.via == 0 {
		return out
	}
	led := s.ledList[k.via]
	if out.way = way(led[2]); led[0] == 0 {
		return out
	}
	out.via = make([][2]int32, len(s.e.layers))
	for n := range out.via {
		out.via[n] = [2]int32{-1, -1}
	}
	for d := range 2 {
		root := s.walk(led[d], func(l link) { out.via[l.layer][d] = l.content })
		if d == int(flow.Ingress) {
			out.leads = s.leads[root]
		}
	}
	return out
}

// walk visits the links of a chain and returns its root.
func (s *sides) walk(at int32, visit func(link)) (root int32) {
	for {
		l := s.chain[at]
		if l.layer < 0 {
			return l.content
		}
		visit(l)
		at = l.before
	}
}

// rowNumbers tells rows apart by what is in them.
type rowNumbers struct {
	at    map[*int32]int32
	known map[string]int32
	key   []byte
}

func newRowNumbers() rowNumbers { return rowNumbers{at: map[*int32]int32{}, known: map[string]int32{}} }

func (r *rowNumbers) of(row []int32) int32 {
	if len(row) == 0 {
		return -1
	}
	if n, known := r.at[&row[0]]; known {
		return n
	}
	r.key = r.key[:0]
	for _, x := range row {
		r.key = binary.LittleEndian.AppendUint32(r.key, uint32(x))
	}
	n, known := r.known[string(r.key)]
	if !known {
		n = int32(len(r.known))
		r.known[string(r.key)] = n
	}
	r.at[&row[0]] = n
	return n
}
