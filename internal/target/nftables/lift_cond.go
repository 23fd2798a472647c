package nftables

import (
	"slices"

	"firebreak/internal/netset"
)

// cond is what is known of the first packet of a conversation at some place: a
// set of conversations of one local address.
type cond struct {
	peer    *area
	traffic netset.Traffic
	sport   netset.Traffic // the source ports, as those of TCP; all if IsAll
	link    bool           // only neighbour discovery, membership or errors of ICMP
	unknown string         // why it may be fewer than these
}

func (c *cond) none() bool { return c.peer.empty() || c.traffic.IsEmpty() || c.sport.IsEmpty() }

func (c *cond) same(d *cond) bool {
	return c.link == d.link && c.unknown == d.unknown && c.peer.equal(d.peer) && c.traffic.Equal(d.traffic) && c.sport.Equal(d.sport)
}

// maybe says that it is not known whether all of it is meant.
func (c cond) maybe(why string) cond {
	if c.unknown == "" {
		c.unknown = why
	}
	return c
}

// entry is a statement about conversations of one local address. The first
// that speaks decides.
type entry struct {
	peer    *area
	traffic netset.Traffic
	allow   bool
	unknown string
	rule    *statements // nil: the chain's policy
}

// protocols is a set of IP protocol numbers.
type protocols [256]bool

var protocolNumbers = map[string]byte{
	"icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
	"icmpv6": 58, "ipv6-icmp": 58, "ospf": 89, "vrrp": 112, "sctp": 132, "udplite": 136,
}

// traffic is what of a family's traffic has such a protocol, and whether that is
// only a part of what its class stands for. ICMP is the family's own: that of
// the other family is no conversation.
func (p *protocols) traffic(family int) (t netset.Traffic, part bool) {
	t = netset.None()
	own, foreign := 1, 58
	if family == 1 {
		own, foreign = foreign, own
	}
	for n, class := range map[int]netset.Protocol{6: netset.TCP, 17: netset.UDP, 132: netset.SCTP, own: netset.ICMP} {
		if p[n] {
			t = t.Union(netset.Of(class, 0, 65535))
		}
	}
	some, all := false, true
	for n, in := range p {
		if n == 6 || n == 17 || n == 132 || n == own || n == foreign {
			continue
		}
		some, all = some || in, all && in
	}
	if some {
		t = t.Union(netset.Of(netset.Other, 0, 0))
	}
	return t, some && !all
}

// onPorts is the traffic of some classes on some ports.
func onPorts(ports []netset.Range, classes ...netset.Protocol) netset.Traffic {
	return netset.Collect(func(yield func(netset.Protocol, netset.Range) bool) {
		for _, p := range classes {
			for _, r := range ports {
				if !yield(p, r) {
					return
				}
			}
		}
	})
}

// Types of ICMP that no policy speaks of: errors, which belong to conversations
// that are judged themselves, and the link's upkeep (RFC 792, 4443, 4861, 2710,
// 3810).
var linkWords = []string{
	"destination-unreachable", "source-quench", "redirect", "time-exceeded", "parameter-problem", "packet-too-big",
	"nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert", "nd-redirect",
	"mld-listener-query", "mld-listener-report", "mld-listener-done", "mld-listener-reduction", "mld2-listener-report",
	"router-solicitation", "router-advertisement",
}

// Types that are not the first packet of a conversation.
var replyWords = []string{"echo-reply", "timestamp-reply", "info-reply", "address-mask-reply"}

var linkNumbers = [2][]string{
	{"3", "4", "5", "9", "10", "11", "12", "0", "14"},
	{"1", "2", "3", "4", "129", "130", "131", "132", "133", "134", "135", "136", "137", "143"},
}

// isLink reports whether a type of ICMP is none that opens a conversation.
func isLink(word string, family int) bool {
	return slices.Contains(linkWords, word) || slices.Contains(replyWords, word) || slices.Contains(linkNumbers[family], word)
}

// isDHCP reports whether ports are those of a host's address assignment (RFC
// 2131, 8415), which no policy speaks of.
func (c *cond) isDHCP() bool {
	for _, p := range [][2]uint16{{67, 68}, {547, 546}} {
		for _, way := range [][2]uint16{p, {p[1], p[0]}} {
			if c.sport.Equal(netset.Of(netset.TCP, way[0], way[0])) && c.traffic.Subtract(netset.Of(netset.UDP, way[1], way[1])).IsEmpty() {
				return true
			}
		}
	}
	return false
}
