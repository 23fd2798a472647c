// Package httpapi is the server between agents and people: agents connect to a
// unix socket and say what they see, people and pipelines read it over HTTP, as
// JSON, as a live stream, and as the page. It holds everything in memory, and
// only what is bounded.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"firebreak/internal/observe"
	"firebreak/internal/wire"
)

// DefaultListen and DefaultWire are where a server is found unless told
// otherwise.
const (
	DefaultListen = "127.0.0.1:7070"
	DefaultWire   = "/run/firebreak/wire.sock"
)

// Options say how a Server is set up.
type Options struct {
	Listen      string         // HTTP address; "" means DefaultListen; port 0 takes any free one
	AllowRemote bool           // permit a Listen address that is not loopback
	Wire        string         // unix socket for agents; "" means that only Publish brings messages
	Static      fs.FS          // the page, index.html at its root; nil means none
	Recorded    bool           // what is shown is a recording: the page says so
	Recorder    *wire.Recorder // every message taken in is written to it; nil means none
	Limits      observe.Limits // bounds; zero means the defaults
	Log         *slog.Logger   // nil means silence
}

// SetupError is why a server could not start, with what to do about it. It is
// always one line.
type SetupError struct{ Message string }

// Error returns the line.
func (e *SetupError) Error() string { return e.Message }

// ExitCode is what a program ends with: misuse or something unreadable.
func (e *SetupError) ExitCode() int { return 2 }

func setupError(format string, args ...any) error {
	return &SetupError{fmt.Sprintf(format, args...)}
}

// Server takes in what agents see and shows it. Its methods are safe for
// concurrent use; Run only once.
type Server struct {
	opt   Options
	log   *slog.Logger
	state *state
	hub   *hub
	guard guard
	http  net.Listener
	wire  *wireSocket // nil if there is none
}

// New opens both sockets, so that whoever has a Server can already connect to
// it, and fails with a *SetupError before it leaves anything behind. The caller
// must call Run, or Close if it never runs.
func New(o Options) (*Server, error) {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := listenHTTP(o.Listen, o.AllowRemote)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: o, log: o.Log, http: l, guard: newGuard(o.Listen, l.Addr())}
	if o.Wire != "" {
		if s.wire, err = listenWire(o.Wire); err != nil {
			l.Close()
			return nil, err
		}
	}
	s.state = newState(o.Limits, o.Recorded)
	s.hub = newHub(s.state)
	return s, nil
}

// Addr is the address that HTTP is served on.
func (s *Server) Addr() net.Addr { return s.http.Addr() }

// URL is where a person finds the page.
func (s *Server) URL() string { return "http://" + s.http.Addr().String() + "/" }

// WirePath is the socket that agents connect to, "" if there is none.
func (s *Server) WirePath() string { return s.opt.Wire }

// Close closes both sockets without having run.
func (s *Server) Close() error {
	err := s.http.Close()
	if s.wire != nil {
		err = errors.Join(err, s.wire.close())
	}
	return err
}

// Publish takes in a message as if an agent had sent it. Flows, Bins, Catalog,
// Status and Unsent must name their Host; a Hello makes it appear connected.
func (s *Server) Publish(m wire.Message) {
	now := time.Now()
	if s.opt.Recorder != nil {
		if err := s.opt.Recorder.Record(now, m); err != nil {
			s.log.Error("recording failed", "error", err)
		}
	}
	if s.state.take(m, now) {
		s.hub.notify()
	}
}

// Totals returns the counts so far.
func (s *Server) Totals() observe.Totals { return s.state.totals() }

// Edges returns every edge with all its traffic.
func (s *Server) Edges() []observe.Edge { return s.state.edges() }

// shutdownTimeout is how long requests may still run when the server ends.
const shutdownTimeout = 2 * time.Second

// Run serves until ctx is done, then ends every connection, removes the unix
// socket and returns nil; or returns why serving failed.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	background.Go(func() { s.hub.run(ctx) })
	if s.wire != nil {
		background.Go(func() { s.intake(ctx) })
	}
	h := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(s.http) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	grace, done := context.WithTimeout(context.Background(), shutdownTimeout)
	defer done()
	if h.Shutdown(grace) != nil {
		h.Close()
	}
	if s.wire != nil {
		err = errors.Join(err, s.wire.close())
	}
	background.Wait()
	return err
}
