package httpapi

import (
	"net"
	"sync"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/observe"
)

func TestConflationLosesNothingUnsaid(t *testing.T) {
	bin := observe.Bin{Tick: 1, From: "a", To: "b", Verdict: flow.Forwarded, Packets: 2, Bytes: 20}
	list := []*encoded{
		{batch: &Batch{Seq: 1, Edges: []observe.Edge{{ID: "x", Flows: 1}, {ID: "y", Flows: 1}}, Bins: []observe.Bin{bin}, Flows: make([]observe.Conversation, maxOwedFlows), Agents: []Agent{{}}}},
		{batch: &Batch{Seq: 2, Skipped: 4, Edges: []observe.Edge{{ID: "x", Flows: 9}}, Bins: []observe.Bin{bin}, Flows: make([]observe.Conversation, 3)}},
	}
	b := conflate(list)
	if b.Seq != 2 || len(b.Edges) != 2 || b.Edges[0].Flows != 9 || len(b.Bins) != 1 || b.Bins[0].Packets != 4 || len(b.Agents) != 1 {
		t.Fatalf("got %+v", b)
	}
	if len(b.Flows) != maxOwedFlows || b.Skipped != 7 {
		t.Fatalf("%d flows, %d skipped", len(b.Flows), b.Skipped)
	}
	if list[0].batch.Bins[0].Packets != 2 || list[0].batch.Edges[0].Flows != 1 {
		t.Fatal("a batch that others read was changed")
	}
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	s := boot(t, Options{})
	fast, _ := follow(t, s)
	c, err := net.Dial("tcp", s.Addr().String()) // a reader that never reads
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	const rounds, each = 60, 1000
	seen := uint64(0)
	for i := range rounds {
		flows := make([]flow.Flow, each)
		for j := range flows {
			flows[j] = report("A", flow.Egress, 0, flow.Dropped)
		}
		s.Publish(flowsOf("A", flows...))
		for want := uint64(each * (i + 1)); seen < want; {
			b := fast.batch()
			seen += uint64(len(b.Flows)) + b.Skipped
		}
	}
	if got := s.Totals().Dropped; got != rounds*each || seen != rounds*each {
		t.Fatalf("counted %d, seen %d, want %d", got, seen, rounds*each)
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for sub := range s.hub.subs {
		sub.mu.Lock()
		if n := len(sub.pending); n >= maxPending {
			t.Errorf("%d batches wait for one reader", n)
		}
		sub.mu.Unlock()
	}
}

// TestSnapshotsAndBatchesMeet has many readers join while flows stream in:
// each must count the same in the end, whenever it came.
func TestSnapshotsAndBatchesMeet(t *testing.T) {
	s := boot(t, Options{})
	const total, readers = 3000, 6
	var publishing, reading sync.WaitGroup
	publishing.Go(func() {
		for i := range total {
			s.Publish(flowsOf("A", report("A", flow.Egress, uint16(i+1), flow.Forwarded)))
		}
	})
	for range readers {
		st, first := follow(t, s)
		reading.Go(func() {
			flows := first.Totals.Forwarded
			for flows < total {
				b := st.batch()
				flows += uint64(len(b.Flows)) + b.Skipped
				if b.Totals != nil && b.Totals.Forwarded != flows {
					t.Errorf("%d flows seen, the totals say %d", flows, b.Totals.Forwarded)
					return
				}
			}
		})
	}
	publishing.Wait()
	reading.Wait()
}

func TestTooManyReadersAreTurnedAway(t *testing.T) {
	h := newHub(newState(observe.Limits{}, false))
	for range maxSubscribers {
		if s, _ := h.subscribe(time.Now()); s == nil {
			t.Fatal("turned away too early")
		}
	}
	if s, _ := h.subscribe(time.Now()); s != nil {
		t.Fatal("not bounded")
	}
}
