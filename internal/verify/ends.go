package verify

import (
	"github.com/RoaringBitmap/roaring/v2"

	"firebreak/internal/policy"
)

// endKey tells ends of rules apart without looking into them: resolving gives
// ends that mean the same the same slices.
type endKey struct {
	any, not      bool
	identities    *int
	identitiesLen int
	externals     *int
	externalsLen  int
}

// ends turns the ends of rules into bitmaps of peers, and keeps them.
type ends struct {
	known map[endKey]*roaring.Bitmap
	next  map[endKey]*roaring.Bitmap
}

func keyOf(p *policy.Peers) endKey {
	k := endKey{any: p.Any, not: p.Not, identitiesLen: len(p.Identities), externalsLen: len(p.Externals)}
	if len(p.Identities) > 0 {
		k.identities = &p.Identities[0]
	}
	if len(p.Externals) > 0 {
		k.externals = &p.Externals[0]
	}
	return k
}

// begin starts a round. What was known before holds only if identities have
// the slots that they had, and, where it speaks of more than identities by
// name, if there are the same peers.
func (s *ends) begin(m moves) {
	s.next = make(map[endKey]*roaring.Bitmap, len(s.known))
	if !m.same {
		s.known = nil
	}
	if len(m.added)+len(m.removed) == 0 {
		return
	}
	for k := range s.known {
		if k.any || k.not || k.externalsLen > 0 {
			delete(s.known, k)
		}
	}
}

// end forgets what the round did not ask for.
func (s *ends) end() { s.known, s.next = s.next, nil }

// bitmap returns the peers that an end of a rule matches. It must not be
// changed.
func (s *ends) bitmap(e *Engine, p *policy.Peers) *roaring.Bitmap {
	k := keyOf(p)
	if b := s.next[k]; b != nil {
		return b
	}
	b := s.known[k]
	if b == nil {
		b = e.matching(p)
	}
	s.next[k] = b
	return b
}

func (e *Engine) matching(p *policy.Peers) *roaring.Bitmap {
	b := roaring.New()
	if !p.Any && !p.Not {
		for _, id := range p.Identities {
			b.Add(uint32(e.peers.ofIdentity[id]))
		}
		if len(p.Externals) == 0 {
			return b
		}
	}
	for i := range e.peers.slots {
		s := &e.peers.slots[i]
		switch {
		case s.key == "":
		case s.identity >= 0:
			if (p.Any || p.Not) && p.Identity(int(s.identity)) {
				b.Add(uint32(i))
			}
		case p.Address(s.externals):
			b.Add(uint32(i))
		}
	}
	return b
}
