package nftables

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"firebreak/internal/netset"
)

// object begins a command, on a line of its own, about an object of our table,
// the only one that is ever touched, or about the table itself. Names are ours
// and need no quoting; see name.
func object(verb, kind string) string {
	if kind == "table" {
		return `{"` + verb + `":{"table":{"family":"inet",`
	}
	return ",\n" + `{"` + verb + `":{"` + kind + `":{"family":"inet","table":"firebreak",`
}

func newChain(name string) string { return object("add", "chain") + `"name":"` + name + `"}}}` }

func payload(protocol, field string) string {
	return `{"payload":{"protocol":"` + protocol + `","field":"` + field + `"}}`
}

func match(op, left, right string) string {
	return `{"match":{"op":"` + op + `","left":` + left + `,"right":` + right + `}}`
}

func jump(how, target string) string { return `{"` + how + `":{"target":"` + target + `"}}` }

const accept = `{"accept":null}`

// rule writes one; statements that are empty are left out.
func rule(chain, comment string, expr ...string) string {
	var b strings.Builder
	b.WriteString(object("add", "rule") + `"chain":"` + chain + `",`)
	if comment != "" {
		if quoted, err := json.Marshal(shorten(comment)); err == nil { // a text always can be
			b.WriteString(`"comment":` + string(quoted) + `,`)
		}
	}
	b.WriteString(`"expr":[`)
	first := true
	for _, x := range expr {
		if x == "" {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString(x)
	}
	b.WriteString(`]}}}`)
	return b.String()
}

func shorten(comment string) string {
	if len(comment) <= maxComment {
		return comment
	}
	cut := maxComment - len(" …")
	for cut > 0 && comment[cut]&0xc0 == 0x80 {
		cut--
	}
	return comment[:cut] + " …"
}

// trafficOf writes traffic of one family as matches, any of which may hold; one
// that is empty is everything.
func trafficOf(t netset.Traffic, f int) (out []string) {
	if t.IsAll() {
		return []string{""}
	}
	const protocol = `{"meta":{"key":"l4proto"}}`
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		name := strings.ToLower(p.String())
		switch runs := t.Ranges(p); {
		case len(runs) == 0:
		case runs[0] == netset.Range{Lo: 0, Hi: 65535}:
			out = append(out, match("==", protocol, `"`+name+`"`))
		default:
			out = append(out, match("==", payload(name, "dport"), portsOf(runs)))
		}
	}
	if t.Contains(netset.ICMP, 0) {
		out = append(out, match("==", protocol, [2]string{`"icmp"`, `"ipv6-icmp"`}[f]))
	}
	if t.Contains(netset.Other, 0) { // all that have no class of their own
		out = append(out, match("!=", protocol, `{"set":[1,6,17,58,132]}`))
	}
	return out
}

func portsOf(runs []netset.Range) string {
	var all []string
	for _, r := range runs {
		one := strconv.Itoa(int(r.Lo))
		if r.Lo != r.Hi {
			one = `{"range":[` + one + `,` + strconv.Itoa(int(r.Hi)) + `]}`
		}
		all = append(all, one)
	}
	if len(all) == 1 {
		return all[0]
	}
	return `{"set":[` + strings.Join(all, ",") + `]}`
}

// appendAddresses writes a run of addresses as nft does: one, a prefix, or a
// range.
func appendAddresses(b []byte, lo, hi netip.Addr) []byte {
	if lo == hi {
		return append(lo.AppendTo(append(b, '"')), '"')
	}
	for bits := lo.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(lo, bits)
		if p.Masked().Addr() != lo {
			break
		}
		if lastOf(p) == hi {
			b = lo.AppendTo(append(b, `{"prefix":{"addr":"`...))
			return append(strconv.AppendInt(append(b, `","len":`...), int64(bits), 10), "}}"...)
		}
	}
	b = lo.AppendTo(append(b, `{"range":["`...))
	return append(hi.AppendTo(append(b, `","`...)), `"]}`...)
}
