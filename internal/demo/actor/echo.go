package actor

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// echoID is the identifier of the attacker's echo requests ("FB").
const echoID = 0x4642

// listenEcho opens a raw ICMP socket on an address.
func listenEcho(at netip.Addr) (*net.IPConn, error) {
	network := "ip4:icmp"
	if at.Is6() {
		network = "ip6:ipv6-icmp"
	}
	return net.ListenIP(network, &net.IPAddr{IP: at.AsSlice()})
}

// echoRequest builds an ICMP echo request. The kernel fills in the checksum of
// ICMPv6, which covers addresses that only it knows.
func echoRequest(f Family, id, seq uint16) []byte {
	b := make([]byte, 8, 24)
	b[0] = 8
	if f == 6 {
		b[0] = 128
	}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	b = append(b, "firebreak demo.."...)
	if f == 4 {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// parseEcho reads an echo request, or a reply, as a raw socket delivers it.
// Go's net package has taken the IPv4 header off already.
func parseEcho(b []byte, f Family, request bool) (id, seq uint16, ok bool) {
	want := map[Family]map[bool]byte{4: {true: 8, false: 0}, 6: {true: 128, false: 129}}[f][request]
	if len(b) < 8 || b[0] != want {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), true
}

// checksum is the Internet checksum of a packet of even length.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
