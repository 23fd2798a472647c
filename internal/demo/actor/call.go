package actor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// requestsPerConn is after how many HTTP requests, on average, a client lets go
// of a connection: real clients reuse connections, and real pools renew them.
const requestsPerConn = 8

// callPatience is how long a permitted call may take. It is generous: on a
// crowded machine a slow answer is not a failure.
const callPatience = 5 * time.Second

// caller makes an actor's calls from the actor's own addresses.
type caller struct {
	own   Ends
	calls []Call
	http  map[Family]*http.Client
	count atomic.Uint64
}

func newCaller(c *Config) *caller {
	out := &caller{own: c.Own, calls: c.Calls, http: map[Family]*http.Client{}}
	for _, f := range Families {
		if own := c.Own.Of(f); own.IsValid() {
			d := &net.Dialer{Timeout: callPatience, LocalAddr: &net.TCPAddr{IP: own.AsSlice()}}
			out.http[f] = &http.Client{
				Timeout:   callPatience,
				Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Second},
			}
		}
	}
	return out
}

// all makes every call in order and returns the first failure.
func (c *caller) all(ctx context.Context, f Family) error {
	for _, call := range c.calls {
		if err := c.one(ctx, call, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *caller) one(ctx context.Context, call Call, f Family) error {
	to := netip.AddrPortFrom(call.To.Of(f), call.Number)
	if call.Kind == HTTP {
		return c.request(ctx, to, call.Path, f)
	}
	return c.line(ctx, call.Kind, to, f)
}

func (c *caller) request(ctx context.Context, to netip.AddrPort, path string, f Family) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Close = rand.IntN(requestsPerConn) == 0
	resp, err := c.http[f].Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", to, path, strings.TrimSpace(string(body)))
	}
	return nil
}

// line asks once over a connection, or a UDP socket, of its own.
func (c *caller) line(ctx context.Context, kind Kind, to netip.AddrPort, f Family) error {
	ip := c.own.Of(f).AsSlice()
	d := net.Dialer{Timeout: callPatience, LocalAddr: &net.TCPAddr{IP: ip}}
	network := "tcp"
	if kind == UDP {
		network, d.LocalAddr = "udp", &net.UDPAddr{IP: ip}
	}
	conn, err := d.DialContext(ctx, network, to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	tries, wait := 1, callPatience
	if kind == UDP {
		tries, wait = datagramTries, callPatience/datagramTries
	}
	for range tries {
		err = exchange(conn, fmt.Sprintf("get %d", c.count.Add(1)), wait)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return nil
}

// datagramTries is how often a datagram is sent before its sender gives up:
// they get lost, and everybody who uses them asks again.
const datagramTries = 5

// exchange sends a line and reads its answer.
func exchange(conn net.Conn, line string, wait time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "OK ") {
		return errors.New(strings.TrimSpace(answer))
	}
	return nil
}
