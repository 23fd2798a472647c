package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"firebreak/internal/demo/lab"
)

// The test binary is also the agent that is killed and the workload that
// talks.
const helperEnv = "FIREBREAK_TEST_AGENT"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "agent":
		os.Exit(agentHelper(os.Args[1]))
	case "hammer":
		hammer(os.Args[1])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func agentHelper(config string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, Options{Config: config, Log: os.Stdout}); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// hammer connects again and again and says what came of it, until it is ended.
func hammer(address string) {
	for {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		switch {
		case err == nil:
			c.Close()
			fmt.Println("passed")
		case errors.Is(err, syscall.EPERM):
			fmt.Println("refused")
		default:
			fmt.Println("failed:", err)
		}
	}
}

// lines collects what a process says.
type lines struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	list []string
	done chan struct{}
}

// started runs the test binary as a helper.
func started(t *testing.T, role, arg string, start func(*exec.Cmd) error) *lines {
	t.Helper()
	cmd := exec.Command(os.Args[0], arg)
	cmd.Env = append(os.Environ(), helperEnv+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	l := &lines{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			l.mu.Lock()
			l.list = append(l.list, s.Text())
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { l.end(syscall.SIGKILL) })
	return l
}

// end signals the process and waits for its end.
func (l *lines) end(sig syscall.Signal) {
	_ = l.cmd.Process.Signal(sig) // it may have ended already
	<-l.done
	_ = l.cmd.Wait()
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list...)
}

// await waits until a condition holds for everything said so far.
func (l *lines) await(t *testing.T, what string, ok func([]string) bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok(l.all()) {
		select {
		case <-deadline:
			said := l.all()
			t.Fatalf("%s does not come; last said: %q", what, said[max(0, len(said)-5):])
		case <-poll.C:
		}
	}
}

// more waits for n more lines.
func (l *lines) more(t *testing.T, n int) {
	t.Helper()
	before := len(l.all())
	l.await(t, fmt.Sprintf("%d more attempts", n), func(said []string) bool { return len(said) >= before+n })
}

func contains(text string) func([]string) bool {
	return func(said []string) bool { return strings.Contains(strings.Join(said, "\n"), text) }
}

func needKernel(t *testing.T) {
	t.Helper()
	err := lab.Require()
	if err == nil {
		_, _, err = Probe()
	}
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

const kernelPolicy = `kind: Estate
metadata: {name: test}
spec: {inventory: [{file: ../hosts.inv}], networks: [10.72.0.0/16]}
---
kind: Zone
metadata: {name: web}
spec: {select: tier=web, stage: enforce}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: open, effect: allow, from: {zone: web}, to: {select: tier=data}, ports: [5432/TCP]}
`

// TestTheAgentKilledAndStartedAgain runs permitted and forbidden connects all
// the while: the permitted must never fail and the forbidden never pass,
// whatever becomes of the agent, until it is detached.
func TestTheAgentKilledAndStartedAgain(t *testing.T) {
	needKernel(t)
	l, err := lab.New("fbagent")
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
	p.write("policy/policy.yaml", kernelPolicy)
	p.write("hosts.inv", "kind: Workload\nmetadata: {name: web-1, labels: {tier: web}}\nspec: {addresses: [10.72.1.11]}\n---\n"+
		"kind: Workload\nmetadata: {name: data-1, labels: {tier: data}}\nspec: {addresses: [10.72.2.11]}\n")
	pins := "/sys/fs/bpf/fbagent-test"
	p.write("agent.yaml", fmt.Sprintf("{policy: policy, state: state, pins: %s, name: web, namespaces: [%s], cgroups: [{path: %s, workload: web-1}]}", pins, web.NamespacePath(), group))
	cfg, diags := ReadConfig(p.path("agent.yaml"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	t.Cleanup(func() {
		if err := Detach(context.Background(), cfg); err != nil {
			t.Error(err)
		}
	})
	status := func() *StatusReport {
		t.Helper()
		s, err := ReadStatus(cfg, Probe, ReadPinned)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	run := func() *lines {
		a := started(t, "agent", p.path("agent.yaml"), (*exec.Cmd).Start)
		a.await(t, "the start", contains("attached to cgroup "+group))
		return a
	}

	a := run()
	inside := func(cmd *exec.Cmd) error { return web.Start(group, cmd) }
	permitted := started(t, "hammer", "10.72.2.11:5432", inside)
	forbidden := started(t, "hammer", "10.72.2.11:81", inside)
	traffic := func() { permitted.more(t, 50); forbidden.more(t, 50) }
	traffic()
	if s := status(); !s.Running || !s.Enforcing || s.Revision != 1 || s.Endpoints != 1 || s.Entries == 0 {
		t.Errorf("while it runs: %+v", s)
	}
	a.end(syscall.SIGKILL)
	traffic()
	if s := status(); s.Running || !s.Enforcing || s.Revision != 1 {
		t.Errorf("after the kill: %+v", s)
	}
	a = run()
	traffic()
	a.await(t, "taking over", contains("taking over revision 1"))
	if s := status(); !s.Running || s.Revision != 2 {
		t.Errorf("after the restart: %+v", s)
	}
	p.write("policy/policy.yaml", kernelPolicy+"  - {name: broken")
	a.await(t, "the complaint", contains("refused, revision 2 stays in force"))
	traffic()
	if err := Detach(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("detached under a running agent: %v", err)
	}
	for _, x := range []struct {
		who  *lines
		want string
	}{{permitted, "passed"}, {forbidden, "refused"}} {
		for i, said := range x.who.all() {
			if said != x.want {
				t.Fatalf("attempt %d: %s, want %s", i, said, x.want)
			}
		}
	}

	p.write("policy/policy.yaml", strings.Replace(kernelPolicy, "5432/TCP", "81/TCP", 1))
	permitted.await(t, "the refusal", contains("refused"))
	forbidden.await(t, "the permission", contains("passed"))
	a.end(syscall.SIGTERM)
	a.await(t, "the farewell", contains("stays in force"))
	before := len(permitted.all())
	traffic()
	for _, said := range permitted.all()[before:] {
		if said != "refused" {
			t.Fatalf("after the end: %s", said)
		}
	}
	if err := Detach(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	before = len(permitted.all())
	permitted.await(t, "the open door", func(said []string) bool { return strings.Contains(strings.Join(said[before:], " "), "passed") })
	if left, _ := filepath.Glob(pins); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if s := status(); s.Enforcing || s.Running {
		t.Errorf("after detaching: %+v", s)
	}
}

func labHost(t *testing.T, l *lab.Lab, name, addr string) (*lab.Host, string) {
	t.Helper()
	h, err := l.AddHost(name, netip.MustParsePrefix(addr))
	if err != nil {
		t.Fatal(err)
	}
	group, err := h.Group("workload")
	if err != nil {
		t.Fatal(err)
	}
	return h, group
}

func serveOn(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	var listener net.Listener
	err := h.Do(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}
