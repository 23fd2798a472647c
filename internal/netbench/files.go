package main

import (
	"context"
	"fmt"
	"time"
)

// fileRun is what it took an agent to put a change of its files in force.
type fileRun struct {
	What    string
	Entries string // in the kernel
	Whole   spread // from the order to read to the revision in force
	Fill    spread // of that
	Flip    spread
}

func (f fileRun) text() string {
	return fmt.Sprintf("%s median, %s at most (of that, filling %s; %s entries)", short(f.Whole.P50), short(f.Whole.Max), short(f.Fill.P50), f.Entries)
}

// files changes a policy of 10,000 rules in files, and waits each time until a
// host's agent has read, checked, rendered and applied it.
func (r *results) files(ctx context.Context, x *estate, a *runningAgent) error {
	if !r.set.wants(partChange) {
		return nil
	}
	r.set.say("changes from file to kernel")
	turns := min(r.set.Rounds, 9)
	for _, what := range []struct {
		name  string
		write func(n int) error
	}{
		{"one rule changed", func(n int) error { return x.write(0, n%2) }},
		{"all rules changed", func(n int) error { return x.write(n, 0) }},
	} {
		run := fileRun{What: what.name}
		var whole, fill, flip []time.Duration
		for n := 1; n <= turns && ctx.Err() == nil; n++ {
			settle()
			began, p, err := a.change(func() error { return what.write(n) })
			if err != nil {
				return fmt.Errorf("%s: %w", what.name, err)
			}
			run.Entries = p.entries
			whole, fill, flip = append(whole, p.at.Sub(began)), append(fill, p.fill), append(flip, p.flip)
		}
		run.Whole, run.Fill, run.Flip = spreadOf(whole), spreadOf(fill), spreadOf(flip)
		r.Files = append(r.Files, run)
	}
	return nil
}

// change writes files and orders the agent to read them. It returns when the
// agent began to, and what it then put in force. An agent that has noticed the
// change by itself counts from the change.
func (a *runningAgent) change(write func() error) (time.Time, applied, error) {
	if err := write(); err != nil {
		return time.Time{}, applied{}, err
	}
	written := time.Now()
	select {
	case a.reload <- struct{}{}:
	case p := <-a.applied:
		return written, p, nil
	case <-time.After(10 * time.Second):
		return written, applied{}, fmt.Errorf("the agent takes no order; it says: %s", a.log())
	}
	began := time.Now()
	p, err := a.next(10 * time.Second)
	if p.at.Before(began) {
		began = written
	}
	return began, p, err
}
