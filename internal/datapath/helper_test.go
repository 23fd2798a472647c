package datapath

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"firebreak/internal/demo/lab"
)

// The test binary is also the process that talks: started inside a host's
// namespace and a workload's cgroup it does one thing and reports in lines.
const helperEnv = "FIREBREAK_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(helper(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// report is one line from a helper.
type report struct {
	What string // "ready", "got", "ok", "failed"
	From string `json:",omitempty"`
	Err  string `json:",omitempty"`
	Took time.Duration
}

func say(r report) {
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(3)
	}
}

func helper(args []string) int {
	verbs := map[string]func([]string) error{
		"serve": serve, "dial": dial, "hold": hold, "udp": sendUDP, "ping": ping, "raw": sendRaw, "frame": sendFrame, "pour": pour,
		"move": move, "hand": hand, "connect3": connect3,
		"enforce": enforceUntilKilled, "bulk": bulk, "rawtcp": rawTCP,
	}
	f, ok := verbs[args[0]]
	if !ok {
		fmt.Fprintln(os.Stderr, "unknown verb", args[0])
		return 2
	}
	start := time.Now()
	if err := f(args[1:]); err != nil {
		say(report{What: "failed", Err: errName(err), Took: time.Since(start)})
		return 1
	}
	say(report{What: "ok", Took: time.Since(start)})
	return 0
}

func errName(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case syscall.EPERM:
			return "EPERM"
		case syscall.ECONNREFUSED:
			return "ECONNREFUSED"
		case syscall.ECONNRESET:
			return "ECONNRESET"
		case syscall.ECONNABORTED:
			return "ECONNABORTED"
		case syscall.ETIMEDOUT:
			return "timeout"
		}
	}
	var timeout net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return "timeout"
	}
	return err.Error()
}

// serve network address: echoes, and reports every conversation and datagram.
func serve(args []string) error {
	network, address := args[0], args[1]
	if strings.HasPrefix(network, "udp") || strings.HasPrefix(network, "ip") {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		say(report{What: "ready"})
		buf := make([]byte, 65536)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return err
			}
			say(report{What: "got", From: from.String()})
			if strings.HasPrefix(network, "udp") {
				// An answer that is not permitted is for the test to judge.
				_, _ = c.WriteTo(buf[:n], from)
			}
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	say(report{What: "ready"})
	var mu sync.Mutex
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			mu.Lock()
			say(report{What: "got", From: c.RemoteAddr().String()})
			mu.Unlock()
			_, err := io.Copy(c, c)
			mu.Lock()
			say(report{What: "gone", From: c.RemoteAddr().String(), Err: fmt.Sprint(err)})
			mu.Unlock()
		}()
	}
}

// dial network address [source]: one conversation, one echo.
func dial(args []string) error {
	return dialWithin(700*time.Millisecond, args)
}

func dialWithin(limit time.Duration, args []string) error {
	d := net.Dialer{Timeout: limit}
	if len(args) > 2 {
		src, err := net.ResolveTCPAddr(args[0], args[2])
		if err != nil {
			return err
		}
		d.LocalAddr = src
	}
	c, err := d.Dial(args[0], args[1])
	if err != nil {
		return err
	}
	defer c.Close()
	return echo(c, limit)
}

func echo(c net.Conn, limit time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("fire")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 4))
	return err
}

// hold network address: says ready once the conversation stands, then echoes
// every 20 ms until it fails.
func hold(args []string) error {
	c, err := net.DialTimeout(args[0], args[1], time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := echo(c, time.Second); err != nil {
		return err
	}
	say(report{What: "ready"})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("fire")); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			return err
		}
	}
	return nil
}

// bulk network address: a megabyte there and back.
func bulk(args []string) error {
	c, err := net.DialTimeout(args[0], args[1], time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 1<<20))
		sent <- err
	}()
	if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil {
		return err
	}
	return <-sent
}

// sendUDP address: one datagram, one answer.
func sendUDP(args []string) error {
	c, err := net.DialTimeout("udp", args[0], time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	return echo(c, 700*time.Millisecond)
}

// process is a running helper.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan report // roomy: a helper that cannot report stops working
}

// start runs a helper inside a host and a cgroup.
func start(t *testing.T, h *lab.Host, cgroup string, args ...string) *process {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(cgroup, cmd); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, lines: make(chan report, 100000)}
	go func() {
		defer close(p.lines)
		s := bufio.NewScanner(out)
		for s.Scan() {
			var r report
			if json.Unmarshal(s.Bytes(), &r) == nil {
				p.lines <- r
			}
		}
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// next waits for the next line of the helper.
func (p *process) next(within time.Duration) (report, bool) {
	select {
	case r, ok := <-p.lines:
		return r, ok
	case <-time.After(within):
		return report{}, false
	}
}

// ready waits until the helper says so.
func (p *process) ready() *process {
	p.t.Helper()
	r, ok := p.next(5 * time.Second)
	if !ok || r.What != "ready" {
		p.t.Fatalf("%v: want ready, got %+v", p.cmd.Args, r)
	}
	return p
}

// run runs a helper to its end and returns "ok" or the error's name.
func run(t *testing.T, h *lab.Host, cgroup string, args ...string) string {
	t.Helper()
	p := start(t, h, cgroup, args...)
	for {
		r, ok := p.next(10 * time.Second)
		switch {
		case !ok:
			t.Fatalf("%v: no answer", args)
		case r.What == "ok":
			return "ok"
		case r.What == "failed":
			return r.Err
		}
	}
}

// seen drains what a server has reported and counts its "got" lines.
func (p *process) seen() int {
	n := 0
	for {
		select {
		case r := <-p.lines:
			if r.What == "got" {
				n++
			}
		default:
			return n
		}
	}
}
