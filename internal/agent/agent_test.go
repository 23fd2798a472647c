package agent

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"firebreak/internal/datapath/layout"
)

func TestStartsInTheOrderThatLeavesNoGap(t *testing.T) {
	r := newTrial(t)
	r.start()
	r.kernel.mu.Lock()
	got := strings.Join(r.kernel.calls, " ")
	r.kernel.mu.Unlock()
	if got != "apply attach end" {
		t.Errorf("calls are %s", got)
	}
	s := r.status()
	if s.Revision != 1 || s.Endpoints != 2 || s.Entries == 0 || s.Host != "host-1" || s.Tier != "full" || s.Error != "" {
		t.Errorf("status is %+v", s)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.untilLogged("revision 1 stays in force; `firebreak agent detach --config")
	if !r.kernel.attached || r.kernel.opened {
		t.Error("it should let go of the kernel and leave it attached")
	}
}

func TestARefusedStartChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*trial)
		want  string
	}{
		"bad policy":     {func(r *trial) { r.write("policy/policy.yaml", policyText+"  - {nme: x}") }, `"nme"`},
		"broken yaml":    {func(r *trial) { r.write("policy/policy.yaml", policyText+"  - [") }, "yaml-syntax"},
		"no inventory":   {func(r *trial) { os.Remove(r.path("hosts.yaml")) }, "unreadable"},
		"no policy":      {func(r *trial) { os.RemoveAll(r.path("policy")) }, "policy directory"},
		"missing cgroup": {func(r *trial) { os.Remove(r.path("cg/web-2")) }, "missing-cgroup"},
		"unknown workload": {func(r *trial) {
			r.write("agent.yaml", `{policy: policy, state: state, cgroups: [{path: web-1, workload: web1}]}`)
		}, `did you mean "web-1"?`},
		"unknown zone":   {func(r *trial) { r.write("agent.yaml", `{policy: policy, state: state, zone: wbe}`) }, `wbe`},
		"old kernel":     {func(r *trial) { r.probe = errors.New("use Linux 6.6") }, "use Linux 6.6"},
		"broken numbers": {func(r *trial) { r.write("state/numbers.json", `{"version":1,"peers":{"a":3}}`) }, "numbers.json cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTrial(t)
			c.spoil(r)
			err := r.run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if len(r.kernel.calls) > 0 || r.kernel.opened {
				t.Errorf("the kernel was touched: %v", r.kernel.calls)
			}
		})
	}
}

func TestAStateDirectoryThatCannotBeWrittenStopsTheStart(t *testing.T) {
	r := newTrial(t)
	r.write("state", "a file where the directory should be")
	err := r.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "state") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line about the state directory", err)
	}
	if len(r.kernel.calls) > 0 {
		t.Errorf("the kernel was touched: %v", r.kernel.calls)
	}
}

func TestAFailedFirstApplyLeavesNothing(t *testing.T) {
	r := newTrial(t)
	r.kernel.applyErr = errors.New("no room")
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Fatal(err)
	}
	if r.discard != 1 || r.kernel.attached {
		t.Errorf("discarded %d times, attached %v", r.discard, r.kernel.attached)
	}
	r = newTrial(t) // but what an earlier agent left in force is not discarded
	r.kernel.applyErr, r.kernel.revision = errors.New("no room"), 7
	if err := r.run(t.Context()); err == nil || r.discard != 0 {
		t.Errorf("%v, discarded %d times", err, r.discard)
	}
}

func TestAChangeIsPutInForce(t *testing.T) {
	r := newTrial(t)
	r.start()
	before := len(r.catalogs())
	r.write("policy/policy.yaml", strings.Replace(policyText, "ports: [postgres]", "ports: [postgres, 9000/TCP]", 1))
	r.until("revision 2", func() bool { return r.status().Revision == 2 })
	r.until("its catalog", func() bool { return len(r.catalogs()) > before })
	last := r.catalogs()[len(r.catalogs())-1]
	if last.Revision != 2 || !strings.Contains(last.Rules[0].Text, "9000/TCP") {
		t.Errorf("the catalog says revision %d, %q", last.Revision, last.Rules[0].Text)
	}
	r.write("more.yaml", "") // a file that is none of ours
	r.write("policy/sub/new.yaml", "kind: Zone\nmetadata: {name: later}\nspec: {select: tier=later}\n")
	r.write("hosts.yaml", hostsText+"---\nkind: Workload\nmetadata: {name: new, labels: {tier: later}}\nspec: {addresses: [10.0.0.77]}\n")
	r.until("the new workload", func() bool {
		r.kernel.mu.Lock()
		defer r.kernel.mu.Unlock()
		for _, a := range r.kernel.tables.Addresses {
			if a.Prefix == netip.MustParsePrefix("10.0.0.77/32") {
				return true
			}
		}
		return false
	})
	r.kernel.mu.Lock()
	calls := strings.Join(r.kernel.calls, " ")
	r.kernel.mu.Unlock()
	if !strings.HasPrefix(calls, "apply attach end apply end") || strings.Count(calls, "attach") != 1 {
		t.Errorf("calls are %s", calls)
	}
}

func TestABrokenChangeLeavesTheOldInForceUntilItIsMended(t *testing.T) {
	r := newTrial(t)
	r.start()
	r.write("policy/policy.yaml", policyText[:len(policyText)-30]) // half written
	r.until("the complaint", func() bool { return strings.Contains(r.status().Error, "policy.yaml:") })
	if s := r.status(); s.Revision != 1 {
		t.Errorf("revision %d", s.Revision)
	}
	r.untilLogged("refused, revision 1 stays in force")
	r.write("policy/policy.yaml", policyText)
	r.until("the mending", func() bool { return r.status().Error == "" })
	if s := r.status(); s.Revision != 1 {
		t.Errorf("the same text again is revision %d", s.Revision)
	}
	r.write("policy/policy.yaml", strings.Replace(policyText, "effect: allow", "effect: deny", 1))
	r.until("revision 2", func() bool { return r.status().Revision == 2 })
}

func TestOnlyLinesMoved(t *testing.T) {
	r := newTrial(t)
	r.start()
	before := r.catalogs()[0].Rules[0]
	r.write("policy/policy.yaml", "# a comment\n"+policyText)
	r.until("the new lines", func() bool {
		all := r.catalogs()
		return all[len(all)-1].Rules[0].Line == before.Line+1
	})
	if s := r.status(); s.Revision != 1 {
		t.Errorf("a comment made revision %d", s.Revision)
	}
}

func TestAKernelOrDiskThatRefusesLeavesTheOldInForce(t *testing.T) {
	r := newTrial(t)
	r.start()
	r.kernel.mu.Lock()
	r.kernel.applyErr = errors.New("the map is full")
	r.kernel.mu.Unlock()
	changed := strings.Replace(policyText, "effect: allow", "effect: deny", 1)
	r.write("policy/policy.yaml", changed)
	r.until("the complaint", func() bool { return r.status().Error == "the map is full" })
	r.kernel.mu.Lock()
	r.kernel.applyErr = nil
	r.kernel.mu.Unlock()
	// A directory in the way of the temporary file stands for a full disk.
	if err := os.MkdirAll(r.path("state/numbers.json.new/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("policy/policy.yaml", strings.Replace(changed, "name: web-to-db", "name: renamed", 1))
	r.until("the complaint", func() bool { return strings.Contains(r.status().Error, "numbers.json cannot be written") })
	if err := os.RemoveAll(r.path("state/numbers.json.new")); err != nil {
		t.Fatal(err)
	}
	r.reload <- struct{}{}
	r.until("revision 2", func() bool { return r.status().Revision == 2 && r.status().Error == "" })
}

func TestARestartTakesOverWithTheSameNumbers(t *testing.T) {
	r := newTrial(t)
	r.start()
	before := *r.kernel.tables
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.write("hosts.yaml", strings.Replace(hostsText, "name: web-1", "name: a-first-one, labels: {tier: web, app: other}}\nspec: {addresses: [10.0.0.3]}\n---\nkind: Workload\nmetadata: {name: web-1", 1))
	r.start()
	r.untilLogged("taking over revision 1")
	after := r.kernel.tables
	if before.HostIdentity != after.HostIdentity || before.Cgroups[0] != after.Cgroups[0] || before.Cgroups[1] != after.Cgroups[1] {
		t.Errorf("numbers have changed: %v, %v", before.Cgroups, after.Cgroups)
	}
	for key, v := range before.Policy {
		if after.Policy[key] != v {
			t.Errorf("entry %v was %v and is %v", key, v, after.Policy[key])
		}
	}
}

func TestASecondAgentIsRefused(t *testing.T) {
	r := newTrial(t)
	r.start()
	err := r.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another agent (pid ") {
		t.Errorf("got %v", err)
	}
	if _, alive := running(r.path("state")); !alive {
		t.Error("the first does not count as running")
	}
	if err := Forget(&Config{State: r.path("state")}); err == nil {
		t.Error("detached under a running agent")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, alive := running(r.path("state")); alive {
		t.Error("it counts as running after its end")
	}
}

func TestANewAddressIsRendered(t *testing.T) {
	r := newTrial(t)
	r.start()
	r.mu.Lock()
	r.addrs = []netip.Addr{netip.MustParseAddr("10.0.0.200")}
	r.moved()
	r.mu.Unlock()
	r.until("revision 2", func() bool { return r.status().Revision == 2 })
	r.kernel.mu.Lock()
	defer r.kernel.mu.Unlock()
	for _, a := range r.kernel.tables.Addresses {
		if a.Prefix.Addr() == netip.MustParseAddr("10.0.0.200") && a.Flags == layout.Own && a.Local == r.kernel.tables.HostIdentity {
			return
		}
	}
	t.Errorf("no own address in %v", r.kernel.tables.Addresses)
}

func TestACgroupMadeAnewIsFollowed(t *testing.T) {
	r := newTrial(t)
	r.start()
	old := r.cgroupID("web-2")
	// The old one stays, under another name, so that its inode is not reused.
	if err := os.Rename(r.path("cg/web-2"), r.path("cg/was")); err != nil {
		t.Fatal(err)
	}
	r.until("the complaint", func() bool { return strings.Contains(r.status().Error, "missing-cgroup") })
	if err := os.Mkdir(r.path("cg/web-2"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.until("revision 2", func() bool { return r.status().Revision == 2 && r.status().Error == "" })
	r.kernel.mu.Lock()
	defer r.kernel.mu.Unlock()
	ids := map[uint64]bool{}
	for _, c := range r.kernel.tables.Cgroups {
		ids[c.ID] = true
	}
	if ids[old] || !ids[r.cgroupID("web-2")] {
		t.Errorf("cgroups are %v", r.kernel.tables.Cgroups)
	}
}

func TestTheConfigurationIsFollowedAsFarAsItCanBe(t *testing.T) {
	r := newTrial(t)
	r.start()
	text, err := os.ReadFile(r.path("agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("agent.yaml", strings.Replace(string(text), "pins: pins", "pins: elsewhere", 1))
	r.until("the complaint", func() bool { return strings.Contains(r.status().Error, "needs-restart") })
	r.write("agent.yaml", strings.Replace(string(text), "{path: web-2, workload: web-2}", "{path: web-2, workload: db-1}", 1))
	r.until("revision 2", func() bool { return r.status().Revision == 2 && r.status().Error == "" })
}

func TestLostEvidenceEndsTheAgentAndNotEnforcement(t *testing.T) {
	r := newTrial(t)
	r.start()
	close(r.kernel.events)
	select {
	case err := <-r.done:
		if err == nil || !strings.Contains(err.Error(), "the ring is gone") {
			t.Errorf("got %v", err)
		}
	case <-t.Context().Done():
	}
	if !r.kernel.attached {
		t.Error("enforcement has ended")
	}
}

func TestStoppedBeforeItStarted(t *testing.T) {
	r := newTrial(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.run(ctx); err != nil {
		t.Error(err)
	}
}
