package datapath

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// permissive is a policy that lets everything pass, so that only what cannot
// be read is dropped.
func permissive() *layout.Tables {
	t := &layout.Tables{HostIdentity: idWebHost, Policy: map[layout.PolicyKey]layout.PolicyValue{}}
	for _, dir := range []flow.Direction{flow.Egress, flow.Ingress} {
		t.Policy[layout.PolicyKey{Local: idWebHost, Direction: dir}] =
			layout.PolicyValue{InForceRule: ruleAllow, ToComeRule: ruleAllow, AllowInForce: true, AllowToCome: true}
	}
	for _, p := range []string{"0.0.0.0/0", "::/0"} {
		t.Addresses = append(t.Addresses, layout.Address{Prefix: netip.MustParsePrefix(p), Peer: layout.UnknownPeer})
	}
	return t
}

// What cannot be read to its end is dropped even where everything is
// permitted, and a whole packet is not.
func TestUnreadable(t *testing.T) {
	r := newRig(t)
	d := r.open(r.web)
	r.apply(d, permissive())
	try := func(p []byte) bool {
		t.Helper()
		passes, err := d.Try(p)
		if err != nil {
			t.Fatalf("%x: %v", p, err)
		}
		return passes
	}
	headers := func(n int) []byte {
		var chain []byte
		for i := range n {
			next := byte(60)
			if i == n-1 {
				next = 17
			}
			chain = append(chain, next, 0, 1, 4, 0, 0, 0, 0)
		}
		return ipv6Bytes(web6, app6, 60, append(chain, udpBytes(at(web6, 1), at(app6, 2), "fire")...))
	}
	tcp4 := ipv4Bytes(web4, app4, 6, nil, 0, tcpBytes(at(web4, 1), at(app4, 2), 1, 1, 0x10))
	tcp6 := ipv6Bytes(web6, app6, 6, tcpBytes(at(web6, 1), at(app6, 2), 1, 1, 0x10))
	for name, p := range map[string][]byte{
		"TCP": tcp4, "TCP over IPv6": tcp6, "UDP": udpPacket(at(web4, 1), at(app4, 2)),
		"seven extension headers": headers(7), "another protocol": ipv4Bytes(web4, app4, 47, nil, 0, make([]byte, 8)),
	} {
		if !try(p) {
			t.Errorf("%s: dropped", name)
		}
	}
	short := append([]byte{}, tcp4...)
	short[0] = 0x44
	for name, p := range map[string][]byte{
		"half a TCP header": tcp4[:30], "half a TCP header over IPv6": tcp6[:50],
		"half a UDP header":           ipv4Bytes(web4, app4, 17, nil, 0, []byte{0, 1, 0, 2}),
		"a header of 16 bytes":        short,
		"a first fragment":            ipv4Bytes(web4, app4, 17, nil, 0x2000, make([]byte, 16)),
		"a later fragment":            ipv4Bytes(web4, app4, 17, nil, 3, make([]byte, 16)),
		"nine extension headers":      headers(9),
		"an extension header cut off": ipv6Bytes(web6, app6, 60, []byte{17, 0, 1}),
		"IP version 5":                append([]byte{0x55}, tcp4[1:]...),
	} {
		if try(p) {
			t.Errorf("%s: passed", name)
		}
	}
}

// Noise never passes as something that it is not: whatever the program lets
// through begins like an IP packet.
func TestNoise(t *testing.T) {
	r := newRig(t)
	d := r.open(r.web)
	r.apply(d, permissive())
	rnd := rand.New(rand.NewPCG(7, 11))
	passed := 0
	for range 20000 {
		p := make([]byte, 40+rnd.IntN(80))
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		if rnd.IntN(4) > 0 {
			p[0] = []byte{0x45, 0x60, 0x4f}[rnd.IntN(3)]
		}
		ok, err := d.Try(p)
		if err != nil {
			t.Fatalf("%x: %v", p, err)
		}
		if !ok {
			continue
		}
		passed++
		switch {
		case p[0]>>4 == 4 && p[0]&15 == 5 && p[6]&0x3f == 0 && p[7] == 0:
		case p[0]>>4 == 4 && p[0]&15 > 5 && p[9] == 2 && p[6]&0x3f == 0 && p[7] == 0: // IGMP
		case p[0]>>4 == 6:
		default:
			t.Errorf("passed: %x", p)
		}
	}
	if passed == 0 || passed == 20000 {
		t.Errorf("%d of 20000 passed: the test shows nothing", passed)
	}
}
