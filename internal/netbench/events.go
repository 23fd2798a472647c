package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// calmRate is a pace, in connections per second, that leaves the machine idle
// most of the time.
const calmRate = 1000

// eventRun is what became of the events of many connections.
type eventRun struct {
	Rate        int     // wanted, per second
	Reached     float64 // per second
	Connections int
	Seen        int    // events at both ends
	Lost        uint64 // that the kernel had no room for
	Lag         spread // kernel to reader
}

func (e eventRun) text() string {
	s := fmt.Sprintf("%d of %s", e.Lost, thousands(2*e.Connections))
	if e.Reached < 0.99*float64(e.Rate) {
		return s + fmt.Sprintf(" (at %.0f connections/s, the highest that was reached)", e.Reached)
	}
	return s
}

// tally counts events of conversations with the port that is flooded.
type tally struct {
	mu   sync.Mutex
	lags []time.Duration
}

func (t *tally) take(batch []layout.Event) {
	now := monotonic()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range batch {
		if batch[i].DstPort == portFlood && batch[i].Verdict == flow.Forwarded {
			t.lags = append(t.lags, time.Duration(now-int64(batch[i].Time)))
		}
	}
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.lags)
}

// events measures whether all events arrive, and how soon, with 10,000 rules.
func (r *results) events(ctx context.Context) error {
	if !r.set.wants(partEvents) {
		return nil
	}
	t := &tally{}
	if err := r.place.switchTo(variantLarge); err != nil {
		return err
	}
	r.place.enforced.tell(t.take)
	defer r.place.enforced.tell(nil)
	for _, rate := range []int{calmRate, r.set.Rate} {
		if ctx.Err() != nil {
			return nil
		}
		r.set.say("events at %d connections/s", rate)
		run, err := r.eventsAt(r.place.enforced, t, rate)
		if err != nil {
			return fmt.Errorf("events at %d connections/s: %w", rate, err)
		}
		r.Events = append(r.Events, run)
	}
	return nil
}

func (r *results) eventsAt(en *enforcement, t *tally, rate int) (run eventRun, err error) {
	long := 6 * r.set.RoundTime
	t.mu.Lock()
	t.lags = make([]time.Duration, 0, int(2*long.Seconds()*float64(rate))+1000)
	t.mu.Unlock()
	before, err := en.lost()
	if err != nil {
		return run, err
	}
	a, err := r.place.caller.ask(order{Do: "flood", To: at(serverAddr, portFlood), For: long, Rate: rate})
	if err != nil {
		return run, err
	}
	if a.Failed > 0 || a.Requests == 0 {
		return run, fmt.Errorf("%d connections, %d failed", a.Requests, a.Failed)
	}
	// Those on their way.
	for deadline := time.Now().Add(time.Second); t.count() < 2*a.Requests && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	lost, err := en.lost()
	if err != nil {
		return run, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	run = eventRun{
		Rate: rate, Reached: float64(a.Requests) / a.Elapsed.Seconds(), Connections: a.Requests,
		Seen: len(t.lags), Lost: lost - before, Lag: spreadOf(t.lags),
	}
	if missing := 2*a.Requests - run.Seen - int(run.Lost); missing != 0 {
		return run, fmt.Errorf("%d events are neither seen nor counted as lost", missing)
	}
	return run, nil
}
