package datapath

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// enforceApp enforces at app only, so that what web sends is not stopped at
// its own end.
func (r *rig) enforceApp() {
	r.t.Helper()
	r.appDP = r.open(r.app)
	r.apply(r.appDP, r.tables(r.app, true))
	if err := r.appDP.Attach(); err != nil {
		r.t.Fatal(err)
	}
}

// A far end that is not enforced learns nothing of this one: no handshake, no
// reset from a closed port, no echo, no unreachable.
func TestSilentToStrangers(t *testing.T) {
	r := newRig(t)
	for _, dst := range []netip.Addr{app4, app6} {
		start(t, r.app, r.appCg, "serve", "tcp", at(dst, 9000).String()).ready()
		for _, try := range [][]string{{"dial", "tcp", at(dst, 9000).String()}, {"ping", dst.String()}} {
			if got := run(t, r.web, r.webCg, try...); got != "ok" {
				t.Fatalf("open: %v: %s", try, got)
			}
		}
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 9001).String()); got != "ECONNREFUSED" {
			t.Fatalf("open: closed port: %s", got)
		}
	}
	r.enforceApp()
	events := watch(t, r.appDP)
	for _, dst := range []netip.Addr{app4, app6} {
		for _, try := range [][]string{
			{"dial", "tcp", at(dst, 9000).String()},
			{"dial", "tcp", at(dst, 9001).String()},
			{"udp", at(dst, 9001).String()},
			{"ping", dst.String()},
		} {
			if got := run(t, r.web, r.webCg, try...); got != "timeout" {
				t.Errorf("%v: %s", try, got)
			}
		}
		// A permitted port that nobody serves still answers as ever.
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 8080).String()); got != "ECONNREFUSED" {
			t.Errorf("permitted closed port: %s", got)
		}
		if got := run(t, r.web, r.webCg, "udp", at(dst, 8080).String()); got != "ECONNREFUSED" {
			t.Errorf("permitted closed UDP port: %s", got)
		}
		refused := func(e layout.Event) bool {
			return e.Dst == dst && e.DstPort == 9000 && e.Verdict == flow.Dropped && e.Local == idApp && e.Peer == idWeb
		}
		events.wait(t, "refused at ingress", refused)
		if n := events.count(refused); n != 1 {
			t.Errorf("a connect and its retransmissions were told %d times", n)
		}
	}
}

// Nothing that a raw socket builds passes where the plain packet would not,
// and what would pass plainly does.
func TestRawPackets(t *testing.T) {
	r := newRig(t)
	r.enforceApp()
	webPort := uint16(41000)
	plain := func(dst netip.Addr) *process {
		return start(t, r.app, r.appCg, "serve", "udp", at(dst, 8080).String()).ready()
	}
	shut := func(dst netip.Addr) *process {
		return start(t, r.app, r.appCg, "serve", "udp", at(dst, 9000).String()).ready()
	}
	open4, shut4, open6, shut6 := plain(app4), shut(app4), plain(app6), shut(app6)
	gre := start(t, r.app, r.appCg, "serve", "ip4:47", app4.String()).ready()

	u := func(dst netip.Addr, port uint16) []byte {
		src := web4
		if dst.Is6() {
			src = web6
		}
		return udpBytes(at(src, webPort), at(dst, port), "firefirefirefirefirefire")
	}
	v4 := func(port uint16, options []byte) string {
		return hexOf(ipv4Bytes(web4, app4, 17, options, 0, u(app4, port)))
	}
	pieces := func(port uint16) string {
		b := u(app4, port)
		return hexOf(ipv4Bytes(web4, app4, 17, nil, 0x2000, b[:16]), ipv4Bytes(web4, app4, 17, nil, 2, b[16:]))
	}
	destOpts := func(port uint16) string {
		return hexOf(ipv6Bytes(web6, app6, 60, append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, u(app6, port)...)))
	}
	twice := func(port uint16) string {
		opts := []byte{60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0}
		return hexOf(ipv6Bytes(web6, app6, 60, append(opts, u(app6, port)...)))
	}
	atomic := func(port uint16) string {
		return hexOf(ipv6Bytes(web6, app6, 44, append([]byte{17, 0, 0, 0, 0, 0, 0, 1}, u(app6, port)...)))
	}
	pieces6 := func(port uint16) string {
		b := u(app6, port)
		return hexOf(
			ipv6Bytes(web6, app6, 44, append([]byte{17, 0, 0, 1, 0, 0, 0, 9}, b[:16]...)),
			ipv6Bytes(web6, app6, 44, append([]byte{17, 0, 0, 16, 0, 0, 0, 9}, b[16:]...)))
	}
	noop := []byte{1, 1, 1, 0}
	for _, c := range []struct {
		what, packet string
		dst          netip.Addr
		at           *process
		want         bool
	}{
		{"plain", v4(8080, nil), app4, open4, true},
		{"plain, not permitted", v4(9000, nil), app4, shut4, false},
		{"options", v4(8080, noop), app4, open4, false},
		{"options, not permitted", v4(9000, noop), app4, shut4, false},
		{"fragments", pieces(8080), app4, open4, true},
		{"fragments, not permitted", pieces(9000), app4, shut4, false},
		{"extension header", destOpts(8080), app6, open6, true},
		{"extension header, not permitted", destOpts(9000), app6, shut6, false},
		{"two extension headers, not permitted", twice(9000), app6, shut6, false},
		{"atomic fragment, not permitted", atomic(9000), app6, shut6, false},
		{"IPv6 fragments", pieces6(8080), app6, open6, true},
		{"IPv6 fragments, not permitted", pieces6(9000), app6, shut6, false},
		{"another protocol", hexOf(ipv4Bytes(web4, app4, 47, nil, 0, []byte{0, 0, 8, 0})), app4, gre, false},
	} {
		webPort++
		c.at.seen()
		if got := run(t, r.web, r.webCg, "raw", c.packet, c.dst.String()); got != "ok" {
			t.Errorf("%s: sending: %s", c.what, got)
			continue
		}
		_, arrived := c.at.next(300 * time.Millisecond)
		if arrived != c.want {
			t.Errorf("%s: arrived %v, want %v", c.what, arrived, c.want)
		}
	}
}

// The sender's own end stops raw and packet sockets, with and without the
// queueing discipline, and a borrowed source address.
func TestSenderIsStopped(t *testing.T) {
	r := newRig(t)
	shut := start(t, r.app, r.appCg, "serve", "udp", at(app4, 9000).String()).ready()
	toShut := udpPacket(at(web4, 41001), at(app4, 9000))
	gateway, own := r.neighbour()
	frame := hexOf(frameBytes(gateway, own, toShut))
	for _, way := range [][]string{{"raw", hexOf(toShut), app4.String()}, {"frame", "eth0", "0", frame}, {"frame", "eth0", "1", frame}} {
		if got := run(t, r.web, r.webCg, way...); got != "ok" {
			t.Fatalf("open: %v: %s", way[:1], got)
		}
		if _, arrived := shut.next(time.Second); !arrived {
			t.Fatalf("open: %v did not arrive: the test shows nothing", way[:3])
		}
	}
	d := r.open(r.web)
	r.apply(d, r.tables(r.web, true))
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	events := watch(t, d)
	shut.seen()
	if got := run(t, r.web, r.webCg, "raw", hexOf(toShut), app4.String()); got != "EPERM" {
		t.Errorf("raw: %s", got)
	}
	for _, bypass := range []string{"0", "1"} {
		run(t, r.web, r.webCg, "frame", "eth0", bypass, frame)
	}
	// As app, which is not this host's: its own rules say nothing of it.
	spoofed := udpPacket(at(app6, 8080), at(app6, 9000))
	if got := run(t, r.web, r.webCg, "raw", hexOf(spoofed), app6.String()); got != "EPERM" {
		t.Errorf("spoofed: %s", got)
	}
	// A raw socket that is connected and speaks TCP is no conversation.
	syn := func(port uint16) []byte { return tcpBytes(at(web4, 45000), at(app4, port), 7, 0, 0x02) }
	if got := run(t, r.web, r.webCg, "rawtcp", app4.String(), hexOf(syn(8080))); got != "ok" {
		t.Errorf("raw TCP, permitted: %s", got)
	}
	if got := run(t, r.web, r.webCg, "rawtcp", app4.String(), hexOf(syn(8080), syn(9000))); got != "EPERM" {
		t.Errorf("raw TCP: %s", got)
	}
	// By way of somebody else: the destination address is not the destination.
	loose := []byte{131, 7, 4, 10, 71, 1, 1, 0}
	routed := hexOf(ipv4Bytes(web4, app4, 17, loose, 0, udpBytes(at(web4, 41002), at(app4, 8080), "fire")))
	if got := run(t, r.web, r.webCg, "raw", routed, app4.String()); got != "EPERM" {
		t.Errorf("source route: %s", got)
	}
	segments := append([]byte{17, 2, 0, 1, 0, 0, 0, 0}, app6.AsSlice()...)
	routed6 := hexOf(ipv6Bytes(web6, app6, 43, append(segments, udpBytes(at(web6, 41002), at(app6, 8080), "fire")...)))
	if got := run(t, r.web, r.webCg, "raw", routed6, app6.String()); got != "EPERM" {
		t.Errorf("routing header: %s", got)
	}
	events.wait(t, "source route", func(e layout.Event) bool { return e.Reason == flow.Malformed && e.Src == web4 })
	events.wait(t, "routing header", func(e layout.Event) bool { return e.Reason == flow.Malformed && e.Src == web6 })
	events.wait(t, "spoofed source", func(e layout.Event) bool { return e.Reason == flow.Spoofed })
	if _, arrived := shut.next(300 * time.Millisecond); arrived {
		t.Error("a datagram went around")
	}
	n, err := guardDrops(d.spaces[0])
	if err != nil || n != 2 {
		t.Errorf("the guard counted %d drops (%v), want 2", n, err)
	}
	// What needs no route still works: neighbour discovery of both families,
	// for a permitted conversation that starts from nothing.
	r.forget()
	for _, dst := range []netip.Addr{app4, app6} {
		start(t, r.app, r.appCg, "serve", "tcp", at(dst, 8080).String()).ready()
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 8080).String()); got != "ok" {
			t.Errorf("permitted after forgetting the neighbours: %s", got)
		}
	}
}

// neighbour returns the link addresses of web's gateway and of web.
func (r *rig) neighbour() (gateway, own []byte) {
	r.t.Helper()
	err := r.web.Do(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		own = ifi.HardwareAddr
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	run(r.t, r.web, r.webCg, "ping", app4.String()) // fills the neighbour table
	out := r.ip("-4", "neigh", "show", "dev", "eth0")
	for _, f := range strings.Fields(out) {
		if m, err := net.ParseMAC(f); err == nil {
			return m, own
		}
	}
	r.t.Fatalf("no neighbour in %q", out)
	return nil, nil
}

func (r *rig) forget() {
	r.ip("-4", "neigh", "flush", "dev", "eth0")
	r.ip("-6", "neigh", "flush", "dev", "eth0")
}

// ip runs the ip command inside web's namespace.
func (r *rig) ip(args ...string) string {
	r.t.Helper()
	var out []byte
	err := r.web.Do(func() (err error) {
		out, err = exec.Command("ip", args...).CombinedOutput()
		return err
	})
	if err != nil {
		r.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
	return string(out)
}

// A tunnel is judged by what carries it: its outside is the host's, and the
// host may not.
func TestTunnel(t *testing.T) {
	r := newRig(t)
	r.ip("link", "add", "vx0", "type", "vxlan", "id", "7", "remote", app4.String(), "local", web4.String(), "dstport", "4789", "dev", "eth0")
	r.ip("addr", "add", "10.99.0.1/24", "dev", "vx0")
	r.ip("link", "set", "vx0", "address", "02:00:00:00:00:01", "up")
	r.ip("neigh", "add", "10.99.0.2", "lladdr", "02:00:00:00:00:02", "dev", "vx0")
	carrier := start(t, r.app, "", "serve", "udp", at(app4, 4789).String()).ready()
	run(t, r.web, r.webCg, "udp", "10.99.0.2:8080")
	if _, arrived := carrier.next(time.Second); !arrived {
		t.Fatal("open: nothing came through the tunnel: the test shows nothing")
	}
	d := r.open(r.web)
	tables := r.tables(r.web, true)
	// The inside is permitted, so that only the outside can be what stops it.
	tables.Policy[layout.PolicyKey{Local: idWeb, Peer: layout.WorldPeer, Direction: flow.Egress}] =
		layout.PolicyValue{InForceRule: ruleAllow, ToComeRule: ruleAllow, AllowInForce: true, AllowToCome: true}
	r.apply(d, tables)
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	events := watch(t, d)
	carrier.seen()
	run(t, r.web, r.webCg, "udp", "10.99.0.2:8081")
	events.wait(t, "the outside of the tunnel", func(e layout.Event) bool {
		return e.DstPort == 4789 && e.Verdict == flow.Dropped && e.Local == idWebHost
	})
	if _, arrived := carrier.next(300 * time.Millisecond); arrived {
		t.Error("the tunnel carried something")
	}
}

// A socket belongs to the cgroup that made it, wherever it or its process goes.
func TestSocketsKeepTheirCgroup(t *testing.T) {
	r := newRig(t)
	r.enforce()
	other := r.group(r.web, "other")
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	if got := run(t, r.web, other, "dial", "tcp", at(app4, 8080).String()); got != "EPERM" {
		t.Errorf("an unknown cgroup: %s", got)
	}
	below := r.group(r.web, "storefront/worker/deep")
	if got := run(t, r.web, below, "dial", "tcp", at(app4, 8080).String()); got != "ok" {
		t.Errorf("below the workload's cgroup: %s", got)
	}
	for _, c := range []struct{ what, from, to, want string }{
		{"a permitted cgroup's socket elsewhere", r.webCg, other, "ok"},
		{"another cgroup's socket in the permitted one", other, r.webCg, "EPERM"},
	} {
		for _, verb := range []string{"move", "hand"} {
			if got := run(t, r.web, c.from, verb, c.to, at(app4, 8080).String()); got != c.want {
				t.Errorf("%s, by %s: %s, want %s", c.what, verb, got, c.want)
			}
		}
	}
}

// move cgroup address: makes a socket, moves its own process, then connects.
func move(args []string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := os.WriteFile(args[0]+"/cgroup.procs", []byte("0"), 0); err != nil {
		return err
	}
	return connectSocket(s, args[1])
}

// hand cgroup address: makes a socket and hands it to a child that is moved
// before it connects.
func hand(args []string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(s), "socket")
	defer f.Close()
	dir, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer dir.Close()
	child := exec.Command("/proc/self/exe", "connect3", args[1])
	child.Env = os.Environ()
	child.ExtraFiles = []*os.File{f}
	child.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := child.Run(); err != nil {
		if child.ProcessState != nil && child.ProcessState.ExitCode() == 1 {
			return unix.EPERM
		}
		return err
	}
	return nil
}

// connect3 address: connects the socket that is file 3.
func connect3(args []string) error { return connectSocket(3, args[0]) }

func connectSocket(s int, address string) error {
	to := netip.MustParseAddrPort(address)
	return unix.Connect(s, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
}

// A listener belongs to its own cgroup, whatever its address promises.
func TestListenerOfAnotherCgroup(t *testing.T) {
	r := newRig(t)
	r.enforceApp()
	other := r.group(r.app, "other")
	for _, dst := range []netip.Addr{app4, app6} {
		tcp := start(t, r.app, other, "serve", "tcp", at(dst, 8080).String()).ready()
		udp := start(t, r.app, other, "serve", "udp", at(dst, 8080).String()).ready()
		if got := run(t, r.web, r.webCg, "dial", "tcp", at(dst, 8080).String()); got != "timeout" {
			t.Errorf("dial %v: %s", dst, got)
		}
		if got := run(t, r.web, r.webCg, "udp", at(dst, 8080).String()); got != "timeout" {
			t.Errorf("datagram to %v: %s", dst, got)
		}
		if tcp.seen()+udp.seen() != 0 {
			t.Errorf("a process that is not orders was reached at %v", dst)
		}
	}
}

// A workload's process in a namespace that nobody hooked is judged by its
// socket alone.
func TestNamespaceOfItsOwn(t *testing.T) {
	r := newRig(t)
	lone4, lone6 := netip.MustParseAddr("10.71.3.11"), netip.MustParseAddr("fd71:3::11")
	lone := r.host("lone", netip.PrefixFrom(lone4, 24), netip.PrefixFrom(lone6, 64))
	d := r.open(r.web)
	r.apply(d, r.tables(r.web, true))
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dst, self netip.Addr }{{app4, lone4}, {app6, lone6}} {
		start(t, r.app, r.appCg, "serve", "tcp", at(c.dst, 8080).String()).ready()
		shut := start(t, r.app, r.appCg, "serve", "udp", at(c.dst, 9000).String()).ready()
		if got := run(t, lone, r.webCg, "dial", "tcp", at(c.dst, 8080).String()); got != "ok" {
			t.Errorf("permitted: %s", got)
		}
		if got := run(t, lone, r.webCg, "dial", "tcp", at(c.dst, 9000).String()); got != "EPERM" {
			t.Errorf("not permitted: %s", got)
		}
		if got := run(t, lone, r.webCg, "udp", at(c.dst, 9000).String()); got != "EPERM" {
			t.Errorf("datagram, not permitted: %s", got)
		}
		open := start(t, lone, r.webCg, "serve", "udp", at(c.self, 7000).String()).ready()
		if got := run(t, r.app, r.appCg, "udp", at(c.self, 7000).String()); got != "timeout" {
			t.Errorf("towards it: %s", got)
		}
		if shut.seen()+open.seen() != 0 {
			t.Error("a datagram arrived that may not")
		}
	}
}

// What the kernel would answer for a conversation in TIME_WAIT, without any
// socket, stays here once its permission is gone.
func TestTimeWait(t *testing.T) {
	r := newRig(t)
	d := r.open(r.web)
	r.apply(d, r.tables(r.web, true))
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	start(t, r.app, r.appCg, "serve", "tcp", at(app4, 8080).String()).ready()
	if got := run(t, r.web, r.webCg, "dial", "tcp", at(app4, 8080).String(), at(web4, 42001).String()); got != "ok" {
		t.Fatal(got)
	}
	heard := start(t, r.app, r.appCg, "serve", "ip4:6", app4.String()).ready()
	old := hexOf(ipv4Bytes(app4, web4, 6, nil, 0, tcpBytes(at(app4, 8080), at(web4, 42001), 1, 1, 0x10)))
	if got := run(t, r.app, r.appCg, "raw", old, web4.String()); got != "ok" {
		t.Fatal(got)
	}
	if _, answered := heard.next(time.Second); !answered {
		t.Fatal("permitted: TIME_WAIT did not answer: the test shows nothing")
	}
	r.apply(d, r.tables(r.web, false))
	heard.seen()
	<-time.After(600 * time.Millisecond) // tcp_invalid_ratelimit: one answer in half a second
	if got := run(t, r.app, r.appCg, "raw", old, web4.String()); got != "ok" {
		t.Fatal(got)
	}
	if _, answered := heard.next(400 * time.Millisecond); answered {
		t.Error("TIME_WAIT answered for a conversation that is not permitted")
	}
}

// An interface that appears later is guarded too.
func TestLaterInterfaces(t *testing.T) {
	r := newRig(t)
	d := r.open(r.web)
	r.apply(d, r.tables(r.web, true))
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	r.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
	r.ip("link", "set", "late0", "up")
	r.ip("link", "set", "late1", "up")
	if err := d.Guard(); err != nil {
		t.Fatal(err)
	}
	before, err := guardDrops(d.spaces[0])
	if err != nil {
		t.Fatal(err)
	}
	nobody := []byte{2, 0, 0, 0, 0, 9}
	run(t, r.web, r.webCg, "frame", "late0", "1", hexOf(frameBytes(nobody, nobody, udpPacket(at(web4, 1), at(app4, 2)))))
	after, err := guardDrops(d.spaces[0])
	if err != nil || after != before+1 {
		t.Errorf("the guard counted %d drops, then %d (%v)", before, after, err)
	}
}

// What is exempt from policy is not a way out: an error goes to the sender of
// the packet that it is about, and upkeep of the link is the kernel's business.
func TestForgedUpkeep(t *testing.T) {
	r := newRig(t)
	icmp4 := start(t, r.app, r.appCg, "serve", "ip4:1", app4.String()).ready()
	icmp6 := start(t, r.app, r.appCg, "serve", "ip6:58", app6.String()).ready()
	// About a conversation that is permitted, of web with itself in the role of
	// the far end: quoted are its addresses, the destination is another's.
	quoted := ipv4Bytes(spare4, web4, 17, nil, 0, udpBytes(at(spare4, 8080), at(web4, 43000), "fire"))
	failure := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quoted...)
	sum := sum16(failure)
	failure[2], failure[3] = byte(sum>>8), byte(sum)
	forged4 := hexOf(ipv4Bytes(web4, app4, 1, nil, 0, failure))
	solicit := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, app6.AsSlice()...)
	pseudo := append(append(web6.AsSlice(), app6.AsSlice()...), 0, 0, 0, byte(len(solicit)), 0, 0, 0, 58)
	sum = sum16(pseudo, solicit)
	solicit[2], solicit[3] = byte(sum>>8), byte(sum)
	nd := ipv6Bytes(web6, app6, 58, solicit)
	nd[7] = 255
	forged6 := hexOf(nd)
	for _, c := range []struct {
		packet string
		dst    netip.Addr
		at     *process
	}{{forged4, app4, icmp4}, {forged6, app6, icmp6}} {
		if got := run(t, r.web, r.webCg, "raw", c.packet, c.dst.String()); got != "ok" {
			t.Fatalf("open: %s", got)
		}
		if c.dst.Is4() {
			if _, arrived := c.at.next(time.Second); !arrived {
				t.Fatal("open: the forged error did not arrive: the test shows nothing")
			}
		}
	}
	d := r.open(r.web)
	tables := r.tables(r.web, true)
	allow := layout.PolicyValue{InForceRule: ruleAllow, ToComeRule: ruleAllow, AllowInForce: true, AllowToCome: true}
	tables.Policy[layout.PolicyKey{Local: idWeb, Peer: layout.UnknownPeer, Direction: flow.Ingress}] = allow
	tables.Policy[layout.PolicyKey{Local: idWebHost, Direction: flow.Egress}] = allow
	r.apply(d, tables)
	if err := d.Attach(); err != nil {
		t.Fatal(err)
	}
	// The conversation that will be quoted: from an unknown address, permitted.
	if passes, err := d.Try(udpPacket(at(spare4, 8080), at(web4, 43000))); err != nil || !passes {
		t.Fatalf("the conversation to quote: %v, %v", passes, err)
	}
	d.copyConversations(t)
	for _, c := range []struct {
		packet string
		dst    netip.Addr
	}{{forged4, app4}, {forged6, app6}} {
		if got := run(t, r.web, r.webCg, "raw", c.packet, c.dst.String()); got != "EPERM" {
			t.Errorf("forged upkeep to %v: %s", c.dst, got)
		}
	}
}

// copyConversations gives every conversation that was only tried, in the
// test's own namespace, to the datapath's namespace.
func (d *Datapath) copyConversations(t *testing.T) {
	t.Helper()
	all := map[connKey]conn{}
	if err := readMap(d.objs.Conns, all, func(connKey) bool { return true }); err != nil || len(all) == 0 {
		t.Fatalf("%d conversations, %v", len(all), err)
	}
	for k, c := range all {
		k.NetNS = d.spaces[0].cookie
		if err := d.objs.Conns.Put(&k, &c); err != nil {
			t.Fatal(err)
		}
	}
}
