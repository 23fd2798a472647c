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
	"syscall"

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
	agents *agents            // nil while nothing is enforced

	mu      sync.Mutex
	samples actor.Samples
	late    actor.Samples
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

// newStage makes an empty stage, on which nobody plays. What a killed
// demonstration left is removed first. On error nothing is left.
func newStage(prefix string, self []string) (*stage, error) {
	l, err := lab.New(prefix)
	if err != nil {
		return nil, asError(err)
	}
	if err := sweep(prefix); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &stage{self: self, lab: l, hosts: map[string]*lab.Host{}, ledger: newLedger(), actors: map[string]*troupe{}, failed: make(chan struct{})}, nil
}

// asError turns the lab's refusals into the demonstration's.
func asError(err error) error {
	var e *lab.Error
	if errors.As(err, &e) && e.Holder > 0 {
		return &Error{What: fmt.Sprintf("a demonstration is running already (process %d)", e.Holder), Do: "end it with Ctrl-C in its terminal first"}
	}
	if errors.As(err, &e) {
		return &Error{What: e.What, Do: e.Do}
	}
	return err
}

// furnish makes the hosts and starts every player; when it returns, all serve
// and the shoppers shop. The caller closes the stage also on error.
func (s *stage) furnish(ctx context.Context) error {
	if err := unpack(filepath.Join(runDir(s.lab.Prefix()), "policy")); err != nil {
		return err
	}
	for _, name := range append([]string{outside}, estateHosts...) {
		h, err := s.lab.AddHost(name, addresses(name)...)
		if err != nil {
			return asError(err)
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
	t.cmd.SysProcAttr = apart()
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

// apart keeps a child out of the terminal's process group: Ctrl-C is for the
// director alone, who ends everything in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

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
			if r.Late != nil {
				s.late = *r.Late
			}
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

// measured returns what the shoppers measured since they were last asked, and
// apart from that of the requests that had begun before then. The order is to
// go on (OrderCut) or to stop.
func (s *stage) measured(ctx context.Context, order string) (now, late actor.Samples, err error) {
	if err := s.order(ctx, "shoppers", order); err != nil {
		return now, late, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.samples, s.late, nil
}

// close ends every process of the stage and removes what it made.
func (s *stage) close() error {
	s.mu.Lock()
	if s.failure == nil {
		s.failure = errors.New("closed")
		close(s.failed)
	}
	s.mu.Unlock()
	if s.agents != nil {
		s.agents.dismiss()
	}
	for _, t := range s.actors {
		_ = t.conn.Close()
	}
	// The pins go while the lock is held: the next demonstration may begin as
	// soon as the lab is closed.
	return errors.Join(sweep(s.lab.Prefix()), s.lab.Close())
}

// Clean removes what a killed demonstration left behind and returns what that
// was, in words. One that still runs is an *Error.
func Clean() ([]string, error) { return clean(Prefix) }

func clean(prefix string) ([]string, error) {
	l, err := lab.New(prefix) // takes the lock and removes the lab that was
	if err != nil {
		return nil, asError(err)
	}
	removed := l.Swept()
	for _, dir := range []string{runDir(prefix), pinDir(prefix)} {
		if _, err := os.Stat(dir); err == nil {
			removed = append(removed, dir)
		}
	}
	return removed, errors.Join(sweep(prefix), l.Close())
}
