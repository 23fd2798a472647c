package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Limits of a Writer.
const (
	defaultQueue = 1 << 16
	chunk        = 512 // flows or bins in one message
	minBackoff   = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
	writeTimeout = 5 * time.Second
	drainTimeout = time.Second
)

// WriterOptions say where a Writer sends to and who it is.
type WriterOptions struct {
	Path  string // the server's unix socket
	Hello Hello  // sent first on every connection; Host is stamped on every message
	Queue int    // flows and bins held while the server does not take them; 0 means 65,536

	// Dial replaces the unix socket at Path. Nil means the socket.
	Dial func(context.Context) (net.Conn, error)
}

// Writer carries an agent's messages to the server. It reconnects by itself,
// for ever; after each connect it says Hello and repeats the newest Catalog
// and Status. Its caller never waits: what the queue cannot hold is dropped,
// oldest first, counted, and reported to the server as Unsent. Its methods are
// safe for concurrent use, Run only once.
type Writer struct {
	opt   WriterOptions
	queue *queue

	mu      sync.Mutex
	catalog *Catalog // the newest, nil if there was none
	status  *Status  // the newest, nil if there was none
	told    told     // what the present connection has been told
	err     error    // why there is no connection
	closeBy time.Time
}

// told remembers what the server knows already.
type told struct {
	catalog *Catalog
	status  *Status
	unsent  uint64 // messages
}

// errNotConnected is what Err returns before the first attempt.
var errNotConnected = errors.New("not connected yet")

// NewWriter returns a Writer that sends nothing until Run is called. Messages
// may be given to Send before.
func NewWriter(o WriterOptions) *Writer {
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Dial == nil {
		path := o.Path
		o.Dial = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	}
	return &Writer{opt: o, queue: newQueue(o.Queue), err: errNotConnected}
}

// Send hands over a message. It returns at once. The message and what it
// points to must not be changed afterwards. Hello is sent by Run and ignored
// here. Of Catalog and Status only the newest is kept; it goes out before what is
// queued and is never dropped.
func (w *Writer) Send(m Message) {
	host := w.opt.Hello.Host
	switch {
	case m.Catalog != nil:
		c := *m.Catalog
		c.Host = host
		w.mu.Lock()
		w.catalog = &c
		w.mu.Unlock()
		w.queue.notify()
	case m.Status != nil:
		s := *m.Status
		s.Host = host
		w.mu.Lock()
		w.status = &s
		w.mu.Unlock()
		w.queue.notify()
	case m.Flows != nil:
		for rest := m.Flows.Flows; len(rest) > 0; {
			n := min(len(rest), chunk)
			w.queue.push(Message{Version: Version, Flows: &Flows{Host: host, Flows: rest[:n:n]}})
			rest = rest[n:]
		}
	case m.Bins != nil:
		for rest := m.Bins.Bins; len(rest) > 0; {
			n := min(len(rest), chunk)
			w.queue.push(Message{Version: Version, Bins: &Bins{Host: host, Bins: rest[:n:n]}})
			rest = rest[n:]
		}
	}
}

// Unsent returns what was dropped since the Writer was made.
func (w *Writer) Unsent() Unsent {
	u := w.queue.lost()
	u.Host = w.opt.Hello.Host
	return u
}

// Err returns why there is no connection to the server, nil while there is one.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Writer) setErr(err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
}

// Run connects and sends until ctx is done, then sends for up to one second
// more what is still queued if there is a connection. It returns nil.
func (w *Writer) Run(ctx context.Context) error {
	backoff := minBackoff
	for ctx.Err() == nil {
		conn, err := w.opt.Dial(ctx)
		if err != nil {
			w.setErr(fmt.Errorf("server not reached: %w", err))
		} else {
			began := time.Now()
			w.setErr(w.serve(ctx, conn))
			if time.Since(began) > maxBackoff {
				backoff = minBackoff
			}
		}
		wait(ctx, backoff)
		backoff = min(2*backoff, maxBackoff)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serve sends over one connection until it breaks or ctx is done.
func (w *Writer) serve(ctx context.Context, conn net.Conn) error {
	gone := make(chan error, 1)
	go func() { gone <- listen(conn) }()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { w.hurry(conn) })()
	if err := w.greet(conn); err != nil {
		return w.why(err, gone)
	}
	w.setErr(nil)
	for {
		if err := w.drain(conn); err != nil {
			return w.why(err, gone)
		}
		select {
		case <-w.queue.wake:
		case err := <-gone:
			return err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), w.drain(conn))
		}
	}
}

// why prefers the server's own words to a broken pipe.
func (w *Writer) why(err error, gone <-chan error) error {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case said := <-gone:
		return said
	case <-t.C:
		return fmt.Errorf("connection to the server broke: %w", err)
	}
}

// listen waits for the only thing a server says, a Refusal, or for its end.
func listen(conn net.Conn) error {
	m, err := NewDecoder(conn).Decode()
	if err == nil && m.Refusal != nil {
		return fmt.Errorf("the server refused this agent: %s", m.Refusal.Reason)
	}
	return errors.New("the server closed the connection")
}

// hurry gives everything that is still to be written one second from now.
func (w *Writer) hurry(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeBy = time.Now().Add(drainTimeout)
	_ = conn.SetWriteDeadline(w.closeBy)
}

// greet starts a connection. A new one has been told nothing.
func (w *Writer) greet(conn net.Conn) error {
	w.mu.Lock()
	w.told = told{}
	w.mu.Unlock()
	hello := w.opt.Hello
	return w.write(conn, Message{Hello: &hello})
}

// drain sends everything that is queued. A message whose write failed was not
// received whole and is counted as not sent.
func (w *Writer) drain(conn net.Conn) error {
	for {
		if err := w.report(conn); err != nil {
			return err
		}
		m, ok := w.queue.pop()
		if !ok {
			return nil
		}
		if err := w.write(conn, m); err != nil {
			w.queue.lose(m)
			return err
		}
	}
}

// report tells the server what it does not know yet: what is in force, how the
// agent is, what was dropped.
func (w *Writer) report(conn net.Conn) error {
	unsent := w.Unsent()
	w.mu.Lock()
	now := told{w.catalog, w.status, unsent.Messages}
	before := w.told
	w.told = now
	w.mu.Unlock()
	if now.catalog != before.catalog {
		if err := w.write(conn, Message{Catalog: now.catalog}); err != nil {
			return err
		}
	}
	if now.status != before.status {
		if err := w.write(conn, Message{Status: now.status}); err != nil {
			return err
		}
	}
	if now.unsent != before.unsent {
		return w.write(conn, Message{Unsent: &unsent})
	}
	return nil
}

// write sends one message. One that is too large goes in halves; what cannot
// be halved is counted as not sent and forgotten, because the next attempt
// would fail as well.
func (w *Writer) write(conn net.Conn, m Message) error {
	b, err := Marshal(m)
	if err != nil {
		a, b, ok := halves(m)
		if !ok {
			w.queue.lose(m)
			return nil
		}
		if err := w.write(conn, a); err != nil {
			return err
		}
		return w.write(conn, b)
	}
	if err := w.deadline(conn); err != nil {
		return err
	}
	_, err = conn.Write(b)
	return err
}

// deadline bounds the next write.
func (w *Writer) deadline(conn net.Conn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closeBy.IsZero() {
		return conn.SetWriteDeadline(w.closeBy)
	}
	return conn.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// halves splits a message of several flows or bins.
func halves(m Message) (a, b Message, ok bool) {
	switch {
	case m.Flows != nil && len(m.Flows.Flows) > 1:
		f, n := m.Flows, len(m.Flows.Flows)/2
		return Message{Flows: &Flows{f.Host, f.Flows[:n]}}, Message{Flows: &Flows{f.Host, f.Flows[n:]}}, true
	case m.Bins != nil && len(m.Bins.Bins) > 1:
		f, n := m.Bins, len(m.Bins.Bins)/2
		return Message{Bins: &Bins{f.Host, f.Bins[:n]}}, Message{Bins: &Bins{f.Host, f.Bins[n:]}}, true
	default:
		return Message{}, Message{}, false
	}
}
