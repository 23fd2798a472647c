package actor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// attacker is a process inside a workload that somebody has taken: it has the
// workload's cgroup, namespace, addresses and root.
type attacker struct {
	conn    *Conn
	own     Ends
	attacks []Attack
	holds   []held
	next    atomic.Uint32
	busy    sync.Mutex // one order at a time
	stop    chan struct{}
	once    sync.Once
}

func newAttacker(conn *Conn, c *Config) *attacker {
	a := &attacker{conn: conn, own: c.Own, attacks: c.Attacks, stop: make(chan struct{})}
	for _, h := range c.Hold {
		a.holds = append(a.holds, held{Attack: h})
	}
	return a
}

// mark returns the port, or sequence number, of the next try.
func (a *attacker) mark() uint16 { return uint16(firstMark + a.next.Add(1)%(lastMark-firstMark+1)) }

// pause lies between two attacks of the round that is measured, so that the
// traces of one are told from those of the next by their time; lull between
// two of the later rounds, which are there to be looked at.
const (
	pause = 20 * time.Millisecond
	lull  = 400 * time.Millisecond
)

func (a *attacker) do(ctx context.Context, order string) {
	if order == OrderStop {
		a.once.Do(func() { close(a.stop) })
		a.busy.Lock() // whatever was under way is reported now
		defer a.busy.Unlock()
		_ = a.conn.Send(Report{Done: order})
		return
	}
	a.busy.Lock()
	defer a.busy.Unlock()
	a.round(ctx, order, pause)
	a.hold(ctx, order)
	_ = a.conn.Send(Report{Done: order})
	for order == OrderEnforce && a.round(ctx, order, lull) {
	}
}

// round runs every attack once and reports whether there is to be another.
func (a *attacker) round(ctx context.Context, phase string, gap time.Duration) bool {
	for i := range a.attacks {
		a.attack(ctx, &a.attacks[i], phase)
		select {
		case <-ctx.Done():
			return false
		case <-a.stop:
			return false
		case <-time.After(gap):
		}
	}
	return true
}

// maxAtOnce bounds the tries of one attack that are under way together.
const maxAtOnce = 16

func (a *attacker) attack(ctx context.Context, t *Attack, phase string) {
	a.stage(t, phase, true)
	defer a.stage(t, phase, false)
	numbers := t.Numbers
	if t.Kind == ICMP {
		numbers = []uint16{0}
	}
	slots := make(chan struct{}, maxAtOnce)
	var wg sync.WaitGroup
	for range t.Tries {
		for _, n := range numbers {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				a.attempt(ctx, t, n, phase)
			})
		}
	}
	wg.Wait()
}

func (a *attacker) stage(t *Attack, phase string, begin bool) {
	_ = a.conn.Send(Report{Stage: &Stage{t.Name, phase, begin, time.Now()}})
}

// attempt tries one port once and reports what came of it. It is announced
// before the first packet, so that no victim's sight comes too early.
func (a *attacker) attempt(ctx context.Context, t *Attack, number uint16, phase string) {
	mark := a.mark()
	out := Attempt{Attack: t.Name, Phase: phase, Sight: Sight{t.Kind, t.Family, mark}, Number: number}
	_ = a.conn.Send(Report{Attempt: &out})
	to := netip.AddrPortFrom(t.Target, number)
	var err error
	wait := patience(phase)
	switch t.Kind {
	case UDP:
		err = a.datagram(ctx, to, mark, wait)
	case ICMP:
		err = a.echo(t.Target, mark, wait)
	case SYN:
		err = a.syn(to, mark, wait)
	default:
		err = a.handshake(ctx, to, mark, wait)
	}
	out.Reached = err == nil
	out.Answered = err == nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
	if err != nil {
		out.Error = err.Error()
	}
	out.Over = true
	_ = a.conn.Send(Report{Attempt: &out})
}

// dialer dials from the workload's own address and the marked port.
func (a *attacker) dialer(local net.Addr, wait time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: wait, LocalAddr: local, Control: reuseAddress}
}

func (a *attacker) handshake(ctx context.Context, to netip.AddrPort, mark uint16, wait time.Duration) error {
	local := &net.TCPAddr{IP: a.own.Of(FamilyOf(to.Addr())).AsSlice(), Port: int(mark)}
	c, err := a.dialer(local, wait).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	// A reset instead of a farewell: no TIME_WAIT keeps the port.
	_ = c.(*net.TCPConn).SetLinger(0)
	return c.Close()
}

func (a *attacker) datagram(ctx context.Context, to netip.AddrPort, mark uint16, wait time.Duration) error {
	local := &net.UDPAddr{IP: a.own.Of(FamilyOf(to.Addr())).AsSlice(), Port: int(mark)}
	c, err := a.dialer(local, wait).DialContext(ctx, "udp", to.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("stolen goods\n")); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, maxLine))
	return err
}

func (a *attacker) echo(to netip.Addr, mark uint16, wait time.Duration) error {
	f := FamilyOf(to)
	c, err := listenEcho(a.own.Of(f))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.WriteToIP(echoRequest(f, echoID, mark), &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	buf := make([]byte, maxLine)
	for {
		n, peer, err := c.ReadFromIP(buf)
		if err != nil {
			return err
		}
		from, _ := netip.AddrFromSlice(peer.IP)
		if id, seq, ok := parseEcho(buf[:n], f, false); ok && id == echoID && seq == mark && from.Unmap() == to {
			return nil
		}
	}
}
