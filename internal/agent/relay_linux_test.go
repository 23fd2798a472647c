package agent

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"firebreak/internal/demo/lab"
)

const relayPolicy = `kind: Estate
metadata: {name: test}
spec: {inventory: [{file: ../hosts.inv}], networks: [10.72.0.0/16], targets: [lattice, ebpf]}
---
kind: Zone
metadata: {name: all}
spec: {select: app, stage: enforce, default: deny}
---
kind: Service
metadata: {name: web}
spec: {select: app=web}
---
kind: Service
metadata: {name: orders}
spec: {select: app=orders, ports: [{name: https, port: 8443}, {name: admin, port: 81}]}
---
kind: Policy
metadata: {name: p}
spec:
  stage: enforce
  rules:
  - {name: open, effect: allow, from: {service: web}, to: {service: orders}, ports: [8443/TCP, 81/TCP], reason: r}
`

const relayHosts = `kind: Network
metadata: {name: vpc-a}
spec: {cidrs: [10.72.1.0/24]}
---
kind: Network
metadata: {name: vpc-b}
spec: {cidrs: [10.72.2.0/24]}
---
kind: Workload
metadata: {name: web-1, labels: {app: web, net/vpc: vpc-a, aws/role: "arn:aws:iam::111122223333:role/web"}}
spec: {addresses: [10.72.1.11]}
---
kind: Workload
metadata: {name: orders-1, labels: {app: orders, net/vpc: vpc-b}}
spec: {addresses: [10.72.2.11]}
`

// TestWhatARelayLeadsPassesInTheKernel sends packets from an address of VPC
// Lattice's to a port that it leads to and to one that it does not, and the other
// way to a listener of it and to another port, with everything enforced.
func TestWhatARelayLeadsPassesInTheKernel(t *testing.T) {
	needKernel(t)
	l, err := lab.New("fbrelay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	const relay = "169.254.171.11"
	web, webGroup := labHost(t, l, "web", "10.72.1.11/24")
	orders, ordersGroup := labHost(t, l, "orders", "10.72.2.11/24")
	lattice, _ := labHost(t, l, "lattice", relay+"/24")
	for _, port := range []string{"8443", "81"} {
		serveOn(t, orders, "10.72.2.11:"+port)
		serveOn(t, lattice, relay+":"+port)
	}
	p := place{t, t.TempDir()}
	p.write("policy/policy.yaml", relayPolicy)
	p.write("hosts.inv", relayHosts)
	p.write("agent.yaml", fmt.Sprintf("{policy: policy, state: state, pins: /sys/fs/bpf/fbrelay-test, name: both, namespaces: [%s, %s], cgroups: [{path: %s, workload: web-1}, {path: %s, workload: orders-1}]}",
		web.NamespacePath(), orders.NamespacePath(), webGroup, ordersGroup))
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
	a.await(t, "the start", contains("attached to cgroup "))
	for _, c := range []struct {
		port   string
		passes bool
	}{{"8443", true}, {"81", false}} {
		in := dialFrom(t, lattice, "10.72.2.11:"+c.port)
		if (in == nil) != c.passes {
			t.Errorf("from the relay to port %s: %v", c.port, in)
		}
		direct := dialFrom(t, l.Router(), "10.72.2.11:"+c.port)
		if direct == nil {
			t.Errorf("from another address to port %s: it passes", c.port)
		}
		want := map[bool]string{true: "passed", false: "refused"}[c.passes]
		out := started(t, "hammer", relay+":"+c.port, func(cmd *exec.Cmd) error { return web.Start(webGroup, cmd) })
		out.more(t, 3)
		for _, said := range out.all() {
			if said != want {
				t.Errorf("to the relay, port %s: %s, want %s", c.port, said, want)
			}
		}
	}
	none := started(t, "hammer", relay+":8443", func(cmd *exec.Cmd) error { return orders.Start(ordersGroup, cmd) })
	none.more(t, 1)
	if said := none.all()[0]; said != "refused" {
		t.Errorf("to the relay from one who may call nobody: %s", said)
	}
}

func dialFrom(t *testing.T, h *lab.Host, address string) error {
	t.Helper()
	return h.Do(func() error {
		c, err := net.DialTimeout("tcp", address, 700*time.Millisecond)
		if err == nil {
			c.Close()
		}
		return err
	})
}
