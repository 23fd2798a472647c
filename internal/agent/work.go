package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"sync"
	"time"

	"firebreak/internal/diag"
)

const (
	binEvery    = 100 * time.Millisecond // the kernel keeps 320 ms of bins
	statusEvery = time.Second
)

// work reads evidence and follows changes until ctx is done or the evidence
// fails.
func (a *agent) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 2)
	var all, reading sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
		waitBriefly(&reading)
	}()
	all.Go(func() { _ = a.sender.Run(ctx) })
	reading.Go(func() {
		if err := a.evidence.Events(ctx, a.events); err != nil && ctx.Err() == nil {
			failed <- fmt.Errorf("the kernel's events cannot be read any more: %w", err)
		}
	})
	all.Go(func() {
		if err := every(ctx, binEvery, a.countBins); err != nil {
			failed <- fmt.Errorf("the kernel's counters cannot be read any more: %w", err)
		}
	})
	changes := a.follow(ctx, &all)
	ticks := time.NewTicker(statusEvery)
	defer ticks.Stop()
	a.report(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-changes:
			a.reload(ctx)
		case <-a.opts.Reload:
			a.reload(ctx)
		case <-a.endings:
			a.endWithdrawn(ctx)
			continue
		case <-a.alarm():
			a.alarmAt = time.Time{} // it may have been early by a hair
			a.keepTime(ctx)
		case <-ticks.C:
			a.guard()
			a.noteServer()
			a.keepTime(ctx)
			if a.cgroupsChanged() {
				a.reload(ctx)
			}
		}
		a.report(ctx)
	}
}

// guard looks after new interfaces. A failure is logged once.
func (a *agent) guard() {
	why := ""
	if err := a.kernel.Guard(); err != nil {
		why = err.Error()
	}
	if why != "" && why != a.unguarded {
		a.logf("packet sockets may go around at a new interface: %s", why)
	}
	a.unguarded = why
}

// waitBriefly waits for the reader of events, but not for ever: if it waits in
// the kernel, closing that ends it.
func waitBriefly(reading *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { reading.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(100 * time.Millisecond):
	}
}

// every calls f until ctx is done or f fails.
func every(ctx context.Context, d time.Duration, f func() error) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := f(); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// follow signals when files or addresses may have changed. Where they cannot
// be watched, it says so, and SIGHUP is what is left.
func (a *agent) follow(ctx context.Context, all *sync.WaitGroup) <-chan struct{} {
	pokes, out := make(chan struct{}, 1), make(chan struct{}, 1)
	poke := func() {
		select {
		case pokes <- struct{}{}:
		default:
		}
	}
	all.Go(func() { debounce(ctx, pokes, out) })
	w, err := newWatcher(a.cfg.State, poke)
	if err != nil {
		a.logf("changes of files are not noticed (%v); send SIGHUP after a change", err)
	} else {
		a.watcher = w
		all.Go(func() { w.run(ctx) })
		a.watch(ctx, a.current)
		poke() // for what changed between reading and watching
	}
	if err := a.sys.WatchAddresses(ctx, a.cfg.Namespaces, poke); err != nil {
		a.logf("changes of addresses are not noticed (%v); send SIGHUP after a change", err)
	}
	return out
}

// watch follows what a reading has read, and reports whether that is more than
// before.
func (a *agent) watch(ctx context.Context, c *candidate) bool {
	if a.watcher == nil {
		return false
	}
	did := a.watcher.set(ctx, append(slices.Clone(c.loaded.Files), a.path), c.loaded.Dirs)
	if did.err != nil && !errors.Is(did.err, fs.ErrNotExist) {
		a.logf("changes of some files are not noticed (%v); send SIGHUP after a change", did.err)
	}
	return did.added
}

// reload reads everything again and puts it in force if it is good and says
// something new. Otherwise the old stays in force, and the status says why.
func (a *agent) reload(ctx context.Context) {
	c, diags := a.consider()
	if a.watch(ctx, c) { // new directories: look again, now that they are watched
		c, diags = a.consider()
		a.watch(ctx, c)
	}
	if diags.HasErrors() {
		a.refuse((&Refused{diags}).Error())
		return
	}
	if why := a.put(ctx, c, false); why != "" {
		a.refuse(why)
		return
	}
	a.accepted(diags)
}

// put puts a good reading in force, unless the kernel holds the same already
// and is not to be told anyway. It returns why it could not.
func (a *agent) put(ctx context.Context, c *candidate, anyway bool) string {
	c.tables.Clock = a.current.tables.Clock
	if !anyway && reflect.DeepEqual(c.tables, a.current.tables) {
		a.accept(c)
		return ""
	}
	if err := a.save(c); err != nil {
		return err.Error()
	}
	if err := a.apply(ctx, c); err != nil {
		return err.Error()
	}
	a.tell(c)
	a.endWithdrawn(ctx)
	a.announce(c)
	return ""
}

func (a *agent) consider() (*candidate, diag.List) {
	cfg, diags := ReadConfig(a.path)
	if diags.HasErrors() {
		return a.current, diags
	}
	if field := needsRestart(a.cfg, cfg); field != "" {
		diags.Errorf(diag.Pos{File: a.path}, "needs-restart", "the configuration's %s has changed", field).
			WithHelp("restart the agent; enforcement goes on meanwhile")
		return a.current, diags
	}
	c, more := consider(cfg, &a.files, a.current.numbers, a.sys)
	diags = append(diags, more...)
	if c.tree != nil && c.tree.root != a.current.tree.root {
		if c.tree.root == "" || a.current.tree.root == "" || !within(c.tree.root, a.current.tree.root) {
			diags.Errorf(diag.Pos{File: a.path}, "needs-restart", "the cgroups' common ancestor is now %q and no longer %q", c.tree.root, a.current.tree.root).
				WithHelp("restart the agent, or set cgroupRoot")
		} else {
			c.tree.root = a.current.tree.root
		}
	}
	return c, diags
}

// needsRestart names a field that only holds from the next start on.
func needsRestart(old, cfg *Config) string {
	switch {
	case old.Pins != cfg.Pins:
		return "pins"
	case old.State != cfg.State:
		return "state"
	case old.Wire != cfg.Wire:
		return "wire"
	case old.Name != cfg.Name:
		return "name"
	case old.CgroupRoot != cfg.CgroupRoot:
		return "cgroupRoot"
	case !slices.Equal(old.Namespaces, cfg.Namespaces):
		return "namespaces"
	case !slices.Equal(old.Interfaces, cfg.Interfaces):
		return "interfaces"
	}
	return ""
}

// accept takes over a reading that renders to what is in force: nothing
// changes in the kernel, but lines may have moved, and names.
func (a *agent) accept(c *candidate) {
	c.view.revision = a.current.view.revision
	c.catalog.Revision = a.current.catalog.Revision
	a.tell(c)
	same := reflect.DeepEqual(c.catalog, a.current.catalog)
	a.current = c
	a.attributor.enter(c.view)
	if !same {
		a.announce(c)
	}
}

func (a *agent) accepted(diags diag.List) {
	if a.complaint != "" {
		a.complaint = ""
		a.logf("mended; revision %d is what the files say", a.kernel.Revision())
		a.warn(diags)
	}
}

// refuse keeps what is in force. The same complaint is logged once.
func (a *agent) refuse(why string) {
	if why == a.complaint {
		return
	}
	a.complaint = why
	a.logf("refused, revision %d stays in force:\n%s", a.kernel.Revision(), why)
}

// cgroupsChanged reports whether a configured cgroup was made anew or removed.
func (a *agent) cgroupsChanged() bool {
	tree := a.current.tree
	for i, path := range tree.paths {
		if id, err := cgroupID(path); err != nil || id != tree.found[i].ID {
			return true
		}
	}
	return false
}
