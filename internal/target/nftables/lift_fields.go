package nftables

import (
	"encoding/json"
	"net/netip"
	"strconv"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// field narrows by one part of a key: c and any of the values.
func (x *walker) field(c cond, left any, values []any, op string, g *group) cond {
	o, _ := left.(map[string]any)
	if p, is := o["payload"].(map[string]any); is {
		protocol, _ := p["protocol"].(string)
		name, _ := p["field"].(string)
		return x.payload(c, protocol, name, values, op)
	}
	if m, is := o["meta"].(map[string]any); is {
		key, _ := m["key"].(string)
		return x.meta(c, key, values, op)
	}
	if ct, is := o["ct"].(map[string]any); is {
		key, _ := ct["key"].(string)
		return x.tracked(c, key, values, op)
	}
	return c.maybe("a comparison of " + shortText(left) + " is not understood")
}

func shortText(v any) string {
	s := text(v)
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return s
}

func negated(op string) (not, known bool) {
	switch op {
	case "==", "in", "":
		return false, true
	case "!=":
		return true, true
	}
	return false, false
}

func (x *walker) payload(c cond, protocol, name string, values []any, op string) cond {
	switch what := protocol + " " + name; what {
	case "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr":
		return x.address(c, protocol == "ip6", name == "saddr", values, op)
	case "ip protocol", "ip6 nexthdr":
		if x.family != famOf(protocol) {
			c.peer = &area{}
			return c
		}
		return x.protocol(c, values, op)
	case "tcp dport", "udp dport", "sctp dport", "th dport", "tcp sport", "udp sport", "sctp sport", "th sport", "udplite dport", "udplite sport", "dccp dport", "dccp sport":
		return x.ports(c, protocol, name == "dport", values, op)
	case "icmp type", "icmpv6 type":
		return x.icmp(c, rank(protocol == "icmpv6"), values, op)
	case "ip6 hoplimit", "ip ttl":
		if c.link {
			return c // only upkeep of the link is meant; how far it came does not matter here
		}
	}
	return c.maybe("what " + protocol + " " + name + " is, is not known of a conversation")
}

func famOf(protocol string) int { return rank(protocol == "ip6") }

// address narrows by the address of one end.
func (x *walker) address(c cond, v6, source bool, values []any, op string) cond {
	if rank(v6) != x.family {
		c.peer = &area{}
		return c
	}
	not, known := negated(op)
	set, ok := x.area(values)
	if !known || !ok {
		return c.maybe("a comparison of addresses that is not understood: " + shortText(values))
	}
	fromLocal := x.direction == flow.Egress
	if x.reply {
		fromLocal = !fromLocal
	}
	if source == fromLocal {
		if x.isLocal(set) == not {
			c.peer = &area{}
		}
		return c
	}
	if not {
		set = set.not(x.family)
	}
	c.peer = c.peer.and(set)
	return c
}

// area reads addresses, prefixes and ranges; lists are remembered by their first
// value, which belongs to one list only.
func (x *walker) area(values []any) (*area, bool) {
	if len(values) > 0 {
		if known := x.lifter.areas[&values[0]]; known != nil && known.n == len(values) {
			return known.area, known.ok
		}
	}
	var spans []span
	ok := true
	for _, v := range values {
		if list, is := v.(spanList); is {
			for _, s := range list {
				if familyOf(s.lo) == x.family {
					spans = append(spans, s)
				}
			}
			continue
		}
		s, good := spanOf(bare(v))
		if good && familyOf(s.lo) == x.family {
			spans = append(spans, s)
		}
		ok = ok && good
	}
	a := areaOf(spans)
	if len(values) > 0 {
		x.lifter.areas[&values[0]] = &knownArea{a, ok, len(values)}
	}
	return a, ok
}

type knownArea struct {
	area *area
	ok   bool
	n    int
}

func spanOf(v any) (span, bool) {
	switch v := v.(type) {
	case string:
		a, err := netip.ParseAddr(v)
		return span{a, a}, err == nil
	case map[string]any:
		if p, is := v["prefix"].(map[string]any); is {
			addr, _ := p["addr"].(string)
			n, _ := p["len"].(json.Number)
			prefix, err := netip.ParsePrefix(addr + "/" + n.String())
			if err != nil {
				return span{}, false
			}
			return span{prefix.Masked().Addr(), endOf(prefix.Masked())}, true
		}
		if r, is := v["range"].([]any); is && len(r) == 2 {
			lo, ok1 := spanOf(r[0])
			hi, ok2 := spanOf(r[1])
			return span{lo.lo, hi.hi}, ok1 && ok2 && !hi.hi.Less(lo.lo)
		}
	}
	return span{}, false
}

func (x *walker) protocol(c cond, values []any, op string) cond {
	not, known := negated(op)
	var p protocols
	for _, v := range values {
		lo, hi, ok := numbers(v, func(s string) (uint16, bool) { n, ok := protocolNumbers[s]; return uint16(n), ok })
		if !ok || hi > 255 {
			known = false
			break
		}
		for n := int(lo); n <= int(hi); n++ {
			p[n] = true
		}
	}
	if !known {
		return c.maybe("a protocol that is not understood: " + shortText(values))
	}
	if not {
		for n := range p {
			p[n] = !p[n]
		}
	}
	t, part := p.traffic(x.family)
	whole := c.traffic
	c.traffic = whole.Intersect(t)
	if part && c.traffic.Contains(netset.Other, 0) {
		if c.traffic.Equal(netset.Of(netset.Other, 0, 0)) {
			return c.maybe("other protocols are one to the policy, and this speaks of some of them")
		}
		c = c.maybe("this speaks of some of the protocols that are one to the policy")
	}
	return c
}

// numbers reads a number, a name or a range.
func numbers(v any, named func(string) (uint16, bool)) (lo, hi uint16, ok bool) {
	switch v := bare(v).(type) {
	case json.Number:
		n, err := strconv.ParseUint(v.String(), 10, 16)
		return uint16(n), uint16(n), err == nil
	case string:
		if n, err := strconv.ParseUint(v, 0, 16); err == nil {
			return uint16(n), uint16(n), true
		}
		n, ok := named(v)
		return n, n, ok
	case map[string]any:
		r, is := v["range"].([]any)
		if !is || len(r) != 2 {
			return 0, 0, false
		}
		lo, _, ok1 := numbers(r[0], named)
		_, hi, ok2 := numbers(r[1], named)
		return lo, hi, ok1 && ok2 && lo <= hi
	}
	return 0, 0, false
}

func noName(string) (uint16, bool) { return 0, false }
