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
	kind int32 // index into pairs.intents; -1 without an intent
	from int   // a pair that has it
	to   int
	way  way

	at [][3]int32 // by layer: the contents at the initiator's end and at the responder's, and flags; -1: not governed
	// via, where the way is not open and relays lead to the responder, has by layer
	// what the ends say of the relays themselves; nil otherwise.
	via   [][2]int32
	leads []lead // where the relays are called for the responder
	// through has by layer, where the way is open and relays lead to the responder
	// all the same, what it says of who comes through it; -1 for nothing else than at.
	through []int32
	// shut has by layer the list of what it cannot say of the pair; nil for nothing.
	shut []int32
}

// The flags of a pair in a layer.
const (
	ownsFrom  = 1 << iota // a point of the layer governs the initiator
	ownsTo                // and the responder
	relayFrom             // the initiator is the layer's relay
	relayTo
	managedFrom // it is a workload
	managedTo
	byName      // one end is what an External's names lead to
	missingFrom // nothing enforces the layer at the initiator, though points govern it
	missingTo
	// The layer leaves the initiator open to all, as its zone wants, which observes,
	// but for what is denied in force.
	observedFrom
	observedTo // likewise the responder
)

// intended is what was meant between two ends.
type intended struct {
	permitted, leaving, arriving space.Set
	from, to                     verify.Peer // a pair for which it is
}

// pairs walks all pairs of ends and tells them apart by signature.
type pairs struct {
	e       *estate
	intents []intended
	kinds   map[int]*[kindPage]int32 // by verify's EndClass: the kind plus one
	fronts  map[frontKey]int32
	// contents numbers what is meant at frontends by what it is.
	contents map[string]int32
	sides    *sides
	known    map[pairKey]int32
	list     []signature
	groups   [][]int // of ends; nil before they are asked for
	speaks   []families
	ways     *ways
	byWay    bool // ways tell pairs apart also where no relay leads
}

// kindPage is how many kinds are kept side by side: neighbours are asked for
// together.
const kindPage = 64

func newPairs(e *estate) *pairs {
	p := &pairs{e: e, kinds: map[int]*[kindPage]int32{}, known: map[pairKey]int32{}, fronts: map[frontKey]int32{}, contents: map[string]int32{}, sides: newSides(e), ways: newWays(e.u.inv, e.u)}
	for x := range e.u.ends {
		p.speaks = append(p.speaks, e.u.families(&e.u.ends[x]))
	}
	return p
}

// kind is the number of what was meant between two ends.
func (p *pairs) kind(i, j int) int32 {
	g := p.e.u.engine
	if g == nil {
		return -1
	}
	if p.e.u.ends[j].front >= 0 {
		return p.kindAt(i, j)
	}
	from, to := p.e.u.ends[i].peer, p.e.u.ends[j].peer
	class := g.EndClass(from, to)
	page := p.kinds[class/kindPage]
	if page == nil {
		page = new([kindPage]int32)
		p.kinds[class/kindPage] = page
	}
	if n := page[class%kindPage]; n > 0 {
		return n - 1
	}
	p.intents = append(p.intents, p.meant(from, to))
	page[class%kindPage] = int32(len(p.intents))
	return page[class%kindPage] - 1
}

// meant is what was meant between two peers.
func (p *pairs) meant(from, to verify.Peer) intended {
	g, x := p.e.u.engine, intended{from: from, to: to}
	x.permitted, _ = g.Permitted(from, to, p.e.inForce)
	x.leaving, _ = g.Leaving(from, to, p.e.inForce)
	x.arriving, _ = g.Arriving(from, to, p.e.inForce)
	return x
}

// group puts ends together whose pairs all have the same signatures: those that
// are one peer to others, and have the same sides.
func (p *pairs) group() {
	at := map[string]int{}
	var key []byte
	for x := range p.e.u.ends {
		key = binary.AppendVarint(key[:0], int64(p.e.u.ends[x].peer))
		key = binary.AppendVarint(key, int64(p.e.u.peerClass[x]))
		key = binary.AppendVarint(key, int64(p.e.u.ends[x].front))
		key = binary.AppendVarint(key, int64(p.ways.vpcs[x]))
		key = binary.AppendVarint(key, int64(p.speaks[x]))
		for d := range 2 {
			key = binary.AppendVarint(key, int64(p.sides.of[d][x]))
			key = binary.AppendVarint(key, int64(p.sides.via[d][x]))
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

// each visits all pairs that somebody decides about, of whose signatures
// something is to be said. Of two addresses nobody decides, names are no
// initiators, and a single workload's conversation with itself is no question;
// between IPv4 and IPv6 nothing is asked but what a relay leads. With some, only pairs with one of these
// ends are visited. The pairs of an initiator are visited one after the other.
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
	sigs := make([]int32, len(p.groups))
	for a, from := range p.groups {
		if p.e.u.ends[from[0]].name != "" {
			continue
		}
		found := p.row(a, has, say, sigs)
		for _, i := range from {
			for b := range found {
				p.visit(i, found[b], sigs[found[b]], some, visit)
			}
		}
	}
}

// row finds the signatures of one group's pairs with all others, and returns the
// groups about whose something is to be said.
func (p *pairs) row(a int, has []bool, say func(sig int32) bool, sigs []int32) []int {
	ends := p.e.u.ends
	from := p.groups[a]
	x := &ends[from[0]]
	side := p.sides.row(flow.Egress, from[0])
	via := p.sides.via[flow.Egress][from[0]]
	var found []int
	for b, to := range p.groups {
		y := &ends[to[0]]
		if !has[a] && !has[b] || !x.managed() && !y.managed() || a == b && len(from) == 1 && x.single() || p.mute(from[0], to[0]) && (via == 0 || p.sides.via[flow.Ingress][to[0]] == 0) {
			continue
		}
		if sigs[b] = p.of(from[0], to[0], side[p.e.u.peerClass[to[0]]], via); say(sigs[b]) {
			found = append(found, b)
		}
	}
	return found
}

func (p *pairs) visit(i, b int, sig int32, some []bool, visit func(i, j int, sig int32)) {
	for _, j := range p.groups[b] {
		if (i != j || !p.e.u.ends[i].single()) && (some == nil || some[i] || some[j]) {
			visit(i, j, sig)
		}
	}
}

// mute reports whether two ends have no family of addresses in common: only a
// relay leads from one to the other.
func (p *pairs) mute(i, j int) bool { return p.speaks[i]&p.speaks[j] == 0 }

// pairKey is everything that a signature depends on.
type pairKey struct{ kind, out, in, via int32 }

// of returns the signature of a pair, of which the initiator's side is known.
func (p *pairs) of(i, j int, out, viaOut int32) int32 {
	key := pairKey{kind: p.kind(i, j), out: out, in: p.sides.row(flow.Ingress, j)[p.e.u.peerClass[i]]}
	if viaIn := p.sides.via[flow.Ingress][j]; p.byWay || viaOut > 0 && viaIn > 0 {
		w := p.ways.between(i, j)
		if p.mute(i, j) {
			w = closed
		}
		if w != open {
			if viaOut == 0 || viaIn == 0 {
				viaOut, viaIn = 0, 0
			}
			key.via = p.sides.led(viaOut, viaIn, w)
		} else if viaOut > 0 && viaIn > 0 && p.sides.near(j) {
			key.via = p.sides.led(viaOut, viaIn, open)
		}
	}
	sig, known := p.known[key]
	if !known {
		sig = int32(len(p.list))
		p.known[key] = sig
		p.list = append(p.list, p.sides.signature(key, i, j))
	}
	return sig
}

// bounds returns contents by their number.
func (e *estate) bounds(content int32) *bounds {
	if content < 0 {
		content = nobodyContent
	}
	return &e.contents.all[content]
}
