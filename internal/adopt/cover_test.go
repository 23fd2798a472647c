package adopt_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"firebreak/internal/adopt"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/prove"
	"firebreak/internal/verify/space"
)

// grouped makes an estate whose workloads are in groups that no other label
// follows, and permits what random rules between groups, and from and to places,
// permit.
func grouped(r *rand.Rand, workloads, groups, rules int) (*inventory.Snapshot, *prove.Reachability) {
	inv := &inventory.Snapshot{}
	byGroups := map[string][]int{}
	in := make([][]int, workloads)
	for i := range workloads {
		w := inventory.Workload{Name: fmt.Sprintf("w%03d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, Labels: map[string]string{"app": fmt.Sprint("app-", r.IntN(5)), "net/vpc": "vpc-1"}}
		for range 1 + r.IntN(2) {
			g := r.IntN(groups)
			w.Labels[fmt.Sprint("aws/group.g", g)] = fmt.Sprint("sg-", g)
			in[i] = append(in[i], g)
		}
		slices.Sort(in[i])
		in[i] = slices.Compact(in[i])
		inv.Workloads = append(inv.Workloads, w)
		byGroups[fmt.Sprint(in[i])] = append(byGroups[fmt.Sprint(in[i])], i)
	}
	reach := &prove.Reachability{}
	members := [][]int{}
	for _, k := range sorted(byGroups) {
		reach.Ends = append(reach.Ends, prove.End{Workloads: byGroups[k]})
		members = append(members, in[byGroups[k][0]])
	}
	reach.Ends = append(reach.Ends, prove.End{Prefixes: []string{"0.0.0.0/0", "::/0"}}, prove.End{Prefixes: []string{"198.51.100.0/24"}})
	members = append(members, []int{groups}, []int{groups + 1})
	type rule struct {
		from, to int
		t        netset.Traffic
	}
	var all []rule
	for range rules {
		port := []uint16{80, 443, 5432}[r.IntN(3)]
		all = append(all, rule{r.IntN(groups), r.IntN(groups), netset.Of(netset.TCP, port, port)})
	}
	all = append(all, rule{groups, 0, netset.Of(netset.TCP, 443, 443)}, rule{groups + 1, 0, netset.Of(netset.TCP, 22, 443)}, rule{1, groups, netset.All()})
	for i := range reach.Ends {
		for j := range reach.Ends {
			var t netset.Traffic
			for _, x := range all {
				if slices.Contains(members[i], x.from) && slices.Contains(members[j], x.to) {
					t = t.Union(x.t)
				}
			}
			if s := space.Plain(t); !s.IsEmpty() && (i != j || len(reach.Ends[i].Workloads) > 1) {
				reach.Edges = append(reach.Edges, prove.Reached{From: i, To: j, Lower: s, Upper: s})
			}
		}
	}
	return inv, reach
}

func sorted(m map[string][]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

var fromFile = adopt.Options{Estate: "e", Sources: []adopt.Source{{Kind: "file", Path: "inventory.yaml"}}}

// TestGroupsAreSaidAsGroups: an estate of groups takes about as many rules as it
// has, and they speak of groups by their names.
func TestGroupsAreSaidAsGroups(t *testing.T) {
	for seed := range uint64(8) {
		const rules = 30
		inv, reach := grouped(rand.New(rand.NewPCG(seed, 9)), 120, 12, rules)
		p := adopt.Write(inv, reach, fromFile)
		check(t, resolve(t, inv, p), inv, reach)
		if p.Rules > rules+3 || len(p.Notes) > 0 {
			t.Errorf("seed %d: %d rules, notes %q", seed, p.Rules, p.Notes)
		}
		for _, f := range p.Files {
			if f.Name == "labels.yaml" {
				t.Errorf("seed %d: labels that nobody needs:\n%s", seed, f.Text)
			}
			if f.Name == "services.yaml" && !strings.Contains(string(f.Text), "{name: g0}\nspec: {select: \"aws/group.g0=sg-0\"}") {
				t.Errorf("seed %d: no service g0 in\n%s", seed, f.Text)
			}
		}
	}
}

// TestGroupsBesideEverythingElse spoils estates of groups: something more or less
// passes for some pairs than groups say, with denials of its own or not, and some
// are in clusters. What is written stays what was found.
func TestGroupsBesideEverythingElse(t *testing.T) {
	some := []space.Set{{}, space.Plain(netset.All()), space.Plain(netset.Of(netset.UDP, 53, 60)), space.Plain(netset.All().Subtract(netset.Of(netset.TCP, 5432, 5433))),
		space.Plain(netset.Of(netset.TCP, 80, 80).Union(netset.Of(netset.ICMP, 0, 0)))}
	for seed := range uint64(250) {
		r := rand.New(rand.NewPCG(seed, 10))
		inv, reach := grouped(r, 3+r.IntN(12), 2+r.IntN(4), 1+r.IntN(8))
		for i := range inv.Workloads {
			if r.IntN(5) == 0 {
				inv.Workloads[i].Labels["k8s/namespace"] = fmt.Sprint("ns-", r.IntN(2))
			}
		}
		kept := reach.Edges[:0]
		for _, x := range reach.Edges {
			if r.IntN(6) == 0 {
				x.Upper = some[r.IntN(len(some))]
				x.Lower = x.Upper
			}
			if !x.Upper.IsEmpty() {
				kept = append(kept, x)
			}
		}
		reach.Edges = kept
		p := adopt.Write(inv, reach, fromFile)
		check(t, resolve(t, inv, p), inv, reach)
		if t.Failed() {
			for _, f := range p.Files {
				t.Logf("%s:\n%s", f.Name, f.Text)
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestZonesThatDoAlikeAreSaidTogether: what all of many VPCs may ask of a group is
// one rule.
func TestZonesThatDoAlikeAreSaidTogether(t *testing.T) {
	inv := &inventory.Snapshot{}
	reach := &prove.Reachability{}
	add := func(i int, labels map[string]string) {
		labels["net/vpc"] = fmt.Sprint("vpc-", i)
		inv.Workloads = append(inv.Workloads, inventory.Workload{Name: fmt.Sprintf("w%02d", i), Labels: labels, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}})
		reach.Ends = append(reach.Ends, prove.End{Workloads: []int{i}})
	}
	s := space.Plain(netset.Of(netset.TCP, 443, 443))
	for i := range 6 {
		add(i, map[string]string{"app": fmt.Sprint("a", i)})
	}
	add(6, map[string]string{"aws/group.web": "sg-1"})
	add(7, map[string]string{"aws/group.web": "sg-1"})
	for i := range 6 {
		reach.Edges = append(reach.Edges, prove.Reached{From: i, To: 6, Lower: s, Upper: s}, prove.Reached{From: i, To: 7, Lower: s, Upper: s})
	}
	reach.Ends = append(reach.Ends, prove.End{Prefixes: []string{"0.0.0.0/0"}}, prove.End{})
	p := adopt.Write(inv, reach, fromFile)
	check(t, resolve(t, inv, p), inv, reach)
	if p.Rules != 1 {
		t.Errorf("%d rules", p.Rules)
	}
}
