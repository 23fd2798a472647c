package observe

import "firebreak/internal/flow"

// Conversation is a flow as all its ends together tell it: the stricter
// verdict, each end named by the agent that has it. ID is the same when it is
// corrected; IDs grow in the order of arrival.
type Conversation struct {
	ID uint64 `json:"id"`
	flow.Flow
}

type slot struct {
	c      Conversation
	queued bool // waits for take
}

// ring holds the newest conversations. The one with an ID lies in slot
// ID % len(slots) until a newer one takes its place.
type ring struct {
	slots   []slot
	next    uint64 // the ID of the newest; the first is 1
	pending []uint64
	skipped uint64
}

// add stores a new conversation and returns its ID.
func (r *ring) add(f *flow.Flow) uint64 {
	r.next++
	s := &r.slots[r.next%uint64(len(r.slots))]
	if s.queued {
		r.skipped++
	}
	*s = slot{c: Conversation{r.next, *f}}
	r.queue(s)
	return r.next
}

// get returns the conversation with that ID, nil if it is not held any more.
func (r *ring) get(id uint64) *slot {
	s := &r.slots[id%uint64(len(r.slots))]
	if id == 0 || s.c.ID != id {
		return nil
	}
	return s
}

func (r *ring) queue(s *slot) {
	if s.queued {
		return
	}
	s.queued = true
	r.pending = append(r.pending, s.c.ID)
	if len(r.pending) > 2*len(r.slots) { // those in the first half are not held any more, or come again
		r.compact()
	}
}

// compact forgets pending IDs whose slots were taken over.
func (r *ring) compact() {
	kept := r.pending[:0]
	for _, id := range r.pending {
		if r.get(id) != nil {
			kept = append(kept, id)
		}
	}
	r.pending = kept
}

// take returns what was added or corrected since the last call.
func (r *ring) take() (out []Conversation, skipped uint64) {
	if len(r.pending) > 0 {
		out = make([]Conversation, 0, min(len(r.pending), len(r.slots)))
	}
	for _, id := range r.pending {
		if s := r.get(id); s != nil && s.queued {
			s.queued = false
			out = append(out, s.c)
		}
	}
	skipped = r.skipped
	r.pending, r.skipped = r.pending[:0], 0
	return out, skipped
}

// Recent returns up to limit conversations that match, newest first. A nil
// match takes all.
func (a *Aggregate) Recent(limit int, match func(*Conversation) bool) []Conversation {
	out := []Conversation{}
	for id := a.ring.next; id > 0 && len(out) < limit; id-- {
		s := a.ring.get(id)
		if s == nil {
			break
		}
		if match == nil || match(&s.c) {
			out = append(out, s.c)
		}
	}
	return out
}
