package main

import (
	"fmt"
	"net/netip"
	"strings"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/flow"
)

// ruleset is a policy of peers × ports rules: each permits one peer on one
// port. The true peer is one of many, its ports a few of many. All editions
// mean the same and have not one number in common, and the classes of ports
// differ, so that a decision taken from half of each is a refusal, or has a
// number of the wrong edition.
type ruleset struct {
	peers, ports int
	edition      uint32
}

// firstPort is the first of the ports that a ruleset speaks of.
const firstPort = 7000

// editionStride keeps the numbers of two editions apart.
const editionStride = 1 << 20

func (r ruleset) rules() int           { return r.peers * r.ports }
func (r ruleset) number(n int) uint32  { return r.edition*editionStride + uint32(n) }
func (r ruleset) peer(i int) uint32    { return r.number(int(layout.FirstIdentity) + 2 + i) }
func (r ruleset) local() uint32        { return r.number(int(layout.FirstIdentity)) }
func (r ruleset) hostID() uint32       { return r.number(int(layout.FirstIdentity) + 1) }
func (r ruleset) rule(i, j int) uint32 { return r.number(int(layout.FirstRule) + 1 + i*r.ports + j) }
func (r ruleset) defaultRule() uint32  { return r.number(int(layout.FirstRule)) }

// class of a port; every edition has another one for it.
func (r ruleset) class(j int) uint16 {
	return layout.FirstClass + uint16((j+37*int(r.edition))%r.ports)
}

// address of a peer; the one in the middle is the true one.
func (r ruleset) address(i int, real netip.Addr) netip.Addr {
	if i == r.peers/2 {
		return real
	}
	return netip.AddrFrom4([4]byte{10, 97, byte(i >> 8), byte(i)})
}

// tables renders the rules for one end: the client may send to its peers, the
// server may be reached by them.
func (r ruleset) tables(p *place, e *end) (*layout.Tables, error) {
	id, err := inode(e.cgroup)
	if err != nil {
		return nil, err
	}
	far, dir := p.server, flow.Egress
	if e == p.server {
		far, dir = p.client, flow.Ingress
	}
	t := &layout.Tables{
		HostIdentity: r.hostID(),
		Cgroups:      []layout.Cgroup{{ID: id, Local: r.local()}},
		Policy:       make(map[layout.PolicyKey]layout.PolicyValue, r.rules()+r.peers+4),
		Addresses: []layout.Address{
			{Prefix: netip.PrefixFrom(e.addr, 32), Peer: r.local(), Local: r.local(), Flags: layout.Workload | layout.Own},
			{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Peer: layout.UnknownPeer},
			{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Peer: layout.WorldPeer},
			{Prefix: netip.MustParsePrefix("::/0"), Peer: layout.WorldPeer},
		},
	}
	refuse := layout.PolicyValue{InForceRule: r.defaultRule(), ToComeRule: r.defaultRule()}
	for _, l := range []uint32{r.local(), r.hostID()} {
		for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
			t.Policy[layout.PolicyKey{Local: l, Direction: d}] = refuse
		}
	}
	for j := range r.ports {
		port := uint16(firstPort + j)
		t.Classes = append(t.Classes, layout.ClassRange{Lo: port, Hi: port, Class: r.class(j)})
	}
	for i := range r.peers {
		t.Addresses = append(t.Addresses, layout.Address{Prefix: netip.PrefixFrom(r.address(i, far.addr), 32), Peer: r.peer(i), Flags: layout.Workload})
		key := layout.PolicyKey{Local: r.local(), Peer: r.peer(i), Direction: dir}
		t.Policy[key] = refuse
		for j := range r.ports {
			key.Class = r.class(j)
			t.Policy[key] = layout.PolicyValue{InForceRule: r.rule(i, j), ToComeRule: r.rule(i, j), AllowInForce: true, AllowToCome: true}
		}
	}
	return t, nil
}

// nft is the same policy as one set, with established traffic accepted first.
func (r ruleset) nft(p *place, e *end) string {
	far, out, in := p.server, "ip daddr . tcp dport @allowed accept", "drop"
	if e == p.server {
		far, out, in = p.client, "drop", "ip saddr . tcp dport @allowed accept"
	}
	var b strings.Builder
	b.WriteString("table inet bench {\n set allowed {\n  type ipv4_addr . inet_service\n  elements = {")
	for i := range r.peers {
		for j := range r.ports {
			fmt.Fprintf(&b, " %s . %d,", r.address(i, far.addr), firstPort+j)
		}
	}
	fmt.Fprintf(&b, ` }
 }
 chain out {
  type filter hook output priority filter; policy drop
  ct state established accept
  oif lo accept
  %s
  reject with tcp reset
 }
 chain in {
  type filter hook input priority filter; policy drop
  ct state established accept
  iif lo accept
  %s
 }
}
`, out, in)
	return b.String()
}
