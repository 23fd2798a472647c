package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"firebreak/internal/httpapi"
)

// pageRun is how soon a subscriber of the page's stream learns of connections.
type pageRun struct {
	Rate        int     // wanted, per second
	Reached     float64 // per second
	Connections int
	Shown       int    // to the subscriber
	Skipped     int    // by the server, for a subscriber that was too slow
	Lost        uint64 // by the kernel
	Lag         spread // kernel to subscriber
}

func (p pageRun) text() string {
	s := p.Lag.text()
	if p.Reached < 0.99*float64(p.Rate) {
		s += fmt.Sprintf(" (at %.0f connections/s, the highest that was reached)", p.Reached)
	}
	if p.Skipped > 0 || p.Lost > 0 {
		s += fmt.Sprintf(" (%d of %d skipped for a slow subscriber, %d lost)", p.Skipped, p.Connections, p.Lost)
	}
	return s
}

// agents measures with agents at both ends, from files, and a server: from the
// kernel's event to a subscriber who has read it off the stream, and from a
// change of the files to the kernel.
func (r *results) agents(ctx context.Context) (err error) {
	if !r.set.wants(partPage) && !r.set.wants(partChange) {
		return nil
	}
	r.set.say("agents and server start")
	if err := r.place.switchTo(variantNone); err != nil {
		return err
	}
	server, stop, err := startServer(filepath.Join(r.place.dir, "wire.sock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	x, err := newEstate(r.place, server.WirePath(), r.set.Services)
	if err != nil {
		return err
	}
	a, err := startAgent(r.place, x, r.place.client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	if err := r.page(ctx, server, x); err != nil {
		return err
	}
	return r.files(ctx, x, a)
}

// page measures the way of events with an agent at the server's end as well.
func (r *results) page(ctx context.Context, server *httpapi.Server, x *estate) (err error) {
	if !r.set.wants(partPage) {
		return nil
	}
	a, err := startAgent(r.place, x, r.place.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	for _, rate := range []int{calmRate, r.set.Rate} {
		if ctx.Err() != nil {
			return nil
		}
		r.set.say("kernel to page at %d connections/s", rate)
		settle()
		run, err := r.pageAt(server, rate)
		if err != nil {
			return fmt.Errorf("kernel to page at %d connections/s: %w", rate, err)
		}
		r.Page = append(r.Page, run)
	}
	return nil
}

func startServer(socket string) (*httpapi.Server, func() error, error) {
	s, err := httpapi.New(httpapi.Options{Listen: "127.0.0.1:0", Wire: socket})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() error { cancel(); return <-done }, nil
}

func (r *results) pageAt(server *httpapi.Server, rate int) (run pageRun, err error) {
	sub, err := subscribe(server.URL())
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, sub.close()) }()
	before := server.Totals().Lost
	a, err := r.place.caller.ask(order{Do: "flood", To: at(serverAddr, portFlood), For: 6 * r.set.RoundTime, Rate: rate})
	if err != nil {
		return run, err
	}
	if a.Failed > 0 || a.Requests == 0 {
		return run, fmt.Errorf("%d connections, %d failed", a.Requests, a.Failed)
	}
	for deadline := time.Now().Add(5 * time.Second); sub.count() < a.Requests && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	run = pageRun{
		Rate: rate, Reached: float64(a.Requests) / a.Elapsed.Seconds(), Connections: a.Requests,
		Shown: len(sub.lags), Skipped: sub.skipped, Lost: server.Totals().Lost - before, Lag: spreadOf(sub.lags),
	}
	if run.Shown == 0 {
		return run, errors.New("the subscriber was shown nothing")
	}
	return run, nil
}

// subscriber reads the page's stream as a browser does.
type subscriber struct {
	body io.Closer
	done chan struct{}

	mu      sync.Mutex
	ids     map[uint64]bool // seen; a corrected conversation comes again
	lags    []time.Duration
	skipped int
}

func subscribe(url string) (*subscriber, error) {
	resp, err := http.Get(url + "api/v1/stream")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the stream answers %s", resp.Status), resp.Body.Close())
	}
	s := &subscriber{body: resp.Body, done: make(chan struct{}), ids: map[uint64]bool{}}
	begun := make(chan struct{})
	go s.read(bufio.NewReaderSize(resp.Body, 1<<20), begun)
	select {
	case <-begun:
		return s, nil
	case <-time.After(5 * time.Second):
		return nil, errors.Join(errors.New("the stream does not begin"), s.close())
	}
}

// read ends when the body is closed.
func (s *subscriber) read(in *bufio.Reader, begun chan struct{}) {
	defer close(s.done)
	first := true
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		switch {
		case !ok:
		case first: // the snapshot
			first = false
			close(begun)
		default:
			s.take(data, time.Now())
		}
	}
}

func (s *subscriber) take(data []byte, now time.Time) {
	var batch struct {
		Skipped int `json:"skipped"`
		Flows   []struct {
			ID      uint64    `json:"id"`
			Time    time.Time `json:"time"`
			DstPort uint16    `json:"dstPort"`
		} `json:"flows"`
	}
	if json.Unmarshal(data, &batch) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped += batch.Skipped
	for _, f := range batch.Flows {
		if f.DstPort == portFlood && !s.ids[f.ID] {
			s.ids[f.ID] = true
			s.lags = append(s.lags, now.Sub(f.Time))
		}
	}
}

func (s *subscriber) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lags) + s.skipped
}

func (s *subscriber) close() error {
	err := s.body.Close()
	<-s.done
	return err
}
