package datapath

import (
	"net/netip"
	"testing"
	"time"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// What the policy permits passes, in both families, and is told with its rule
// at both ends; a local connect that it does not permit fails at once.
func TestPermitted(t *testing.T) {
	r := newRig(t)
	r.enforce()
	webEvents, appEvents := watch(t, r.webDP), watch(t, r.appDP)
	for _, dst := range []netip.Addr{app4, app6} {
		for _, port := range []uint16{8080, 9000} {
			start(t, r.app, r.appCg, "serve", "tcp", netip.AddrPortFrom(dst, port).String()).ready()
		}
		start(t, r.app, r.appCg, "serve", "udp", netip.AddrPortFrom(dst, 8080).String()).ready()
		to := netip.AddrPortFrom(dst, 8080).String()
		if got := run(t, r.web, r.webCg, "dial", "tcp", to); got != "ok" {
			t.Errorf("dial %s: %s", to, got)
		}
		if got := run(t, r.web, r.webCg, "udp", to); got != "ok" {
			t.Errorf("datagram to %s: %s", to, got)
		}
		for name, w := range map[string]*watcher{"web": webEvents, "app": appEvents} {
			e := w.wait(t, name+" forwarded "+to, func(e layout.Event) bool {
				return e.Dst == dst && e.DstPort == 8080 && e.Protocol == 6 && e.Verdict == flow.Forwarded
			})
			if e.Rule != ruleAllow || e.ToCome != flow.Forwarded {
				t.Errorf("%s: %+v", name, e)
			}
		}
		before := time.Now()
		if got := run(t, r.web, r.webCg, "dial", "tcp", netip.AddrPortFrom(dst, 9000).String()); got != "EPERM" {
			t.Errorf("dial 9000: %s", got)
		}
		if took := time.Since(before); took > 500*time.Millisecond {
			t.Errorf("a refused connect took %v", took)
		}
		webEvents.wait(t, "refused connect", func(e layout.Event) bool {
			return e.Dst == dst && e.DstPort == 9000 && e.Verdict == flow.Dropped && e.Rule == ruleDefault && e.Local == idWeb
		})
	}
	stats, err := r.webDP.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Lost != 0 || stats.Entries == 0 || stats.Programs == 0 {
		t.Errorf("stats: %+v", stats)
	}
}
