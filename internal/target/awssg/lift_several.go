package awssg

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// several finds what workloads with more than one address may do that no single
// rule allows all of their addresses: rules for IPv4 and for IPv6 stand apart.
// homes are those of the workloads that are asked about.
func (t *tabler) several(d flow.Direction, governed []int, homes []home) []layer.Rule {
	if len(homes) == 0 {
		return nil
	}
	classes := map[string][]int{} // workloads by the groups that they are in
	for _, i := range governed {
		if key := strings.Join(t.all[i].sure, "\x00"); key != "" {
			classes[key] = append(classes[key], i)
		}
	}
	var out []layer.Rule
	for _, key := range sortedKeys(classes) {
		hits := t.hits(strings.Split(key, "\x00"), d, homes)
		for f, who := range t.families(classes[key]) {
			if len(who) == 0 {
				continue
			}
			named := map[string][]int{}
			traffic := map[string]netset.Traffic{}
			for i, extra := range t.together(hits, families(f)) {
				text := extra.String()
				named[text], traffic[text] = append(named[text], i), extra
			}
			for _, text := range sortedKeys(named) {
				slices.Sort(named[text])
				out = append(out, layer.Rule{
					Ref:    flow.Rule{Policy: strings.Join(t.namesOf(key), "+"), Rule: "rules for each of several addresses"},
					Effect: layer.Allow, Subject: t.named(who), Peer: t.named(named[text]), Traffic: traffic[text],
				})
			}
		}
	}
	return out
}

// settle lists the addresses of all workloads that have several.
func (t *tabler) settle() {
	var mixed []int
	defer func() {
		if len(mixed) > 0 {
			t.mixed = t.named(mixed)
		}
	}()
	for i := range t.src.Inventory.Workloads {
		if addrs := t.src.Inventory.Workloads[i].Addresses; len(addrs) > 1 {
			if familiesOf(addrs) == anyFamily {
				mixed = append(mixed, i)
			}
			for n, a := range addrs {
				t.homes = append(t.homes, home{a, i, n})
			}
		}
	}
	slices.SortFunc(t.homes, func(a, b home) int { return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.workload, b.workload)) })
}

// home is one of a workload's several addresses.
type home struct {
	addr     netip.Addr
	workload int
	nth      int // of its addresses
}

// hit is rules that mean addresses of a workload: by address, what they allow.
type hit struct {
	rules   [][]int // by address, in ascending order
	traffic []netset.Traffic
}

// hits finds, by workload, which rules of some groups mean which of its
// addresses. The homes are sorted.
func (t *tabler) hits(keys []string, d flow.Direction, homes []home) map[int]*hit {
	out := map[int]*hit{}
	var traffic []netset.Traffic
	mean := func(i, nth int) {
		h := out[i]
		if h == nil {
			h = &hit{rules: make([][]int, len(t.src.Inventory.Workloads[i].Addresses))}
			out[i] = h
		}
		n, r := len(h.rules[nth]), len(traffic)-1
		if n == 0 || h.rules[nth][n-1] != r {
			h.rules[nth] = append(h.rules[nth], r)
		}
	}
	asked := make([]bool, len(t.all))
	for _, h := range homes {
		asked[h.workload] = true
	}
	for _, k := range keys {
		g := t.groups[k]
		for n := range g.rules {
			r := &g.rules[n]
			if r.dir != d || r.unknown != "" {
				continue
			}
			traffic = append(traffic, r.traffic)
			fits := func(a netip.Addr) bool { return r.family == 0 || a.Is4() == (r.family == 4) }
			for _, p := range r.prefixes {
				first, _ := slices.BinarySearchFunc(homes, p.Masked().Addr(), func(h home, a netip.Addr) int { return h.addr.Compare(a) })
				for ; first < len(homes) && p.Contains(homes[first].addr); first++ {
					if fits(homes[first].addr) {
						mean(homes[first].workload, homes[first].nth)
					}
				}
			}
			for _, i := range t.referred(g, r) {
				if asked[i] {
					for nth, a := range t.src.Inventory.Workloads[i].Addresses {
						if fits(a) {
							mean(i, nth)
						}
					}
				}
			}
		}
	}
	for _, h := range out {
		h.traffic = traffic
	}
	return out
}

// referred lists the workloads that are surely in a group that a rule names.
func (t *tabler) referred(g *liftedGroup, r *liftedRule) []int {
	var out []int
	for _, k := range r.groups {
		m := t.members[k]
		if m == nil || t.groups[k] == nil {
			continue
		}
		if why, reaches := t.reaches(g.vpc, t.groups[k].vpc); reaches && why == "" {
			out = append(out, m.sure...)
		}
	}
	return out
}

// together is what rules allow every address of each workload that has a family
// in common with some, less what a single one allows all of them. Those of whom
// that is nothing are left out.
func (t *tabler) together(hits map[int]*hit, f families) map[int]netset.Traffic {
	out := map[int]netset.Traffic{}
	known := map[string]netset.Traffic{} // by which rules mean which address
	var key []byte
	for i, h := range hits {
		key = key[:0]
		addrs := t.src.Inventory.Workloads[i].Addresses
		for nth, rules := range h.rules {
			key = append(key, byte(f&of(addrs[nth])))
			key = binary.AppendUvarint(key, uint64(len(rules)))
			for _, r := range rules {
				key = binary.AppendUvarint(key, uint64(r))
			}
		}
		extra, done := known[string(key)]
		if !done {
			extra = h.extra(func(nth int) bool { return f&of(addrs[nth]) != 0 })
			known[string(key)] = extra
		}
		if !extra.IsEmpty() {
			out[i] = extra
		}
	}
	return out
}

func (h *hit) extra(counts func(nth int) bool) netset.Traffic {
	every, single, some := netset.All(), netset.None(), false
	for n, rules := range h.rules {
		one := netset.None()
		for _, r := range rules {
			one = one.Union(h.traffic[r])
			if n == 0 && !slices.ContainsFunc(h.rules, func(other []int) bool { return !slices.Contains(other, r) }) {
				single = single.Union(h.traffic[r])
			}
		}
		if counts(n) {
			every, some = every.Intersect(one), true
		}
	}
	if !some { // no packets pass between the two
		return netset.None()
	}
	return every.Subtract(single)
}
