package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"firebreak/internal/datapath"
	"firebreak/internal/demo/actor"
	"firebreak/internal/demo/lab"
	"firebreak/internal/httpapi"
)

// How long the phases take at least, and what may take how long at most.
const (
	warmUp     = 1200 * time.Millisecond // of load with nothing enforced, so that there is something to compare
	patience   = 90 * time.Second        // for agents to enforce
	minEnforce = 1 * time.Second         // of enforcement after the attacks

	dropPatience = 3 * time.Second // for drops to reach the page
)

// performance is one run of the demonstration.
type performance struct {
	o      Options
	prefix string
	story  *story
	stage  *stage
	page   *page
	tape   *recorder // nil unless it is recorded
	report Report

	attaching actor.Samples // of requests that were made while the agents came
}

// require says what this machine lacks, as an *Error with Missing set.
func require() error {
	err := lab.Require()
	var e *lab.Error
	if errors.As(err, &e) {
		return &Error{e.What, e.Do, true}
	}
	if err != nil {
		return err
	}
	if _, _, err := datapath.Probe(); err != nil {
		return &Error{What: err.Error(), Missing: true} // it says what to do
	}
	return nil
}

// runLive runs the demonstration in the kernel. When it returns, nothing is
// left of it.
func runLive(ctx context.Context, o Options, st *story) (report *Report, err error) {
	p := &performance{o: o, prefix: o.prefix(), story: st}
	err = p.perform(ctx)
	if err != nil && ctx.Err() != nil {
		err = &Error{What: "interrupted before there was anything to report", Do: "nothing is left of it"}
	}
	if err = errors.Join(err, p.close()); err != nil {
		return nil, err
	}
	st.tell("removed", "every namespace, cgroup, program, file and process that it made")
	return &p.report, nil
}

func (p *performance) perform(ctx context.Context) error {
	for _, act := range []func(context.Context) error{p.prepare, p.open, p.enforce, p.stay} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	// The numbers are collected even if it was Ctrl-C that ended it.
	return p.finish(context.WithoutCancel(ctx))
}

// prepare opens the page and builds the shop.
func (p *performance) prepare(ctx context.Context) (err error) {
	opt := httpapi.Options{Listen: p.o.Listen, Wire: filepath.Join(runDir(p.prefix), "wire.sock")}
	if p.o.Record != "" {
		if p.tape, err = newRecorder(p.o.Record, p.story.begin); err != nil {
			return err
		}
		opt.Recorder = p.tape.Recorder
	}
	if p.stage, err = newStage(p.prefix, p.o.Self); err != nil {
		return err
	}
	if left := p.stage.lab.Swept(); len(left) > 0 {
		fmt.Fprintf(p.o.Notes, "Removed what a killed run had left: %s.\n", strings.Join(left, ", "))
	}
	if p.page, err = openPage(ctx, opt); err != nil {
		return err
	}
	if err := p.stage.furnish(ctx); err != nil {
		return err
	}
	p.story.head("Firebreak: a shop in three VPCs, and somebody has taken a storefront")
	p.story.tell("built", "web, app, data and the world outside: namespaces behind a router, IPv4 and IPv6")
	p.story.tell("traffic", "shoppers → storefront → orders → orders-db, cache; storefront → payments → card processor")
	p.story.tell("page", "%s", p.page.base)
	return nil
}

// open runs the attacks with nothing enforced.
func (p *performance) open(ctx context.Context) error {
	p.story.head("Nothing is enforced")
	warm := time.NewTimer(warmUp)
	defer warm.Stop()
	if err := p.stage.order(ctx, attackerName, actor.OrderOpen); err != nil {
		return err
	}
	select {
	case <-warm.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	s, _, err := p.stage.measured(ctx, actor.OrderCut)
	if err != nil {
		return err
	}
	p.report.Latency.Open = percentiles(s)
	list := p.stage.ledger.attacks()
	p.story.tell("attacked", "from %s, as root: %s", taken, outcome(list, true))
	p.story.tell("latency", "%s", p.report.Latency.Open)
	for _, a := range list {
		if a.ReachedOpen == 0 {
			return fmt.Errorf("%s reached nothing though nothing is enforced: this machine's own firewall or load is in the way", a.Name)
		}
	}
	return nil
}

// enforce starts the agents and runs the attacks again.
func (p *performance) enforce(ctx context.Context) (err error) {
	begin := time.Now()
	if err := p.stage.enforce(p.page.wire); err != nil {
		return err
	}
	if err := p.awaitAgents(ctx); err != nil {
		return err
	}
	tier, release := p.page.watcher.tier()
	p.report.Enforcement, p.report.Kernel, p.report.Release = "ebpf", tier, release
	p.story.head("One agent per host enforces the policy in the kernel (%s, tier %s, after %.1f s)", release, tier, time.Since(begin).Seconds())
	// What was under way while the agents came is counted apart.
	if p.attaching, _, err = p.stage.measured(ctx, actor.OrderCut); err != nil {
		return err
	}
	if err := p.stage.order(ctx, attackerName, actor.OrderEnforce); err != nil {
		return err
	}
	list := p.judged()
	p.story.tell("attacked", "again: %s", outcome(list, false))
	p.story.tell("cut", "%s", severed(p.stage.ledger.sessions()))
	p.story.tell("seen", "%s", spread(list))
	return nil
}

func (p *performance) awaitAgents(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.page.watcher.await(ctx, estateHosts) }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for begin := time.Now(); ; {
		select {
		case err := <-done:
			return err
		case err := <-p.stage.agents.failed:
			return err
		case <-second.C:
			p.story.tick("an agent on each host has the kernel verify its programs, for %.0f s", time.Since(begin).Seconds())
		}
	}
}

// judged returns the attacks with their first drops. Drops travel while the
// attacker is already done, so it waits for them a little.
func (p *performance) judged() []Attack {
	deadline := time.Now().Add(dropPatience)
	for {
		news := p.page.watcher.news()
		list, missing := p.stage.ledger.attacks(), false
		for i, a := range attacks() {
			list[i].FirstDropMs = p.page.watcher.firstDrop(a, p.stage.ledger.began(a.Name))
			missing = missing || list[i].FirstDropMs < 0
		}
		left := time.Until(deadline)
		if !missing || left <= 0 {
			return list
		}
		select {
		case <-news:
		case <-time.After(left):
		}
	}
}

// stay goes on until the time is over or the context ends.
func (p *performance) stay(ctx context.Context) error {
	if p.o.For == 0 {
		p.story.tell("look", "%s shows it live; Ctrl-C ends it and removes everything it made", p.page.base)
	} else {
		left := max(minEnforce, p.o.For-time.Since(p.story.begin)-settleTime)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.stage.failed:
			return p.stage.why()
		case err := <-p.stage.agents.failed:
			return err
		case <-second.C:
			p.status()
		}
	}
}

func (p *performance) status() {
	c, in := p.page.watcher.counts(), 0
	for _, a := range p.stage.ledger.attacks() {
		in += a.Reached
	}
	p.story.tick("%s forwarded, %s audited, %s dropped, %s lost; %s got in", grouped(c.Forwarded), grouped(c.Audited), grouped(c.Dropped), grouped(c.Lost), grouped(in))
}

// finish stops everybody, waits until every number is in, and writes the
// report.
func (p *performance) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.stage.order(ctx, attackerName, actor.OrderStop); err != nil {
		return err
	}
	s, late, err := p.stage.measured(ctx, actor.OrderStop)
	if err != nil {
		return err
	}
	late.Micros = append(late.Micros, p.attaching.Micros...)
	late.Failed += p.attaching.Failed
	p.report.Latency.Permitted, p.report.Latency.Attaching = percentiles(s), percentiles(late)
	p.page.fill(ctx, &p.report)
	p.report.Attacks, p.report.Sessions = p.judged(), p.stage.ledger.sessions()
	if n := p.stage.ledger.strays(); n > 0 {
		return fmt.Errorf("victims saw %d attempts that the attacker knows nothing of", n)
	}
	p.tell(s.Error)
	if p.tape == nil {
		return nil
	}
	return p.tape.save(&p.report, p.story.told())
}

// tell tells how it ended.
func (p *performance) tell(failure string) {
	r := &p.report
	p.story.tell("latency", "%s", r.Latency.Permitted)
	if failure != "" {
		p.story.tell("failed", "%s", failure)
	}
	c := r.Flows
	p.story.tell("flows", "%s forwarded, %s audited, %s dropped, %s lost; each with the rule that decided", grouped(c.Forwarded), grouped(c.Audited), grouped(c.Dropped), grouped(c.Lost))
	p.story.tell("in all", "%s", outcome(r.Attacks, false))
}

// close ends and removes everything, wherever it stands.
func (p *performance) close() error {
	var errs []error
	if p.stage != nil {
		errs = append(errs, p.stage.close())
	}
	if p.page != nil {
		errs = append(errs, p.page.close())
	}
	if p.tape != nil {
		errs = append(errs, p.tape.close())
	}
	return errors.Join(errs...)
}
