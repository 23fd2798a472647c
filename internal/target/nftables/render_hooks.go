package nftables

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

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

// locals are the addresses of a host's workloads.
type locals struct {
	selves [2][]byte    // by family: elements of the set of pairs of an address with itself
	leads  [2][2][]byte // by direction and family: elements of the map to the ends
}

var (
	family   = [2]string{"4", "6"}
	keyType  = [2]string{"ipv4_addr", "ipv6_addr"}
	asking   = [2]string{flow.Egress: "leaving", flow.Ingress: "entering"}
	hostSide = [2]string{flow.Egress: "saddr", flow.Ingress: "daddr"}
)

func (l *locals) self(a netip.Addr) {
	b := &l.selves[familyIndex(a)]
	*b = append(*b, `{"concat":["`...)
	*b = append(a.AppendTo(*b), `","`...)
	*b = append(a.AppendTo(*b), `"]},`...)
}

func (l *locals) lead(a netip.Addr, d flow.Direction, end string) {
	b := &l.leads[d][familyIndex(a)]
	*b = append(*b, `["`...)
	*b = append(a.AppendTo(*b), `",{"goto":{"target":"`...)
	*b = append(append(*b, word[d]+"_"+end...), `"}}],`...)
}

func familyIndex(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// text is the sets and maps.
func (l *locals) text() string {
	var b strings.Builder
	for f, key := range keyType {
		if list := l.selves[f]; len(list) > 0 {
			fmt.Fprintf(&b, `%s"name":"self%s","type":["%s","%[3]s"],"elem":[%s]}}}`, object("add", "set"), family[f], key, list[:len(list)-1])
		}
		for _, d := range directions {
			if list := l.leads[d][f]; len(list) > 0 {
				fmt.Fprintf(&b, `%s"name":"local_%s%s","type":"%s","map":"verdict","elem":[%s]}}}`, object("add", "map"), word[d], family[f], key, list[:len(list)-1])
			}
		}
	}
	return b.String()
}

// base writes the base chains, and what they ask. What is not in the maps of
// local addresses is nobody's business and passes. It is the same on all hosts
// that have addresses of the same families to govern.
func (r *renderer) base(l *locals) string {
	var self [2]bool
	var governed [2][2]bool
	for f := range family {
		self[f] = len(l.selves[f]) > 0
		for _, d := range directions {
			governed[d][f] = len(l.leads[d][f]) > 0
		}
	}
	key := fmt.Sprint(self, governed)
	if known, is := r.bases[key]; is {
		return known
	}
	var b strings.Builder
	b.WriteString(newChain("passing"))
	for _, x := range passing(self) {
		b.WriteString(x)
	}
	for _, d := range directions {
		if governed[d] != [2]bool{} {
			r.asks(&b, d, governed[d])
		}
	}
	for _, c := range bases {
		if governed[c.direction] == [2]bool{} {
			continue
		}
		b.WriteString(object("add", "chain") + `"name":"` + c.name + `","type":"filter","hook":"` + c.hook + `","prio":` + strconv.Itoa(c.priority) + `,"policy":"accept"}}}`)
		if c.hook != "forward" {
			b.WriteString(dhcp(c))
		}
		b.WriteString(rule(c.name, "", jump("goto", asking[c.direction])))
	}
	r.bases[key] = b.String()
	return b.String()
}

// asks writes the chain that leads to the ends of one direction.
func (r *renderer) asks(b *strings.Builder, d flow.Direction, governed [2]bool) {
	name := asking[d]
	b.WriteString(newChain(name))
	b.WriteString(rule(name, "", jump("jump", "passing")))
	for f, protocol := range headers {
		if builtin, _ := r.space[f].runs(r.space[f].builtin); governed[f] && builtin != "" {
			b.WriteString(rule(name, "built in", match("==", payload(protocol, peerSide[d]), `{"set":[`+builtin+`]}`), accept))
		}
	}
	for f, protocol := range headers {
		if governed[f] {
			b.WriteString(rule(name, "", `{"vmap":{"key":`+payload(protocol, hostSide[d])+`,"data":"@local_`+word[d]+family[f]+`"}}`))
		}
	}
}

// icmpv6 types that the link needs (RFC 4861, 2710, 3810): neighbour discovery,
// which connection tracking does not know, and membership of multicast groups.
var linkTypes = []string{
	"nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert", "nd-redirect",
	"mld-listener-query", "mld-listener-report", "mld-listener-done", "mld2-listener-report",
}

// passing is what no policy speaks of: later packets and errors of what was
// permitted, the link's upkeep, and what an address says to itself.
func passing(self [2]bool) []string {
	out := []string{
		rule("passing", "what was permitted goes on", match("in", `{"ct":{"key":"state"}}`, `["established","related"]`), accept),
		rule("passing", "neighbour discovery", match("==", payload("icmpv6", "type"), `{"set":["`+strings.Join(linkTypes, `","`)+`"]}`), match("==", payload("ip6", "hoplimit"), `{"set":[1,255]}`), accept),
	}
	for f, protocol := range headers {
		if self[f] {
			out = append(out, rule("passing", "loopback", match("==", `{"concat":[`+payload(protocol, "saddr")+`,`+payload(protocol, "daddr")+`]}`, `"@self`+family[f]+`"`), accept))
		}
	}
	return out
}

// dhcp is the host's own address assignment.
func dhcp(c base) string {
	ports := `{"concat":[67,68]},{"concat":[547,546]}`
	if c.direction == flow.Egress {
		ports = `{"concat":[68,67]},{"concat":[546,547]}`
	}
	return rule(c.name, "dhcp", match("==", `{"concat":[`+payload("udp", "sport")+`,`+payload("udp", "dport")+`]}`, `{"set":[`+ports+`]}`), accept)
}
