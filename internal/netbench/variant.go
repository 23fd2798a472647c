package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"firebreak/internal/datapath"
	"firebreak/internal/datapath/layout"
)

// enforcement is what there is of Firebreak in the kernel.
type enforcement struct {
	dps  []*datapath.Datapath // client's, server's
	stop func()               // ends the readers

	mu   sync.Mutex
	each func(batch []layout.Event) // gets every event; nil means nobody does
}

// tell makes f get the events from now on.
func (en *enforcement) tell(f func([]layout.Event)) {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.each = f
}

var (
	small = ruleset{peers: 10, ports: 10}
	large = ruleset{peers: 100, ports: 100}
)

func (p *place) options(e *end) datapath.Options {
	return datapath.Options{Pins: p.pins(e), Cgroup: e.host.Cgroup(), Namespaces: []string{e.host.NamespacePath()}}
}

// enforce opens both ends with a ruleset, and reads events and bins as an agent
// does.
func (p *place) enforce(r ruleset) (*enforcement, error) {
	en := &enforcement{stop: func() {}}
	var err error
	for _, e := range p.ends() {
		var d *datapath.Datapath
		if d, err = datapath.Open(p.options(e)); err != nil {
			break
		}
		en.dps = append(en.dps, d)
	}
	if err == nil {
		err = p.apply(en, r)
	}
	for _, d := range en.dps {
		if err == nil {
			err = d.Attach()
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.release(en))
	}
	en.read()
	return en, nil
}

func (p *place) apply(en *enforcement, r ruleset) error {
	for i, e := range p.ends() {
		t, err := r.tables(p, e)
		if err != nil {
			return err
		}
		if _, err := en.dps[i].Apply(t); err != nil {
			return err
		}
	}
	return nil
}

// binEvery is how often an agent reads the bins.
const binEvery = 100 * time.Millisecond

func (en *enforcement) read() {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, d := range en.dps {
		all.Go(func() {
			_ = d.Events(ctx, func(batch []layout.Event) { // ends with ctx
				en.mu.Lock()
				defer en.mu.Unlock()
				if en.each != nil {
					en.each(batch)
				}
			})
		})
		all.Go(func() {
			t := time.NewTicker(binEvery)
			defer t.Stop()
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-t.C:
					_ = d.Bins(func(layout.Bin) {}) // a failure shows in Stats
				}
			}
		})
	}
	en.stop = func() { cancel(); all.Wait() }
}

// lost is how many events the kernel had no room for, at both ends.
func (en *enforcement) lost() (uint64, error) {
	sum := uint64(0)
	for _, d := range en.dps {
		s, err := d.Stats()
		if err != nil {
			return 0, err
		}
		sum += s.Lost
	}
	return sum, nil
}

// release lets go of the kernel and takes everything out of it.
func (p *place) release(en *enforcement) error {
	if en == nil {
		return nil
	}
	en.stop()
	var errs []error
	for i, d := range en.dps {
		errs = append(errs, d.Close(), datapath.Detach(p.options(p.ends()[i])))
	}
	return errors.Join(errs...)
}

// nftOn puts the set into both namespaces.
func (p *place) nftOn(r ruleset) error {
	for _, e := range p.ends() {
		if err := command(r.nft(p, e), "ip", "netns", "exec", e.host.Namespace(), "nft", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

func (p *place) nftOff() error {
	var errs []error
	for _, e := range p.ends() {
		errs = append(errs, command("", "ip", "netns", "exec", e.host.Namespace(), "nft", "flush", "ruleset"))
	}
	return errors.Join(errs...)
}

// prove checks that a variant enforces, or that none does: a port that no rule
// permits is reached only with none.
func (p *place) prove(name string, enforced bool) error {
	a, err := p.caller.ask(order{Do: "probe", To: at(serverAddr, portClosed)})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if reached := a.Requests > 0; reached == enforced {
		return fmt.Errorf("%s: a port that no policy permits is reached: %t", name, reached)
	}
	if enforced {
		return nil
	}
	if _, err := os.Stat(p.pinRoot()); err == nil {
		if left, _ := os.ReadDir(p.pinRoot()); len(left) > 0 {
			return fmt.Errorf("%s: programs are still pinned in %s", name, p.pinRoot())
		}
	}
	return nil
}
