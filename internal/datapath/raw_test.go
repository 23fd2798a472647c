package datapath

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// ping address: one echo request and its answer.
func ping(args []string) error {
	dst := netip.MustParseAddr(args[0])
	network, proto := "ip4:icmp", 1
	var typ icmp.Type = ipv4.ICMPTypeEcho
	if dst.Is6() {
		network, proto, typ = "ip6:ipv6-icmp", 58, ipv6.ICMPTypeEchoRequest
	}
	c, err := icmp.ListenPacket(network, "")
	if err != nil {
		return err
	}
	defer c.Close()
	id := os.Getpid() & 0xffff
	m := icmp.Message{Type: typ, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("fire")}}
	b, err := m.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(b, &net.IPAddr{IP: dst.AsSlice()}); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(700 * time.Millisecond)); err != nil {
		return err
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		r, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil {
			continue
		}
		if e, ok := r.Body.(*icmp.Echo); ok && e.ID == id && (r.Type == ipv4.ICMPTypeEchoReply || r.Type == ipv6.ICMPTypeEchoReply) {
			return nil
		}
	}
}

// raw family hexpacket destination [count]: whole IP packets through a raw
// socket that takes the header as given, without kernel defragmentation.
func sendRaw(args []string) error {
	dst := netip.MustParseAddr(args[1])
	fam := unix.AF_INET
	if dst.Is6() {
		fam = unix.AF_INET6
	}
	s, err := unix.Socket(fam, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if fam == unix.AF_INET {
		if err := unix.SetsockoptInt(s, unix.IPPROTO_IP, 22 /* IP_NODEFRAG */, 1); err != nil {
			return err
		}
	}
	for _, h := range strings.Split(args[0], ",") {
		pkt, err := hex.DecodeString(h)
		if err != nil {
			return err
		}
		var to unix.Sockaddr = &unix.SockaddrInet6{Addr: [16]byte(dst.As16())}
		if fam == unix.AF_INET {
			to = &unix.SockaddrInet4{Addr: dst.As4()}
		}
		if err := unix.Sendto(s, pkt, 0, to); err != nil {
			return err
		}
	}
	return nil
}

// frame interface bypass hexframe[,…]: whole frames through a packet socket.
func sendFrame(args []string) error {
	ifi, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	bypass, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, bypass); err != nil {
		return err
	}
	for _, h := range strings.Split(args[2], ",") {
		f, err := hex.DecodeString(h)
		if err != nil {
			return err
		}
		if err := unix.Sendto(s, f, 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index, Halen: 6, Addr: [8]byte(append(f[:6:6], 0, 0))}); err != nil {
			return err
		}
	}
	return nil
}

// pour network address rate: dials, echoes and closes all the time, and
// reports each failure.
func pour(args []string) error {
	say(report{What: "ready"})
	every, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range tick.C {
		start := time.Now()
		err := dialWithin(5*time.Second, args[:2])
		r := report{What: "got", Took: time.Since(start)}
		if err != nil {
			r = report{What: "missed", Err: errName(err), Took: time.Since(start)}
		}
		say(r)
	}
	return fmt.Errorf("ended")
}

// rawtcp destination hexsegment[,…]: TCP segments through a connected raw
// socket, which looks in many ways like a TCP socket in conversation.
func rawTCP(args []string) error {
	dst := netip.MustParseAddr(args[0])
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.Connect(s, &unix.SockaddrInet4{Addr: dst.As4()}); err != nil {
		return err
	}
	for _, h := range strings.Split(args[1], ",") {
		segment, err := hex.DecodeString(h)
		if err != nil {
			return err
		}
		if _, err := unix.Write(s, segment); err != nil {
			return err
		}
	}
	return nil
}
