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
