package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// results are what a run has measured.
type results struct {
	Machine  machine
	Settings string
	Samples  []sample
	Events   []eventRun `json:",omitempty"`
	Page     []pageRun  `json:",omitempty"`
	Change   *changeRun `json:",omitempty"`
	Files    []fileRun  `json:",omitempty"`

	place *place
	set   settings
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// each returns a figure of every round, in order.
func (r *results) each(part, variant string, f func(sample) float64) (out []float64) {
	for _, s := range r.Samples {
		if s.Part == part && s.Variant == variant {
			out = append(out, f(s))
		}
	}
	return out
}

func (r *results) median(part, variant string, f func(sample) float64) float64 {
	return median(r.each(part, variant, f))
}

// ratio is the median, over the rounds, of a variant's figure to that of none
// in the same round.
func (r *results) ratio(part, variant string, f func(sample) float64) float64 {
	base, have := r.each(part, variantNone, f), r.each(part, variant, f)
	var out []float64
	for i := range min(len(base), len(have)) {
		if base[i] > 0 {
			out = append(out, have[i]/base[i])
		}
	}
	return median(out)
}

func us(d time.Duration) float64 { return float64(d) / 1000 }

func p50(s sample) float64        { return us(s.P50) }
func p99(s sample) float64        { return us(s.P99) }
func cpuPer(s sample) float64     { return us(s.CPU) / float64(s.Requests) }
func busyPer(s sample) float64    { return us(s.Busy) / float64(s.Requests) }
func perSecond(s sample) float64  { return float64(s.Requests) / s.Elapsed.Seconds() }
func gbitPerSec(s sample) float64 { return float64(s.Bytes) * 8 / 1e9 / s.Elapsed.Seconds() }
func cpuPerGbit(s sample) float64 { return us(s.CPU) / 1000 / (float64(s.Bytes) * 8 / 1e9) }

// markdown prints the tables of docs/benchmarks.md.
func (r *results) markdown(w io.Writer) error {
	d := &document{w: w}
	if r.set.wants(partRound) {
		d.line("## Round trip on an open connection\n")
		d.line("Goal: p50 and CPU per request at most 1.05 of *none*, the same for 100 and for 10,000 rules.\n")
		r.roundTable(d, partRound)
	}
	if r.set.wants(partSteady) {
		d.line("The same at a steady 10,000 requests a second. A request that waits for the answer to the one before counts from when it was due:\n")
		r.roundTable(d, partSteady)
	}
	if r.set.wants(partConnect) {
		d.line("## Connect and one request\n\nGoal: at most 1.10 of *none*. One client, one connection at a time.\n")
		d.head("variant", "p50 µs", "p99 µs", "CPU µs per connection", "new connections/s", "p50 ratio", "CPU ratio")
		for _, v := range r.variants(partConnect) {
			d.row(v, r.f1(partConnect, v, p50), r.f1(partConnect, v, p99), r.f1(partConnect, v, cpuPer),
				fmt.Sprintf("%.0f", r.median(partConnect, v, perSecond)), r.f2(partConnect, v, p50), r.f2(partConnect, v, cpuPer))
		}
		d.line("")
	}
	if r.set.wants(partBulk) {
		d.line("## Bulk throughput\n\nGoal: at least 0.97 of *none*.\n")
		d.head("variant", "Gbit/s", "CPU ms per Gbit", "ratio", "CPU ratio")
		for _, v := range r.variants(partBulk) {
			d.row(v, r.f1(partBulk, v, gbitPerSec), fmt.Sprintf("%.2f", r.median(partBulk, v, cpuPerGbit)), r.f2(partBulk, v, gbitPerSec), r.f2(partBulk, v, cpuPerGbit))
		}
		d.line("")
	}
	r.eventTable(d)
	r.changeTable(d)
	r.Machine.table(d, r.Settings)
	return d.err
}

func (r *results) roundTable(d *document, part string) {
	d.head("variant", "p50 µs", "p99 µs", "CPU µs per request", "busy µs per request", "p50 ratio", "CPU ratio")
	for _, v := range r.variants(part) {
		d.row(v, r.f1(part, v, p50), r.f1(part, v, p99), r.f1(part, v, cpuPer), r.f1(part, v, busyPer), r.f2(part, v, p50), r.f2(part, v, cpuPer))
	}
	d.line("")
}

func (r *results) f1(part, variant string, f func(sample) float64) string {
	return fmt.Sprintf("%.1f", r.median(part, variant, f))
}

func (r *results) f2(part, variant string, f func(sample) float64) string {
	if variant == variantNone {
		return "1"
	}
	return fmt.Sprintf("%.2f", r.ratio(part, variant, f))
}

func (r *results) variants(part string) []string {
	for _, c := range comparisons(0) {
		if c.part == part {
			return c.variants
		}
	}
	return nil
}

func (r *results) eventTable(d *document) {
	if len(r.Events)+len(r.Page) == 0 {
		return
	}
	d.line("## Events\n\nGoals: none lost at 20,000 connections a second; kernel event to a subscriber of the page's stream p99 below 15 ms.\n")
	d.head("what", "measured")
	for _, e := range r.Events {
		d.row(fmt.Sprintf("events lost at %s connections/s", thousands(e.Rate)), e.text())
		d.row(fmt.Sprintf("kernel event → reader, p50 / p99, at %s connections/s", thousands(e.Rate)), e.Lag.text())
	}
	for _, p := range r.Page {
		d.row(fmt.Sprintf("kernel event → subscriber, p50 / p99, at %s connections/s", thousands(p.Rate)), p.text())
	}
	d.line("")
}

func (r *results) changeTable(d *document) {
	if r.Change == nil && len(r.Files) == 0 {
		return
	}
	d.line("## Changing the policy\n\nGoals, for a policy of 10,000 rules: flip below 1 ms, whole change below 50 ms, no packet under half a policy.\n")
	d.head("what", "measured")
	if c := r.Change; c != nil {
		d.row("filling the idle slot, every entry replaced, packets flowing, p50 / p99", c.Fill.text())
		d.row("flip, p50 / p99", c.Flip.text())
	}
	for _, f := range r.Files {
		d.row("whole change, file to kernel, "+f.What, f.text())
	}
	if c := r.Change; c != nil {
		d.row("packets judged by a mixture", c.text())
	}
	d.line("")
}

// document writes Markdown and remembers the first error.
type document struct {
	w   io.Writer
	err error
}

func (d *document) line(s string) {
	if d.err == nil {
		_, d.err = fmt.Fprintln(d.w, s)
	}
}

func (d *document) row(cells ...string) {
	s := "|"
	for _, c := range cells {
		s += " " + c + " |"
	}
	d.line(s)
}

func (d *document) head(cells ...string) {
	d.row(cells...)
	s := "|"
	for range cells {
		s += "---|"
	}
	d.line(s)
}

// spread is a distribution of times.
type spread struct {
	N             int
	P50, P99, Max time.Duration
}

func spreadOf(v []time.Duration) spread {
	if len(v) == 0 {
		return spread{}
	}
	slices.Sort(v)
	return spread{len(v), v[len(v)/2], v[len(v)*99/100], v[len(v)-1]}
}

func (s spread) text() string {
	if s.N == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s / %s", short(s.P50), short(s.P99))
}

// short writes a time with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%.0f µs", us(d))
	default:
		return fmt.Sprintf("%.2f µs", us(d))
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
