package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"firebreak/internal/agent"
)

// runningAgent is an agent of this process, all of it as users have it.
type runningAgent struct {
	reload   chan struct{}
	applied  chan applied
	attached chan struct{}
	stop     func() error // and takes everything out of the kernel

	mu   sync.Mutex
	text bytes.Buffer // what it has logged
}

// applied is what an agent says of a revision that it has put in force.
type applied struct {
	at         time.Time
	entries    string
	fill, flip time.Duration
}

var inForce = regexp.MustCompile(`revision \d+ in force with (\d+) entries.*filled in (\S+), flipped in (\S+)\)`)

// Write takes a line of the agent's log.
func (a *runningAgent) Write(b []byte) (int, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(b)
	if bytes.Contains(b, []byte(": attached to ")) {
		a.attached <- struct{}{} // once in its life
	}
	if m := inForce.FindSubmatch(b); m != nil {
		p := applied{at: now, entries: string(m[1])}
		var err1, err2 error
		p.fill, err1 = time.ParseDuration(string(m[2]))
		p.flip, err2 = time.ParseDuration(string(m[3]))
		if err1 == nil && err2 == nil {
			select {
			case a.applied <- p:
			default:
			}
		}
	}
	return len(b), nil
}

func (a *runningAgent) log() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.TrimSpace(a.text.String())
}

// startAgent starts an agent and returns when it enforces.
func startAgent(p *place, x *estate, e *end) (*runningAgent, error) {
	path, err := x.config(p, e)
	if err != nil {
		return nil, err
	}
	a := &runningAgent{reload: make(chan struct{}), applied: make(chan applied, 16), attached: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, agent.Options{Config: path, Log: a, Reload: a.reload}) }()
	a.stop = func() error {
		cancel()
		return errors.Join(<-done, detach(path))
	}
	select {
	case <-a.attached:
		<-a.applied
		return a, nil
	case err := <-done:
		done <- err
	case <-time.After(starting):
	}
	return nil, errors.Join(fmt.Errorf("the agent does not start; it says: %s", a.log()), a.stop())
}

func detach(path string) error {
	cfg, diags := agent.ReadConfig(path)
	if diags.HasErrors() {
		return fmt.Errorf("%s: %s", path, diags[0])
	}
	return agent.Detach(context.Background(), cfg)
}

// starting is how long an agent may take to begin: the kernel looks at its
// programs for seconds, longer where it has other work.
const starting = time.Minute

// next waits for the next revision.
func (a *runningAgent) next(within time.Duration) (applied, error) {
	select {
	case p := <-a.applied:
		return p, nil
	case <-time.After(within):
		return applied{}, fmt.Errorf("the agent has put nothing in force; it says: %s", a.log())
	}
}

// settle waits until this program has next to nothing to do: agents read their
// files once more after they have begun, and servers sort out what they were
// told. What never settles is measured as it is.
func settle() {
	const step = 100 * time.Millisecond
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		before := ownTime()
		time.Sleep(step)
		if ownTime()-before < step/10 {
			return
		}
	}
}
