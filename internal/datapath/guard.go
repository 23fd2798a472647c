package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// guardTable is the one nftables table that is ours in a namespace.
const guardTable = "firebreak"

// linkProtocols are what a link needs that has no route: ARP, LLDP, EAPOL,
// LACP (EtherTypes, IEEE registry).
var linkProtocols = []uint16{0x0806, 0x88cc, 0x888e, 0x8809}

// guard keeps packet sockets from going around the IP stack: at a device's
// egress hook, which even PACKET_QDISC_BYPASS passes, what came through the
// stack has a route and what a packet socket made has none. `meta rtclassid`
// matches only packets with a route (nft_meta_get_eval_rtclassid), and unlike
// a mark nobody can forge it. The table is replaced in one transaction, and
// left alone while the interfaces are the same.
func (s *namespace) guard(interfaces []string) error {
	names, err := guarded(*s, interfaces)
	if err != nil || (s.guarded != nil && slices.Equal(names, s.guarded)) {
		return err
	}
	c, err := nftables.New(nftables.WithNetNSFd(int(s.handle)))
	if err != nil {
		return fmt.Errorf("reach nftables in %s: %w", s.path, err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyNetdev, Name: guardTable}
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)
	for _, name := range names {
		guardDevice(c, table, name)
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("guard %v in %s against packet sockets: %w (needs nftables with netdev egress, Linux 5.16)", names, s.path, err)
	}
	s.guarded = append([]string{}, names...)
	return nil
}

// guarded lists the interfaces to guard that exist. Ports of a bridge are left
// out: what a bridge passes on has no route either.
func guarded(s namespace, only []string) ([]string, error) {
	var names []string
	err := s.do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		bridges := map[int]bool{}
		for _, l := range links {
			bridges[l.Attrs().Index] = l.Type() == "bridge"
		}
		for _, l := range links {
			a := l.Attrs()
			if a.Flags&net.FlagLoopback != 0 || bridges[a.MasterIndex] {
				continue
			}
			if len(only) == 0 || slices.Contains(only, a.Name) {
				names = append(names, a.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the interfaces of %s: %w", s.path, err)
	}
	slices.Sort(names)
	return names, nil
}

func guardDevice(c *nftables.Conn, table *nftables.Table, device string) {
	accept := nftables.ChainPolicyAccept
	chain := c.AddChain(&nftables.Chain{
		Name: "egress-" + device, Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookEgress, Priority: nftables.ChainPriorityRef(0), Device: device, Policy: &accept,
	})
	rule := func(e ...expr.Any) { c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: e}) }
	verdict := &expr.Verdict{Kind: expr.VerdictAccept}
	rule(&expr.Meta{Key: expr.MetaKeyRTCLASSID, Register: 1}, verdict)
	for _, p := range linkProtocols {
		rule(protocolIs(p, verdict)...)
	}
	rule(dhcpClient(verdict)...)
	rule(&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
}

func protocolIs(p uint16, then ...expr.Any) []expr.Any {
	return append([]expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, p)},
	}, then...)
}

// dhcpClient matches a broadcast from the DHCP client's port to the server's:
// clients without an address yet have no other way than a packet socket.
func dhcpClient(then ...expr.Any) []expr.Any {
	match := func(base expr.PayloadBase, offset uint32, want []byte) []expr.Any {
		return []expr.Any{
			&expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: uint32(len(want))},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: want},
		}
	}
	broadcast := []byte{255, 255, 255, 255}
	out := protocolIs(unix.ETH_P_IP)
	out = append(out, match(expr.PayloadBaseLLHeader, 0, append([]byte{255, 255}, broadcast...))...)
	out = append(out, match(expr.PayloadBaseNetworkHeader, 0, []byte{0x45})...) // no options: the ports lie where expected
	out = append(out, match(expr.PayloadBaseNetworkHeader, 9, []byte{unix.IPPROTO_UDP})...)
	out = append(out, match(expr.PayloadBaseNetworkHeader, 16, broadcast)...)
	out = append(out, match(expr.PayloadBaseNetworkHeader, 20, []byte{0, 68, 0, 67})...)
	return append(out, then...)
}

// guardDrops is the number of packets that the guard has dropped since it was
// last replaced.
func guardDrops(s namespace) (uint64, error) {
	c, err := nftables.New(nftables.WithNetNSFd(int(s.handle)))
	if err != nil {
		return 0, err
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
	if err != nil {
		return 0, err
	}
	var n uint64
	for _, ch := range chains {
		if ch.Table.Name != guardTable {
			continue
		}
		rules, err := c.GetRules(ch.Table, ch)
		if err != nil {
			return 0, err
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if counter, ok := e.(*expr.Counter); ok {
					n += counter.Packets
				}
			}
		}
	}
	return n, nil
}

// unguard removes the table; none is no error.
func unguard(s namespace) error {
	c, err := nftables.New(nftables.WithNetNSFd(int(s.handle)))
	if err != nil {
		return err
	}
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyNetdev, Name: guardTable})
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the guard from %s: %w", s.path, err)
	}
	return nil
}
