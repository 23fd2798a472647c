package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"firebreak/internal/demo/actor"
	"firebreak/internal/demo/lab"
)

// stage is the shop, built and running: a lab with its hosts and the actors in
// them.
type stage struct {
	self   []string
	lab    *lab.Lab
	hosts  map[string]*lab.Host
	ledger *ledger
	actors map[string]*troupe // by player's name

	mu      sync.Mutex
	samples actor.Samples
	failure error
	failed  chan struct{} // closed at the first failure
}

// troupe is one actor's process as its director sees it.
type troupe struct {
	name string
	conn *actor.Conn
	cmd  *exec.Cmd
	said chan string // orders that are done
}

// attackerName is the actor beside the players.
const attackerName = "attacker"

// build makes the hosts and starts every player; when it returns, all serve
// and the shoppers shop. On error nothing is left.
func build(ctx context.Context, self []string) (*stage, error) {
	l, err := lab.New(Prefix)
	if err != nil {
		return nil, asError(err)
	}
	s := &stage{self: self, lab: l, hosts: map[string]*lab.Host{}, ledger: newLedger(), actors: map[string]*troupe{}, failed: make(chan struct{})}
	if err := s.furnish(ctx); err != nil {
		return nil, errors.Join(asError(err), s.close())
	}
	return s, nil
}

// asError turns the lab's refusals into the demonstration's.
func asError(err error) error {
	var e *lab.Error
	if errors.As(err, &e) {
		return &Error{What: e.What, Do: e.Do}
	}
	return err
}

func (s *stage) furnish(ctx context.Context) error {
	for _, name := range append([]string{outside}, estateHosts...) {
		h, err := s.lab.AddHost(name, addresses(name)...)
		if err != nil {
			return err
		}
		s.hosts[name] = h
	}
	for _, p := range players() {
		if err := s.start(ctx, p.Host, p.Name, p.Name, p.config()); err != nil {
			return err
		}
	}
	return s.start(ctx, takenHost, taken, attackerName, attackerConfig())
}

// start starts one actor in a host's namespace and a workload's cgroup and
// waits until it is ready.
func (s *stage) start(ctx context.Context, host, group, name string, c actor.Config) error {
	h := s.hosts[host]
	dir, err := h.Group(group)
	if err != nil {
		return err
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	args := append(s.self[1:len(s.self):len(s.self)], ProcessVerb, name)
	t := &troupe{name: name, cmd: exec.Command(s.self[0], args...), conn: actor.NewConn(ours), said: make(chan string, 16)}
	t.cmd.ExtraFiles = []*os.File{theirs}
	t.cmd.Stderr = os.Stderr
	t.cmd.Dir = "/"
	if err := h.Start(dir, t.cmd); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), ours.Close())
	}
	s.actors[name] = t
	go func() { _ = t.cmd.Wait() }()
	if err := t.conn.Send(actor.Order{Config: &c}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go s.listen(t)
	return s.await(ctx, t, ready)
}

// ready is what a troupe "said" when it is.
const ready = "ready"

// socketpair returns a control connection: our end, and the file that the
// child inherits as its third.
func socketpair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "director"), os.NewFile(uintptr(fds[1]), "actor")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// listen takes in what an actor says until it ends. An actor that ends before
// the stage closes is a failure.
func (s *stage) listen(t *troupe) {
	for {
		var r actor.Report
		if err := t.conn.Receive(&r); err != nil {
			s.fail(fmt.Errorf("%s ended", t.name))
			return
		}
		switch {
		case r.Error != "":
			s.fail(errors.New(r.Error))
		case r.Ready:
			t.said <- ready
		case r.Done != "":
			t.said <- r.Done
		case r.Samples != nil:
			s.mu.Lock()
			s.samples = *r.Samples
			s.mu.Unlock()
		default:
			s.ledger.note(r)
		}
	}
}

func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
}

func (s *stage) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// await waits until an actor says something.
func (s *stage) await(ctx context.Context, t *troupe, word string) error {
	for {
		select {
		case said := <-t.said:
			if said == word {
				return nil
			}
		case <-s.failed:
			return s.why()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// order tells an actor to do something and waits until it is done.
func (s *stage) order(ctx context.Context, name, do string) error {
	t := s.actors[name]
	if err := t.conn.Send(actor.Order{Do: do}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.await(ctx, t, do)
}

// cut returns what the shoppers measured since the last cut.
func (s *stage) cut(ctx context.Context) (actor.Samples, error) {
	if err := s.order(ctx, "shoppers", actor.OrderCut); err != nil {
		return actor.Samples{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.samples, nil
}

// group returns the cgroup directory of a workload.
func (s *stage) group(host, workload string) string {
	return filepath.Join(s.hosts[host].Cgroup(), workload)
}

// close ends every process of the stage and removes what it made.
func (s *stage) close() error {
	s.mu.Lock()
	if s.failure == nil {
		s.failure = errors.New("closed")
		close(s.failed)
	}
	s.mu.Unlock()
	for _, t := range s.actors {
		_ = t.conn.Close()
	}
	return s.lab.Close()
}
