package prove

import (
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
	chains  int32
	at      map[int32]int32 // by the last step of a chain: the signature
	list    []signature
	flags   [][]int32 // by layer, by end: the flags as an initiator; see flagsTo
	flagsTo [][]int32
	speaks  []families // by end
}

func newPairs(e *estate) *pairs {
	p := &pairs{e: e, kinds: map[int]int32{}, steps: map[[4]int32]int32{}, at: map[int32]int32{}}
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

// each visits all pairs that somebody decides about, with their signatures. Of
// two addresses nobody does; a single workload's conversation with itself, and
// one between IPv4 and IPv6, are no question.
func (p *pairs) each(visit func(i, j int, sig int32)) {
	for i := range p.e.u.ends {
		p.row(i, nil, visit)
	}
}

// row visits the pairs of one initiator; with only, those with the responders in
// it.
func (p *pairs) row(i int, only []int, visit func(i, j int, sig int32)) {
	ends := p.e.u.ends
	if ends[i].name != "" {
		return // whoever comes from outside comes from an address
	}
	one := func(j int) {
		if !ends[i].managed() && !ends[j].managed() || i == j && ends[i].single() || p.speaks[i]&p.speaks[j] == 0 {
			return
		}
		visit(i, j, p.of(i, j))
	}
	if only != nil {
		for _, j := range only {
			one(j)
		}
		return
	}
	for j := range ends {
		one(j)
	}
}

// of returns the signature of a pair.
func (p *pairs) of(i, j int) int32 {
	kind := p.kind(i, j)
	at := kind + 1
	for n, l := range p.e.layers {
		a, b, flags := l.contentAt(flow.Egress, i, j), l.contentAt(flow.Ingress, j, i), p.flags[n][i]|p.flagsTo[n][j]
		key := [4]int32{at<<flagBits | flags, int32(n), a, b}
		next, known := p.steps[key]
		if !known {
			p.chains++
			next = p.chains
			p.steps[key] = next
		}
		at = next
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
	return row[other]
}

// bounds returns contents by their number.
func (e *estate) bounds(content int32) *bounds {
	if content < 0 {
		content = nobodyContent
	}
	return &e.contents.all[content]
}
