package nacl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"firebreak/internal/netset"
)

// clients are the ports that clients choose from, up to the last there is, to
// which replies go.
type clients struct {
	first int
	who   string // after "of those that "
}

// Linux chooses from 32768-60999 and Windows from 49152-65535 unless somebody
// tells them otherwise; load balancers, NAT gateways and functions choose from all
// of 1024-65535, and so does who translates addresses, such as a node for its
// pods, and whoever is outside may be behind that
// (docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html,
// docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range,
// learn.microsoft.com/troubleshoot/windows-server/networking/default-dynamic-port-range-tcpip-chang).
var (
	usualClients = clients{32768, "machines choose from (Linux: 32768-60999, Windows: 49152-65535)"}
	anyClients   = clients{firstEphemeral, "load balancers, NAT gateways, functions, pods and who is outside choose from (1024-65535)"}
)

const firstEphemeral = 1024

func (c clients) ports(p netset.Protocol) netset.Traffic { return netset.Of(p, uint16(c.first), 65535) }

// stopped says which replies an entry stops, or which alone it lets pass.
func (c clients) stopped(said netset.Traffic, p netset.Protocol, allow bool) string {
	hit := said.Intersect(c.ports(p))
	n := 0
	for _, r := range hit.Ranges(p) {
		n += int(r.Hi) - int(r.Lo) + 1
	}
	if allow {
		return fmt.Sprintf("it lets replies to %d of the %d ports pass that %s", n, 65536-c.first, c.who)
	}
	return fmt.Sprintf("it stops replies to the client's ports %s, %d of the %d that %s", hit, n, 65536-c.first, c.who)
}

// unanswered is traffic that needs no reply: a datagram is there when it arrives,
// whereas TCP and SCTP exchange nothing before both sides have spoken (RFC 9293
// section 3.5, RFC 9260 section 5.1).
var unanswered = netset.All().Subtract(netset.Of(netset.TCP, 0, 65535)).Subtract(netset.Of(netset.SCTP, 0, 65535))

const oneWay = "replies are stopped and datagrams that need none get through"

// replied says what entries mean for the replies of conversations that some
// clients began: of TCP and UDP what they say of the clients' ports holds for
// conversations to every port, and what they deny at others holds for none.
func replied(entries []liftedEntry, c clients) []liftedEntry {
	var out []liftedEntry
	for i := range entries {
		e := entries[i]
		whole, part, why := netset.None(), netset.None(), ""
		for p := range netset.NumProtocols {
			all := netset.Of(p, 0, 65535)
			switch said := e.traffic.Intersect(all); {
			case said.IsEmpty():
			case p != netset.TCP && p != netset.UDP:
				whole = whole.Union(said)
			case said.Equal(all),
				e.allow && c.ports(p).Subtract(before(entries, i, c.ports(p))).IsEmpty(),
				!e.allow && anyClients.ports(p).Subtract(said).IsEmpty() && !open(entries[i+1:], e.prefix, p):
				whole = whole.Union(all)
			case e.allow || !said.Intersect(c.ports(p)).IsEmpty():
				part, why = part.Union(all), cmp.Or(why, c.stopped(said, p, e.allow))
			}
		}
		if late := whole.Intersect(unanswered); !e.allow && !late.IsEmpty() {
			x := e
			x.traffic, x.unknown = late, cmp.Or(e.unknown, oneWay)
			out = append(out, x)
			whole = whole.Subtract(unanswered)
		}
		if !whole.IsEmpty() {
			x := e
			x.traffic = whole
			out = append(out, x)
		}
		if !part.IsEmpty() {
			x := e
			x.traffic = part
			x.unknown = cmp.Or(e.unknown, why)
			out = append(out, x)
		}
	}
	return out
}

// open reports whether one of some entries allows a protocol to a port below those
// that clients usually choose, to addresses that overlap a prefix.
func open(entries []liftedEntry, prefix netip.Prefix, p netset.Protocol) bool {
	return slices.ContainsFunc(entries, func(e liftedEntry) bool {
		return (e.allow || e.unknown != "") && e.prefix.Overlaps(prefix) && !e.traffic.Intersect(netset.Of(p, 0, firstEphemeral-1)).IsEmpty()
	})
}

// before is what an entry and those asked before it allow of some ports to all
// addresses of the entry, unless one of those denies any of that.
func before(entries []liftedEntry, i int, ports netset.Traffic) netset.Traffic {
	e := &entries[i]
	out := e.traffic.Intersect(ports)
	for k := range i {
		x := &entries[k]
		t := x.traffic.Intersect(ports)
		switch {
		case t.IsEmpty() || !x.prefix.Overlaps(e.prefix):
		case !x.allow || x.unknown != "":
			return netset.None()
		case x.prefix.Bits() <= e.prefix.Bits():
			out = out.Union(t)
		}
	}
	return out
}
