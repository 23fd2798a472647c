package prove

import (
	"encoding/binary"

	"firebreak/internal/flow"
	"firebreak/internal/verify"
	"firebreak/internal/verify/space"
)

// signature is everything that the answer about a pair of ends depends on; an
// index into pairs.list.
type signature struct {
	kind int32      // index into pairs.intents; -1 without an intent
	at   [][3]int32 // by layer: the contents at the initiator's end and at the responder's, and flags; -1: not governed
	from int        // a pair that has it
	to   int
}

// The flags of a pair in a layer.
const (
	ownsFrom  = 1 << iota // a point of the layer governs the initiator
	ownsTo                // and the responder
	relayFrom             // the initiator is the layer's relay
	relayTo
	managedFrom // it is a workload
	managedTo
	byName // one end is what an External's names lead to
)

const flagBits = 7

// intended is what was meant between two ends.
type intended struct {
	permitted, leaving, arriving space.Set
	from, to                     verify.Peer // a pair for which it is
}

// pairs walks all pairs of ends and tells them apart by signature.
type pairs struct {
	e       *estate
	intents []intended
	kinds   map[int]int32 // by verify's EndClass
	steps   map[[4]int32]int32
	last    []step // by layer: the one taken last, since neighbours often take the same
	chains  int32
	at      map[int32]int32 // by the last step of a chain: the signature
	list    []signature
	flags   [][]int32 // by layer, by end: the flags as an initiator; see flagsTo
	flagsTo [][]int32
	groups  [][]int    // of ends; nil before they are asked for
	speaks  []families // by end
}

// step is one of a chain.
type step struct {
	key  [4]int32
	next int32 // 0: none has been taken
}

func newPairs(e *estate) *pairs {
	p := &pairs{e: e, kinds: map[int]int32{}, steps: map[[4]int32]int32{}, last: make([]step, len(e.layers)), at: map[int32]int32{}}
	for x := range e.u.ends {
		p.speaks = append(p.speaks, e.u.families(&e.u.ends[x]))
	}
	for _, l := range e.layers {
		from, to := make([]int32, len(e.u.ends)), make([]int32, len(e.u.ends))
		for x := range e.u.ends {
			if len(l.points[x]) > 0 {
				from[x], to[x] = from[x]|ownsFrom, to[x]|ownsTo
			}
			if l.relay[x] {
				from[x], to[x] = from[x]|relayFrom, to[x]|relayTo
			}
			if e.u.ends[x].managed() {
				from[x], to[x] = from[x]|managedFrom, to[x]|managedTo
			}
			if e.u.ends[x].name != "" {
				from[x], to[x] = from[x]|byName, to[x]|byName
			}
		}
		p.flags, p.flagsTo = append(p.flags, from), append(p.flagsTo, to)
	}
	return p
}

// kind is the number of what was meant between two ends.
func (p *pairs) kind(i, j int) int32 {
	g := p.e.u.engine
	if g == nil {
		return -1
	}
	from, to := p.e.u.ends[i].peer, p.e.u.ends[j].peer
	class := g.EndClass(from, to)
	n, known := p.kinds[class]
	if !known {
		n = int32(len(p.intents))
		p.kinds[class] = n
		x := intended{from: from, to: to}
		x.permitted, _ = g.Permitted(from, to, p.e.inForce)
		x.leaving, _ = g.Leaving(from, to, p.e.inForce)
		x.arriving, _ = g.Arriving(from, to, p.e.inForce)
		p.intents = append(p.intents, x)
	}
	return n
}

// group puts ends together whose pairs all have the same signatures: those that
// are one peer to others, and have the same rows.
func (p *pairs) group() {
	e := p.e
	rows := rowNumbers{at: map[*int32]int32{}, known: map[string]int32{}}
	at := map[string]int{}
	var key []byte
	for x := range e.u.ends {
		key = binary.AppendVarint(key[:0], int64(e.u.ends[x].peer))
		key = binary.AppendVarint(key, int64(e.u.peerClass[x]))
		for n, l := range e.layers {
			key = binary.AppendVarint(key, int64(rows.of(l.halves[0].rows[x])))
			key = binary.AppendVarint(key, int64(rows.of(l.halves[1].rows[x])))
			key = binary.AppendVarint(key, int64(p.flags[n][x]))
		}
		i, known := at[string(key)]
		if !known {
			i = len(p.groups)
			at[string(key)] = i
			p.groups = append(p.groups, nil)
		}
		p.groups[i] = append(p.groups[i], x)
	}
}

// rowNumbers tells rows apart by what is in them.
type rowNumbers struct {
	at    map[*int32]int32
	known map[string]int32
	key   []byte
}

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

// each visits all pairs that somebody decides about, of whose signatures
// something is to be said. Of two addresses nobody decides, names are no
// initiators, and a single workload's conversation with itself is no question.
// With some, only pairs with one of these ends are visited.
func (p *pairs) each(some []bool, say func(sig int32) bool, visit func(i, j int, sig int32)) {
	if p.groups == nil {
		p.group()
	}
	has := make([]bool, len(p.groups))
	for g, members := range p.groups {
		for _, x := range members {
			has[g] = has[g] || some == nil || some[x]
		}
	}
	for a, from := range p.groups {
		for b, to := range p.groups {
			if has[a] || has[b] {
				p.block(from, to, a == b, say, func(i, j int, sig int32) {
					if some == nil || some[i] || some[j] {
						visit(i, j, sig)
					}
				})
			}
		}
	}
}

// block visits the pairs of two groups; between IPv4 and IPv6 nothing is asked.
func (p *pairs) block(from, to []int, same bool, say func(sig int32) bool, visit func(i, j int, sig int32)) {
	ends := p.e.u.ends
	x, y := &ends[from[0]], &ends[to[0]]
	if x.name != "" || !x.managed() && !y.managed() || same && len(from) == 1 && x.single() {
		return
	}
	sig := p.of(from[0], to[0])
	if !say(sig) {
		return
	}
	for _, i := range from {
		for _, j := range to {
			if (i != j || !ends[i].single()) && p.speaks[i]&p.speaks[j] != 0 {
				visit(i, j, sig)
			}
		}
	}
}

// of returns the signature of a pair.
func (p *pairs) of(i, j int) int32 {
	kind := p.kind(i, j)
	at := kind + 1
	for n, l := range p.e.layers {
		a, b, flags := l.contentAt(flow.Egress, i, j), l.contentAt(flow.Ingress, j, i), p.flags[n][i]|p.flagsTo[n][j]
		key := [4]int32{at<<flagBits | flags, int32(n), a, b}
		if last := &p.last[n]; last.key != key || last.next == 0 {
			next, known := p.steps[key]
			if !known {
				p.chains++
				next = p.chains
				p.steps[key] = next
			}
			*last = step{key, next}
		}
		at = p.last[n].next
	}
	sig, known := p.at[at]
	if !known {
		sig = int32(len(p.list))
		p.at[at] = sig
		s := signature{kind: kind, from: i, to: j}
		for n, l := range p.e.layers {
			s.at = append(s.at, [3]int32{l.contentAt(flow.Egress, i, j), l.contentAt(flow.Ingress, j, i), p.flags[n][i] | p.flagsTo[n][j]})
		}
		p.list = append(p.list, s)
	}
	return sig
}

// contentAt is what a layer says at one end about the other; -1 if the end is
// not governed.
func (l *compiled) contentAt(d flow.Direction, self, other int) int32 {
	row := l.halves[d].rows[self]
	if row == nil {
		return -1
	}
	return row[l.u.peerClass[other]]
}

// bounds returns contents by their number.
func (e *estate) bounds(content int32) *bounds {
	if content < 0 {
		content = nobodyContent
	}
	return &e.contents.all[content]
}
