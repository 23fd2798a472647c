package nftables

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// narrow applies a match to every cond.
func (x *walker) narrow(conds []cond, body any, at *any) []cond {
	o, _ := body.(map[string]any)
	op, _ := o["op"].(string)
	left, right := o["left"], o["right"]
	if op == "==" && x.ofSelves(left, right) {
		return nil // what an address says to itself is nobody's business
	}
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

// ofSelves reports whether a match is of both addresses with a set of pairs of an
// address with itself.
func (x *walker) ofSelves(left, right any) bool {
	name, is := right.(string)
	keys := concatOf(left)
	if !is || !strings.HasPrefix(name, "@") || len(keys) != 2 || x.table.sets[name[1:]] == nil {
		return false
	}
	var fields [2]string
	for i := range keys {
		o, _ := keys[i].(map[string]any)
		p, _ := o["payload"].(map[string]any)
		protocol, _ := p["protocol"].(string)
		field, _ := p["field"].(string)
		fields[i] = protocol + " " + field
	}
	slices.Sort(fields[:])
	return (fields == [2]string{"ip daddr", "ip saddr"} || fields == [2]string{"ip6 daddr", "ip6 saddr"}) && x.table.sets[name[1:]].ofSelves()
}

// ofSelves reports whether a set holds nothing but pairs of an address with itself.
func (s *set) ofSelves() bool {
	if s.selves == nil {
		selves := !s.verdicts && s.doubt == ""
		for _, e := range s.elems {
			pair := concatOf(bare(e))
			selves = selves && len(pair) == 2 && sameAddress(pair[0], pair[1])
		}
		s.selves = &selves
	}
	return *s.selves
}

func sameAddress(a, b any) bool {
	one, is := a.(string)
	other, also := b.(string)
	_, err := netip.ParseAddr(one)
	return is && also && one == other && err == nil
}

func concatOf(v any) []any {
	o, _ := v.(map[string]any)
	list, _ := o["concat"].([]any)
	return list
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
	known, is := x.lifter.groups[at]
	if !is {
		known = literals(left, right)
		x.lifter.groups[at] = known
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
		known, is := x.lifter.groups[at]
		if !is {
			list, _ := m["set"].([]any)
			known = (&set{verdicts: true, elems: list}).grouped(o["key"], "a map")
			x.lifter.groups[at] = known
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
