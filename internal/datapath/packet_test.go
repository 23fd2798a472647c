package datapath

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
)

// Packets made by hand, for the ways around the front door.

func sum16(parts ...[]byte) uint16 {
	var s uint32
	for _, b := range parts {
		for i := 0; i+1 < len(b); i += 2 {
			s += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		if len(b)%2 == 1 {
			s += uint32(b[len(b)-1]) << 8
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// udpBytes is a UDP datagram with a right checksum.
func udpBytes(src, dst netip.AddrPort, data string) []byte {
	b := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(data)))
	b = append(b, data...)
	pseudo := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, 17, byte(len(b)>>8), byte(len(b)))
	binary.BigEndian.PutUint16(b[6:], sum16(pseudo, b))
	return b
}

// tcpBytes is a TCP segment without payload or options.
func tcpBytes(src, dst netip.AddrPort, seq, ack uint32, flags byte) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13], b[14] = 0x50, flags, 0x20
	pseudo := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, 6, 0, 20)
	binary.BigEndian.PutUint16(b[16:], sum16(pseudo, b))
	return b
}

// ipv4Bytes is an IPv4 packet. options must be a multiple of four bytes; frag
// is the flags-and-offset word.
func ipv4Bytes(src, dst netip.Addr, proto byte, options []byte, frag uint16, payload []byte) []byte {
	n := 20 + len(options)
	b := make([]byte, n, n+len(payload))
	b[0] = 0x40 | byte(n/4)
	binary.BigEndian.PutUint16(b[2:], uint16(n+len(payload)))
	binary.BigEndian.PutUint16(b[4:], 0x4642)
	binary.BigEndian.PutUint16(b[6:], frag)
	b[8], b[9] = 64, proto
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	copy(b[20:], options)
	binary.BigEndian.PutUint16(b[10:], sum16(b))
	return append(b, payload...)
}

// ipv6Bytes is an IPv6 packet; next is the protocol of the payload, which may
// begin with extension headers.
func ipv6Bytes(src, dst netip.Addr, next byte, payload []byte) []byte {
	b := make([]byte, 40, 40+len(payload))
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6], b[7] = next, 64
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return append(b, payload...)
}

// udpPacket is a whole datagram of either family.
func udpPacket(src, dst netip.AddrPort) []byte {
	u := udpBytes(src, dst, "fire")
	if src.Addr().Is4() {
		return ipv4Bytes(src.Addr(), dst.Addr(), 17, nil, 0, u)
	}
	return ipv6Bytes(src.Addr(), dst.Addr(), 17, u)
}

func frameBytes(dst, src []byte, packet []byte) []byte {
	kind := []byte{0x08, 0x00}
	if packet[0]>>4 == 6 {
		kind = []byte{0x86, 0xdd}
	}
	f := append(append(append([]byte{}, dst...), src...), kind...)
	return append(f, packet...)
}

func hexOf(packets ...[]byte) string {
	s := ""
	for i, p := range packets {
		if i > 0 {
			s += ","
		}
		s += hex.EncodeToString(p)
	}
	return s
}
