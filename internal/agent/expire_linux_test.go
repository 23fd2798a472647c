package agent

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"firebreak/internal/demo/lab"
)

// TestAnExceptionEndsWithoutTheAgent kills the agent while an exception is in
// force: it must end all the same, when it was to.
func TestAnExceptionEndsWithoutTheAgent(t *testing.T) {
	needKernel(t)
	l, err := lab.New("fbexpire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	web, group := labHost(t, l, "web", "10.72.1.11/24")
	data, _ := labHost(t, l, "data", "10.72.2.11/24")
	serveOn(t, data, "10.72.2.11:5432")
	serveOn(t, data, "10.72.2.11:81")

	p := place{t, t.TempDir()}
	expires := time.Now().Add(5 * time.Second).UTC()
	p.write("policy/policy.yaml", kernelPolicy+fmt.Sprintf("---\nkind: Exception\nmetadata: {name: migration, owner: o}\n"+
		"spec: {from: {zone: web}, to: {select: tier=data}, ports: [81/TCP], ticket: T-1, approver: a, expires: %s}\n", expires.Format(time.RFC3339Nano)))
	p.write("hosts.inv", "kind: Workload\nmetadata: {name: web-1, labels: {tier: web}}\nspec: {addresses: [10.72.1.11]}\n---\n"+
		"kind: Workload\nmetadata: {name: data-1, labels: {tier: data}}\nspec: {addresses: [10.72.2.11]}\n")
	p.write("agent.yaml", fmt.Sprintf("{policy: policy, state: state, pins: /sys/fs/bpf/fbexpire-test, name: web, namespaces: [%s], cgroups: [{path: %s, workload: web-1}]}", web.NamespacePath(), group))
	cfg, diags := ReadConfig(p.path("agent.yaml"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	t.Cleanup(func() {
		if err := Detach(context.Background(), cfg); err != nil {
			t.Error(err)
		}
	})
	a := started(t, "agent", p.path("agent.yaml"), (*exec.Cmd).Start)
	a.await(t, "the start", contains("attached to cgroup "+group))
	inside := func(cmd *exec.Cmd) error { return web.Start(group, cmd) }
	always := started(t, "hammer", "10.72.2.11:5432", inside)
	while := started(t, "hammer", "10.72.2.11:81", inside)
	while.await(t, "the exception", contains("passed"))
	a.end(syscall.SIGKILL)
	while.await(t, "its end", contains("refused"))
	const inFlight = 5 * time.Second // how long an attempt that began before may wait
	if late := time.Since(expires); late < 0 || late > inFlight+2*time.Second {
		t.Errorf("it ended %s after its time", late)
	}
	while.more(t, 20)
	said := while.all()
	first := slices.Index(said, "refused")
	if i := slices.IndexFunc(said[:first], func(s string) bool { return s != "passed" }); i >= 0 && i != first-1 {
		t.Errorf("before its end: %s", said[i])
	}
	if i := slices.IndexFunc(said[first:], func(s string) bool { return s != "refused" }); i >= 0 {
		t.Errorf("after its end: %s", said[first+i])
	}
	always.more(t, 20)
	for _, s := range always.all() {
		if s != "passed" {
			t.Fatalf("what has no end: %s", s)
		}
	}
	a = started(t, "agent", p.path("agent.yaml"), (*exec.Cmd).Start)
	a.await(t, "taking over", contains("taking over revision 1"))
	while.more(t, 20)
	if said = while.all(); said[len(said)-1] != "refused" {
		t.Errorf("under a new agent: %s", said[len(said)-1])
	}
}
