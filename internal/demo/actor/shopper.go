package actor

import (
	"context"
	"sync"
	"time"
)

// shopper makes each of its calls at a steady rate, in both families, and
// measures how long each answer takes. It is the legitimate load.
type shopper struct {
	conn   *Conn
	caller *caller
	every  time.Duration
	stop   chan struct{}
	once   sync.Once
	ended  chan struct{} // closed when no request will be made any more
	busy   sync.WaitGroup

	mu   sync.Mutex
	now  Samples
	late Samples // of requests that began before the last cut
	cuts int
}

func newShopper(conn *Conn, c *Config) *shopper {
	return &shopper{
		conn: conn, caller: newCaller(c), every: time.Duration(float64(time.Second) / c.Rate),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// maxSamples bounds what a shopper remembers: an hour at the usual rate.
const maxSamples = 200_000

func (s *shopper) run(ctx context.Context) {
	defer close(s.ended)
	calls := s.caller.calls
	// One after another, evenly: together they would wait for each other, and
	// that would be measured.
	tick := time.NewTicker(s.every / time.Duration(len(Families)*len(calls)))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-tick.C:
			s.busy.Add(1)
			go s.shop(ctx, calls[i/len(Families)%len(calls)], Families[i%len(Families)])
		}
	}
}

func (s *shopper) shop(ctx context.Context, call Call, f Family) {
	defer s.busy.Done()
	s.mu.Lock()
	cuts := s.cuts
	s.mu.Unlock()
	begin := time.Now()
	err := s.caller.one(ctx, call, f)
	took := time.Since(begin)
	s.mu.Lock()
	defer s.mu.Unlock()
	to := &s.now
	if cuts != s.cuts {
		to = &s.late
	}
	to.add(took, err)
}

func (s *Samples) add(took time.Duration, err error) {
	switch {
	case err != nil:
		s.Failed++
		s.Error = err.Error()
	case len(s.Micros) < maxSamples:
		s.Micros = append(s.Micros, took.Microseconds())
	}
}

// do sends the samples and starts anew; told to stop, it first waits until
// every request is answered and makes no more.
func (s *shopper) do(_ context.Context, order string) {
	if order == OrderStop {
		s.once.Do(func() { close(s.stop) })
		<-s.ended
		s.busy.Wait()
	}
	s.mu.Lock()
	now, late := s.now, s.late
	s.now, s.late = Samples{}, Samples{}
	s.cuts++
	s.mu.Unlock()
	_ = s.conn.Send(Report{Samples: &now, Late: &late})
	_ = s.conn.Send(Report{Done: order})
}
