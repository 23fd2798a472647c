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
	config  string
	reload  chan struct{}
	stop    func() error
	applied chan applied
	mu      sync.Mutex
	text    bytes.Buffer // what it has logged
}

// applied is what an agent says of a revision that it has put in force.
type applied struct {
	at         time.Time
	revision   string
	entries    string
	fill, flip time.Duration
}

var inForce = regexp.MustCompile(`revision (\d+) in force with (\d+) entries.*filled in (\S+), flipped in (\S+)\)`)

// Write takes a line of the agent's log.
func (a *runningAgent) Write(b []byte) (int, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(b)
	if m := inForce.FindSubmatch(b); m != nil {
		p := applied{at: now, revision: string(m[1]), entries: string(m[2])}
		var err1, err2 error
		p.fill, err1 = time.ParseDuration(string(m[3]))
		p.flip, err2 = time.ParseDuration(string(m[4]))
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

// startAgent starts an agent and returns when its first revision is in force.
func startAgent(p *place, x *estate, e *end) (*runningAgent, error) {
	path, err := x.config(p, e)
	if err != nil {
		return nil, err
	}
	a := &runningAgent{config: path, reload: make(chan struct{}), applied: make(chan applied, 16)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, agent.Options{Config: path, Log: a, Reload: a.reload}) }()
	a.stop = func() error {
		cancel()
		return errors.Join(<-done, detach(path))
	}
	select {
	case <-a.applied:
	case err := <-done:
		done <- err
		return nil, errors.Join(fmt.Errorf("the agent does not start; it says: %s", a.log()), a.stop())
	case <-time.After(starting):
		return nil, errors.Join(fmt.Errorf("the agent does not start; it says: %s", a.log()), a.stop())
	}
	return a, nil
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

// attached waits until the agent enforces.
func (a *runningAgent) attached(within time.Duration) error {
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(a.log(), ": attached to ") {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the agent does not enforce; it says: %s", a.log())
		}
	}
}
