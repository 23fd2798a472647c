package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"firebreak/internal/demo/lab"
)

// place is where measurements happen: two hosts joined by one veth pair
// without anything between them, each with one workload.
type place struct {
	lab            *lab.Lab
	dir            string // of files
	client, server *end
	caller         *child // the client's process
	second         *child // another one, for what must go on meanwhile
	servers        []*child
	enforced       *enforcement // what switchTo has put in force; nil if it is not ours
}

// end is one of the two hosts.
type end struct {
	host   *lab.Host
	addr   netip.Addr
	cgroup string // of its workload
	cpu    int
}

var (
	clientAddr = netip.MustParseAddr("10.98.0.1")
	serverAddr = netip.MustParseAddr("10.98.0.2")
)

func newPlace(prefix string) (*place, error) {
	l, err := lab.New(prefix)
	if err != nil {
		return nil, err
	}
	p := &place{lab: l}
	if err := p.build(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *place) build() error {
	// First what a killed predecessor left; the lab's lock is ours.
	p.dir = filepath.Join("/run/firebreak", p.lab.Prefix())
	if err := errors.Join(os.RemoveAll(p.pinRoot()), os.RemoveAll(p.dir), os.Mkdir(p.dir, 0o700)); err != nil {
		return err
	}
	mask, err := affinity()
	if err != nil {
		return err
	}
	cpus := mask.cpus()
	if p.client, err = p.end("client", clientAddr, cpus[0]); err != nil {
		return err
	}
	if p.server, err = p.end("server", serverAddr, cpus[len(cpus)-1]); err != nil {
		return err
	}
	if err := p.join(); err != nil {
		return err
	}
	return p.people()
}

func (p *place) end(name string, addr netip.Addr, cpu int) (*end, error) {
	h, err := p.lab.AddHost(name)
	if err != nil {
		return nil, err
	}
	cg, err := h.Group("workload")
	return &end{host: h, addr: addr, cgroup: cg, cpu: cpu}, err
}

// join lays the cable. A router between the hosts would be the same for all
// variants, and make their differences look smaller.
func (p *place) join() error {
	a, b := p.client.host.Namespace(), p.server.host.Namespace()
	for _, line := range []string{
		"link add bench0 netns " + a + " type veth peer name bench0 netns " + b,
		"-n " + a + " addr add " + clientAddr.String() + "/24 dev bench0",
		"-n " + b + " addr add " + serverAddr.String() + "/24 dev bench0",
		"-n " + a + " link set bench0 up",
		"-n " + b + " link set bench0 up",
	} {
		if err := command("", "ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return errors.Join(p.client.settle(), p.server.settle())
}

// settle sets what else differs from machine to machine: TCP without pacing,
// and more ports, so that none comes back while its last conversation is being
// forgotten.
func (e *end) settle() error {
	return e.host.Do(func() error {
		const dir = "/proc/sys/net/ipv4/"
		return errors.Join(
			os.WriteFile(dir+"tcp_congestion_control", []byte("reno"), 0),
			os.WriteFile(dir+"ip_local_port_range", []byte("10000 65000"), 0),
		)
	})
}

func (p *place) people() error {
	for _, name := range []string{"echo", "once", "sink", "flood", "closed"} {
		c, err := startChild(p.server.host, p.server.cgroup, name, p.server.cpu)
		if err != nil {
			return err
		}
		p.servers = append(p.servers, c)
	}
	for _, to := range []**child{&p.caller, &p.second} {
		c, err := startChild(p.client.host, p.client.cgroup, "client", p.client.cpu)
		if err != nil {
			return err
		}
		*to = c
	}
	return nil
}

// close ends every process and removes everything.
func (p *place) close() error {
	errs := []error{p.release(p.enforced)}
	for _, c := range append(p.servers, p.caller, p.second) {
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(append(errs, os.RemoveAll(p.pinRoot()), p.lab.Close())...)
}

func (p *place) pinRoot() string                  { return filepath.Join("/sys/fs/bpf", p.lab.Prefix()) }
func (p *place) pins(e *end) string               { return filepath.Join(p.pinRoot(), e.host.Name()) }
func (p *place) ends() []*end                     { return []*end{p.client, p.server} }
func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// cpuUsed is what the processes of both hosts have used, softirq work in their
// name included: the kernel adds it up exactly; and what this program has used,
// which reads the events.
func (p *place) cpuUsed() (hosts, reader time.Duration, err error) {
	text, err := os.ReadFile(filepath.Join(p.lab.Cgroup(), "cpu.stat"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Duration(us) * time.Microsecond, ownTime(), err
		}
	}
	return 0, 0, errors.New("cpu.stat has no usage_usec")
}

// ownTime is what this program has used of processors.
func ownTime() time.Duration {
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) != nil {
		return 0
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

// command runs a program of the system with text as its input.
func command(text, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			return fmt.Errorf("%s is not installed", name)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func inode(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("%s has no inode number", path)
	}
	return st.Ino, nil
}
