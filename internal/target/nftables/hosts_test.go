package nftables

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
)

// droppingInput and noRules are rulesets whose input drops and accepts.
const (
	droppingInput = `{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
 {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}},
 {"chain": {"family": "inet", "table": "t", "name": "fw", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}}]}`
	noRules = `{"nftables": []}`
)

// TestWhoseRulesTheyAre: two files of one host contradict each other, whatever
// they say, and pods in the network of their node are behind its input.
func TestWhoseRulesTheyAre(t *testing.T) {
	workload := func(labels map[string]string) []inventory.Workload {
		return []inventory.Workload{{Name: "a", Host: "h", Namespace: "shop", Labels: labels, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}
	}
	for _, row := range []struct {
		about        string
		files        map[string]string
		labels       map[string]string
		lower, upper layer.Effect
	}{
		{"a pod", map[string]string{"h.nft.json": droppingInput}, nil, layer.Abstain, layer.Abstain},
		{"a pod in its node's network", map[string]string{"h.nft.json": droppingInput}, map[string]string{"k8s/hostnetwork": "true"}, layer.Deny, layer.Deny},
		{"two files of one host", map[string]string{"h.nft.json": noRules, "h/firebreak.nft.json": droppingInput}, map[string]string{"k8s/hostnetwork": "true"}, layer.Deny, layer.Deny},
	} {
		fsys := fstest.MapFS{}
		for name, text := range row.files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		inv := &inventory.Snapshot{Workloads: workload(row.labels)}
		l, diags := Target{}.Lift(&target.Source{Folder: live.Open(fsys), Inventory: inv, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
		v := l.Decide(layer.Conversation{From: layer.Party{Addr: netip.MustParseAddr("198.51.100.1")}, To: layer.Party{Workload: &inv.Workloads[0]}, Protocol: netset.TCP, Port: 80}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
		if v.Lower != row.lower || v.Upper != row.upper {
			t.Errorf("%s: %s to %s, want %s to %s", row.about, v.Lower, v.Upper, row.lower, row.upper)
		}
		if doubted := len(l.Unknown) > 0 && l.Unknown[0].Concerns != nil; doubted != (len(row.files) > 1) || doubted && !strings.Contains(fmt.Sprint(diags), "are of one host") {
			t.Errorf("%s: %+v, %v", row.about, l.Unknown, diags)
		}
	}
}

// TestPodsOfOneHost: what a chain of forwarding drops between two pods of its
// host is said once, whichever side it speaks of; of pods whose address another
// host has too, it is said of both directions.
func TestPodsOfOneHost(t *testing.T) {
	rule := func(expr string) string {
		return `{"rule": {"family": "inet", "table": "t", "chain": "fw", "expr": [` + expr + `]}}`
	}
	is := func(field, addr string) string {
		return `{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "` + field + `"}}, "right": "` + addr + `"}}`
	}
	ruleset := func(rules ...string) []byte {
		return []byte(`{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t", "name": "fw", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
 ` + rule(`{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}`) + "," + strings.Join(rules, ",") + `]}`)
	}
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, row := range []struct {
		about  string
		rules  []byte
		shared bool // b's address is also that of a pod elsewhere
		tables int
	}{
		{"of both", ruleset(rule(is("saddr", "10.0.0.1") + "," + is("daddr", "10.0.0.2") + `,{"drop":null}`)), false, 1},
		{"of all that goes to b", ruleset(rule(is("daddr", "10.0.0.2") + `,{"drop":null}`)), false, 1},
		{"of all that comes from a", ruleset(rule(is("saddr", "10.0.0.1") + `,{"drop":null}`)), false, 1},
		{"of both by turns", ruleset(rule(is("saddr", "10.0.0.1")+`,{"drop":null}`), rule(is("daddr", "10.0.0.2")+`,{"drop":null}`)), false, 4},
		{"of an address that two have", ruleset(rule(is("daddr", "10.0.0.2") + `,{"drop":null}`)), true, 2},
	} {
		pod := func(name, host, addr string) inventory.Workload {
			return inventory.Workload{Name: name, Host: host, Namespace: "shop", Addresses: []netip.Addr{netip.MustParseAddr(addr)}}
		}
		inv := &inventory.Snapshot{Workloads: []inventory.Workload{pod("a", "h", "10.0.0.1"), pod("b", "h", "10.0.0.2"), pod("c", "h", "10.0.0.3"), pod("d", "elsewhere", "10.0.0.4")}}
		if row.shared {
			inv.Workloads = append(inv.Workloads, pod("e", "elsewhere", "10.0.0.2"))
		}
		l, diags := Target{}.Lift(&target.Source{Folder: live.Open(fstest.MapFS{"h.nft.json": &fstest.MapFile{Data: row.rules}}), Inventory: inv, Networks: networks})
		if len(l.Tables) != row.tables || len(diags)+len(l.Unknown) > 0 {
			t.Errorf("%s: %d tables, want %d: %+v, %v %v", row.about, len(l.Tables), row.tables, l.Tables, l.Unknown, diags)
		}
		says := func(from, to int) layer.Effect {
			v := l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[from]}, To: layer.Party{Workload: &inv.Workloads[to]}, Protocol: netset.TCP, Port: 80}, networks)
			if v.Lower != v.Upper {
				t.Errorf("%s: %d to %d: %s to %s", row.about, from, to, v.Lower, v.Upper)
			}
			return v.Upper
		}
		if says(0, 1) != layer.Deny || says(1, 0) == layer.Deny || says(2, 0) == layer.Deny {
			t.Errorf("%s: %v %v %v", row.about, says(0, 1), says(1, 0), says(2, 0))
		}
		if row.shared && says(0, 4) != layer.Deny {
			t.Errorf("%s: what goes to e, which has b's address, may pass", row.about)
		}
	}
}
