package agent

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"firebreak/internal/demo/lab"
)

// twoHosts are enforced web and open data, which serves both ports, and the
// configuration of web's agent with that policy.
func twoHosts(t *testing.T, name, policy string) (p place, inside func(*exec.Cmd) error) {
	t.Helper()
	needKernel(t)
	l, err := lab.New(name)
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
	p = place{t, t.TempDir()}
	p.write("policy/policy.yaml", policy)
	p.write("hosts.inv", "kind: Workload\nmetadata: {name: web-1, labels: {tier: web}}\nspec: {addresses: [10.72.1.11]}\n---\n"+
		"kind: Workload\nmetadata: {name: data-1, labels: {tier: data}}\nspec: {addresses: [10.72.2.11]}\n")
	p.write("agent.yaml", fmt.Sprintf("{policy: policy, state: state, pins: /sys/fs/bpf/%s-test, name: web, namespaces: [%s], cgroups: [{path: %s, workload: web-1}]}", name, web.NamespacePath(), group))
	cfg, diags := ReadConfig(p.path("agent.yaml"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	t.Cleanup(func() {
		if err := Detach(context.Background(), cfg); err != nil {
			t.Error(err)
		}
	})
	return p, func(cmd *exec.Cmd) error { return web.Start(group, cmd) }
}

// TestWindowsOpenAndCloseInTheKernel runs an agent by a clock that shows eleven
// in three seconds: at eleven one window opens and another closes.
func TestWindowsOpenAndCloseInTheKernel(t *testing.T) {
	policy := strings.Replace(kernelPolicy, "ports: [5432/TCP]", "ports: [5432/TCP], when: {hours: '10:00-11:00'}", 1) +
		"  - {name: then, effect: allow, from: {zone: web}, to: {select: tier=data}, ports: [81/TCP], when: {hours: '11:00-12:00'}}\n"
	p, inside := twoHosts(t, "fbwindow", policy)
	ahead := time.Until(time.Date(2027, 1, 4, 10, 59, 57, 0, time.UTC))
	system := thisMachine()
	system.Now = func() time.Time { return time.Now().Add(ahead) }
	ctx, cancel := context.WithCancel(context.Background())
	log, done := &journal{}, make(chan error, 1)
	go func() { done <- Run(ctx, Options{Config: p.path("agent.yaml"), Log: log, System: system}) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	r := trial{place: p, log: log}
	r.untilLogged("attached to cgroup")
	closing := started(t, "hammer", "10.72.2.11:5432", inside)
	opening := started(t, "hammer", "10.72.2.11:81", inside)
	closing.await(t, "the first window", contains("passed"))
	opening.await(t, "the wait for the second", contains("refused"))
	opening.await(t, "the second window", contains("passed"))
	closing.await(t, "the end of the first", contains("refused"))
	if at := system.Now(); at.Hour() != 11 {
		t.Errorf("it was %s", at)
	}
	opening.more(t, 20)
	closing.more(t, 20)
	for name, said := range map[string][]string{"opening": opening.all(), "closing": closing.all()} {
		turns := 0
		for i := 1; i < len(said); i++ {
			if said[i] != said[i-1] && !strings.HasPrefix(said[i], "failed") && said[i] != said[0] {
				turns++
			}
		}
		if turns != 1 {
			t.Errorf("%s turned %d times", name, turns)
		}
	}
}

// TestAnExceptionEndsWithoutTheAgent kills the agent while an exception is in
// force: it must end all the same, when it was to.
func TestAnExceptionEndsWithoutTheAgent(t *testing.T) {
	expires := time.Now().Add(5 * time.Second).UTC()
	p, inside := twoHosts(t, "fbexpire", kernelPolicy+fmt.Sprintf("---\nkind: Exception\nmetadata: {name: migration, owner: o}\n"+
		"spec: {from: {zone: web}, to: {select: tier=data}, ports: [81/TCP], ticket: T-1, approver: a, expires: %s}\n", expires.Format(time.RFC3339Nano)))
	a := started(t, "agent", p.path("agent.yaml"), (*exec.Cmd).Start)
	a.await(t, "the start", contains("attached to cgroup "))
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
