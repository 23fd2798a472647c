// Package observe turns what agents report into what people ask about:
// conversations, each counted once although both of its ends report it; edges
// between services with the rule that decided; totals; and a timeline. It does
// no I/O and has no clock: the time comes in. Everything in it is bounded, and
// what a bound leaves out is counted.
//
// In whatever order the reports of a conversation's ends arrive, the counts
// come out the same.
package observe

import (
	"cmp"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

// Limits bound an Aggregate. A zero field means the default in its comment.
type Limits struct {
	Flows         int // newest conversations held for listing; 10,000
	Edges         int // distinct edges; 20,000; further conversations are folded into one edge per verdict
	Conversations int // 5-tuples whose other end may still report; 262,144
	Ports         int // distinct ports over all edges; 2,000,000; further ones are counted in Edge.More
	Bins          int // cells of the timeline, one per edge and tick; 65,536; the oldest go first
}

func (l Limits) withDefaults() Limits {
	l.Flows = cmp.Or(l.Flows, 10_000)
	l.Edges = cmp.Or(l.Edges, 20_000)
	l.Conversations = cmp.Or(l.Conversations, 1<<18)
	l.Ports = cmp.Or(l.Ports, 2_000_000)
	l.Bins = cmp.Or(l.Bins, 1<<16)
	return l
}

// Totals count conversations by verdict, and what is missing from the counts.
// The sums of the edges' flows by verdict equal the first four.
type Totals struct {
	Forwarded uint64 `json:"forwarded"`
	Dropped   uint64 `json:"dropped"`
	Audited   uint64 `json:"audited"`
	Unjudged  uint64 `json:"unjudged"`
	Lost      uint64 `json:"lost"`    // events that the agents' ring buffers refused
	Unsent    uint64 `json:"unsent"`  // conversations that agents could not send in time
	Folded    uint64 `json:"folded"`  // conversations counted above whose edge had no room
	Evicted   uint64 `json:"evicted"` // conversations that may count twice: room ran out before their other end had spoken or 30 s had passed
}

// Aggregate holds what was observed. It is not safe for concurrent use.
type Aggregate struct {
	lim     Limits
	places  *interner[place]
	rules   *interner[flow.Rule]
	ends    *interner[end]
	merge   table
	ring    ring
	graph   graph
	time    timeline
	counts  [flow.Dropped + 1]uint64
	lost    map[string]uint64 // by host, the newest of the present attachment
	gone    uint64            // lost in earlier attachments
	unsent  map[string]uint64
	pastUns uint64
	changed bool // totals may differ from told
	told    Totals
}

// New returns an empty Aggregate.
func New(l Limits) *Aggregate {
	l = l.withDefaults()
	return &Aggregate{
		lim:    l,
		places: newInterner[place](4 * l.Edges),
		rules:  newInterner[flow.Rule](1 << 16),
		ends:   newInterner[end](1 << 13),
		merge:  table{byKey: map[tuple]*talk{}, max: l.Conversations},
		ring:   ring{slots: make([]slot, l.Flows)},
		graph:  newGraph(l.Edges, l.Ports),
		time:   timeline{ticks: map[int64]map[*pair]*cell{}, max: l.Bins},
		lost:   map[string]uint64{},
		unsent: map[string]uint64{},
	}
}

// Take adds what a message reports; now is when it arrived. Kinds that hold no
// observations change nothing. The message may be reused afterwards.
func (a *Aggregate) Take(m wire.Message, now time.Time) {
	switch {
	case m.Flows != nil:
		for i := range m.Flows.Flows {
			a.flow(&m.Flows.Flows[i], now)
		}
	case m.Bins != nil:
		for i := range m.Bins.Bins {
			a.Bin(m.Bins.Bins[i], now)
		}
	case m.Status != nil:
		a.gone += newest(a.lost, m.Status.Host, m.Status.Lost)
		a.changed = true
	case m.Unsent != nil:
		a.pastUns += newest(a.unsent, m.Unsent.Host, m.Unsent.Flows)
		a.changed = true
	}
}

// maxHosts bounds the hosts whose losses are known.
const maxHosts = 1 << 13

// newest stores a counter that only grows while its owner lives. If it has
// shrunk, the owner is a new one, and what the old one had counted is returned.
func newest(m map[string]uint64, host string, n uint64) (past uint64) {
	old, known := m[host]
	if !known && len(m) >= maxHosts {
		return 0
	}
	m[host] = n
	if n < old {
		return old
	}
	return 0
}

// Flow adds one end's report of a conversation.
func (a *Aggregate) Flow(f flow.Flow, now time.Time) { a.flow(&f, now) }

func (a *Aggregate) flow(f *flow.Flow, now time.Time) {
	if f.Verdict > flow.Dropped || f.ToCome > flow.Dropped {
		return // no reader of wire lets it through
	}
	r := a.report(f)
	t, temporary := a.talkOf(f, now)
	i := t.insert(r, a)
	a.settle(t, i, f)
	if !temporary {
		t.prune()
	}
}

// Totals returns the counts so far.
func (a *Aggregate) Totals() Totals {
	t := Totals{
		Forwarded: a.counts[flow.Forwarded], Dropped: a.counts[flow.Dropped],
		Audited: a.counts[flow.Audited], Unjudged: a.counts[flow.Unjudged],
		Lost: a.gone, Unsent: a.pastUns, Folded: a.graph.folded(), Evicted: a.merge.evicted,
	}
	for _, n := range a.lost {
		t.Lost += n
	}
	for _, n := range a.unsent {
		t.Unsent += n
	}
	return t
}

// Change is what happened since the last call of Changes.
type Change struct {
	Flows   []Conversation // in the order in which they came; one that was corrected comes again with its ID
	Skipped uint64         // flows that came and went between two calls
	Edges   []Edge         // absolute values; one with no flows is gone
	Bins    []Bin          // what to add; negative where a later report corrected an earlier one
	Totals  *Totals        // nil if unchanged
	Later   bool           // more edges have changed, but not in a hurry: ask again within EdgePause
}

// EdgePause is how long an edge whose counters alone have grown waits before
// it is reported again. New edges and new traffic do not wait.
const EdgePause = 100 * time.Millisecond

// Changes returns what is new and forgets it. An edge's traffic shows at most
// maxRanges ranges of ports; 0 means all of them.
func (a *Aggregate) Changes(now time.Time, maxRanges int) Change {
	var c Change
	c.Flows, c.Skipped = a.ring.take()
	c.Edges, c.Later = a.takeEdges(now, maxRanges)
	c.Bins = a.time.take()
	if a.changed {
		a.changed = false
		if t := a.Totals(); t != a.told {
			c.Totals, a.told = &t, t
		}
	}
	return c
}
