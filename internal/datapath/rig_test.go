package datapath

import (
	"context"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/demo/lab"
	"firebreak/internal/flow"
)

// Identities and rules of the rig.
const (
	idWeb uint32 = layout.FirstIdentity + iota
	idApp
	idWebHost
	idAppHost
	ruleAllow   = layout.FirstRule
	ruleDefault = layout.FirstRule + 1
	class8080   = layout.FirstClass
	class9000   = layout.FirstClass + 1
)

var (
	web4, web6 = netip.MustParseAddr("10.71.1.11"), netip.MustParseAddr("fd71:1::11")
	app4, app6 = netip.MustParseAddr("10.71.2.11"), netip.MustParseAddr("fd71:2::11")
	// A second address of web's host that no workload owns.
	spare4 = netip.MustParseAddr("10.71.1.99")
)

// rig is two hosts with a router between them, each with a datapath.
type rig struct {
	t            *testing.T
	lab          *lab.Lab
	web, app     *lab.Host
	webCg, appCg string // the workloads' cgroups
	webDP, appDP *Datapath
}

// needKernel fails where a kernel test must run and cannot.
func needKernel(t *testing.T) {
	t.Helper()
	err := lab.Require()
	if err == nil {
		_, _, err = Probe()
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("kernel tests must run here: %v", err)
		}
		t.Skipf("kernel tests need more: %v", err)
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	needKernel(t)
	l, err := lab.New("fbdp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t, lab: l}
	r.web = r.host("web", netip.PrefixFrom(web4, 24), netip.PrefixFrom(spare4, 24), netip.PrefixFrom(web6, 64))
	r.app = r.host("app", netip.PrefixFrom(app4, 24), netip.PrefixFrom(app6, 64))
	r.webCg, r.appCg = r.group(r.web, "storefront"), r.group(r.app, "orders")
	return r
}

func (r *rig) host(name string, addrs ...netip.Prefix) *lab.Host {
	r.t.Helper()
	h, err := r.lab.AddHost(name, addrs...)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *rig) group(h *lab.Host, name string) string {
	r.t.Helper()
	cg, err := h.Group(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return cg
}

func pinsFor(h *lab.Host) string { return "/sys/fs/bpf/firebreak-test/" + h.Name() }

func (r *rig) options(h *lab.Host) Options {
	return Options{Pins: pinsFor(h), Cgroup: h.Cgroup(), Namespaces: []string{h.NamespacePath()}, Events: 1 << 20, Connections: 65536}
}

// open opens a host's datapath and removes what it put into the kernel when
// the test ends.
func (r *rig) open(h *lab.Host) *Datapath {
	r.t.Helper()
	d, err := Open(r.options(h))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			r.t.Error(err)
		}
		if err := Detach(r.options(h)); err != nil {
			r.t.Error(err)
		}
	})
	return d
}

// enforce opens both ends with the rig's policy: the workload web may reach the
// workload app on 8080 by TCP and UDP, nothing else.
func (r *rig) enforce() {
	r.t.Helper()
	r.webDP, r.appDP = r.open(r.web), r.open(r.app)
	r.apply(r.webDP, r.tables(r.web, true))
	r.apply(r.appDP, r.tables(r.app, true))
	for _, d := range []*Datapath{r.webDP, r.appDP} {
		if err := d.Attach(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) apply(d *Datapath, t *layout.Tables) Applied {
	r.t.Helper()
	a, err := d.Apply(t)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// tables is the policy of the rig for one host; allow is whether web may reach
// app on 8080.
func (r *rig) tables(h *lab.Host, allow bool) *layout.Tables {
	r.t.Helper()
	host, local, cg := idWebHost, idWeb, r.webCg
	if h == r.app {
		host, local, cg = idAppHost, idApp, r.appCg
	}
	id, err := inode(cg)
	if err != nil {
		r.t.Fatal(err)
	}
	t := &layout.Tables{
		HostIdentity: host,
		Cgroups:      []layout.Cgroup{{ID: id, Local: local}},
		Policy:       map[layout.PolicyKey]layout.PolicyValue{},
	}
	for _, a := range []struct {
		addr     netip.Addr
		identity uint32
	}{{web4, idWeb}, {web6, idWeb}, {app4, idApp}, {app6, idApp}} {
		e := layout.Address{Prefix: netip.PrefixFrom(a.addr, a.addr.BitLen()), Peer: a.identity, Flags: layout.Workload}
		if a.identity == local {
			e.Local = local
		}
		t.Addresses = append(t.Addresses, e)
	}
	for p, peer := range map[string]uint32{
		"10.71.0.0/16": layout.UnknownPeer, "fd71::/16": layout.UnknownPeer,
		"0.0.0.0/0": layout.WorldPeer, "::/0": layout.WorldPeer,
	} {
		t.Addresses = append(t.Addresses, layout.Address{Prefix: netip.MustParsePrefix(p), Peer: peer})
	}
	for _, proto := range []uint8{0, 1} {
		t.Classes = append(t.Classes, layout.ClassRange{Protocol: proto, Lo: 8080, Hi: 8080, Class: class8080})
	}
	for _, l := range []uint32{host, local} {
		for _, dir := range []flow.Direction{flow.Egress, flow.Ingress} {
			t.Policy[layout.PolicyKey{Local: l, Direction: dir}] = layout.PolicyValue{InForceRule: ruleDefault, ToComeRule: ruleDefault}
		}
	}
	if allow {
		v := layout.PolicyValue{InForceRule: ruleAllow, ToComeRule: ruleAllow, AllowInForce: true, AllowToCome: true}
		peer, dir := idApp, flow.Egress
		if local == idApp {
			peer, dir = idWeb, flow.Ingress
		}
		t.Policy[layout.PolicyKey{Local: local, Peer: peer, Class: class8080, Direction: dir}] = v
		t.Policy[layout.PolicyKey{Local: local, Peer: peer, Direction: dir}] = layout.PolicyValue{InForceRule: ruleDefault, ToComeRule: ruleDefault}
	}
	return t
}

// watcher collects a datapath's events.
type watcher struct {
	mu     sync.Mutex
	events []layout.Event
	more   chan struct{}
}

func watch(t *testing.T, d *Datapath) *watcher {
	t.Helper()
	w := &watcher{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Events(ctx, func(es []layout.Event) {
			w.mu.Lock()
			w.events = append(w.events, es...)
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// wait waits for an event that f accepts.
func (w *watcher) wait(t *testing.T, what string, f func(layout.Event) bool) layout.Event {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for looked := 0; ; {
		w.mu.Lock()
		for ; looked < len(w.events); looked++ {
			if e := w.events[looked]; f(e) {
				w.mu.Unlock()
				return e
			}
		}
		last := w.events[max(0, looked-20):]
		w.mu.Unlock()
		select {
		case <-w.more:
		case <-deadline:
			t.Fatalf("no event: %s; there are %d, the last %+v", what, looked, last)
		}
	}
}

// count counts the events that f accepts.
func (w *watcher) count(f func(layout.Event) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if f(e) {
			n++
		}
	}
	return n
}
