package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"firebreak/internal/wire"
)

// Bounds of the intake.
const (
	maxAgents    = 1024
	helloTimeout = 10 * time.Second
)

// intake accepts agents until ctx is done and waits for their ends.
func (s *Server) intake(ctx context.Context) {
	var agents sync.WaitGroup
	defer agents.Wait()
	defer context.AfterFunc(ctx, func() { s.wire.UnixListener.Close() })()
	slots := make(chan struct{}, maxAgents)
	for {
		conn, err := s.wire.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Error("accepting an agent failed", "error", err)
			pause(ctx, 100*time.Millisecond) // out of file descriptors, perhaps
			continue
		}
		select {
		case slots <- struct{}{}:
			agents.Go(func() {
				defer func() { <-slots }()
				s.agent(ctx, conn)
			})
		default:
			refuse(conn, fmt.Sprintf("%d agents are connected already", maxAgents))
			conn.Close()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// agent reads from one agent until it leaves, breaks the rules, or ctx is done.
func (s *Server) agent(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	dec := wire.NewDecoder(conn)
	host, err := s.welcome(conn, dec)
	if err == nil {
		s.log.Info("agent connected", "host", host)
		err = s.follow(dec, host)
		s.state.leave(host)
		s.hub.notify()
	}
	switch {
	case errors.Is(err, io.EOF) || ctx.Err() != nil:
		s.log.Info("agent left", "host", host)
	default:
		s.log.Error("agent refused", "host", host, "error", err)
		refuse(conn, err.Error())
	}
}

// welcome waits for the Hello and lets the agent in.
func (s *Server) welcome(conn net.Conn, dec *wire.Decoder) (host string, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return "", err
	}
	m, err := dec.Decode()
	if err != nil {
		return "", err
	}
	if m.Hello == nil {
		return "", errors.New("the first message must be hello")
	}
	host = m.Hello.Host
	if !s.state.enter(host) {
		return host, fmt.Errorf("an agent of host %q is connected already; give each its own name", host)
	}
	s.Publish(m)
	return host, conn.SetReadDeadline(time.Time{})
}

// follow takes in messages under the name that the agent said hello with.
func (s *Server) follow(dec *wire.Decoder, host string) error {
	for {
		m, err := dec.Decode()
		if err != nil {
			return err
		}
		setHost(&m, host)
		s.Publish(m)
	}
}

// setHost makes sure that an agent speaks for itself only.
func setHost(m *wire.Message, host string) {
	switch {
	case m.Hello != nil:
		m.Hello.Host = host
	case m.Catalog != nil:
		m.Catalog.Host = host
	case m.Flows != nil:
		m.Flows.Host = host
		for i := range m.Flows.Flows {
			m.Flows.Flows[i].Host = host
		}
	case m.Bins != nil:
		m.Bins.Host = host
	case m.Status != nil:
		m.Status.Host = host
	case m.Unsent != nil:
		m.Unsent.Host = host
	}
}

// refuse tells an agent why, if it still listens.
func refuse(conn net.Conn, reason string) {
	if conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_ = wire.NewEncoder(conn).Encode(wire.Message{Refusal: &wire.Refusal{Reason: reason}})
	}
}
