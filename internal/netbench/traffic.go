package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The measurements that compare variants.
const (
	partRound   = "round"
	partSteady  = "steady"
	partConnect = "connect"
	partBulk    = "bulk"
	partEvents  = "events"
	partPage    = "page"
	partChange  = "change"
)

// The variants.
const (
	variantNone  = "none"
	variantNFT   = "nft"
	variantSmall = "fb-100"
	variantLarge = "fb-10000"
)

// steadyRate is the pace of the part steady, in requests per second.
const steadyRate = 10_000

// comparison is one measurement and the variants that it is about.
type comparison struct {
	part     string
	order    order
	variants []string
}

func comparisons(d time.Duration) []comparison {
	all := []string{variantNone, variantNFT, variantSmall, variantLarge}
	three := []string{variantNone, variantNFT, variantLarge}
	return []comparison{
		{partRound, order{Do: "round", To: at(serverAddr, portEcho), For: d}, all},
		{partSteady, order{Do: "round", To: at(serverAddr, portEcho), For: d, Rate: steadyRate}, three},
		{partConnect, order{Do: "once", To: at(serverAddr, portOnce), For: d}, all},
		{partBulk, order{Do: "bulk", To: at(serverAddr, portSink), For: d}, three},
	}
}

// sample is one turn of one variant at one measurement.
type sample struct {
	Part, Variant string
	Round         int
	answer
	CPU    time.Duration // of both hosts' processes and of the reader of events
	Reader time.Duration // of that, the reader's
	Busy   time.Duration // of all processors, whoever used them
}

// traffic lets the variants take turns, forwards and backwards.
func (r *results) traffic(ctx context.Context) error {
	var all []comparison
	for _, c := range comparisons(r.set.RoundTime) {
		if r.set.wants(c.part) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	names := []string{variantNone, variantNFT, variantSmall, variantLarge}
	for round := range r.set.Rounds {
		for _, name := range names {
			if ctx.Err() != nil {
				return nil
			}
			r.set.say("round %d of %d: %s", round+1, r.set.Rounds, name)
			if err := r.turn(round, name, all); err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, name, err)
			}
		}
		slices.Reverse(names)
	}
	return nil
}

// turn is a variant's turn at every measurement.
func (r *results) turn(round int, name string, all []comparison) error {
	if !slices.ContainsFunc(all, func(c comparison) bool { return slices.Contains(c.variants, name) }) {
		return nil
	}
	if err := r.place.switchTo(name); err != nil {
		return err
	}
	if err := r.place.prove(name, name != variantNone); err != nil {
		return err
	}
	runtime.GC() // now, rather than while the clock runs
	for _, c := range all {
		if !slices.Contains(c.variants, name) {
			continue
		}
		s, err := r.place.sample(c.order)
		if err != nil {
			return fmt.Errorf("%s: %w", c.part, err)
		}
		s.Part, s.Variant, s.Round = c.part, name, round
		r.Samples = append(r.Samples, s)
	}
	return nil
}

// switchTo puts a variant in force instead of the one before. From one size of
// Firebreak to another only the policy changes: programs take seconds to load.
func (p *place) switchTo(name string) error {
	rules, ours := map[string]ruleset{variantSmall: small, variantLarge: large}[name]
	if ours && p.enforced != nil {
		return p.apply(p.enforced, rules)
	}
	err := errors.Join(p.release(p.enforced), p.nftOff())
	p.enforced = nil
	if err != nil {
		return err
	}
	switch {
	case ours:
		p.enforced, err = p.enforce(rules)
	case name == variantNFT:
		err = p.nftOn(large)
	}
	return err
}

func (p *place) sample(o order) (s sample, err error) {
	hosts, reader, err := p.cpuUsed()
	if err != nil {
		return s, err
	}
	idle, began := idleTime(), time.Now()
	if s.answer, err = p.caller.ask(o); err != nil {
		return s, err
	}
	took := time.Since(began)
	s.Busy = time.Duration(runtime.NumCPU())*took - (idleTime() - idle)
	hosts2, reader2, err := p.cpuUsed()
	if err == nil && s.Requests == 0 {
		err = errors.New("nothing was measured")
	}
	s.Reader = reader2 - reader
	s.CPU = hosts2 - hosts + s.Reader
	// The warm-up is in the processor's time and not among the requests.
	if o.Do == "round" {
		share := float64(o.For) / float64(took)
		s.CPU, s.Busy = time.Duration(float64(s.CPU)*share), time.Duration(float64(s.Busy)*share)
	}
	return s, err
}

// idleTime is how long all processors together have had nothing to do. The
// kernel tells it in hundredths of a second.
func idleTime() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(first)
	if len(f) < 6 {
		return 0
	}
	idle, _ := strconv.Atoi(f[4])
	waiting, _ := strconv.Atoi(f[5])
	return time.Duration(idle+waiting) * 10 * time.Millisecond
}
