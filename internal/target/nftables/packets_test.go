package nftables

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/demo/lab"
	"firebreak/internal/netset"
)

// field is a lab whose hosts have several addresses each; rules of nft are
// loaded into them and packets sent.
type field struct {
	t     testing.TB
	lab   *lab.Lab
	hosts map[string]*lab.Host
	// Of the last probe: its source port, or the identifier of its echo. One that
	// was used lately is an old conversation to the kernel.
	last uint16
}

func needLab(t testing.TB) {
	t.Helper()
	err := lab.Require()
	if err == nil {
		_, err = exec.LookPath("nft")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("packets must be sent here: %v", err)
		}
		t.Skipf("sending packets needs more: %v", err)
	}
}

func newField(t testing.TB, prefix string, hosts map[string][]netip.Prefix) *field {
	t.Helper()
	needLab(t)
	l, err := lab.New(prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &field{t: t, lab: l, hosts: map[string]*lab.Host{}}
	for _, name := range []string{"a", "b", "c"} {
		if len(hosts[name]) == 0 {
			continue
		}
		h, err := l.AddHost(name, hosts[name]...)
		if err != nil {
			t.Fatal(err)
		}
		f.hosts[name] = h
	}
	return f
}

// nft runs nft inside a host.
func (f *field) nft(host string, input []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("nft", args...)
	cmd.Stdin = bytes.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := f.hosts[host].Start("", cmd); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("nft %v: %w: %.400s", args, err, errs.String())
	}
	return out.Bytes(), nil
}

// load replaces everything that a host has.
func (f *field) load(host string, rules []byte) error {
	if _, err := f.nft(host, nil, "flush", "ruleset"); err != nil {
		return err
	}
	if rules == nil {
		return nil
	}
	_, err := f.nft(host, rules, "-j", "-f", "-")
	return err
}

// probe is one conversation that is tried.
type probe struct {
	host     string // where it is sent from
	from, to netip.Addr
	port     port
	fd       int
	id       uint16
	passed   bool
	failed   error
}

// send opens every probe at once and waits until all have been answered, or time
// is up. A host answers where nobody listens, too: that it does is what shows
// that the packet came there and the answer back.
func (f *field) send(probes []*probe) { f.sendFor(probes, 80*time.Millisecond) }

// passes reports whether a probe passed, or does if it is given more time: what
// comes late on a busy machine is no drop.
func (f *field) passes(p *probe) bool {
	if !p.passed {
		f.sendFor([]*probe{p}, 2*time.Second)
	}
	return p.passed
}

func (f *field) sendFor(probes []*probe, limit time.Duration) {
	byHost := map[string][]*probe{}
	for _, p := range probes {
		if f.last++; f.last < 10000 {
			f.last = 10000
		}
		p.fd, p.id, p.passed, p.failed = -1, f.last, false, nil
		byHost[p.host] = append(byHost[p.host], p)
	}
	for host, list := range byHost {
		if err := f.hosts[host].Do(func() error {
			for _, p := range list {
				p.failed = p.open()
			}
			return nil
		}); err != nil {
			f.t.Fatal(err)
		}
	}
	await(probes, limit)
	for _, p := range probes {
		if p.fd >= 0 {
			_ = unix.Close(p.fd)
		}
		if p.failed != nil {
			f.t.Fatalf("%s → %s %s %d: %v", p.from, p.to, p.port.protocol, p.port.number, p.failed)
		}
	}
}

func sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
}

func (p *probe) open() error {
	domain := unix.AF_INET6
	if p.from.Is4() {
		domain = unix.AF_INET
	}
	kind, proto := unix.SOCK_STREAM, 0
	switch p.port.protocol {
	case netset.UDP:
		kind = unix.SOCK_DGRAM
	case netset.ICMP:
		kind, proto = unix.SOCK_RAW, unix.IPPROTO_ICMP
		if domain == unix.AF_INET6 {
			proto = unix.IPPROTO_ICMPV6
		}
	}
	var err error
	if p.fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto); err != nil {
		return err
	}
	if err := unix.Bind(p.fd, sockaddr(p.from, p.id)); err != nil {
		return err
	}
	number := p.port.number
	if p.port.protocol == netset.ICMP {
		number = 0
	}
	if err := unix.Connect(p.fd, sockaddr(p.to, number)); err != nil && err != unix.EINPROGRESS {
		return p.outcome(err)
	}
	switch p.port.protocol {
	case netset.UDP:
		_, err = unix.Write(p.fd, []byte("?"))
	case netset.ICMP:
		kind := byte(8)
		if domain == unix.AF_INET6 {
			kind = 128
		}
		m := []byte{kind, 0, 0, 0, 0, 0, 0, 1}
		binary.BigEndian.PutUint16(m[4:], p.id)
		if domain == unix.AF_INET {
			sum := uint32(m[0])<<8 + uint32(p.id) + 1
			binary.BigEndian.PutUint16(m[2:], ^uint16(sum+sum>>16))
		}
		_, err = unix.Write(p.fd, m)
	}
	return p.outcome(err)
}

// outcome of an operation: a refusal is an answer; EPERM is a drop on the way
// out.
func (p *probe) outcome(err error) error {
	switch err {
	case nil, unix.EAGAIN, unix.EPERM:
		return nil
	case unix.ECONNREFUSED, unix.ECONNRESET:
		p.passed = true
		return nil
	}
	return err
}

func await(probes []*probe, limit time.Duration) {
	deadline := time.Now().Add(limit)
	for {
		var fds []unix.PollFd
		var of []*probe
		for _, p := range probes {
			if p.fd >= 0 && !p.passed && p.failed == nil {
				events := int16(unix.POLLIN)
				if p.port.protocol == netset.TCP {
					events = unix.POLLOUT
				}
				fds, of = append(fds, unix.PollFd{Fd: int32(p.fd), Events: events}), append(of, p)
			}
		}
		left := time.Until(deadline)
		if len(fds) == 0 || left <= 0 {
			return
		}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			return
		}
		for i, fd := range fds {
			if fd.Revents != 0 {
				of[i].hear()
			}
		}
	}
}

// hear takes what came for a probe.
func (p *probe) hear() {
	if p.port.protocol != netset.ICMP {
		p.passed = true // an answer, or the refusal of it
		if e, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && (e == int(unix.EHOSTUNREACH) || e == int(unix.ENETUNREACH)) {
			p.passed, p.failed = false, unix.Errno(e)
		}
		return
	}
	buf := make([]byte, 256)
	for {
		n, err := unix.Read(p.fd, buf)
		if err != nil {
			return
		}
		m := buf[:n]
		if p.from.Is4() && n >= 28 {
			m = m[20:]
		}
		if len(m) >= 8 && (m[0] == 0 && p.from.Is4() || m[0] == 129 && p.from.Is6()) && binary.BigEndian.Uint16(m[4:]) == p.id {
			p.passed = true
			return
		}
	}
}

// quiet lets hosts answer as often as they are asked.
func (f *field) quiet() {
	for _, h := range f.hosts {
		for _, s := range []string{"net.ipv4.icmp_ratemask=0", "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_msgs_per_sec=100000", "net.ipv4.icmp_msgs_burst=100000", "net.ipv6.icmp.ratelimit=0"} {
			cmd := exec.Command("sysctl", "-q", "-w", s)
			if err := h.Start("", cmd); err == nil {
				_ = cmd.Wait()
			}
		}
	}
}
