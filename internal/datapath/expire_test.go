package datapath

import (
	"context"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// until ends what the tables allow, in force and to come, after so long; 0
// means that it does not end.
func until(t *layout.Tables, inForce, toCome time.Duration) *layout.Tables {
	at := func(d time.Duration) int64 {
		if d == 0 {
			return 0
		}
		return time.Now().Add(d).UnixNano()
	}
	for k, v := range t.Policy {
		if v.AllowInForce {
			v.InForceUntil, v.ToComeUntil = at(inForce), at(toCome)
			t.Policy[k] = v
		}
	}
	return t
}

func expired(e layout.Event) bool {
	return e.DstPort == 8080 && e.Verdict == flow.Dropped && e.Reason == flow.Expired && e.Rule == ruleAllow
}

// What is permitted for a second ends after it, in the midst of a conversation
// and without anybody's doing, and does not begin again until a revision says
// so.
func TestPermissionExpires(t *testing.T) {
	r := newRig(t)
	r.enforce()
	events := watch(t, r.webDP)
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	start(t, r.app, r.appCg, "serve", "udp", at(app6, 8080).String()).ready()
	began := time.Now()
	r.apply(r.webDP, until(r.tables(r.web, true), time.Second, time.Second))
	client := start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	if got := run(t, r.web, r.webCg, "udp", at(app6, 8080).String()); got != "ok" {
		t.Errorf("a datagram before the end: %s", got)
	}
	e := events.wait(t, "the conversation's end", func(e layout.Event) bool { return expired(e) && e.Dst == app4 })
	if took := time.Since(began); took < time.Second || took > 2*time.Second {
		t.Errorf("it ended after %s", took)
	}
	if e.ToCome != flow.Dropped || e.Revision != uint32(r.webDP.Revision()) {
		t.Errorf("%+v", e)
	}
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String()); got != "EPERM" {
		t.Errorf("dialling again: %s", got)
	}
	if got := run(t, r.web, r.webCg, "udp", at(app6, 8080).String()); got != "EPERM" {
		t.Errorf("a datagram again: %s", got)
	}
	events.wait(t, "the datagram's refusal", func(e layout.Event) bool { return expired(e) && e.Dst == app6 })
	if n, err := r.webDP.EndWithdrawn(context.Background()); err != nil || n != 1 {
		t.Errorf("ended %d sockets (%v), want 1", n, err)
	}
	if got, ok := client.next(time.Second); !ok || got.What != "failed" {
		t.Errorf("the client's process: %+v", got)
	}
	stats, err := r.webDP.Stats()
	if err != nil || stats.Drops[flow.Expired] == 0 {
		t.Errorf("drops are %v (%v)", stats.Drops, err)
	}
	r.apply(r.webDP, until(r.tables(r.web, true), time.Hour, 0))
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String()); got != "ok" {
		t.Errorf("when it opens again: %s", got)
	}
}

// Sockets that are idle when their time ends are ended too, though no packet of
// theirs was judged since.
func TestAnIdleConversationExpires(t *testing.T) {
	r := newRig(t)
	r.enforce()
	start(t, r.app, r.appCg, "serve", "tcp", at(app6, 8080).String()).ready()
	start(t, r.web, r.webCg, "hold", "tcp", at(app6, 8080).String()).ready()
	tables := until(r.tables(r.app, true), time.Hour, time.Hour)
	tables.Clock = time.Now().Add(2*time.Hour).UnixNano() - bootNS() // by this clock the hour is over
	if n, err := r.appDP.EndWithdrawn(context.Background()); err != nil || n != 0 {
		t.Errorf("ended %d sockets (%v) before", n, err)
	}
	r.apply(r.appDP, tables)
	if n, err := r.appDP.EndWithdrawn(context.Background()); err != nil || n != 1 {
		t.Errorf("ended %d sockets (%v), want 1", n, err)
	}
}

// What only the policy to come ends goes on, and is told as audited.
func TestToComeExpires(t *testing.T) {
	r := newRig(t)
	r.enforce()
	events := watch(t, r.webDP)
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	r.apply(r.webDP, until(r.tables(r.web, true), time.Hour, 500*time.Millisecond))
	client := start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	e := events.wait(t, "the audit", func(e layout.Event) bool { return e.DstPort == 8080 && e.Verdict == flow.Audited })
	if e.Reason != flow.ByPolicy || e.ToCome != flow.Dropped {
		t.Errorf("%+v", e)
	}
	if got, ok := client.next(300 * time.Millisecond); ok {
		t.Errorf("it ended: %+v", got)
	}
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String()); got != "ok" {
		t.Errorf("dialling again: %s", got)
	}
	if n := events.count(expired); n > 0 {
		t.Errorf("%d drops", n)
	}
}
