// Package demo shows what Firebreak does, on this machine and for real: a
// small shop in three VPCs made of network namespaces, steady traffic between
// its services, one agent per host, and an attacker who has taken a
// storefront. The attacks run first with nothing enforced, so that everyone
// sees that the doors were open, then enforced.
//
// What an attack reached is counted by the attacker's and the victims' own
// processes (package actor), independent of what Firebreak reports. Where the
// machine cannot run it, a recorded run is played instead, and says so.
package demo

import (
	"io"
	"net/netip"
	"time"
)

// Prefix is what the names of everything that the demonstration makes begin
// with: namespaces, the cgroup, the pins, its files.
const Prefix = "fbdemo"

// DefaultListen is where the page is.
const DefaultListen = "127.0.0.1:7070"

// Options say how to run the demonstration.
type Options struct {
	For      time.Duration // how long, everything included; 0 means until the context ends
	Listen   string        // address of the page; empty means DefaultListen
	Record   string        // file to write a recording to; empty means none
	Recorded bool          // play a recording instead of running
	Play     string        // the recording to play; empty means the built-in one
	JSON     bool          // print the report instead of the story
	Out      io.Writer     // story or report; never nil
	Notes    io.Writer     // what is missing, what was cleaned; never nil
	Self     []string      // the command that runs this program again; a verb and its arguments follow

	names string // prefix of names instead of Prefix
}

// ProcessVerb is the verb that Process serves: Self is run with it, and with
// the verb agent.
const ProcessVerb = "demo-process"

// Error is a reason why the demonstration cannot run, in words for the person
// at the terminal. Missing is set where the machine lacks something, so that a
// recorded run is the best that it can show.
type Error struct {
	What    string
	Do      string // empty if What says it too
	Missing bool
}

// Error renders it on one line.
func (e *Error) Error() string {
	if e.Do == "" {
		return e.What
	}
	return e.What + "; " + e.Do
}

// Report is what the demonstration prints as JSON.
type Report struct {
	Enforcement string    `json:"enforcement"` // "ebpf" or "recorded"
	Kernel      string    `json:"kernel"`      // "full" or "reduced"
	Release     string    `json:"release"`     // of the kernel that it ran on
	Recorded    *Origin   `json:"recorded,omitempty"`
	Flows       Counts    `json:"flows"`
	Edges       []Edge    `json:"edges"`
	Attacks     []Attack  `json:"attacks"`
	Sessions    []Session `json:"sessions"`
	Latency     Latency   `json:"latency"`
}

// Origin says where a recorded run comes from.
type Origin struct {
	Time time.Time `json:"time"`
}

// Counts are conversations by verdict. Lost are the events that the kernel's
// buffers refused; it is 0, or the other numbers are too small.
type Counts struct {
	Forwarded uint64 `json:"forwarded"`
	Dropped   uint64 `json:"dropped"`
	Audited   uint64 `json:"audited"`
	Unjudged  uint64 `json:"unjudged"`
	Lost      uint64 `json:"lost"`
	Unsent    uint64 `json:"unsent"` // conversations that agents could not send in time; 0 for the same reason
}

// Edge is what went from one end to another under one rule. An end is a
// service, else a workload, else an address.
type Edge struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Traffic string `json:"traffic"`
	Verdict string `json:"verdict"`
	ToCome  string `json:"toCome"`
	Rule    Rule   `json:"rule"`
	Flows   uint64 `json:"flows"`
}

// Rule is the deciding rule and where it is written.
type Rule struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// Attack is what came of one of the attacker's undertakings.
type Attack struct {
	Name         string  `json:"name"`
	Family       string  `json:"family"`
	From         string  `json:"from"`
	To           string  `json:"to"`
	Traffic      string  `json:"traffic"`
	AttemptsOpen int     `json:"attemptsOpen"` // with nothing enforced
	ReachedOpen  int     `json:"reachedOpen"`
	Attempts     int     `json:"attempts"` // enforced
	Reached      int     `json:"reached"`
	Answered     int     `json:"answered"`    // enforced; anything that came back, a reset too
	FirstDropMs  float64 `json:"firstDropMs"` // first packet to the drop at a page's subscriber; -1 if none came
}

// Session is a connection that the attacker opened while nothing was enforced,
// and kept. Alive says whether a line over it was answered, or heard by the
// victim; it must have been before, and must not be any more.
type Session struct {
	Name      string `json:"name"`
	Family    string `json:"family"`
	From      string `json:"from"`
	To        string `json:"to"`
	Traffic   string `json:"traffic"`
	AliveOpen bool   `json:"aliveOpen"`
	Alive     bool   `json:"alive"`
}

// Latency is how long a permitted request took, through all tiers and back.
type Latency struct {
	Permitted Percentiles `json:"permitted"` // enforced
	Open      Percentiles `json:"open"`      // with nothing enforced
	Attaching Percentiles `json:"attaching"` // under way while the agents came
}

// Percentiles are in microseconds; Failed counts requests without an answer.
type Percentiles struct {
	P50us    int64 `json:"p50us"`
	P99us    int64 `json:"p99us"`
	Requests int   `json:"requests"`
	Failed   int   `json:"failed"`
}

// Held says whether the demonstration showed what it claims: every door was
// open before, none after, no legitimate request failed and nothing was lost.
// It returns the first thing that did not hold, "" if all did.
func (r *Report) Held() string {
	for _, a := range r.Attacks {
		switch {
		case a.ReachedOpen == 0:
			return a.Name + " reached nothing even with nothing enforced: its door was not open"
		case a.Reached > 0:
			return a.Name + " reached its target while enforced"
		case a.FirstDropMs < 0:
			return a.Name + " was stopped, but no drop reached the page"
		}
	}
	for _, s := range r.Sessions {
		switch {
		case !s.AliveOpen:
			return s.Name + " could not be opened with nothing enforced"
		case s.Alive:
			return s.Name + " is alive while its permission is withdrawn"
		}
	}
	switch {
	case r.Latency.Permitted.Failed > 0:
		return "permitted requests failed"
	case r.Flows.Lost+r.Flows.Unsent > 0:
		return "events were lost"
	}
	return ""
}

// addr parses a constant.
func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
