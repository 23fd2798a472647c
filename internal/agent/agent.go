// Package agent keeps one host enforcing: it reads policy and inventory,
// renders them, puts them into the kernel, does so again when they change, and
// tells the server what the kernel saw. What it puts in force outlives it.
package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/flow"
	"firebreak/internal/load"
	"firebreak/internal/wire"
)

// Options are what an agent is started with.
type Options struct {
	Config string          // path of the configuration file
	Log    io.Writer       // gets a line for each event of the agent's life
	Reload <-chan struct{} // asks for a reading of all files; may be nil
	System *System         // nil means this machine
}

// System is what an agent needs of the machine. Every field must be set.
type System struct {
	Probe          func() (kernel, tier string, err error)
	Open           func(KernelOptions) (Kernel, Evidence, error)
	Discard        func(KernelOptions) error // removes what Open left if nothing was put in force
	Cgroups        func(*Config) (*cgroupTree, diag.List)
	Addresses      func(namespaces []string) ([]netip.Addr, error)
	WatchAddresses func(ctx context.Context, namespaces []string, changed func()) error
	Clock          func() int64 // Unix time minus CLOCK_MONOTONIC, ns
	Now            func() time.Time
	Boot           func() int64 // CLOCK_BOOTTIME, ns
	After          func(time.Duration) <-chan time.Time
	Dial           func(socket string, hello wire.Hello) Sender
}

// Sender carries messages to the server. Send never waits. Run carries them
// until ctx is done. Err says why they do not arrive, nil if they do.
type Sender interface {
	Send(wire.Message)
	Run(context.Context) error
	Err() error
}

// Refused is a policy or configuration that was not put in force.
type Refused struct{ Diags diag.List }

// Error returns the errors, one a line, each with what to do about it.
func (r *Refused) Error() string {
	var lines []string
	for _, d := range r.Diags {
		if d.Severity != diag.Error {
			continue
		}
		help, see := d.Help, d.See
		d.Help, d.See = "", diag.Pos{}
		line := strings.TrimPrefix(d.String(), "-: ")
		if help != "" {
			line += "; " + help
		}
		if see != (diag.Pos{}) {
			line += "; see " + see.String()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Run runs an agent until ctx is done, which is no error. It returns an error
// if it cannot start, and then has changed nothing; what an earlier agent put
// in force stays in force.
func Run(ctx context.Context, o Options) error {
	a := &agent{opts: o, sys: o.System, path: o.Config, endings: make(chan struct{}, 1)}
	if a.sys == nil {
		a.sys = thisMachine()
	}
	defer a.close()
	if err := a.start(ctx); err != nil {
		return err
	}
	err := a.work(ctx)
	a.logf("stopped; revision %d stays in force; `firebreak agent detach --config %s` ends it", a.kernel.Revision(), a.path)
	return err
}

type agent struct {
	opts Options
	sys  *System
	path string

	cfg          *Config
	release      string // of the kernel
	tier         string
	state        *state
	saved        []byte // the numbers on the disk
	files        load.Cache
	kernel       Kernel
	evidence     Evidence
	sender       Sender
	server       string // what was last logged about it
	attributor   attributor
	lags         lags
	endings      chan struct{} // the kernel refused a conversation in its midst: tell its process
	current      *candidate
	complaint    string // why the newest reading was refused, in full
	clock        int64  // Unix time minus CLOCK_BOOTTIME that the kernel's instants go by
	alarmAt      time.Time
	alarmC       <-chan time.Time
	late         string // why what the time changes could not be put in force
	told         string // what was last logged as not enforced
	watcher      *watcher
	unguarded    string // why new interfaces could not be guarded
	statusBroken string // why the status file could not be written

	logMu sync.Mutex
}

func (a *agent) logf(format string, args ...any) {
	name := ""
	if a.cfg != nil {
		name = " " + a.cfg.Name
	}
	a.logMu.Lock()
	defer a.logMu.Unlock()
	fmt.Fprintf(a.opts.Log, "agent%s: %s\n", name, fmt.Sprintf(format, args...))
}

func (a *agent) close() {
	if a.kernel != nil {
		if err := a.kernel.Close(); err != nil {
			a.logf("closing: %v", err)
		}
	}
	if a.state != nil {
		a.state.close()
	}
}

// start does everything that may fail before anything is changed, and only
// then opens the kernel.
func (a *agent) start(ctx context.Context) error {
	cfg, diags := ReadConfig(a.path)
	if diags.HasErrors() {
		return &Refused{diags}
	}
	a.cfg = cfg
	var err error
	if a.release, a.tier, err = a.sys.Probe(); err != nil {
		return err
	}
	if a.state, err = openState(cfg.State); err != nil {
		return err
	}
	numbers, err := a.state.numbers()
	if err != nil {
		return err
	}
	c, diags := consider(cfg, &a.files, numbers, a.sys)
	a.warn(diags)
	if diags.HasErrors() {
		return &Refused{diags}
	}
	if err := a.save(c); err != nil {
		return err
	}
	return a.enforce(ctx, c)
}

// enforce opens the kernel and puts the first revision of this agent's life in
// force. If nothing was in force before and this fails, nothing is left.
func (a *agent) enforce(ctx context.Context, c *candidate) error {
	o := KernelOptions{Pins: a.cfg.Pins, Cgroup: c.tree.root, Namespaces: a.cfg.Namespaces, Interfaces: a.cfg.Interfaces}
	k, e, err := a.sys.Open(o)
	if err != nil {
		return err
	}
	a.kernel, a.evidence = k, e
	before := k.Revision()
	if before > 0 {
		a.logf("taking over revision %d", before)
	}
	a.attributor.host = a.cfg.Name
	a.attributor.clock.Store(a.sys.Clock())
	a.sender = a.dial()
	err = a.apply(ctx, c)
	if err == nil {
		err = k.Attach()
	}
	if err != nil {
		if before == 0 {
			err = errors.Join(err, a.discard(o))
		}
		return err
	}
	a.logf("attached to %s; kernel %s, tier %s", whereText(a.cfg, c.tree), a.release, a.tier)
	a.tell(c)
	a.endWithdrawn(ctx)
	a.announce(c)
	return nil
}

// discard lets go of the kernel and removes what Open made.
func (a *agent) discard(o KernelOptions) error {
	k := a.kernel
	a.kernel = nil
	return errors.Join(k.Close(), a.sys.Discard(o))
}

func whereText(cfg *Config, t *cgroupTree) string {
	where := "network namespace " + strings.Join(namespacePaths(cfg.Namespaces), ", ")
	if t.root == "" {
		return where + " (no cgroup is configured: local processes have the zone " + cfg.Zone + ")"
	}
	return "cgroup " + t.root + " and " + where
}

func (a *agent) dial() Sender {
	if a.cfg.Wire == "" {
		return nobody{}
	}
	return a.sys.Dial(a.cfg.Wire, wire.Hello{Host: a.cfg.Name, Kernel: a.release, Tier: a.tier})
}

// nobody takes messages where no server is configured.
type nobody struct{}

func (nobody) Send(wire.Message)             {}
func (nobody) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (nobody) Err() error                    { return nil }

// save puts the numbers on the disk before the kernel sees any of them.
func (a *agent) save(c *candidate) error {
	text, err := json.Marshal(c.numbers)
	if err != nil || bytes.Equal(text, a.saved) {
		return err
	}
	if err := a.state.save(c.numbers); err != nil {
		return err
	}
	a.saved = text
	return nil
}

// apply puts a candidate in force. Its view is entered beforehand: the first
// events of a revision may come before Apply returns.
func (a *agent) apply(ctx context.Context, c *candidate) error {
	c.view.revision = a.kernel.Revision() + 1
	before := a.attributor.views.Load()
	a.attributor.enter(c.view)
	a.clockSet()
	c.tables.Clock = a.clock
	applied, err := a.kernel.Apply(c.tables)
	if err != nil {
		if before != nil {
			a.attributor.views.Store(before)
		}
		return err
	}
	if applied.Revision != c.view.revision {
		c.view = c.view.as(applied.Revision)
		a.attributor.enter(c.view)
	}
	a.current = c
	c.catalog.Revision = applied.Revision
	a.logf("revision %d in force with %s, %s, %s (filled in %s, flipped in %s)", applied.Revision, counted(applied.Entries, "entry", "entries"),
		counted(c.endpoints(), "endpoint", "endpoints"), counted(len(c.loaded.Policy.Rules), "rule", "rules"), round(applied.Fill), round(applied.Flip))
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d
	}
	return d.Round(10 * time.Microsecond)
}

func (a *agent) endWithdrawn(ctx context.Context) {
	ended, err := a.kernel.EndWithdrawn(ctx)
	if ended > 0 {
		a.logf("ended %s that revision %d does not permit any more", counted(ended, "conversation", "conversations"), a.kernel.Revision())
	}
	if err != nil && ctx.Err() == nil {
		a.logf("some conversations could not be ended, their packets are dropped: %v", err)
	}
}

// announce tells the server what is in force now.
func (a *agent) announce(c *candidate) {
	catalog := *c.catalog
	catalog.Host = a.cfg.Name
	a.sender.Send(wire.Message{Version: wire.Version, Catalog: &catalog})
}

func (a *agent) warn(diags diag.List) {
	for _, d := range diags {
		if d.Severity != diag.Error && d.Code != "unenforced" {
			a.logf("%s", d)
		}
	}
}

// events attributes what the kernel judged and hands it on.
func (a *agent) events(batch []layout.Event) {
	if len(batch) == 0 {
		return
	}
	flows := make([]flow.Flow, len(batch))
	ended := false
	for i := range batch {
		flows[i] = a.attributor.flow(&batch[i])
		ended = ended || batch[i].Reason == flow.Ended || batch[i].Reason == flow.Expired
	}
	if ended {
		select {
		case a.endings <- struct{}{}:
		default: // somebody will look anyway
		}
	}
	now := time.Now()
	for i := range flows {
		flows[i].Lag = now.Sub(flows[i].Time)
		a.lags.add(flows[i].Lag)
	}
	a.sender.Send(wire.Message{Version: wire.Version, Flows: &wire.Flows{Host: a.cfg.Name, Flows: flows}})
}

// countBins hands on what edges carried since the last time.
func (a *agent) countBins() error {
	b := bins{a: &a.attributor, sums: map[binKey]*wire.Bin{}}
	if err := a.evidence.Bins(b.add); err != nil || len(b.sums) == 0 {
		return err
	}
	out := make([]wire.Bin, 0, len(b.sums))
	for _, sum := range b.sums {
		out = append(out, *sum)
	}
	a.sender.Send(wire.Message{Version: wire.Version, Bins: &wire.Bins{Host: a.cfg.Name, Bins: out}})
	return nil
}
