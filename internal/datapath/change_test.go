package datapath

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/demo/lab"
	"firebreak/internal/flow"
)

// Withdrawn permission ends the conversation at both ends within a second, in
// both families, and the processes are told.
func TestWithdrawn(t *testing.T) {
	r := newRig(t)
	r.enforce()
	for _, dst := range []netip.Addr{app4, app6} {
		r.apply(r.webDP, r.tables(r.web, true))
		r.apply(r.appDP, r.tables(r.app, true))
		server := start(t, r.app, r.appCg, "serve", "tcp", at(dst, 8080).String()).ready()
		client := start(t, r.web, r.webCg, "hold", "tcp", at(dst, 8080).String()).ready()
		began := time.Now()
		r.apply(r.webDP, r.tables(r.web, false))
		r.apply(r.appDP, r.tables(r.app, false))
		if n, err := r.webDP.EndWithdrawn(context.Background()); err != nil || n != 1 {
			t.Errorf("ended %d conversations at web (%v), want 1", n, err)
		}
		// The reset of the one end may have ended the other already.
		if n, err := r.appDP.EndWithdrawn(context.Background()); err != nil || n > 1 {
			t.Errorf("ended %d conversations at app (%v), want 1 at most", n, err)
		}
		if got, ok := client.next(time.Second); !ok || got.What != "failed" || got.Err == "timeout" {
			t.Errorf("the client's process: %+v", got)
		}
		gone := false
		for !gone {
			got, ok := server.next(time.Second)
			if !ok {
				t.Fatal("the server's process was not told")
			}
			gone = got.What == "gone"
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("ending took %v", took)
		}
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 8080).String()); got != "EPERM" {
			t.Errorf("dialling again: %s", got)
		}
	}
}

// A conversation that nobody ends is dropped all the same, and told so.
func TestWithdrawnPacketsDrop(t *testing.T) {
	r := newRig(t)
	r.enforce()
	events := watch(t, r.webDP)
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	r.apply(r.webDP, r.tables(r.web, false))
	events.wait(t, "the conversation's end", func(e layout.Event) bool {
		return e.DstPort == 8080 && e.Verdict == flow.Dropped && e.Reason == flow.Ended && e.Rule == ruleDefault
	})
}

// Conversations from before the first policy go on if they are permitted, and
// end if they are not.
func TestEarlierConversations(t *testing.T) {
	r := newRig(t)
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	start(t, r.app, r.appCg, "serve", "tcp", at(app6, 9000).String()).ready()
	good := start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	bad := start(t, r.web, r.webCg, "hold", "tcp", at(app6, 9000).String()).ready()
	r.enforce()
	for _, d := range []*Datapath{r.webDP, r.appDP} {
		if _, err := d.EndWithdrawn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := bad.next(time.Second); !ok || got.What != "failed" {
		t.Errorf("not permitted, and goes on: %+v", got)
	}
	if got, ok := good.next(500 * time.Millisecond); ok {
		t.Errorf("permitted, and ended: %+v", got)
	}
}

// An address that changes hands takes its new owner's rules at once.
func TestAddressChangesHands(t *testing.T) {
	r := newRig(t)
	r.enforce()
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	client := start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	tables := r.tables(r.app, true)
	for i, a := range tables.Addresses {
		if a.Prefix.Addr() == web4 {
			tables.Addresses[i].Peer = idWebHost
		}
	}
	r.apply(r.appDP, tables)
	if n, err := r.appDP.EndWithdrawn(context.Background()); err != nil || n != 1 {
		t.Errorf("ended %d (%v), want 1", n, err)
	}
	if got, ok := client.next(2 * time.Second); !ok || got.What != "failed" {
		t.Errorf("the old owner's conversation: %+v", got)
	}
}

// With no revision nothing passes but the link's own upkeep.
func TestNoRevisionFailsClosed(t *testing.T) {
	r := newRig(t)
	r.enforce()
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	was := atomic.SwapUint64(&r.webDP.word().revision, 0)
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String()); got != "EPERM" {
		t.Errorf("without a revision: %s", got)
	}
	atomic.StoreUint64(&r.webDP.word().revision, was)
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String()); got != "ok" {
		t.Errorf("with it: %s", got)
	}
	fresh := &Datapath{}
	if err := fresh.Attach(); err == nil {
		t.Error("attached without a revision")
	}
}

// enforceUntilKilled pins cgroup namespace: a process that takes over, enforces
// and waits to be killed.
func enforceUntilKilled(args []string) error {
	d, err := Open(Options{Pins: args[0], Cgroup: args[1], Namespaces: args[2:3], Events: 1 << 20, Connections: 65536})
	if err != nil {
		return err
	}
	// The tables are those that are in force already.
	im, err := readSlot(&d.objs.bpfMaps, uint8(d.Revision()&1))
	if err != nil {
		return err
	}
	if len(im.policy) == 0 {
		return errors.New("nothing to take over")
	}
	if err := d.Attach(); err != nil {
		return err
	}
	say(report{What: "ready"})
	select {}
}

// Agents come, are killed and come again under load: no permitted conversation
// is missed, no other passes.
func TestTakeoverUnderLoad(t *testing.T) {
	r := newRig(t)
	r.enforce()
	open := start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	shut := start(t, r.app, r.appCg, "serve", "tcp", at(app4, 9000).String()).ready()
	for _, d := range []*Datapath{r.webDP, r.appDP} {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	held := start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	good := start(t, r.web, r.webCg, "pour", "tcp", at(app4, 8080).String(), "2ms").ready()
	bad := start(t, r.web, r.webCg, "pour", "tcp", at(app4, 9000).String(), "2ms").ready()
	for range 3 {
		for _, h := range []struct{ pins, cg, ns string }{
			{pinsFor(r.web), r.web.Cgroup(), r.web.NamespacePath()}, {pinsFor(r.app), r.app.Cgroup(), r.app.NamespacePath()},
		} {
			agent := exec.Command("/proc/self/exe", "enforce", h.pins, h.cg, h.ns)
			agent.Env = append(os.Environ(), helperEnv+"=1")
			out, err := agent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := agent.Start(); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, 200)
			if n, err := out.Read(line); err != nil || !strings.Contains(string(line[:n]), "ready") {
				t.Fatalf("the agent: %s (%v)", line[:n], err)
			}
			if err := agent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = agent.Wait()
		}
	}
	good.stop()
	bad.stop()
	served, refused, slowest := 0, 0, time.Duration(0)
	for m := range good.lines {
		switch m.What {
		case "got":
			served++
		case "missed":
			t.Errorf("a permitted conversation failed: %+v", m)
		}
		slowest = max(slowest, m.Took)
	}
	for m := range bad.lines {
		switch m.What {
		case "got":
			t.Error("a forbidden conversation was held")
		case "missed":
			refused++
		}
	}
	// A lost packet would come again after a second (RFC 6298).
	t.Logf("%d served, %d refused, slowest %v", served, refused, slowest)
	for _, h := range []*lab.Host{r.web, r.app} {
		s, err := ReadState(pinsFor(h))
		t.Logf("%s: %+v %v", h.Name(), s, err)
	}
	if served < 50 || refused < 50 || open.seen() < 50 {
		t.Errorf("too little traffic to show anything: %d served, %d refused", served, refused)
	}
	if n := shut.seen(); n != 0 {
		t.Errorf("%d forbidden conversations arrived", n)
	}
	if got, ok := held.next(100 * time.Millisecond); ok {
		t.Errorf("a standing conversation broke: %+v", got)
	}
}

// A packet sees one revision whole: the rules of odd revisions are never
// answered by even ones, however fast they change.
func TestRevisionsAreWhole(t *testing.T) {
	r := newRig(t)
	d := r.open(r.web)
	version := func(n uint32) *layout.Tables {
		tables := r.tables(r.web, true)
		for k, v := range tables.Policy {
			v.InForceRule, v.ToComeRule = 100*n+v.InForceRule, 100*n+v.ToComeRule
			tables.Policy[k] = v
		}
		for i := range uint32(2000) {
			tables.Policy[layout.PolicyKey{Local: idWeb, Peer: 5000 + i}] = layout.PolicyValue{InForceRule: 100*n + 16, ToComeRule: 100*n + 16}
		}
		return tables
	}
	versions := []*layout.Tables{version(2), version(1)}
	r.apply(d, versions[1])
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	events := watch(t, d)
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	for _, port := range []uint16{8080, 9000} {
		start(t, r.web, r.webCg, "pour", "tcp", at(app4, port).String(), "500us").ready()
	}
	var slowest time.Duration
	for i := range 60 {
		a := r.apply(d, versions[i%2])
		slowest = max(slowest, a.Flip)
		events.wait(t, fmt.Sprintf("a verdict under revision %d", a.Revision), func(e layout.Event) bool {
			return uint64(e.Revision) == a.Revision && e.DstPort == 9000
		})
	}
	t.Logf("slowest flip: %v", slowest)
	odd := events.count(func(e layout.Event) bool { return e.Revision&1 == 1 && e.Rule/100 == 1 })
	even := events.count(func(e layout.Event) bool { return e.Revision&1 == 0 && e.Rule/100 == 2 })
	torn := events.count(func(e layout.Event) bool { return e.Rule/100 != 2-e.Revision&1 })
	if odd == 0 || even == 0 || torn != 0 {
		t.Errorf("%d verdicts of odd revisions, %d of even ones, %d torn", odd, even, torn)
	}
}

// A router judges what it forwards for the workloads that it answers for.
func TestForwarded(t *testing.T) {
	r := newRig(t)
	for _, port := range []uint16{8080, 9000} {
		start(t, r.app, r.appCg, "serve", "tcp", at(app4, port).String()).ready()
		start(t, r.app, r.appCg, "serve", "tcp", at(app6, port).String()).ready()
	}
	router := r.lab.Router()
	d := r.open(router)
	r.apply(d, r.tables(r.web, true)) // it answers for web
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	events := watch(t, d)
	for _, dst := range []netip.Addr{app4, app6} {
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 8080).String()); got != "ok" {
			t.Errorf("forwarded to %v: %s", dst, got)
		}
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 9000).String()); got != "timeout" {
			t.Errorf("forwarded to %v, not permitted: %s", dst, got)
		}
		if got := run(t, r.web, r.webCg, "ping", dst.String()); got != "timeout" {
			t.Errorf("echo forwarded to %v: %s", dst, got)
		}
		events.wait(t, "dropped when forwarded", func(e layout.Event) bool {
			return e.Dst == dst && e.DstPort == 9000 && e.Verdict == flow.Dropped && e.Hook == 3
		})
	}
	// What nobody in the inventory owns has the host's zone, not a free pass.
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String(), spare4.String()+":0"); got != "timeout" {
		t.Errorf("from an address that nobody owns: %s", got)
	}
}

// A router on the way may say that a packet is too big: the error belongs to a
// permitted conversation.
func TestPathMTU(t *testing.T) {
	r := newRig(t)
	r.enforce()
	err := r.lab.Router().Do(func() error {
		out, err := exec.Command("ip", "-o", "route", "get", app4.String()).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		fields := strings.Fields(string(out))
		for i, f := range fields {
			if f == "dev" {
				out, err = exec.Command("ip", "link", "set", fields[i+1], "mtu", "1300").CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dst := range []netip.Addr{app4, app6} {
		start(t, r.app, r.appCg, "serve", "tcp", at(dst, 8080).String()).ready()
		if got := run(t, r.web, r.webCg, "bulk", "tcp", at(dst, 8080).String()); got != "ok" {
			t.Errorf("a megabyte to %v: %s", dst, got)
		}
	}
}

// A second agent is told who holds what; too large a revision changes nothing;
// after Detach everything is as before.
func TestHolds(t *testing.T) {
	r := newRig(t)
	r.enforce()
	if _, err := Open(r.options(r.web)); err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("a second agent: %v", err)
	}
	for _, cg := range []string{r.webCg, filepath.Dir(r.web.Cgroup())} {
		o := Options{Pins: "/sys/fs/bpf/firebreak-test/other", Cgroup: cg, Namespaces: []string{r.lab.Router().NamespacePath()}}
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "overlaps") {
			t.Errorf("a second agent at %s: %v", cg, err)
		}
	}
	big := r.tables(r.web, true)
	for i := range uint32(layout.MaxPolicy + 1) {
		big.Policy[layout.PolicyKey{Local: idWeb, Peer: 100 + i}] = layout.PolicyValue{InForceRule: 16, ToComeRule: 16}
	}
	before := r.webDP.Revision()
	if _, err := r.webDP.Apply(big); err == nil || r.webDP.Revision() != before {
		t.Errorf("too many entries: %v, revision %d", err, r.webDP.Revision())
	}
	if s, err := ReadState(pinsFor(r.web)); err != nil || s.Revision != before || s.Entries == 0 {
		t.Errorf("state: %+v, %v", s, err)
	}
	if err := r.webDP.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.appDP.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 9000).String()).ready()
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 9000).String()); got != "EPERM" {
		t.Errorf("after the agent has gone: %s", got)
	}
	for _, h := range []Options{r.options(r.web), r.options(r.app)} {
		if err := Detach(h); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadState(h.Pins); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after detaching there is %v", err)
		}
	}
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 9000).String()); got != "ok" {
		t.Errorf("after detaching: %s", got)
	}
}

// What an edge carried adds up, bin by bin.
func TestBins(t *testing.T) {
	r := newRig(t)
	r.enforce()
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	start(t, r.web, r.webCg, "hold", "tcp", at(app4, 8080).String()).ready()
	ticks := map[uint64]uint64{}
	deadline := time.Now().Add(5 * time.Second)
	for len(ticks) < 20 && time.Now().Before(deadline) {
		err := r.webDP.Bins(func(b layout.Bin) {
			if b.Edge.Verdict == flow.Forwarded && b.Edge.Class == class8080 {
				ticks[b.Tick] += b.Packets
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
	if len(ticks) < 20 {
		t.Fatalf("bins: %v", ticks)
	}
	for tick, n := range ticks {
		if n > 40 {
			t.Errorf("tick %d has %d packets: an echo every 20 ms makes about 3", tick, n)
		}
	}
}

// What the ring buffer cannot take is counted: told and lost add up.
func TestLossIsCounted(t *testing.T) {
	r := newRig(t)
	o := r.options(r.web)
	o.Events = os.Getpagesize()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), Detach(o)); err != nil {
			t.Error(err)
		}
	})
	r.apply(d, r.tables(r.web, true))
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	p := start(t, r.web, r.webCg, "pour", "tcp", at(app4, 9000).String(), "1ms").ready()
	for range 200 {
		if got, ok := p.next(5 * time.Second); !ok || got.Err != "EPERM" {
			t.Fatalf("a refused connect: %+v", got)
		}
	}
	p.stop()
	s, err := d.Stats()
	if err != nil {
		t.Fatal(err)
	}
	refused := s.Drops[flow.ByPolicy]
	if s.Lost == 0 || s.Lost >= refused || refused < 200 {
		t.Fatalf("%d lost of %d refused", s.Lost, refused)
	}
	w := watch(t, d)
	told := func(layout.Event) bool { return true }
	w.wait(t, "what was told", told)
	deadline := time.Now().Add(3 * time.Second)
	for uint64(w.count(told))+s.Lost < refused && time.Now().Before(deadline) {
		<-w.more
	}
	if got := uint64(w.count(told)); got+s.Lost != refused {
		t.Errorf("%d told and %d lost of %d", got, s.Lost, refused)
	}
}
