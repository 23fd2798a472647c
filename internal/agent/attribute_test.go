package agent

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
	"firebreak/internal/load"
	"firebreak/internal/target/ebpf"
	"firebreak/internal/wire"
)

// considered reads a trial's files as the agent would.
func considered(t testing.TB, r *trial, before *ebpf.Numbers) *candidate {
	t.Helper()
	cfg, diags := ReadConfig(r.path("agent.yaml"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	c, diags := consider(cfg, new(load.Cache), before, r.system())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return c
}

func attributorOf(c *candidate) *attributor {
	a := &attributor{host: "host-1"}
	a.clock.Store(1_000_000_000)
	c.view.revision = 5
	a.enter(c.view)
	return a
}

func localNumber(c *candidate, cgroup uint64) uint32 { return localOf(c.tables, cgroup) }

func TestEventsBecomeFlows(t *testing.T) {
	r := newTrial(t)
	r.addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.20"), netip.MustParseAddr("10.0.0.50")}
	c := considered(t, r, &ebpf.Numbers{})
	a := attributorOf(c)
	web := localNumber(c, r.cgroupID("web-1")) // web-1 and web-2 share one identity
	childInfo, err := cgroupID(r.path("cg/web-1/child"))
	if err != nil {
		t.Fatal(err)
	}
	var rule uint32
	for number, ref := range c.view.rules {
		if ref.Rule == "web-to-db" {
			rule = number
		}
	}
	type names struct{ from, fromService, fromZone, to, toService, toZone string }
	for name, x := range map[string]struct {
		event layout.Event
		want  names
	}{
		"out, by cgroup": {
			layout.Event{Cgroup: r.cgroupID("web-2"), Local: web, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.9"), DstPort: 5432, Protocol: 6},
			names{"web-2", "", "web", "db-1", "orders-db", "data"},
		},
		"the service that serves the port": {
			layout.Event{Cgroup: r.cgroupID("web-2"), Local: web, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.9"), DstPort: 8443, Protocol: 6},
			names{"web-2", "", "web", "db-1", "admin", "data"},
		},
		"a cgroup below an attributed one": {
			layout.Event{Cgroup: childInfo, Local: web, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("203.0.113.9"), Protocol: 17},
			names{"web-1", "", "web", "psp", "", ""},
		},
		"no socket: by address": {
			layout.Event{Local: web, Src: netip.MustParseAddr("8.8.8.8"), Dst: netip.MustParseAddr("10.0.0.1"), Direction: flow.Ingress, Protocol: 1},
			names{"world", "", "", "web-1", "", "web"},
		},
		"in, from an unknown address": {
			layout.Event{Cgroup: r.cgroupID("web-1"), Local: web, Src: netip.MustParseAddr("10.3.3.3"), Dst: netip.MustParseAddr("10.0.0.1"), Direction: flow.Ingress},
			names{"unknown", "", "", "web-1", "", "web"},
		},
		"the host's own": {
			layout.Event{Cgroup: 4711, Local: c.tables.HostIdentity, Src: netip.MustParseAddr("10.0.0.50"), Dst: netip.MustParseAddr("169.254.169.254"), DstPort: 80, Protocol: 6},
			names{"host/unassigned", "", "unassigned", "metadata", "", ""},
		},
		"an address of several": {
			layout.Event{Cgroup: r.cgroupID("web-1"), Local: web, Src: netip.MustParseAddr("::ffff:10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.20")},
			names{"web-1", "", "web", "node-a+node-b", "", "data"},
		},
		"IPv6 of nobody": {
			layout.Event{Cgroup: r.cgroupID("web-1"), Local: web, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")},
			names{"web-1", "", "web", "world", "", ""},
		},
	} {
		x.event.Revision, x.event.Time, x.event.Rule, x.event.ToComeRule = 5, 7_000_000_000, rule, layout.RuleMetadata
		x.event.Verdict, x.event.ToCome = flow.Audited, flow.Dropped
		f := a.flow(&x.event)
		got := names{f.From, f.FromService, f.FromZone, f.To, f.ToService, f.ToZone}
		if got != x.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, x.want)
		}
		if f.Rule.Rule != "web-to-db" || f.Rule.File != "policy.yaml" || f.Rule.Line == 0 || f.ToComeRule.Policy != "builtin" {
			t.Errorf("%s: rules are %v and %v", name, f.Rule, f.ToComeRule)
		}
		if !f.Time.Equal(time.Unix(8, 0)) || f.Revision != 5 || f.Host != "host-1" || f.Verdict != flow.Audited || f.ToCome != flow.Dropped || f.Src.Is4In6() {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestARefusedConnectHasTheAddressItWouldHaveHad(t *testing.T) {
	r := newTrial(t)
	c := considered(t, r, &ebpf.Numbers{})
	a := attributorOf(c)
	e := layout.Event{Cgroup: r.cgroupID("web-1"), Src: netip.IPv4Unspecified(), Dst: netip.MustParseAddr("8.8.8.8"), Revision: 5}
	if f := a.flow(&e); f.Src != netip.MustParseAddr("10.0.0.1") || f.From != "web-1" {
		t.Errorf("%s, %s", f.Src, f.From)
	}
	e.Src = netip.IPv6Unspecified()
	if f := a.flow(&e); f.Src != e.Src {
		t.Errorf("it has no IPv6 address, and got %s", f.Src)
	}
}

func TestFlowsAreAttributedAsOfTheirRevision(t *testing.T) {
	r := newTrial(t)
	old := considered(t, r, &ebpf.Numbers{})
	a := attributorOf(old)
	r.write("hosts.yaml", hostsText[:len(hostsText)-len("spec: {addresses: [10.0.0.20]}\n")]+"spec: {addresses: [10.0.0.9]}\n")
	for revision := uint64(6); revision < 6+keptViews-1; revision++ {
		c := considered(t, r, old.numbers)
		c.view.revision = revision
		a.enter(c.view)
	}
	e := layout.Event{Dst: netip.MustParseAddr("10.0.0.9"), Src: netip.MustParseAddr("10.0.0.1"), Cgroup: r.cgroupID("web-1"), Revision: 5}
	if f := a.flow(&e); f.To != "db-1" || f.Revision != 5 {
		t.Errorf("as of revision 5 it is %s (%d)", f.To, f.Revision)
	}
	e.Revision = 7
	if f := a.flow(&e); f.To != "db-1+node-b" {
		t.Errorf("as of revision 7 it is %s", f.To)
	}
	last := considered(t, r, old.numbers)
	last.view.revision = 99
	a.enter(last.view)
	if n := len(*a.views.Load()); n != keptViews {
		t.Errorf("%d views are kept", n)
	}
	e.Revision = 5 // forgotten by now
	if f := a.flow(&e); f.Revision != 99 {
		t.Errorf("attributed as of %d", f.Revision)
	}
}

func TestEventsAndBinsReachTheServer(t *testing.T) {
	r := newTrial(t)
	r.start()
	r.kernel.mu.Lock()
	tables := r.kernel.tables
	r.kernel.mu.Unlock()
	web := tables.Cgroups[0].Local
	r.kernel.events <- []layout.Event{{Local: web, Cgroup: r.cgroupID("web-1"), Revision: 1, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.9")}}
	edge := layout.EdgeKey{Local: web, Peer: layout.WorldPeer, Verdict: flow.Dropped, Direction: flow.Ingress}
	twin := edge
	twin.Rule = 99
	builtin := layout.EdgeKey{Local: web, Peer: layout.BuiltinPeer, Rule: layout.RuleResolver, Verdict: flow.Forwarded}
	r.kernel.mu.Lock()
	r.kernel.bins = []layout.Bin{{Edge: edge, Tick: 3, Packets: 2, Bytes: 100}, {Edge: twin, Tick: 3, Packets: 1, Bytes: 50}, {Edge: builtin, Tick: 4, Packets: 1, Bytes: 1}}
	r.kernel.mu.Unlock()
	var flows, bins int
	r.until("flows and bins", func() bool {
		flows, bins = 0, 0
		for _, m := range r.sink.messages() {
			if m.Flows != nil {
				flows += len(m.Flows.Flows)
			}
			if m.Bins != nil {
				bins += len(m.Bins.Bins)
			}
		}
		return flows == 1 && bins == 2
	})
	for _, m := range r.sink.messages() {
		if m.Bins == nil {
			continue
		}
		for _, b := range m.Bins.Bins {
			world := wire.Bin{Tick: 103, From: "world", To: "web-1", Direction: flow.Ingress, Verdict: flow.Dropped, Packets: 3, Bytes: 150}
			resolver := wire.Bin{Tick: 104, From: "web-1", To: "resolver", Verdict: flow.Forwarded, Packets: 1, Bytes: 1}
			if b != world && b != resolver {
				t.Errorf("bin %+v", b)
			}
		}
	}
}

// BenchmarkAttribute is what one event costs; 20,000 a second are the budget.
func BenchmarkAttribute(b *testing.B) {
	r := newTrial(b)
	c := considered(b, r, &ebpf.Numbers{})
	a := attributorOf(c)
	child, err := cgroupID(r.path("cg/web-1/child"))
	if err != nil {
		b.Fatal(err)
	}
	e := layout.Event{
		Local: localNumber(c, r.cgroupID("web-1")), Cgroup: child, Revision: 5, Protocol: 6, DstPort: 5432,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("203.0.113.9"),
	}
	b.ReportAllocs()
	var f flow.Flow
	for b.Loop() {
		f = a.flow(&e)
	}
	if f.From != "web-1" || f.To != "psp" {
		b.Fatal(f)
	}
}

// drain is a connection that takes everything at once.
type drain struct{ net.Conn }

func (drain) Write(b []byte) (int, error)      { return len(b), nil }
func (drain) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkEventsToWire is what one event costs from the ring buffer to the
// socket, in batches as they come at 20,000 a second.
func BenchmarkEventsToWire(b *testing.B) {
	r := newTrial(b)
	c := considered(b, r, &ebpf.Numbers{})
	w := wire.NewWriter(wire.WriterOptions{
		Hello: wire.Hello{Host: "host-1"},
		Dial: func(ctx context.Context) (net.Conn, error) {
			here, there := net.Pipe() // for reading: nothing comes, until the end
			context.AfterFunc(ctx, func() { there.Close() })
			return drain{here}, nil
		},
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { _ = w.Run(ctx); close(ended) }()
	a := &agent{cfg: c.cfg, sender: w}
	a.attributor.host = "host-1"
	c.view.revision = 5
	a.attributor.enter(c.view)
	batch := make([]layout.Event, 40)
	for i := range batch {
		batch[i] = layout.Event{
			Local: localNumber(c, r.cgroupID("web-1")), Cgroup: r.cgroupID("web-1"), Revision: 5, Protocol: 6, DstPort: 5432,
			Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.9"), SrcPort: uint16(i), Verdict: flow.Forwarded,
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		a.events(batch)
	}
	cancel()
	<-ended
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch)), "ns/event")
	b.ReportMetric(float64(w.Unsent().Flows)/float64(b.N)/float64(len(batch)), "unsent/event")
}
