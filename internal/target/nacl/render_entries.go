package nacl

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
	"firebreak/internal/verify"
)

// entry is one rule of an ACL.
type entry struct {
	dir    flow.Direction
	prefix netip.Prefix
	allow  bool
	proto  string // as Terraform writes it: "-1", "6", "17", "132", "1", "58"
	lo, hi int    // ports of TCP and UDP
	kind   int    // of ICMP: a type; -1 for all
	code   int
	last   bool // must come after all others about its prefix
	number int
	why    string
}

// entries lists what an ACL says in a direction, in order.
func (r *renderer) entries(s *subnet, here []verify.Peer, d flow.Direction) []entry {
	var out []entry
	icmp := map[bool]bool{} // by "is IPv4": some entry denies ICMP
	for _, x := range r.choices(s, here, d) {
		out = append(out, about(x, d)...)
		if len(x.denies.Ranges(netset.ICMP)) > 0 {
			icmp[x.prefix.Addr().Is4()] = true
		}
	}
	v4, v6 := netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	for _, p := range []netip.Prefix{v4, v6} {
		if icmp[p.Addr().Is4()] {
			out = append(out, tooBig(d, p))
		}
		if !slices.ContainsFunc(out, func(e entry) bool { return e.prefix == p && e.proto == "-1" }) {
			out = append(out, entry{dir: d, prefix: p, allow: true, proto: "-1", last: true, why: "all else is left to other layers"})
		}
	}
	number(out)
	return out
}

// tooBig lets in and out what tells senders that packets are too large: ICMP type
// 3 code 4, and ICMPv6 type 2 (docs.aws.amazon.com/vpc/latest/userguide/path_mtu_discovery.html).
func tooBig(d flow.Direction, all netip.Prefix) entry {
	e := entry{dir: d, prefix: all, allow: true, proto: "1", kind: 3, code: 4, why: "path MTU discovery"}
	if all.Addr().Is6() {
		e.proto, e.kind, e.code = "58", 2, 0
	}
	return e
}

// choices says of which ranges what is denied. What stays in the subnet its ACL
// never sees, and of networks that exchange no packets with it nothing is asked.
func (r *renderer) choices(s *subnet, here []verify.Peer, d flow.Direction) []choice {
	values := []netset.Traffic{netset.None()}
	var asked []known
	for i := range r.regions {
		x := &r.regions[i]
		switch {
		case x.subnet == s.name:
			asked = append(asked, known{x.prefix, -1})
			continue
		case x.subnet != "" && r.apart(s.vpc, x.vpc):
			continue
		}
		t := nameable(r.denied(here, x, d))
		n := slices.IndexFunc(values, t.Equal)
		if n < 0 {
			n = len(values)
			values = append(values, t)
		}
		asked = append(asked, known{x.prefix, n})
	}
	if len(values) == 1 {
		return nil // nothing is denied of anything
	}
	slices.SortFunc(asked, func(a, b known) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	v6 := 0
	for v6 < len(asked) && asked[v6].prefix.Addr().Is4() {
		v6++
	}
	out := table(netip.PrefixFrom(netip.IPv4Unspecified(), 0), asked[:v6], 0).choose(0, values, nil)
	return table(netip.PrefixFrom(netip.IPv6Unspecified(), 0), asked[v6:], 0).choose(0, values, out)
}

// apart reports whether it is sure that two VPCs exchange no packets.
func (r *renderer) apart(a, b string) bool {
	apart, sure := r.routes.Apart(a, b)
	return apart && sure
}

// about lists the entries about a range of addresses: where it differs from the
// range around it, whose entries come later, or everything, if that takes no more.
// Protocols without a name can only be spoken of together, and last.
func about(x choice, d flow.Direction) []entry {
	v4 := x.prefix.Addr().Is4()
	say := func(t netset.Traffic, allow bool, why string) []entry {
		out := cut(t, v4)
		for i := range out {
			out[i].dir, out[i].prefix, out[i].allow, out[i].why = d, x.prefix, allow, why
		}
		return out
	}
	var whole []entry // everything about it
	last := entry{dir: d, prefix: x.prefix, allow: !x.denies.Contains(netset.Other, 0), proto: "-1", last: true, why: "what the ranges around it may not have"}
	if last.allow {
		whole = append(say(x.denies, false, "guardrails"), last)
	} else {
		last.why = "guardrails"
		whole = append(say(netset.All().Subtract(x.denies), true, "before the guardrail"), last)
	}
	open, shut := x.around.Subtract(x.denies), x.denies.Subtract(x.around)
	if open.Contains(netset.Other, 0) || shut.Contains(netset.Other, 0) {
		return whole
	}
	if apart := append(say(shut, false, "guardrails"), say(open, true, "what the ranges around it may not have")...); len(apart) < len(whole) {
		return apart
	}
	return whole
}

// nameable is t less what entries cannot say of it: they know no ports of SCTP.
func nameable(t netset.Traffic) netset.Traffic {
	all := netset.Of(netset.SCTP, 0, 65535)
	if sctp := t.Intersect(all); !sctp.Equal(all) {
		return t.Subtract(all)
	}
	return t
}

// cut writes traffic as entries. SCTP has no ports here.
func cut(t netset.Traffic, v4 bool) []entry {
	var out []entry
	for p, ports := range t.Runs() {
		e := entry{lo: int(ports.Lo), hi: int(ports.Hi)}
		switch p {
		case netset.TCP:
			e.proto = "6"
		case netset.UDP:
			e.proto = "17"
		case netset.SCTP:
			e.proto, e.hi = "132", 0
		case netset.ICMP:
			e = entry{proto: "1", kind: -1, code: -1}
			if !v4 {
				e.proto = "58"
			}
		default:
			continue
		}
		out = append(out, e)
	}
	return out
}

// Numbers go from 1 to 32766. A narrower range comes before a wider one and has
// a block of numbers of its own, IPv4 before IPv6; in the block a digest of the
// entry says which it is, so that entries keep their numbers when others come
// and go.
const (
	firstV4, blockV4 = 100, 400
	firstV6, blockV6 = 14000, 140
	pathMTU4         = 50
	pathMTU6         = 60
)

func number(entries []entry) {
	used := map[int]bool{}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.key(), b.key()) })
	for i := range entries {
		e := &entries[i]
		if e.why == "path MTU discovery" {
			if e.number = pathMTU4; e.prefix.Addr().Is6() {
				e.number = pathMTU6
			}
			continue
		}
		e.number = free(e, used)
		used[e.number] = true
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.number - b.number })
}

// free finds the number that an entry prefers, or the next one of its block that
// nobody has. A block holds more than an ACL does.
func free(e *entry, used map[int]bool) int {
	first, block, step := firstV4, blockV4, 10
	if e.prefix.Addr().Is6() {
		first, block, step = firstV6, blockV6, 3
	}
	first += (e.prefix.Addr().BitLen() - e.prefix.Bits()) * block
	if e.last { // the last quarter of the block
		first, block, step = first+block*3/4, block/4, step/3
	} else {
		block = block * 3 / 4
	}
	h := fnv.New32a()
	h.Write([]byte(e.key()))
	slots := block / step
	start := int(h.Sum32() % uint32(slots))
	for i := range slots {
		if n := first + (start+i)%slots*step; !used[n] {
			return n
		}
	}
	return first + start*step // too many: an error is reported
}

// key says everything that an entry is about, less what it says about it.
func (e entry) key() string {
	return strings.Join([]string{e.prefix.String(), e.proto, itoa(e.lo), itoa(e.hi), itoa(e.kind), itoa(e.code)}, "_")
}
