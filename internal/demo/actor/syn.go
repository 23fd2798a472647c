package actor

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// syn sends the first packet of a handshake through a raw socket, around
// everything that looks at connect, and waits for the second. A reset is
// ECONNREFUSED, as connect would say.
func (a *attacker) syn(to netip.AddrPort, mark uint16, wait time.Duration) error {
	own := a.own.Of(FamilyOf(to.Addr()))
	network := "ip4:tcp"
	if own.Is6() {
		network = "ip6:tcp"
	}
	c, err := net.ListenIP(network, &net.IPAddr{IP: own.AsSlice()})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.WriteToIP(synPacket(netip.AddrPortFrom(own, mark), to), &net.IPAddr{IP: to.Addr().AsSlice()}); err != nil {
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
		if n < 20 || from.Unmap() != to.Addr() || binary.BigEndian.Uint16(buf) != to.Port() || binary.BigEndian.Uint16(buf[2:]) != mark {
			continue
		}
		switch flags := buf[13]; {
		case flags&flagRST != 0:
			return syscall.ECONNREFUSED
		case flags&(flagSYN|flagACK) == flagSYN|flagACK:
			return nil
		}
	}
}

// synPacket builds a TCP segment that asks for a connection.
func synPacket(from, to netip.AddrPort) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b[0:], from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	binary.BigEndian.PutUint32(b[4:], 0x46426672) // any number will do
	b[12] = 5 << 4                                // words of header
	b[13] = flagSYN
	binary.BigEndian.PutUint16(b[14:], 64240)
	binary.BigEndian.PutUint16(b[16:], checksum(append(pseudoHeader(from.Addr(), to.Addr(), len(b)), b...)))
	return b
}

// pseudoHeader is what TCP's checksum covers besides the segment. Its sum is
// the same in both families.
func pseudoHeader(from, to netip.Addr, length int) []byte {
	b := append(from.AsSlice(), to.AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, 6), uint16(length))
}
