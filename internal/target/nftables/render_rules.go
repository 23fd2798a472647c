package nftables

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// ourTable is the name of the only table that is ever touched.
const ourTable = "firebreak"

// add is a command that adds something to our table.
func add(kind string, what object) json.RawMessage {
	what["family"] = "inet"
	if kind != "table" {
		what["table"] = ourTable
	}
	return command("add", kind, what)
}

func command(verb, kind string, what object) json.RawMessage {
	data, err := json.Marshal(object{verb: object{kind: what}})
	if err != nil { // nothing here is of a kind that could fail
		return json.RawMessage("null")
	}
	return data
}

func payload(protocol, field string) object {
	return object{"payload": object{"protocol": protocol, "field": field}}
}

func match(op string, left, right any) object {
	return object{"match": object{"op": op, "left": left, "right": right}}
}

func (e *end) chain(d flow.Direction, name string) {
	e.chains[d] = append(e.chains[d], add("chain", object{"name": name}))
}

func (e *end) rule(d flow.Direction, chain, comment string, expr ...object) {
	e.rules[d] = append(e.rules[d], rule(chain, comment, expr...))
}

func rule(chain, comment string, expr ...object) json.RawMessage {
	what := object{"chain": chain, "expr": expr}
	if comment != "" {
		what["comment"] = shorten(comment)
	}
	return add("rule", what)
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

// lumps are the protocols that have a class of their own; all others are one.
var lumps = []int{1, 6, 17, 58, 132}

// grantChain makes the chain that some peers are led to.
func (e *end) grantChain(d flow.Direction, name string, a answer) {
	e.chain(d, name)
	comment := strings.Join(a.rules, ", ")
	accept := object{"accept": nil}
	protocol := object{"meta": object{"key": "l4proto"}}
	var ports []any
	for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
		for _, run := range a.open.Ranges(p) {
			ports = append(ports, object{"concat": []any{strings.ToLower(p.String()), portsOf(run)}})
		}
	}
	if len(ports) > 0 {
		set := traffic(a.open)
		e.sets[d] = append(e.sets[d], add("set", object{"name": set, "type": []string{"inet_proto", "inet_service"}, "flags": []string{"interval"}, "elem": ports}))
		e.rule(d, name, comment, match("==", object{"concat": []any{protocol, payload("th", "dport")}}, "@"+set), accept)
	}
	if a.open.Contains(netset.ICMP, 0) {
		e.rule(d, name, comment, match("==", protocol, object{"set": []any{"icmp", "ipv6-icmp"}}), accept)
	}
	if a.open.Contains(netset.Other, 0) {
		e.rule(d, name, comment, match("!=", protocol, object{"set": lumps}), accept)
	}
	refused := "what else they send " + [2]string{flow.Egress: "from ", flow.Ingress: "to "}[d] + e.name
	e.rule(d, name, refused, object{"counter": nil}, object{"drop": nil})
}

func portsOf(r netset.Range) any {
	if r.Lo == r.Hi {
		return r.Lo
	}
	return object{"range": []uint16{r.Lo, r.Hi}}
}

// traffic names a set of ports by what is in it, so that the name stays when
// others come and go.
func traffic(t netset.Traffic) string {
	name := strings.NewReplacer(" ", "_", ",", "_", ";", "").Replace(strings.ToLower(t.String()))
	if len(name) > 60 {
		sum := sha256.Sum256([]byte(name))
		name = name[:40] + "_" + hex.EncodeToString(sum[:6])
	}
	return "ports_" + name
}

// addresses is a run of addresses as nft writes it: one, a prefix, or a range.
func addresses(lo, hi netip.Addr) any {
	if lo == hi {
		return lo.String()
	}
	for bits := lo.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(lo, bits)
		if p.Masked().Addr() != lo {
			break
		}
		if lastOf(p) == hi {
			return object{"prefix": object{"addr": lo.String(), "len": bits}}
		}
	}
	return object{"range": []string{lo.String(), hi.String()}}
}
