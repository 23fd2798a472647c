package nftables

import (
	"fmt"

	"firebreak/internal/netset"
)

func (x *walker) ports(c cond, protocol string, destination bool, values []any, op string) cond {
	classes := map[string][]netset.Protocol{"tcp": {netset.TCP}, "udp": {netset.UDP}, "sctp": {netset.SCTP}, "th": {netset.TCP, netset.UDP, netset.SCTP}}[protocol]
	if classes == nil {
		c.traffic = c.traffic.Intersect(netset.Of(netset.Other, 0, 0))
		return c.maybe("ports of " + protocol + " are not told apart")
	}
	var ranges []netset.Range
	for _, v := range values {
		lo, hi, ok := numbers(v, noName)
		switch {
		case !ok:
			return c.maybe("a port that is not understood: " + shortText(v))
		case len(values) == 1 && op == "<" && lo > 0:
			lo, hi = 0, lo-1
		case len(values) == 1 && op == "<=":
			lo = 0
		case len(values) == 1 && op == ">" && lo < 65535:
			lo, hi = lo+1, 65535
		case len(values) == 1 && op == ">=":
			hi = 65535
		case op != "==" && op != "in" && op != "!=":
			return c.maybe(fmt.Sprintf("the comparison %q of ports is not understood", op))
		}
		ranges = append(ranges, netset.Range{Lo: lo, Hi: hi})
	}
	all := []netset.Range{{Lo: 0, Hi: 65535}}
	// th looks at what stands where ports do, whatever the protocol; ours is led
	// there only with those that have ports
	c.traffic = c.traffic.Intersect(onPorts(all, classes...).Union(other(c, protocol)))
	if destination != x.reply {
		t := onPorts(ranges, classes...)
		if op == "!=" {
			t = onPorts(all, classes...).Subtract(t)
		}
		if extra := c.traffic.Subtract(onPorts(all, classes...)); !extra.IsEmpty() {
			c = c.maybe("what stands where ports do is not known for protocols without ports")
			t = t.Union(extra)
		}
		c.traffic = c.traffic.Intersect(t)
		return c
	}
	t := onPorts(ranges, netset.TCP)
	if op == "!=" {
		t = netset.Of(netset.TCP, 0, 65535).Subtract(t)
	}
	if !t.Equal(netset.Of(netset.TCP, 0, 65535)) {
		c.sport = c.sport.Intersect(t)
	}
	return c
}

// other is what th may speak of beside protocols with ports.
func other(c cond, protocol string) netset.Traffic {
	if protocol != "th" {
		return netset.None()
	}
	return c.traffic.Intersect(netset.Of(netset.Other, 0, 0).Union(netset.Of(netset.ICMP, 0, 0)))
}

func (x *walker) icmp(c cond, family int, values []any, op string) cond {
	c.traffic = c.traffic.Intersect(netset.Of(netset.ICMP, 0, 0))
	if family != x.family {
		c.peer = &area{}
		return c
	}
	not, known := negated(op)
	if !known || not {
		return c.maybe("ICMP is one to the policy, and this speaks of a part of it")
	}
	link := true
	for _, v := range values {
		word := fmt.Sprint(bare(v))
		link = link && isLink(word, family)
	}
	if link {
		c.link = true
		return c
	}
	return c.maybe("ICMP is one to the policy, and this speaks of a part of it")
}
