package nftables

import (
	"encoding/json"
	"net/netip"

	"firebreak/internal/flow"
)

// base is a base chain: where packets enter, and which end it asks about. What
// is forwarded is asked about both ends, by two chains: an accept of the first
// does not end the second.
type base struct {
	name, hook string
	priority   int
	direction  flow.Direction
}

var bases = []base{
	{"input", "input", 0, flow.Ingress},
	{"output", "output", 0, flow.Egress},
	{"forward_from", "forward", 0, flow.Egress},
	{"forward_to", "forward", 1, flow.Ingress},
}

// icmpv6 types that the link needs (RFC 4861, 2710, 3810): neighbour discovery,
// which connection tracking does not know, and membership of multicast groups.
var linkTypes = []string{
	"nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert", "nd-redirect",
	"mld-listener-query", "mld-listener-report", "mld-listener-done", "mld2-listener-report",
}

// hooks are the base chains and the maps that lead from local addresses to
// their ends. What is not in those maps is nobody's business and passes.
func hooks(governed [2][2][]any, local []netip.Addr) []json.RawMessage {
	var out []json.RawMessage
	self := selves(local)
	for f, key := range []string{"ipv4_addr", "ipv6_addr"} {
		if len(self[f]) > 0 {
			out = append(out, add("set", object{"name": "self" + family[f], "type": []string{key, key}, "elem": self[f]}))
		}
		for _, d := range directions {
			if len(governed[d][f]) > 0 {
				out = append(out, add("map", object{"name": "local_" + word[d] + family[f], "type": key, "map": "verdict", "elem": governed[d][f]}))
			}
		}
	}
	for _, b := range bases {
		if len(governed[b.direction][0])+len(governed[b.direction][1]) == 0 {
			continue
		}
		out = append(out, add("chain", object{"name": b.name, "type": "filter", "hook": b.hook, "prio": b.priority, "policy": "accept"}))
		out = append(out, exemptions(b, self)...)
		side := [2]string{flow.Egress: "saddr", flow.Ingress: "daddr"}[b.direction]
		for f, protocol := range []string{"ip", "ip6"} {
			if len(governed[b.direction][f]) > 0 {
				out = append(out, rule(b.name, "", object{"vmap": object{"key": payload(protocol, side), "data": "@local_" + word[b.direction] + family[f]}}))
			}
		}
	}
	return out
}

var family = [2]string{"4", "6"}

// selves are the pairs of an address with itself.
func selves(local []netip.Addr) (out [2][]any) {
	for _, a := range local {
		f := 1
		if a.Is4() {
			f = 0
		}
		out[f] = append(out[f], object{"concat": []string{a.String(), a.String()}})
	}
	return out
}

// exemptions are what no policy speaks of: later packets and errors of what was
// permitted, the link's upkeep, the host's own address assignment, and what an
// address says to itself.
func exemptions(b base, self [2][]any) []json.RawMessage {
	accept := object{"accept": nil}
	out := []json.RawMessage{
		rule(b.name, "what was permitted goes on", match("in", object{"ct": object{"key": "state"}}, []string{"established", "related"}), accept),
		rule(b.name, "neighbour discovery", match("==", payload("icmpv6", "type"), object{"set": linkTypes}), match("==", payload("ip6", "hoplimit"), object{"set": []int{1, 255}}), accept),
	}
	server, client := "sport", "dport"
	if b.direction == flow.Egress {
		server, client = client, server
	}
	if b.hook != "forward" {
		for _, ports := range [][2]int{{67, 68}, {547, 546}} {
			out = append(out, rule(b.name, "dhcp", match("==", payload("udp", server), ports[0]), match("==", payload("udp", client), ports[1]), accept))
		}
	}
	for f, protocol := range []string{"ip", "ip6"} {
		if len(self[f]) > 0 {
			both := object{"concat": []any{payload(protocol, "saddr"), payload(protocol, "daddr")}}
			out = append(out, rule(b.name, "loopback", match("==", both, "@self"+family[f]), accept))
		}
	}
	return out
}
