package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/wire"
)

const policyText = `apiVersion: firebreak.dev/v1alpha1
kind: Estate
metadata: {name: shop}
spec:
  inventory: [{file: ../hosts.yaml}]
  networks: [10.0.0.0/8]
---
kind: Zone
metadata: {name: web, owner: web-team}
spec: {select: tier=web, stage: enforce}
---
kind: Zone
metadata: {name: data, owner: dba}
spec: {select: tier=data}
---
kind: Service
metadata: {name: orders-db}
spec: {select: app=orders-db, ports: [{name: postgres, port: 5432}]}
---
kind: Service
metadata: {name: admin}
spec: {select: app=orders-db, ports: [{name: console, port: 8443}]}
---
kind: External
metadata: {name: psp, owner: payments}
spec: {cidrs: [203.0.113.0/24], reason: card capture}
---
kind: Policy
metadata: {name: orders, owner: orders-team}
spec:
  stage: enforce
  rules:
  # what the shop does
  - name: web-to-db
    effect: allow
    from: {zone: web}
    to: {service: orders-db}
    ports: [postgres]
    reason: it stores orders

  # and what it pays with
  - {name: web-to-psp, effect: allow, from: {zone: web}, to: {external: psp}}
`

const hostsText = `kind: Workload
metadata: {name: web-1, labels: {tier: web, app: web}}
spec: {addresses: [10.0.0.1]}
---
kind: Workload
metadata: {name: web-2, labels: {tier: web, app: web}}
spec: {addresses: [10.0.0.2]}
---
kind: Workload
metadata: {name: db-1, labels: {tier: data, app: orders-db}}
spec: {addresses: [10.0.0.9]}
---
kind: Workload
metadata: {name: node-a, labels: {tier: data, app: node}}
spec: {addresses: [10.0.0.20]}
---
kind: Workload
metadata: {name: node-b, labels: {tier: data, app: node}}
spec: {addresses: [10.0.0.20]}
`

// place is a directory with a policy, an inventory and a configuration, and
// two cgroups, which are only directories here.
type place struct {
	t   testing.TB
	dir string
}

func newPlace(t testing.TB) place {
	p := place{t, t.TempDir()}
	p.write("policy/policy.yaml", policyText)
	p.write("hosts.yaml", hostsText)
	for _, c := range []string{"cg/web-1/child", "cg/web-2", "cg/stranger"} {
		if err := os.MkdirAll(filepath.Join(p.dir, c), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.write("agent.yaml", `{policy: policy, state: state, pins: pins, name: host-1, wire: wire.sock,
  cgroups: [{path: web-1, workload: web-1}, {path: web-2, workload: web-2}]}`)
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

func (p place) write(name, text string) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) cgroupID(name string) uint64 {
	id, err := cgroupID(p.path("cg/" + name))
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// fakeKernel remembers what it is told. Its revision outlives an agent.
type fakeKernel struct {
	mu       sync.Mutex
	place    place
	revision uint64
	tables   *layout.Tables
	attached bool
	opened   bool
	calls    []string
	applyErr error
	events   chan []layout.Event
	bins     []layout.Bin
	lost     uint64
}

func (k *fakeKernel) note(call string) { k.calls = append(k.calls, call) }

func (k *fakeKernel) Revision() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.revision
}

func (k *fakeKernel) Apply(t *layout.Tables) (Applied, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("apply")
	if _, err := os.Stat(k.place.path("state/numbers.json")); err != nil {
		k.place.t.Errorf("applied before the numbers were saved: %v", err)
	}
	if k.applyErr != nil {
		return Applied{}, k.applyErr
	}
	k.revision++
	k.tables = t
	return Applied{Revision: k.revision, Entries: len(t.Policy)}, nil
}

func (k *fakeKernel) Attach() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("attach")
	k.attached = true
	return nil
}

func (k *fakeKernel) Guard() error { return nil }

func (k *fakeKernel) EndWithdrawn(context.Context) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("end")
	return 1, nil
}

func (k *fakeKernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened = false
	return nil
}

func (k *fakeKernel) Events(ctx context.Context, f func([]layout.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-k.events:
			if !ok {
				return errors.New("the ring is gone")
			}
			f(e)
		}
	}
}

func (k *fakeKernel) Bins(f func(layout.Bin)) error {
	k.mu.Lock()
	bins := k.bins
	k.bins = nil
	k.mu.Unlock()
	for _, b := range bins {
		f(b)
	}
	return nil
}

func (k *fakeKernel) Lost() (uint64, error) { return k.lost, nil }

// fakeTime goes on only when it is told to, and may be set.
type fakeTime struct {
	mu     sync.Mutex
	wall   time.Time
	since  time.Duration // boot
	alarms []fakeAlarm
}

type fakeAlarm struct {
	at time.Duration
	c  chan time.Time
}

func (f *fakeTime) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

func (f *fakeTime) boot() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(f.since)
}

func (f *fakeTime) after(d time.Duration) <-chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan time.Time, 1)
	f.alarms = append(f.alarms, fakeAlarm{f.since + d, c})
	return c
}

// pass lets time pass, and fires what was to fire.
func (f *fakeTime) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall, f.since = f.wall.Add(d), f.since+d
	left := f.alarms[:0]
	for _, a := range f.alarms {
		if a.at > f.since {
			left = append(left, a)
			continue
		}
		a.c <- f.wall
	}
	f.alarms = left
}

// set sets the clock.
func (f *fakeTime) set(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = f.wall.Add(by)
}

// sink collects what an agent sends.
type sink struct {
	mu   sync.Mutex
	list []wire.Message
	err  error
}

func (s *sink) Send(m wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, m)
}

func (s *sink) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (s *sink) Err() error { return s.err }

func (s *sink) messages() []wire.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]wire.Message(nil), s.list...)
}

// journal is a log that may be read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// trial is an agent that runs against a fake machine.
type trial struct {
	place
	kernel  *fakeKernel
	sink    *sink
	log     *journal
	addrs   []netip.Addr
	mu      sync.Mutex
	moved   func()
	probe   error
	reload  chan struct{}
	time    *fakeTime
	discard int
	cancel  context.CancelFunc
	done    chan error
}

func newTrial(t testing.TB) *trial {
	p := newPlace(t)
	return &trial{
		place: p, kernel: &fakeKernel{place: p, events: make(chan []layout.Event)}, sink: &sink{},
		log: &journal{}, reload: make(chan struct{}), time: &fakeTime{wall: time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC)},
	}
}

func (r *trial) system() *System {
	return &System{
		Probe: func() (string, string, error) { return "6.18", "full", r.probe },
		Open: func(KernelOptions) (Kernel, Evidence, error) {
			r.kernel.opened = true
			return r.kernel, r.kernel, nil
		},
		Discard: func(KernelOptions) error { r.discard++; return nil },
		Cgroups: func(cfg *Config) (*cgroupTree, diag.List) { return findCgroups(cfg, r.path("cg")) },
		Addresses: func([]string) ([]netip.Addr, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.addrs, nil
		},
		WatchAddresses: func(_ context.Context, _ []string, changed func()) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.moved = changed
			return nil
		},
		Clock: func() int64 { return 1_000_000_000 },
		Now:   r.time.now,
		Boot:  r.time.boot,
		After: r.time.after,
		Dial:  func(string, wire.Hello) Sender { return r.sink },
	}
}

func (r *trial) run(ctx context.Context) error {
	return Run(ctx, Options{Config: r.path("agent.yaml"), Log: r.log, System: r.system(), Reload: r.reload})
}

// start runs the agent until the test ends or stop is called, and returns when
// it reports for the first time.
func (r *trial) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	reports := r.reports()
	go func() { r.done <- r.run(ctx) }()
	r.t.Cleanup(func() { cancel() })
	r.until("the first report", func() bool { return r.reports() > reports })
}

func (r *trial) reports() int {
	n := 0
	for _, m := range r.sink.messages() {
		if m.Status != nil {
			n++
		}
	}
	return n
}

func (r *trial) status() *wire.Status {
	list := r.sink.messages()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Status != nil {
			return list[i].Status
		}
	}
	return &wire.Status{}
}

func (r *trial) catalogs() []*wire.Catalog {
	var out []*wire.Catalog
	for _, m := range r.sink.messages() {
		if m.Catalog != nil {
			out = append(out, m.Catalog)
		}
	}
	return out
}

func (r *trial) stop() error {
	r.cancel()
	select {
	case err := <-r.done:
		return err
	case <-time.After(10 * time.Second):
		return errors.New("the agent does not stop")
	}
}

// until waits for a condition.
func (r *trial) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-deadline:
			r.t.Fatalf("%s does not come; the log:\n%s", what, r.log)
		case <-poll.C:
		}
	}
}

// untilLogged waits for a line in the log.
func (r *trial) untilLogged(text string) {
	r.t.Helper()
	r.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(r.log.String(), text) })
}
