package httpapi

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/observe"
)

// Bounds of the stream.
const (
	flushEvery     = 5 * time.Millisecond
	maxSubscribers = 64
	maxPending     = 32     // batches that wait for a subscriber before they are made one
	maxOwedFlows   = 2_000  // flows that such a batch may hold; older ones are counted as skipped
	maxOwedBins    = 20_000 // bins that such a batch may hold; older ones are left out
)

// hub hands batches to subscribers. The first thing after a quiet time goes
// out at once, what follows is gathered for flushEvery.
type hub struct {
	state *state
	wake  chan struct{}

	mu   sync.Mutex
	subs map[*subscriber]bool
}

func newHub(s *state) *hub {
	return &hub{state: s, wake: make(chan struct{}, 1), subs: map[*subscriber]bool{}}
}

// notify says that there may be something to tell.
func (h *hub) notify() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run flushes until ctx is done.
func (h *hub) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	later := false
	for {
		var due <-chan time.Time
		if later {
			timer.Reset(observe.EdgePause)
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-due:
		}
		later = h.flush(time.Now())
		pause(ctx, flushEvery)
	}
}

// flush gives every subscriber what is new.
func (h *hub) flush(now time.Time) (later bool) {
	h.state.mu.Lock()
	b, later := h.state.batch(now)
	h.mu.Lock() // before state is released, so that batches stay in order
	h.state.mu.Unlock()
	defer h.mu.Unlock()
	h.spread(b)
	return later
}

// spread queues a batch with every subscriber. The caller holds h.mu.
func (h *hub) spread(b *Batch) {
	if b == nil || len(h.subs) == 0 {
		return
	}
	e := &encoded{batch: b}
	for s := range h.subs {
		s.offer(e)
	}
}

// subscribe returns a subscriber and the snapshot that its first batch
// continues; nil if there are too many. The caller must call leave.
func (h *hub) subscribe(now time.Time) (*subscriber, *Snapshot) {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) >= maxSubscribers {
		return nil, nil
	}
	b, _ := h.state.batch(now)
	h.spread(b)
	s := &subscriber{wake: make(chan struct{}, 1)}
	h.subs[s] = true
	if b != nil {
		h.notify() // edges may still be due, and only a flush waits for them
	}
	return s, h.state.snapshot(now)
}

// snapshot returns what a subscriber would begin with.
func (h *hub) snapshot(now time.Time) *Snapshot {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	b, _ := h.state.batch(now)
	h.spread(b)
	if b != nil {
		h.notify()
	}
	return h.state.snapshot(now)
}

func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

// encoded is a batch that is turned into JSON once for all subscribers. The
// batch is never changed.
type encoded struct {
	batch *Batch
	once  sync.Once
	json  []byte
	err   error
}

func (e *encoded) bytes() ([]byte, error) {
	e.once.Do(func() { e.json, e.err = json.Marshal(e.batch) })
	return e.json, e.err
}

// subscriber is one reader of the stream. A slow one does not hold up others:
// what waits for it is made one batch, with the newest of each edge.
type subscriber struct {
	wake chan struct{}

	mu      sync.Mutex
	pending []*encoded
}

func (s *subscriber) offer(e *encoded) {
	s.mu.Lock()
	s.pending = append(s.pending, e)
	if len(s.pending) >= maxPending {
		s.pending = append(s.pending[:0:0], &encoded{batch: conflate(s.pending)})
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns all that waits.
func (s *subscriber) take() []*encoded {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.pending
	s.pending = nil
	return out
}

type binKey struct {
	tick     int64
	from, to string
	verdict  flow.Verdict
}

// conflate makes one batch of several, in their order. Edges are absolute, so
// the newest is enough; bins add up; of flows the newest are kept and the
// others counted.
func conflate(list []*encoded) *Batch {
	out := &Batch{}
	edges, bins := map[string]int{}, map[binKey]int{}
	for _, e := range list {
		b := e.batch
		out.Now, out.Seq = b.Now, b.Seq
		out.Skipped += b.Skipped
		out.Flows = append(out.Flows, b.Flows...)
		for _, edge := range b.Edges {
			if i, ok := edges[edge.ID]; ok {
				out.Edges[i] = edge
				continue
			}
			edges[edge.ID] = len(out.Edges)
			out.Edges = append(out.Edges, edge)
		}
		for _, bin := range b.Bins {
			k := binKey{bin.Tick, bin.From, bin.To, bin.Verdict}
			if i, ok := bins[k]; ok {
				out.Bins[i].Packets += bin.Packets
				out.Bins[i].Bytes += bin.Bytes
				continue
			}
			bins[k] = len(out.Bins)
			out.Bins = append(out.Bins, bin)
		}
		out.overlay(b)
	}
	if n := len(out.Flows) - maxOwedFlows; n > 0 {
		out.Flows, out.Skipped = out.Flows[n:], out.Skipped+uint64(n)
	}
	if n := len(out.Bins) - maxOwedBins; n > 0 {
		out.Bins = out.Bins[n:]
	}
	return out
}

// overlay takes over the lists that come whole.
func (b *Batch) overlay(newer *Batch) {
	if newer.Agents != nil {
		b.Agents = newer.Agents
	}
	if newer.Zones != nil {
		b.Estate, b.Zones, b.Services, b.Rules = newer.Estate, newer.Zones, newer.Services, newer.Rules
	}
	if newer.Totals != nil {
		b.Totals = newer.Totals
	}
	if newer.Lost != nil {
		b.Lost = newer.Lost
	}
}
