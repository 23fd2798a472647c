package actor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestEchoRequestsAreReadBack(t *testing.T) {
	for _, f := range Families {
		b := echoRequest(f, 0x1234, 77)
		if id, seq, ok := parseEcho(b, f, true); !ok || id != 0x1234 || seq != 77 {
			t.Errorf("%s: %x, %d, %v", f, id, seq, ok)
		}
		if _, _, ok := parseEcho(b, f, false); ok {
			t.Errorf("%s: a request was read as a reply", f)
		}
		if _, _, ok := parseEcho(b[:7], f, true); ok {
			t.Errorf("%s: half a header was read", f)
		}
	}
	if b := echoRequest(4, 1, 2); checksum(b) != 0 {
		t.Errorf("the checksum over a packet with its checksum is %x, want 0", checksum(b))
	}
}

func TestFamilyOf(t *testing.T) {
	for a, want := range map[string]Family{"10.0.0.1": 4, "::ffff:10.0.0.1": 4, "fd00::1": 6} {
		if got := FamilyOf(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is %s", a, got)
		}
	}
}

// director runs an actor in this process and returns the director's end.
func director(t *testing.T, c Config) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(context.Background(), NewConn(theirs)) }()
	conn := NewConn(ours)
	t.Cleanup(func() {
		conn.Close()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.EOF) {
				t.Errorf("the actor: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("the actor outlives its director")
		}
	})
	if err := conn.Send(Order{Config: &c}); err != nil {
		t.Fatal(err)
	}
	return conn
}

func receive(t *testing.T, c *Conn) Report {
	t.Helper()
	var r Report
	if err := c.Receive(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// freePort is a port of the loopback that nobody serves.
func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

var loopback = Ends{V4: netip.MustParseAddr("127.0.0.1")}

func TestAVictimTellsTheAttackerFromTheRest(t *testing.T) {
	port := freePort(t)
	conn := director(t, Config{Name: "victim", Own: loopback, Serve: []Port{{Line, port}}})
	if r := receive(t, conn); !r.Ready {
		t.Fatalf("got %+v, want ready", r)
	}
	dial := func(from int) error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: from}, Control: reuseAddress}
		c, err := d.Dial("tcp", netip.AddrPortFrom(loopback.V4, port).String())
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetLinger(0)
		if _, err := c.Write([]byte("hello\n")); err != nil {
			return err
		}
		answer := make([]byte, 9)
		if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "OK hello\n" {
			return fmt.Errorf("answer %q, %w", answer, err)
		}
		return nil
	}
	if err := dial(0); err != nil { // somebody else: nothing is said about them
		t.Fatal(err)
	}
	dialled := make(chan error, 1)
	go func() { dialled <- dial(firstMark + 5) }()
	r := receive(t, conn)
	if want := (Sight{Line, 4, firstMark + 5}); r.Sight == nil || *r.Sight != want {
		t.Errorf("got %+v, want %+v", r.Sight, want)
	}
	if err := <-dialled; err != nil {
		t.Error(err)
	}
}

func TestAnAttackerSaysWhatItReached(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	port := open.Addr().(*net.TCPAddr).AddrPort().Port()
	closed := freePort(t)
	conn := director(t, Config{Name: "attacker", Own: loopback, Attacks: []Attack{{
		Name: "both", Family: 4, Kind: Line, Target: loopback.V4, Numbers: []uint16{port, closed}, Tries: 2,
	}}})
	receive(t, conn)
	if err := conn.Send(Order{Do: OrderOpen}); err != nil {
		t.Fatal(err)
	}
	announced, reached, answered := 0, 0, 0
	for {
		r := receive(t, conn)
		if r.Done == OrderOpen {
			break
		}
		a := r.Attempt
		switch {
		case a == nil:
		case !a.Over:
			announced++
		default:
			if a.Reached != (a.Number == port) {
				t.Errorf("port %d: reached %v (%s)", a.Number, a.Reached, a.Error)
			}
			if a.Reached {
				reached++
			}
			if a.Answered {
				answered++
			}
		}
	}
	if announced != 4 || reached != 2 || answered != 4 {
		t.Errorf("announced %d, reached %d, answered %d; want 4, 2, 4", announced, reached, answered)
	}
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ours, theirs := net.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- Run(context.Background(), NewConn(theirs)) }()
	conn := NewConn(ours)
	defer conn.Close()
	port := taken.Addr().(*net.TCPAddr).AddrPort().Port()
	if err := conn.Send(Order{Config: &Config{Name: "late", Own: loopback, Serve: []Port{{Line, port}}}}); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, conn); r.Error == "" {
		t.Errorf("got %+v, want an error", r)
	}
	if err := <-failed; err == nil {
		t.Error("Run returned no error")
	}
}
