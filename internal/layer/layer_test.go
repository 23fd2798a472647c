package layer_test

import (
	"net/netip"
	"testing"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/label"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

var networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

func workload(name, labels string, addrs ...string) layer.Party {
	w := &inventory.Workload{Name: name, Labels: map[string]string{}, Principal: "spiffe://x/" + name}
	if labels != "" {
		s, _ := label.Parse(labels)
		for _, r := range s.Requirements() {
			w.Labels[r.Key] = r.Values[0]
		}
	}
	for _, a := range addrs {
		w.Addresses = append(w.Addresses, netip.MustParseAddr(a))
	}
	return layer.Party{Workload: w}
}

func prefixes(text ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range text {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

func TestMatches(t *testing.T) {
	web, _ := label.Parse("app=web")
	at := func(a string) layer.Party { return layer.Party{Addr: netip.MustParseAddr(a)} }
	for _, c := range []struct {
		name  string
		match layer.Match
		party layer.Party
		want  layer.Tri
	}{
		{"nothing", nil, at("10.0.0.1"), layer.No},
		{"everything", layer.Everything(), at("10.0.0.1"), layer.Yes},
		{"an address is no workload", layer.AnyWorkload(), at("10.0.0.1"), layer.No},
		{"a selector", layer.Selected(web), workload("a", "app=web"), layer.Yes},
		{"another label", layer.Selected(web), workload("a", "app=x"), layer.No},
		{"a name", layer.Named("a", "b"), workload("b", ""), layer.Yes},
		{"a principal", layer.Match{{Principals: []string{"spiffe://*/a"}}}, workload("a", ""), layer.Yes},
		{"all addresses", layer.In(prefixes("10.0.0.0/24")...), workload("a", "", "10.0.0.1", "10.0.0.2"), layer.Yes},
		{"some addresses", layer.In(prefixes("10.0.0.0/24")...), workload("a", "", "10.0.0.1", "10.0.1.2"), layer.Maybe},
		{"an exception", layer.Match{{Prefixes: prefixes("10.0.0.0/8"), Except: prefixes("10.0.0.0/24")}}, workload("a", "", "10.0.0.1"), layer.No},
		{"no known address, somewhere in the networks", layer.In(prefixes("10.0.0.0/24")...), workload("a", ""), layer.Maybe},
		{"no known address, all networks", layer.In(prefixes("10.0.0.0/8")...), workload("a", ""), layer.Yes},
		{"no known address, elsewhere", layer.In(prefixes("192.0.2.0/24")...), workload("a", ""), layer.No},
		{"no known address, all networks but one", layer.Match{{Prefixes: prefixes("0.0.0.0/0"), Except: prefixes("10.0.0.0/8")}}, workload("a", ""), layer.No},
		{"not", layer.Match{{Workload: true, Not: layer.Selected(web)}}, workload("a", "app=web"), layer.No},
		{"not what is unknown", layer.Match{{Workload: true, Not: layer.In(prefixes("10.0.0.0/24")...)}}, workload("a", ""), layer.Maybe},
		{"what a name leads to", layer.Match{{Names: []string{"psp"}}}, layer.Party{External: "psp"}, layer.Yes},
		{"an unknown place of a name", layer.In(prefixes("192.0.2.0/24")...), layer.Party{External: "psp"}, layer.Maybe},
		{"every place of a name", layer.In(prefixes("0.0.0.0/0")...), layer.Party{External: "psp"}, layer.Yes},
		{"a name is no address", layer.Match{{Names: []string{"psp"}}}, at("192.0.2.1"), layer.No},
	} {
		if got := c.match.Matches(c.party, networks); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestDecide goes through the order of deciding: tiers, effects within one,
// defaults, ends, tables, and what is unknown in either direction.
func TestDecide(t *testing.T) {
	a, b := workload("a", "", "10.0.0.1"), workload("b", "", "10.0.0.2")
	rule := func(e layer.Effect, unknown string) layer.Rule {
		return layer.Rule{Effect: e, Subject: layer.Everything(), Peer: layer.Everything(), Traffic: netset.Of(netset.TCP, 80, 80), Unknown: unknown}
	}
	table := func(d flow.Direction, def layer.Effect, tiers ...[]layer.Rule) layer.Table {
		return layer.Table{Direction: d, Governs: layer.Named("b"), Tiers: tiers, Default: def}
	}
	allow, deny, abstain := rule(layer.Allow, ""), rule(layer.Deny, ""), rule(layer.Abstain, "")
	for _, c := range []struct {
		name         string
		tables       []layer.Table
		port         uint16
		lower, upper layer.Effect
	}{
		{"no table", nil, 80, layer.Abstain, layer.Abstain},
		{"the other end", []layer.Table{table(flow.Egress, layer.Deny)}, 80, layer.Abstain, layer.Abstain},
		{"a default", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{allow})}, 81, layer.Deny, layer.Deny},
		{"deny beats allow in a tier", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{allow, deny})}, 80, layer.Deny, layer.Deny},
		{"allow beats abstain", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{abstain, allow})}, 80, layer.Allow, layer.Allow},
		{"the first tier decides", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{allow}, []layer.Rule{deny})}, 80, layer.Allow, layer.Allow},
		{"every table must let it", []layer.Table{table(flow.Ingress, layer.Allow), table(flow.Ingress, layer.Deny)}, 80, layer.Deny, layer.Deny},
		{"abstaining leaves it to others", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{abstain}), table(flow.Ingress, layer.Allow)}, 80, layer.Allow, layer.Allow},
		{"an unknown allow", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{rule(layer.Allow, "why")})}, 80, layer.Deny, layer.Allow},
		{"an unknown deny", []layer.Table{table(flow.Ingress, layer.Allow, []layer.Rule{rule(layer.Deny, "why")})}, 80, layer.Deny, layer.Allow},
		{"an unknown deny of what is denied", []layer.Table{table(flow.Ingress, layer.Deny, []layer.Rule{rule(layer.Deny, "why")})}, 80, layer.Deny, layer.Deny},
	} {
		l := &layer.Layer{Tables: c.tables}
		got := l.Decide(layer.Conversation{From: a, To: b, Protocol: netset.TCP, Port: c.port}, networks)
		if got.Lower != c.lower || got.Upper != c.upper {
			t.Errorf("%s: %s to %s, want %s to %s", c.name, got.Lower, got.Upper, c.lower, c.upper)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"*", "", true},
		{"a*b*c", "axxbyc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"", "", true},
	} {
		if layer.Glob(c.pattern, c.text) != c.want {
			t.Errorf("Glob(%q, %q) is not %v", c.pattern, c.text, c.want)
		}
	}
}
