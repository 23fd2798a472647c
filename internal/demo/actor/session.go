package actor

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// stolen begins the lines that an attacker sends over the connections that it
// holds; the phase follows. A victim knows them by it: the connections have
// none of the attacker's ports, because they are no attempts.
const stolen = "stolen "

// hold opens, with nothing enforced, the connections that are to be held, and
// tries in every phase whether they are of use.
func (a *attacker) hold(ctx context.Context, phase string) {
	for i := range a.holds {
		h := &a.holds[i]
		if phase == OrderOpen && h.conn == nil {
			to := netip.AddrPortFrom(h.Target, h.Numbers[0])
			local := &net.TCPAddr{IP: a.own.Of(h.Family).AsSlice()}
			h.conn, h.err = a.dialer(local, patience(phase)).DialContext(ctx, "tcp", to.String())
		}
		err := h.err
		if err == nil {
			err = ask(h.conn, phase, patience(phase))
		}
		said := &Session{Attack: h.Name, Family: h.Family, Phase: phase, Alive: err == nil}
		if err != nil {
			said.Error = err.Error()
		}
		_ = a.conn.Send(Report{Session: said})
	}
}

// held is a connection that an attacker keeps.
type held struct {
	Attack
	conn net.Conn
	err  error
}

// ask sends a line and waits for its answer. An answer to an earlier line does
// not count.
func ask(c net.Conn, phase string, wait time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, stolen+phase); err != nil {
		return err
	}
	for lines := bufio.NewReader(c); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasSuffix(strings.TrimSpace(line), stolen+phase) {
			return nil
		}
	}
}

// heard reports a line that came over a connection that an attacker holds.
func (w witness) heard(peer netip.AddrPort, line string) {
	if phase, ok := strings.CutPrefix(line, stolen); ok {
		_ = w.conn.Send(Report{Session: &Session{Family: FamilyOf(peer.Addr()), Phase: phase, Alive: true}})
	}
}
