package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// changeRun is what many changes did to the packets that flowed meanwhile.
type changeRun struct {
	Fill, Flip  spread
	Changes     int
	Connections int // opened meanwhile
	Requests    int // on one conversation that went on
	Judged      int // events checked
	Mixed       int // with numbers of both editions, or refused
	Example     string

	first uint32 // the revision before all changes
}

func (c *changeRun) text() string {
	s := fmt.Sprintf("%d in %d changes under %s new connections and %s round trips", c.Mixed, c.Changes, thousands(c.Connections), thousands(c.Requests))
	if c.Example != "" {
		s += " (" + c.Example + ")"
	}
	return s
}

// change replaces a policy of 10,000 rules by one that says the same with
// other numbers for everything, again and again, while connections are opened
// and one goes on. Half of each would refuse, or have numbers of both.
func (r *results) change(ctx context.Context) error {
	if !r.set.wants(partChange) {
		return nil
	}
	r.set.say("changes with packets flowing")
	c := &changeRun{}
	var mu sync.Mutex
	if err := r.place.switchTo(variantLarge); err != nil {
		return err
	}
	en := r.place.enforced
	c.first = uint32(en.dps[0].Revision())
	en.tell(func(batch []layout.Event) {
		mu.Lock()
		defer mu.Unlock()
		c.check(batch)
	})
	defer en.tell(nil)
	long := 6 * r.set.RoundTime
	var talk sync.WaitGroup
	var errs [2]error
	var got [2]answer
	talk.Go(func() {
		got[0], errs[0] = r.place.caller.ask(order{Do: "once", To: at(serverAddr, portOnce), For: long})
	})
	talk.Go(func() {
		got[1], errs[1] = r.place.second.ask(order{Do: "round", To: at(serverAddr, portEcho), For: long, Rate: 2000})
	})
	fills, flips, err := r.flips(ctx, en, long)
	talk.Wait()
	if err := errors.Join(err, errs[0], errs[1]); err != nil {
		return fmt.Errorf("while the policy changed: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	c.Fill, c.Flip, c.Changes = spreadOf(fills), spreadOf(flips), len(flips)
	c.Connections, c.Requests = got[0].Requests, got[1].Requests
	if c.Changes == 0 || c.Judged == 0 {
		return fmt.Errorf("nothing was measured: %d changes, %d events", c.Changes, c.Judged)
	}
	r.Change = c
	return nil
}

// flips changes both ends' policies until the time is over.
func (r *results) flips(ctx context.Context, en *enforcement, long time.Duration) (fills, flips []time.Duration, err error) {
	var tables [editions][2]*layout.Tables
	for edition := range tables {
		for i, e := range r.place.ends() {
			rules := large
			rules.edition = uint32(edition)
			if tables[edition][i], err = rules.tables(r.place, e); err != nil {
				return nil, nil, err
			}
		}
	}
	end := time.Now().Add(long - 2*warmUp)
	for time.Now().Before(end) && ctx.Err() == nil {
		for i, d := range en.dps {
			a, err := d.Apply(tables[editionAt(d.Revision()+1)][i])
			if err != nil {
				return fills, flips, err
			}
			fills, flips = append(fills, a.Fill), append(flips, a.Flip)
		}
	}
	return fills, flips, nil
}

// editionAt is the edition that a revision is made of while policies change.
// There are three, because the slot that a change fills holds what was in force
// two changes ago: so every entry of it is replaced.
func editionAt[N uint32 | uint64](revision N) N { return revision % editions }

const editions = 3

// made reports whether all of a decision about the true peer is this
// ruleset's.
func (r ruleset) made(e *layout.Event) bool {
	rule := r.rule(r.peers/2, int(e.DstPort)-firstPort)
	return e.Verdict == flow.Forwarded && e.ToCome == flow.Forwarded && e.Rule == rule && e.ToComeRule == rule &&
		e.Local == r.local() && e.Peer == r.peer(r.peers/2)
}

// check looks for decisions that no whole policy makes.
func (c *changeRun) check(batch []layout.Event) {
	for i := range batch {
		e := &batch[i]
		if e.DstPort != portOnce && e.DstPort != portEcho {
			continue
		}
		c.Judged++
		rules := large
		if e.Revision > c.first {
			rules.edition = editionAt(e.Revision)
		}
		if !rules.made(e) {
			c.Mixed++
			c.Example = fmt.Sprintf("revision %d, local %d, peer %d, rule %d, %s", e.Revision, e.Local, e.Peer, e.Rule, e.Verdict)
		}
	}
}
