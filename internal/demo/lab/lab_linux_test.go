package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"firebreak/internal/cgroup"
	"firebreak/internal/demo/lab"
)

// child, set in the environment, makes the test binary play another process.
const child = "FIREBREAK_LAB_CHILD"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(child); {
	case mode == "":
		os.Exit(m.Run())
	case mode == "whoami":
		whoami()
	case strings.HasPrefix(mode, "make:"):
		makeAndWait(strings.TrimPrefix(mode, "make:"))
	}
}

// whoami prints the cgroup and the addresses that the process finds itself in.
func whoami() {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			fmt.Print(path)
		}
	}
	addrs, _ := net.InterfaceAddrs()
	fmt.Println(addrs)
	io.Copy(io.Discard, os.Stdin)
}

// makeAndWait makes a lab with a process in it and waits to be killed.
func makeAndWait(prefix string) {
	l, err := lab.New(prefix)
	if err == nil {
		_, err = twoHosts(l)
	}
	if err == nil {
		h := l.Router()
		err = h.Start("", exec.Command("sleep", "600"))
	}
	fmt.Println("ready", err)
	select {}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if err := lab.Require(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func twoHosts(l *lab.Lab) ([2]*lab.Host, error) {
	web, err := l.AddHost("web", netip.MustParsePrefix("10.91.1.11/24"), netip.MustParsePrefix("10.91.1.12/24"), netip.MustParsePrefix("fd91:1::11/64"))
	if err != nil {
		return [2]*lab.Host{}, err
	}
	app, err := l.AddHost("app", netip.MustParsePrefix("10.91.2.11/24"), netip.MustParsePrefix("fd91:2::11/64"))
	return [2]*lab.Host{web, app}, err
}

func newLab(t *testing.T, prefix string) *lab.Lab {
	t.Helper()
	requireRoot(t)
	l, err := lab.New(prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		assertGone(t, prefix)
	})
	return l
}

// assertGone fails if anything with the prefix is left on the machine.
func assertGone(t *testing.T, prefix string) {
	t.Helper()
	mount, err := cgroup.Mount()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/run/netns/" + prefix + "*", filepath.Join(mount, prefix+"*"), "/run/firebreak/lab-" + prefix + "*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), "/run/netns/"+prefix) {
		t.Error("left behind: a namespace mount")
	}
}

func TestHostsReachEachOtherAtOnceInBothFamilies(t *testing.T) {
	l := newLab(t, "fblab-talk")
	hosts, err := twoHosts(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to string }{
		{"10.91.1.12", "10.91.2.11"},
		{"fd91:1::11", "fd91:2::11"},
	} {
		var ln net.Listener
		err := hosts[1].Do(func() (err error) {
			ln, err = net.Listen("tcp", net.JoinHostPort(c.to, "8080"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		err = hosts[0].Do(func() error {
			d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}
			conn, err := d.Dial("tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			return conn.Close()
		})
		if err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
			continue
		}
		got, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if addr := got.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); addr.String() != c.from {
			t.Errorf("seen from %s, want %s: the router must not translate", addr, c.from)
		}
		got.Close()
	}
}

func TestDoComesHome(t *testing.T) {
	l := newLab(t, "fblab-home")
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	var inside netns.NsHandle
	if err := l.Router().Do(func() (err error) { inside, err = netns.Get(); return err }); err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	after, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if inside.Equal(before) || !after.Equal(before) {
		t.Errorf("before %s, inside %s, after %s", before, inside, after)
	}
}

func TestStartPutsTheProcessInItsNamespaceAndCgroup(t *testing.T) {
	l := newLab(t, "fblab-start")
	hosts, err := twoHosts(l)
	if err != nil {
		t.Fatal(err)
	}
	group, err := hosts[0].Group("storefront-1")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"=whoami")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := hosts[0].Start(group, cmd); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	cgroup, _ := r.ReadString('\n')
	addrs, _ := r.ReadString('\n')
	if want := "/fblab-start/web/storefront-1\n"; cgroup != want {
		t.Errorf("cgroup %q, want %q", cgroup, want)
	}
	if !strings.Contains(addrs, "10.91.1.11/24") || !strings.Contains(addrs, "fd91:1::11/64") {
		t.Errorf("addresses %s", addrs)
	}
	pids, err := lab.Processes(l.Cgroup())
	if err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		t.Errorf("processes %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsProcesses(t *testing.T) {
	l := newLab(t, "fblab-close")
	cmd := exec.Command("sleep", "600")
	if err := l.Router().Start("", cmd); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process ended with %v, want killed", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := l.AddHost("late"); err == nil {
		t.Error("a closed lab took a host")
	}
}

func TestASecondLabIsRefusedWhileTheFirstLives(t *testing.T) {
	newLab(t, "fblab-two")
	_, err := lab.New("fblab-two")
	var refusal *lab.Error
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v, want an Error that names process %d", err, os.Getpid())
	}
	if _, err := lab.Clean("fblab-two"); !errors.As(err, &refusal) {
		t.Errorf("Clean of a living lab: %v", err)
	}
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	requireRoot(t)
	for name, remove := range map[string]func(prefix string) error{
		"by Clean": func(prefix string) error {
			removed, err := lab.Clean(prefix)
			if err == nil && len(removed) != 5 { // processes, cgroup, three namespaces
				err = fmt.Errorf("removed %v", removed)
			}
			return err
		},
		"by the next New": func(prefix string) error {
			l, err := lab.New(prefix)
			if err != nil {
				return err
			}
			if _, err := twoHosts(l); err != nil {
				return err
			}
			return l.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			const prefix = "fblab-kill"
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), child+"=make:"+prefix)
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, _ := bufio.NewReader(out).ReadString('\n')
			if line != "ready <nil>\n" {
				t.Fatalf("child: %s", line)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if err := remove(prefix); err != nil {
				t.Fatal(err)
			}
			assertGone(t, prefix)
		})
	}
}

func TestAForeignNamespaceIsRefusedAndLeftAlone(t *testing.T) {
	requireRoot(t)
	const name = "fblab-alien-web"
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	l, err := lab.New("fblab-alien")
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.AddHost("web", netip.MustParsePrefix("10.91.1.11/24"))
	var refusal *lab.Error
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "ip netns delete "+name) {
		t.Errorf("got %v, want an Error that says what to do", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/run/netns/" + name); err != nil {
		t.Error("the foreign namespace is gone")
	}
}

func TestAForeignCgroupIsRefusedAndLeftAlone(t *testing.T) {
	requireRoot(t)
	mount, err := cgroup.Mount()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mount, "fblab-cg")
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(filepath.Join(dir, "below")); os.Remove(dir) })
	cmd := exec.Command("sleep", "600")
	if err := lab.StartIn(filepath.Join(dir, "below"), cmd); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var refusal *lab.Error
	if _, err := lab.New("fblab-cg"); !errors.As(err, &refusal) {
		t.Errorf("got %v, want an Error", err)
	}
	if pids, _ := lab.Processes(dir); len(pids) != 1 {
		t.Errorf("processes in the foreign cgroup: %v", pids)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	requireRoot(t)
	for _, prefix := range []string{"", "UPPER", "a/b", "..", "a-name-that-is-too-long"} {
		if l, err := lab.New(prefix); err == nil {
			l.Close()
			t.Errorf("prefix %q was taken", prefix)
		}
	}
	l := newLab(t, "fblab-names")
	for _, name := range []string{"", "router", "a/b", "a-name-that-is-too-long"} {
		if _, err := l.AddHost(name); err == nil {
			t.Errorf("host %q was taken", name)
		}
	}
	if _, err := l.Router().Group("../escape"); err == nil {
		t.Error("a group outside the host was made")
	}
}

func TestAFailedHostLeavesNothing(t *testing.T) {
	l := newLab(t, "fblab-fail")
	// The address is the router's own: the cable cannot be dressed twice.
	bad := netip.MustParsePrefix("10.91.3.11/24")
	if _, err := l.AddHost("web", bad, bad); err == nil {
		t.Fatal("the same address twice was taken")
	}
	if _, err := os.Stat("/run/netns/fblab-fail-web"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the namespace of a failed host: %v", err)
	}
	if _, err := l.AddHost("web", bad); err != nil {
		t.Errorf("again, rightly: %v", err)
	}
}
