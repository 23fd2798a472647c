package nftables

import (
	"fmt"
	"slices"
	"strings"
)

func (x *walker) meta(c cond, key string, values []any, op string) cond {
	not, known := negated(op)
	switch key {
	case "l4proto":
		return x.protocol(c, values, op)
	case "nfproto", "protocol":
		if !known {
			break
		}
		in := false
		for _, v := range values {
			word := fmt.Sprint(bare(v))
			in = in || word == [2]string{"ipv4", "ipv6"}[x.family] || word == [2]string{"ip", "ip6"}[x.family]
		}
		if in == not {
			c.peer = &area{}
		}
		return c
	case "iif", "iifname", "oif", "oifname":
		return x.device(c, key, values, not, known)
	}
	return c.maybe("what meta " + key + " is, is not known of a conversation")
}

// device narrows by an interface. Through lo go conversations between addresses
// of the host itself.
func (x *walker) device(c cond, key string, values []any, not, known bool) cond {
	lo := false
	for _, v := range values {
		if word := fmt.Sprint(bare(v)); word == "lo" {
			lo = true
		} else {
			known = false
		}
	}
	in := strings.HasPrefix(key, "iif")
	switch {
	case in && (x.hook == "output" || x.hook == "postrouting"), !in && (x.hook == "input" || x.hook == "prerouting"):
		if lo && known && x.hook != "postrouting" { // there is no such interface here: the name is empty
			if !not {
				c.peer = &area{}
			}
			return c
		}
	case lo && known && x.hook != "forward":
		x.hostBound = true
		own := x.neighbors
		if not {
			own = own.not(x.family)
		}
		c.peer = c.peer.and(own)
		return c
	case lo && known: // nothing is forwarded through lo
		if !not {
			c.peer = &area{}
		}
		return c
	}
	return c.maybe("through which interfaces a conversation goes is not known")
}

// tracked narrows by what connection tracking knows: of first packets, that the
// connection is new.
func (x *walker) tracked(c cond, key string, values []any, op string) cond {
	not, known := negated(op)
	if key != "state" || !known {
		if key == "direction" && known {
			want := "original"
			if x.reply {
				want = "reply"
			}
			if slices.Contains(flat(values), want) == not {
				c.peer = &area{}
			}
			return c
		}
		return c.maybe("what ct " + key + " is, is not known of a conversation")
	}
	state := "new"
	if x.reply {
		state = "established"
	}
	if slices.Contains(flat(values), state) == not {
		c.peer = &area{}
	}
	return c
}

func flat(values []any) []string {
	var out []string
	for _, v := range values {
		out = append(out, words(bare(v))...)
	}
	return out
}
