package verify

import (
	"firebreak/internal/netset"
	"firebreak/internal/verify/space"
)

// Leaving is what the initiator's own end lets go to the responder, whatever
// the responder's end says; managed is false, and the set everything, where the
// initiator is no workload.
func (e *Engine) Leaving(from, to Peer, inForce bool) (set space.Set, managed bool) {
	return e.atEnd(from, from, to, inForce)
}

// Arriving is what the responder's own end lets in from the initiator, likewise.
func (e *Engine) Arriving(from, to Peer, inForce bool) (set space.Set, managed bool) {
	return e.atEnd(to, from, to, inForce)
}

// atEnd asks the rules, which say the same at both ends, and one end's default.
func (e *Engine) atEnd(end, from, to Peer, inForce bool) (space.Set, bool) {
	if e.peers.slots[end].identity < 0 {
		return space.Plain(netset.All()), false
	}
	t := e.tables[e.cells[from][to]]
	permits, undecided, bit := t.permits, t.undecided, uint8(byDefault)
	if inForce {
		bit = byDefaultInForce
		if t.inForce != t.toCome {
			permits, undecided = e.sets(t.inForce)
		}
	}
	return e.withDefault(permits, undecided, end, end, bit), true
}
