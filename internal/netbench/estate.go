package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// The workloads that are really there.
const (
	clientService = 0
	serverService = portFlood - firstPort
)

// estate is a policy directory and the configurations of both hosts' agents:
// services of one workload each, and a rule from every service to every one.
// Every second service is on the client's host, the others on the server's.
type estate struct {
	dir      string
	wire     string // the server's socket; empty means nobody is told
	services int    // and as many ports; a hundred make 10,000 rules
}

func serviceName(i int) string { return fmt.Sprintf("service-%03d", i) }

func newEstate(p *place, wire string, services int) (*estate, error) {
	x := &estate{dir: filepath.Join(p.dir, "estate"), wire: wire, services: services}
	if err := os.RemoveAll(x.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(x.dir, "policy"), 0o700); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("apiVersion: firebreak.dev/v1alpha1\nkind: Estate\nmetadata: {name: bench}\nspec:\n  inventory:\n  - {file: inventory.yaml}\n  networks: [10.96.0.0/13]\n")
	for _, zone := range []string{"services", "unassigned"} {
		sel := ""
		if zone == "services" {
			sel = "\n  select: tier=services"
		}
		fmt.Fprintf(&b, "---\napiVersion: firebreak.dev/v1alpha1\nkind: Zone\nmetadata: {name: %s}\nspec:%s\n  stage: enforce\n  default: deny\n", zone, sel)
	}
	var inv strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "---\napiVersion: firebreak.dev/v1alpha1\nkind: Service\nmetadata: {name: %s}\nspec: {select: app=%s}\n", serviceName(i), serviceName(i))
		fmt.Fprintf(&inv, "---\nkind: Workload\nmetadata: {name: %s-1, labels: {app: %s, tier: services}}\nspec: {addresses: [%s]}\n", serviceName(i), serviceName(i), serviceAddress(i))
	}
	for name, text := range map[string]string{"estate.yaml": b.String(), "inventory.yaml": inv.String()} {
		if err := os.WriteFile(filepath.Join(x.dir, "policy", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return x, x.write(0, 0)
}

func serviceAddress(i int) netip.Addr {
	switch i {
	case clientService:
		return clientAddr
	case serverService:
		return serverAddr
	}
	return netip.AddrFrom4([4]byte{10, 97, 0, byte(i)})
}

// write writes all rules, in one file and at once: no reader sees half of them.
// The ports of all are moved on by shift, that of one rule by first as well.
func (x *estate) write(shift, first int) error {
	var b strings.Builder
	for from := range x.services {
		fmt.Fprintf(&b, "---\napiVersion: firebreak.dev/v1alpha1\nkind: Policy\nmetadata: {name: from-%s, owner: bench}\nspec:\n  tier: application\n  stage: enforce\n  rules:\n", serviceName(from))
		for to := range x.services {
			port := firstPort + (from+to+shift)%x.services
			if from == clientService && to == x.services-1 {
				port += first
			}
			fmt.Fprintf(&b, "  - name: to-%s\n    effect: allow\n    from: {service: %s}\n    to: {service: %s}\n    ports: [%d/TCP]\n    reason: measured\n",
				serviceName(to), serviceName(from), serviceName(to), port)
		}
	}
	path := filepath.Join(x.dir, "policy", "policy.yaml")
	if err := os.WriteFile(path+".next", []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".next", path)
}

// config writes the configuration of an end's agent and returns its path.
func (x *estate) config(p *place, e *end) (string, error) {
	type group struct {
		Path     string `json:"path"`
		Workload string `json:"workload"`
	}
	own, first := clientService, 0
	if e == p.server {
		own, first = serverService, 1
	}
	var groups []group
	for i := first; i < x.services; i += 2 {
		path := e.cgroup
		if i != own {
			var err error
			if path, err = e.host.Group(serviceName(i)); err != nil {
				return "", err
			}
		}
		groups = append(groups, group{path, serviceName(i) + "-1"})
	}
	cfg := map[string]any{
		"name": e.host.Name(), "policy": filepath.Join(x.dir, "policy"), "cgroups": groups, "cgroupRoot": e.host.Cgroup(),
		"namespaces": []string{e.host.NamespacePath()}, "zone": "unassigned", "state": filepath.Join(x.dir, "state-"+e.host.Name()),
		"pins": p.pins(e),
	}
	if x.wire != "" {
		cfg["wire"] = x.wire
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		return "", err
	}
	path := filepath.Join(x.dir, e.host.Name()+".yaml")
	return path, os.WriteFile(path, text, 0o600)
}
