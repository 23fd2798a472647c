package nftables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/netset"
)

// narrow applies a match to every cond.
func (x *walker) narrow(conds []cond, body any, at *any) []cond {
	o, _ := body.(map[string]any)
	op, _ := o["op"].(string)
	left, right := o["left"], o["right"]
	var out []cond
	groups := x.values(left, right, at)
	for _, g := range groups {
		for _, c := range conds {
			out = append(out, x.apply(c, left, g, op)...)
		}
	}
	if len(conds) > 0 && out == nil && op == "!=" && groups == nil {
		return conds // not in an empty set
	}
	return slices.DeleteFunc(out, func(c cond) bool { return c.none() })
}

// group is some elements of a set that can be told at once: values for each
// part of the key, any of them. Verdict is that of a map.
type group struct {
	parts [][]any
	kind  string
	body  any
	doubt string
	rest  bool // what no other element speaks of
}

// values are the groups of what a match compares with. Those that stand in the
// rule itself are remembered by the place of the statement, at.
func (x *walker) values(left, right any, at *any) []group {
	if s, is := right.(string); is && strings.HasPrefix(s, "@") {
		set := x.table.sets[s[1:]]
		if set == nil {
			return []group{{doubt: "the set " + s + " is not there"}}
		}
		return set.grouped(left, s)
	}
	known, is := x.groups[at]
	if !is {
		known = literals(left, right)
		x.groups[at] = known
	}
	return known
}

func literals(left, right any) []group {
	if list, is := right.([]any); is {
		return []group{{parts: [][]any{list}}}
	}
	if o, is := right.(map[string]any); is && o["set"] != nil {
		list, _ := o["set"].([]any)
		return (&set{elems: list, groups: map[string][]group{}}).grouped(left, "")
	}
	return (&set{elems: []any{right}, groups: map[string][]group{}}).grouped(left, "")
}

// grouped puts the elements of a set together as far as they may be: all that
// lead to one verdict, if the key has one part, otherwise those that have all
// but one part in common.
func (s *set) grouped(left any, name string) []group {
	n := parts(left)
	key := strconv.Itoa(n)
	if known, is := s.groups[key]; is {
		return known
	}
	var out []group
	at := map[string]int{}
	for _, e := range s.elems {
		g := group{doubt: s.doubt}
		if s.verdicts {
			pair, _ := e.([]any)
			if len(pair) != 2 {
				out = append(out, group{doubt: "an element of " + name + " is not understood"})
				continue
			}
			e = pair[0]
			g.kind, g.body = verdictOf(pair[1])
		}
		e = bare(e)
		g.rest = e == "*"
		values := []any{e}
		if o, is := e.(map[string]any); is && o["concat"] != nil {
			values, _ = o["concat"].([]any)
		}
		if len(values) != n && !g.rest {
			g.doubt = "an element of " + name + " does not fit its key"
		}
		shared := g.kind + targetText(g.body) + g.doubt
		if n > 1 {
			shared += text(values[1:])
		}
		if i, known := at[shared]; known && !g.rest && len(out[i].parts) > 0 {
			out[i].parts[0] = append(out[i].parts[0], values[0])
			continue
		}
		for _, v := range values {
			g.parts = append(g.parts, []any{v})
		}
		if !g.rest {
			at[shared] = len(out)
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b group) int { return cmp.Compare(rank(a.rest), rank(b.rest)) })
	if s.groups != nil {
		s.groups[key] = out
	}
	return out
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// targetText tells the bodies of verdicts apart.
func targetText(body any) string {
	if body == nil {
		return ""
	}
	if o, is := body.(map[string]any); is && len(o) == 1 {
		if name, is := o["target"].(string); is {
			return " " + name
		}
	}
	return text(body)
}

// bare is an element without what nft says of it beside its value.
func bare(e any) any {
	if o, is := e.(map[string]any); is {
		if inner, is := o["elem"].(map[string]any); is {
			return inner["val"]
		}
	}
	return e
}

func verdictOf(v any) (string, any) {
	o, _ := v.(map[string]any)
	if len(o) == 1 {
		for kind, body := range o {
			return kind, body
		}
	}
	return "a verdict that is not one object", nil
}

func parts(left any) int {
	if o, is := left.(map[string]any); is {
		if list, is := o["concat"].([]any); is {
			return len(list)
		}
	}
	return 1
}

// apply narrows one cond by one group.
func (x *walker) apply(c cond, left any, g group, op string) []cond {
	if g.doubt != "" {
		return []cond{c.maybe(g.doubt)}
	}
	if g.rest {
		return []cond{c}
	}
	keys := []any{left}
	if o, is := left.(map[string]any); is && o["concat"] != nil {
		keys, _ = o["concat"].([]any)
	}
	if len(keys) != len(g.parts) {
		return []cond{c.maybe("a comparison that is not understood")}
	}
	if len(keys) > 1 && op == "!=" {
		return []cond{c.maybe("a comparison with what is not in a set of several parts")}
	}
	for i, k := range keys {
		c = x.field(c, k, g.parts[i], op, &g)
		if c.none() {
			return nil
		}
	}
	return []cond{c}
}

// vmap leads on by a map of verdicts.
func (x *walker) vmap(r *statements, conds []cond, in cond, body any, at *any, rest, after func(cond)) bool {
	o, _ := body.(map[string]any)
	data := o["data"]
	var groups []group
	if m, is := data.(map[string]any); is && m["set"] != nil {
		known, is := x.groups[at]
		if !is {
			list, _ := m["set"].([]any)
			known = (&set{verdicts: true, elems: list}).grouped(o["key"], "a map")
			x.groups[at] = known
		}
		groups = known
	} else {
		groups = x.values(o["key"], data, at)
	}
	for _, c := range conds {
		for _, g := range groups {
			for _, d := range x.apply(c, o["key"], g, "==") {
				if g.kind == "" || !verdictWords[g.kind] {
					d = d.maybe("a verdict that is not understood")
					x.emit(d, true, r)
					x.emit(d, false, r)
					continue
				}
				if x.verdict(r, d, d.same(&in), g.kind, g.body, rest, after) {
					return true
				}
			}
		}
	}
	return false
}

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
		if set.has(x.local) == not {
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
		if known := x.areas[&values[0]]; known != nil && known.n == len(values) {
			return known.area, known.ok
		}
	}
	var spans []span
	ok := true
	for _, v := range values {
		s, good := spanOf(bare(v))
		if good && familyOf(s.lo) == x.family {
			spans = append(spans, s)
		}
		ok = ok && good
	}
	a := areaOf(spans)
	if len(values) > 0 {
		x.areas[&values[0]] = &knownArea{a, ok, len(values)}
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
