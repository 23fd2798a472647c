package nacl_test

import (
	"net/netip"
	"testing"

	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/netset"
	"firebreak/internal/target"
	"firebreak/internal/target/nacl"
)

// TestInSeveralSubnets asks about an instance with an interface in each of two
// subnets, which no label puts into one of them.
func TestInSeveralSubnets(t *testing.T) {
	networks := []inventory.Network{
		{Name: "subnet-1", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
		{Name: "subnet-2", Within: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}},
		{Name: "vpc-1"},
	}
	workload := func(name string, addrs ...string) inventory.Workload {
		w := inventory.Workload{Name: name, Labels: map[string]string{"net/vpc": "vpc-1"}}
		for _, a := range addrs {
			w.Addresses = append(w.Addresses, netip.MustParseAddr(a))
		}
		return w
	}
	inv := &inventory.Snapshot{Networks: networks, Workloads: []inventory.Workload{workload("both", "10.1.0.9", "10.2.0.9"), workload("other", "10.2.0.3")}}
	denies := asAnswers(row{}) // subnet-1: nothing passes
	l, _ := nacl.Target{}.Lift(&target.Source{Folder: live.Open(denies), Inventory: inv})
	ask := func(from, to int) layer.Verdict {
		return l.Decide(layer.Conversation{From: layer.Party{Workload: &inv.Workloads[from]}, To: layer.Party{Workload: &inv.Workloads[to]}, Protocol: netset.TCP, Port: 80}, nil)
	}
	for _, v := range []layer.Verdict{ask(0, 1), ask(1, 0)} {
		if v.Lower != layer.Deny || v.Upper != layer.Allow {
			t.Errorf("what passes depends on the interface: %+v", v)
		}
	}
	for _, p := range l.Points {
		if p.Unknown != "" {
			t.Errorf("all of %s is unknown: %s", p.Name, p.Unknown)
		}
	}
}
