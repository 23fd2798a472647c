package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TCP states (include/net/tcp_states.h) that matter here.
const (
	tcpTimeWait = 6
	tcpClose    = 7
	tcpListen   = 10
)

// tcpSockets lists the TCP sockets of the thread's namespace that are in a
// conversation, and the ports on which something listens.
func tcpSockets() (talking []*netlink.Socket, listening map[uint16]bool, err error) {
	listening = map[uint16]bool{}
	for _, fam := range []uint8{unix.AF_INET, unix.AF_INET6} {
		socks, err := netlink.SocketDiagTCP(fam)
		for range 3 {
			if !errors.Is(err, netlink.ErrDumpInterrupted) {
				break
			}
			socks, err = netlink.SocketDiagTCP(fam)
		}
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, nil, fmt.Errorf("list the sockets: %w", err)
		}
		for _, s := range socks {
			switch s.State {
			case tcpListen:
				listening[s.ID.SourcePort] = true
			case tcpTimeWait, tcpClose:
			default:
				talking = append(talking, s)
			}
		}
	}
	return talking, listening, nil
}

// keyOf is the conversation of a socket, as the programs know it. IPv4 through
// an IPv6 socket is IPv4. False for loopback, which is not judged.
func keyOf(s *netlink.Socket, cookie uint64) (connKey, bool) {
	local, ok1 := unmap(s.ID.Source)
	remote, ok2 := unmap(s.ID.Destination)
	if !ok1 || !ok2 || local.IsLoopback() || local.Is4() != remote.Is4() {
		return connKey{}, false
	}
	return connKey{
		NetNS: cookie, Local: rawAddr(local), Remote: rawAddr(remote),
		LPort: s.ID.SourcePort, RPort: s.ID.DestinationPort,
		Proto: unix.IPPROTO_TCP, Family: family(local),
	}, true
}

func unmap(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a.Unmap(), ok
}

// destroyRequest is struct inet_diag_req_v2 (linux/inet_diag.h). The cookie
// makes sure that it ends this very socket: by addresses alone the kernel
// would settle for the listener.
type destroyRequest struct{ s *netlink.Socket }

func (r destroyRequest) Len() int { return 56 }

func (r destroyRequest) Serialize() []byte {
	b := make([]byte, r.Len())
	b[0], b[1] = r.s.Family, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(b[8:], r.s.ID.SourcePort)
	binary.BigEndian.PutUint16(b[10:], r.s.ID.DestinationPort)
	src, dst := r.s.ID.Source, r.s.ID.Destination
	if r.s.Family == unix.AF_INET {
		src, dst = src.To4(), dst.To4()
	}
	copy(b[12:28], src)
	copy(b[28:44], dst)
	binary.NativeEndian.PutUint32(b[48:], r.s.ID.Cookie[0])
	binary.NativeEndian.PutUint32(b[52:], r.s.ID.Cookie[1])
	return b
}

// destroy ends a socket: its owner's next call fails with ECONNABORTED. One
// that has gone by itself is no error.
func destroy(s *netlink.Socket) error {
	req := nl.NewNetlinkRequest(nl.SOCK_DESTROY, unix.NLM_F_ACK)
	req.AddData(destroyRequest{s})
	_, err := req.Execute(unix.NETLINK_INET_DIAG, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}
