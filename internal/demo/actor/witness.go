package actor

import (
	"net"
	"net/netip"
)

// The attacker's ports. Everybody else takes theirs from the kernel's range,
// which begins at 32768, so a victim knows the attacker by the port alone.
const (
	firstMark = 20000
	lastMark  = 29999
)

func isMark(port uint16) bool { return port >= firstMark && port <= lastMark }

// witness tells the director what the attacker managed to make a victim see.
type witness struct {
	conn *Conn
}

// saw reports a peer if it is the attacker.
func (w witness) saw(kind Kind, peer netip.AddrPort) {
	if isMark(peer.Port()) {
		w.report(Sight{kind, FamilyOf(peer.Addr()), peer.Port()})
	}
}

func (w witness) report(s Sight) { _ = w.conn.Send(Report{Sight: &s}) }

// listener is a net.Listener whose accepted connections are seen.
type listener struct {
	net.Listener
	witness witness
}

// Accept waits for the next connection and reports it.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.witness.saw(Line, addrPort(c.RemoteAddr()))
	}
	return c, err
}

// addrPort returns the address of a TCP or UDP end, the zero AddrPort for
// anything else.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return unmap(a.AddrPort())
	case *net.UDPAddr:
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
